// The executor: applies log entries to the keyspace and answers reads at an index. It is the plain
// class inside the StateMachine actor; client loop only.
//
// Apply is a pure function of (state, entry), resp/README.md#determinism: no clock, no option, no
// random device, and nothing here depends on whether this node is the origin, except that only the
// origin keeps the replies. A turn (work()) executes whole entries up to a budget and ends in one
// StateStore::commit().
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/limits.hpp"
#include "config/skip_entry.hpp"
#include "config/version.hpp"
#include "raft/types.hpp"
#include "resp/acl/denial_log.hpp"
#include "resp/acl/users.hpp"
#include "resp/executor_status.hpp"
#include "resp/long_read.hpp"
#include "resp/request.hpp"
#include "resp/types/outward.hpp"
#include "resp/types/settings.hpp"
#include "resp/types/shape.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::resp {

class Measures;
class ReadScripts;
class ReplyStream;

struct ExecutorOptions {
  GroupId group = kFirstGroup;  // whose entries are applied
  NodeId node;
  Incarnation incarnation;
  config::SkipEntry skip_entry;  // F30: an operator's
  // F46: a state or an entry above it ends the node, for it may mean what this build cannot know.
  uint32_t cluster_version_max = config::kClusterVersionMax;
  uint64_t epoch = 0;               // this boot's proposals; others' replies are thrown away
  size_t turn_commands_max = 512;   // then the turn commits and yields to the sockets
  size_t turn_bytes_max = 1 << 20;  // written, and replied
  // F45: of one read; a turn's writes may have kWriteShare times as much. Decides about replies and
  // connections only, never about what is applied.
  size_t reply_bytes_max = config::limits::kReplyBytes;
  // F61: decides what entries mean; tests lower it on all nodes alike.
  size_t entry_work_max = config::limits::kEntryWorkBytes;
  uint64_t entry_steps_max = config::limits::kEntrySteps;           // the same
  Shape shape = kShape;                                             // the same
  size_t spill_bytes = config::limits::kSpillBytes;                 // decides nothing
  uint64_t entry_read_steps_max = config::limits::kEntryReadSteps;  // decides about replies only
  // Reads that look at more records than this leave the turn (ExecutorEffects::long_reads); 0: none
  // does. Only when, not what they answer, depends on it.
  uint64_t long_read_elements = 0;
  size_t long_reply_bytes = config::limits::kLongReplyBytes;  // the same, of what they answer
  size_t long_reads_max = config::limits::kLongReads;  // put aside at a time; more are refused
  size_t long_reads_of_connection_max = config::limits::kLongReadsOfConnection;
  // What is applied rests inside an entry that takes longer than this (SERVICES C3); none: never.
  // No result depends on it.
  std::function<int64_t()> now_us = nullptr;  // monotonic
  int64_t rest_after_us = 2000;
  // This node's state is not what a majority of the voters have: it must not serve. None: fatal().
  std::function<void(const std::string& sentence)> on_difference = nullptr;
  // Scripts that only reads of this node ran (read_scripts.hpp); none: its own.
  std::shared_ptr<ReadScripts> read_scripts = nullptr;
  const std::atomic<bool>* stop = nullptr;  // of a view: it ends what runs, by Stopped (steps.hpp)
  ReplyStream* stream = nullptr;  // of a view, for one read: by which its reply leaves in pieces
  // Something was refused to a client of this node by the users of the state; none: nobody is told.
  std::function<void(const acl::Refusal&)> on_refusal = nullptr;
  // Of a view, the users to ask; none: everybody may do everything.
  std::shared_ptr<const acl::Users> users = nullptr;
  // Told what this node's clients had executed, and how long it took; outlives the executor. None:
  // nothing is measured.
  Measures* measures = nullptr;
};

struct ExecutorEffects {
  std::vector<ReplyBatch> replies;  // one per connection and turn
  std::vector<Settled> settled;
  std::vector<Serve> serves;  // of clients that wait, to be proposed (F31)
  // To be run, those of one connection in this order, on views of the state made from now on.
  std::vector<LongRead> long_reads;
  std::vector<uint64_t> long_reads_expired;  // to be answered by expired_long_read() unless begun
  std::vector<uint64_t> long_reads_dropped;  // nobody waits for these any more
  ReadOutcomes reads;
  std::vector<OutwardEvent> outward;   // of what was committed, in log order; behind the replies
  uint64_t expirations = 0;            // expire_command()s that were executed, whoever's
  std::vector<std::string> proposals;  // of this node, packed: what its state has (Comparison)
  bool applied_moved = false;
  bool settings_changed = false;  // Executor::settings()
  bool users_changed = false;     // Executor::users()
  LogIndex applied;
  // Rows right after `applied`; given when a kNoop was applied, which always ends a turn (F23).
  std::optional<std::vector<raft::SessionRow>> sessions;
  std::optional<uint32_t> pressure;  // of the keyspace, for the router; if it was asked
};

class Executor {
 public:
  // Reads the applied record and session rows; the keyspace outlives the executor.
  Executor(rocks::Keyspace& keyspace, const ExecutorOptions& options);
  // On a view of the state, for reads: nothing may be applied, and only what is needed is loaded.
  Executor(rocks::Reader& view, const ExecutorOptions& options);
  ~Executor();

  LogIndex applied() const;
  Term applied_term() const;
  int64_t applied_stamp_ms() const;
  // As of the last entry applied; of a view, only the cluster version.
  const Settings& settings() const;
  uint32_t cluster_version() const { return settings().cluster_version(); }
  std::vector<raft::SessionRow> session_rows() const;
  // Those of the state; not while it rests. Before they are seeded a node's options count.
  std::shared_ptr<const acl::Users> users();
  bool users_seeded() const;

  // ---- inputs
  // Before the batch is proposed. An operation of connection 0 has no client: no reply.
  void expect(std::shared_ptr<const PendingBatch> batch);
  void forget(uint64_t sequence);   // its clients were answered already (F5): apply silently
  void run_reads(ReadBatch batch);  // executed once applied() >= batch.index
  // Took too long: a batch that still waits for its index is answered texts::kReadTimeout and
  // reported in reads.done; a read that was put aside goes to long_reads_expired; to others nothing
  // happens.
  void cancel_reads(const std::vector<uint64_t>& ids);
  void long_read_done(LongReadResult result);    // or a piece of its reply
  void apply(std::vector<raft::Entry> entries);  // queued; contiguous after what was queued before
  void forget_connection(ConnectionId connection);  // closed: its replies are dropped

  // ---- clients that wait in blocking commands (waiters.hpp)
  bool anybody_waits() const;                 // then set_clock() is to be called before work()
  void set_clock(int64_t now_ms);             // monotonic: timeouts
  std::optional<int64_t> wake_at_ms() const;  // when there is something to do again
  // Serves that the router did not hand over: they are certainly not applied.
  void serves_returned(const std::vector<uint64_t>& waiters);
  void serves_answered(const std::vector<uint64_t>& waiters);  // and whose clients it answered
  // What the router answered of a batch that it gave up, behind forget(): blocking commands,
  // serves.
  void clients_answered(const std::vector<ReplySlot>& slots);
  void end_waits();  // this node stops serving
  WaiterStatus waiters() const;

  // A snapshot was installed and this executor stands on its state: takes over what `old` still
  // owed to clients, the reads that wait for an index and the batches that are not in the snapshot.
  // Those that are in it have no replies any more: Router::session_row() answers them (F22). What
  // `old` had queued is dropped; its effects have to be taken before, and it is of no use
  // afterwards.
  void take_over(Executor& old);

  // Who is told of what entries from the next one on do; from time to time, before work().
  void listen(const Listening& listening);

  // Executes queued entries and ready reads within one turn's budget. True = there is more to do.
  bool work();
  // In the middle of an entry, which the next work() goes on with. What applied() and its kind tell
  // is the last commit. Inputs may come; no view, checkpoint or flush may be asked of the keyspace,
  // which holds half an entry, nothing may take this one's place, and nothing is due.
  bool rests() const;
  // How long the script has run in which it rests; none: it is no script.
  std::optional<int64_t> script_us() const;
  // For how long the oldest entry that is not applied has waited, if scripts are why; else 0.
  int64_t behind_scripts_us() const;
  bool waits_for_room() const;  // it rests because files lag: there is no hurry
  // Leaves the entry half done, of which nothing is told: for who takes this one's place by a state
  // that holds all of it.
  void abandon();
  // Entries wait because the keyspace cannot take more: work() goes on with them after its
  // when_room(). Reads at indexes that are applied do not wait.
  bool held() const;
  ExecutorEffects take_effects();

  // Since when something may be over that no entry has removed, at the cluster time now_ms.
  // nullopt: nothing is.
  std::optional<int64_t> due_since(int64_t now_ms);
  // What the leader proposes then, packed: at most so many keys and fields go, and none whose time
  // is not over at the entry's stamp (F8).
  static std::string expire_command(uint64_t most);
  static std::string compare_command();  // the leader's question whether all states agree

  using DatabaseSize = resp::DatabaseSize;
  std::vector<DatabaseSize> database_sizes() const;
  ScriptStatus scripts() const;
  OnceStatus once() const;
  bool skipped_entry() const;       // ExecutorOptions::skip_entry was, since the start
  uint64_t state_checksum() const;  // rolling, over logical effects (F34)
  using Counters = ExecutorCounters;
  Counters counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiwi::resp
