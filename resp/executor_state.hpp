// The inside of the Executor, shared by its .cpp files: executor.cpp (entries and turns),
// executor_rests.cpp (where a turn rests), executor_commands.cpp (an entry's), executor_reads.cpp
// (reads at an index).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/fiber.hpp"
#include "config/limits.hpp"
#include "resp/context.hpp"
#include "resp/executor.hpp"
#include "resp/executor_sessions.hpp"
#include "resp/mutants.hpp"
#include "resp/resp_writer.hpp"
#include "resp/script_engine.hpp"
#include "resp/stopwatch.hpp"
#include "resp/waiters.hpp"

namespace kiwi::resp {

// The replies of one turn, grouped by connection.
// Where the reply of one operation grows, and how far (F45).
struct ReplySpace {
  std::string* bytes = nullptr;   // nullptr: nobody waits for it
  size_t read_end = 0;            // what `bytes` may grow to by a read
  size_t write_end = 0;           // and by a write
  bool lost = false;              // a write's reply did not fit, or a read's ended in the middle
  bool undo_if_lost = false;      // a write whose reply does not fit is taken back
  bool shaped = false;            // ReplyWriter::shaped(), of any part
  ReplyStream* stream = nullptr;  // a read's: it may leave in pieces
};

class ReplyGroups {
 public:
  // A connection's reads of one turn may fill twice the bound, one reply at most half of that. Its
  // writes have as much again, so that none is lost because reads before it were large. All
  // connections together have so much and one bound more: none of them takes it all. What is small
  // always fits.
  static constexpr size_t kReadShare = 2;
  static constexpr size_t kWriteShare = 3;

  static_assert(kReadShare < kWriteShare);
  static_assert((kWriteShare + 1) * config::limits::kReplyBytes <= UINT32_MAX,
                "a part's place has 32 bits");
  static_assert(config::limits::kSmallReplyBytes < config::limits::kReplyBytes / 8);

  explicit ReplyGroups(size_t reply_bytes_max)
      : reply_bytes_max_(reply_bytes_max),
        small_(std::min(config::limits::kSmallReplyBytes, reply_bytes_max / 8)) {}

  // A reply to `to` in the making. space.bytes is nullptr if nobody waits for it.
  struct Draft {
    ReplyBatch* batch = nullptr;
    size_t offset = 0;  // where it starts in batch->bytes
    size_t tokens = 0;  // tokens before it
    ReplySpace space;
    std::string* bytes() const { return batch != nullptr ? &batch->bytes : nullptr; }
  };
  Draft begin(const ReplySlot& to);
  void end(const Draft& draft, uint64_t slot);
  void discard(const Draft& draft);

  void close(ConnectionId connection);
  void forget_closed() { closed_.clear(); }
  size_t bytes() const { return bytes_; }  // since take()
  std::vector<ReplyBatch> take();

 private:
  void lose(ReplyBatch& batch);

  size_t reply_bytes_max_;
  size_t small_;
  std::vector<ReplyBatch> batches_;
  std::unordered_map<ConnectionId, size_t> index_;
  std::unordered_set<ConnectionId> closed_;
  ConnectionId last_ = 0;  // whose batch is batches_[last_index_]
  size_t last_index_ = 0;
  size_t bytes_ = 0;
};

// A packed command taken apart and looked up. Views into the packed bytes.
struct Decoded {
  PackedCommand command;
  size_t bytes = 0;  // packed
  bool well_formed = false;
  // nullptr: a block, or nothing that a row says how to execute.
  const CommandSpec* row = nullptr;
};
void decode(std::string_view packed, uint32_t cluster_version, Decoded& into);
inline constexpr std::string_view kInternalError =
    "ERR internal error: the command was not applied";

// Decodes commands in blocks before they are executed, and tells the Database which keys come next:
// commands wait for memory more than for anything else once the keys are many. Reused, so that the
// usual command allocates nothing.
class LookAhead {
 public:
  explicit LookAhead(Database& database) : database_(database) {}

  // What was decoded and not executed is forgotten: its bytes may be gone.
  void begin(uint32_t cluster_version) {
    cluster_version_ = cluster_version;
    next_ = known_ = 0;
  }
  // The next command; `ahead` returns the packed ones, in order, each once, nullopt at the end. It
  // stays valid until the next call.
  template <class Ahead>
  Decoded& next(Ahead&& ahead) {
    if (next_ == known_) {
      next_ = known_ = 0;
      for (size_t args = 0; known_ < commands_.size() && args < kArgsMax;) {
        const std::optional<std::string_view> packed = ahead();
        if (!packed) {
          break;
        }
        decode(*packed, cluster_version_, commands_[known_]);
        args += commands_[known_++].command.args.size();
      }
      CHECK_INVARIANT(known_ != 0);
      if (known_ > 1) {
        announce();
      }
    }
    CHECK_INVARIANT(next_ < known_);
    database_.reach(next_);
    return commands_[next_++];
  }

 private:
  static constexpr size_t kArgsMax = 1024;  // of a block, but for its last command's

  void announce();

  Database& database_;
  uint32_t cluster_version_ = kAnyVersion;
  std::array<Decoded, 16> commands_;
  size_t next_ = 0;
  size_t known_ = 0;  // [next_, known_) are still to be executed
};

struct Executor::State {
  State(rocks::Keyspace& keyspace, const ExecutorOptions& opts);
  State(rocks::Reader& view, const ExecutorOptions& opts);

  // ---- executor.cpp
  void apply_entry(const raft::Entry& entry);
  void apply_batch(const raft::Entry& entry);
  void apply_void(const raft::Entry& entry);
  void apply_configuration(const raft::Entry& entry);
  bool must_skip(const raft::Entry& entry) const;
  void take_settings();  // what the state says of them now
  void settle_comparison();
  [[noreturn]] void out_of_memory() const;
  void large_entry() const;
  void tell_entry_waits();
  std::shared_ptr<const PendingBatch> take_pending(const raft::ProposalNumber& number);
  bool is_own(const raft::ProposalNumber& number) const;
  bool apply_turn();
  const rocks::AppliedRecord& record() const {
    return rests || half_done ? committed : database.record();
  }

  // ---- executor_rests.cpp
  bool work_on_turn();   // false: it rests in the middle of it
  void note_arrivals();  // of entries, and what was applied
  void allow_rests();
  void may_rest();
  void rest();
  bool may_leave() const;  // the stack that it runs on
  void await_room();
  void abandon();
  void forget_half_turn();

  // ---- executor_commands.cpp
  void run_commands(const raft::Entry& entry, const PendingBatch* batch);
  void refuse_commands(const PendingBatch* batch);
  // F30: what it throws is contained and undone.
  void execute(Decoded& decoded, Moment moment, ReplySpace& out, int version);
  void execute_transaction(PackedCommand& transaction, Moment moment, ReplySpace& out, int version);
  void execute_plain(const Decoded& decoded, const Moment& moment, ReplySpace& out, int version);
  // False: it failed, and nothing of it may remain, the same on every node (F30).
  // Calls visit(key) for the keys of reads, and for those that scripts declare.
  template <class Visit>
  void for_each_key_read(const Decoded& decoded, Visit visit);
  // For a client that caches: which keys it has seen when it gets the reply.
  void remember_keys(const ReplySlot& to, const Decoded& decoded);
  void remember_aside(uint64_t read, const ReplySlot& to, const Decoded& decoded);
  bool run_handler(Route route, const Decoded& decoded, ReplySpace& out, int version);
  bool lose_reply(const RespWriter& reply, size_t start, ReplySpace& out);
  void execute_inner(Decoded& decoded, const Moment& moment, ReplySpace& out, int version);
  void end_lap(const Decoded& decoded);  // an operation was executed
  void failed(const CommandSpec& row, const std::exception& error);
  std::string too_much(uint64_t steps_max);
  uint64_t read_steps_left() const;                    // of this entry
  bool looks_long(const CommandSpec& row, Args args);  // the context was begun for it
  bool foreseen_long(RequestKind kind, const Decoded& decoded, const Moment& moment);
  // Whose operation it is, and what it is; of a PendingOp or a ReadOp.
  struct Asker {
    ReplySlot to;
    RequestKind kind = RequestKind::kRead;
    uint8_t resp_version = 2;
    int64_t wait_until_ms = 0;
  };
  template <class Op>
  static Asker asker_of(const Op& op) {
    return {op.to, op.kind, op.resp_version, op.wait_until_ms};
  }
  void run_read(const Asker& by, Decoded& decoded, const Moment& moment, ReplyGroups::Draft& draft);

  // ---- executor_users.cpp
  void asked_by(const PackedCommand& command, uint64_t checked_by);
  std::string denied(const CommandSpec& row, Args argv);
  void take_users();  // what the state says of them now

  // ---- executor_once.cpp
  struct Attempt {
    bool lost = false;    // the reply is larger than any that is made
    bool shaped = false;  // OnceRecord::shaped
    bool takes = false;   // OnceRecord::takes
    bool done = false;    // it was executed: it counts
  };
  // Whose tokens and producers it names.
  uint64_t once_scope(const PackedCommand& command);
  void execute_once(Decoded& decoded, Moment moment, ReplySpace& out, int version);
  void execute_numbered(Decoded& decoded, const Moment& moment, ReplySpace& out, int version);
  Attempt attempt(Decoded& decoded, const Moment& moment);  // its reply: once_reply
  OnceRecord record_of(const Attempt& attempt,
                       const Decoded& decoded,
                       const Checksum128& fingerprint,
                       size_t kept_max,
                       const Moment& moment);
  Checksum128 fingerprint_of(const Decoded& decoded);
  // Why a token that is not known is refused; empty: it is not.
  std::string once_refusal(const Decoded& decoded, const Once::Name& name, const Moment& moment);
  void answer_known(OnceRecord& known,
                    const Once::Name& name,
                    const Decoded& decoded,
                    ReplySpace& out,
                    int version);
  void replay(const OnceRecord& known, const Decoded& decoded, ReplySpace& out, int version);
  void refuse_once(std::string_view text, ReplySpace& out, int version);
  // Of a command that wraps another one: that, and `args` become its words; null: it is unknown.
  const CommandSpec* meant_by(const CommandSpec& row, Args& args) const;
  bool takes(const CommandSpec* row, Args args) const;
  void give(std::string_view bytes, bool lost, ReplySpace& out);
  void look_at_tokens();  // the state is another one: which of those that wait counted meanwhile?
  void tell_if_closed(const CommandSpec& row, Args args, uint64_t user);
  bool is_decided(const PackedCommand& command);  // of a token: somebody else's attempt counted

  // ---- executor_waits.cpp
  std::optional<bool> look_first(const CommandSpec& row,
                                 const WaitFor& wait,
                                 Args args,
                                 ReplyWriter& reply);
  std::optional<bool> try_first(const Decoded& decoded,
                                const WaitFor& wait,
                                std::vector<std::string>& pinned,
                                ReplyWriter& reply);
  bool shows_something(const Decoded& decoded, const Moment& moment);
  bool may_run(const ReadBatch& batch,
               const ReadOp& op,
               const Decoded& decoded,
               const Moment& moment);
  // A blocking command: answers an error, or has it wait as soon as end_read() is called.
  void begin_wait(const Asker& by, Decoded& decoded, const Moment& moment, ReplyWriter& reply);
  void unblock(const Asker& by, const PackedCommand& command);
  // A read was executed: its reply is kept, or its client waits from now on.
  void end_read(const ReplyGroups::Draft& draft, uint64_t slot);
  void drop_read(const ReplyGroups::Draft& draft);  // as if it had not been executed
  void end_write(const PendingOp& op, const ReplyGroups::Draft& draft);
  // Its client is gone: what it takes goes back.
  void serve_nobody(Decoded& decoded, const Moment& moment);
  void lose_serves(const PendingBatch& batch);
  void return_serves(const PendingBatch& batch);
  bool look_at_waits();  // true: there is more to look at
  uint64_t supply_for(const Waiter& waiter, std::string_view key);
  bool serve_here(const Waiter& waiter);
  void answer_waits();

  // ---- executor_reads.cpp
  void watch(const Decoded& decoded, int64_t now_ms, const ReplyGroups::Draft& draft, int version);
  struct WaitingReads {
    ReadBatch batch;
    size_t next = 0;                    // op to execute
    std::vector<ReadOp> again;          // F9
    std::vector<ConnectionId> stopped;  // whose ops all go to `again` from here on
  };
  bool run_ready_reads();               // true: more are ready than a turn may hold
  bool run_batch(WaitingReads& reads);  // false: the turn is full, go on in the next
  bool turn_is_full() const;
  // True: it turned out to be long, and was not done.
  bool run_short_read(const ReadOp& op,
                      bool clamped,
                      Decoded& decoded,
                      const Moment& moment,
                      ReplyGroups::Draft& draft);
  void put_read_aside(uint64_t batch,
                      ReadOp&& op,
                      const Moment& moment,
                      const ReplyGroups::Draft& draft,
                      const Decoded& decoded,
                      bool is_long);
  bool has_aside(ConnectionId connection) const {
    return !aside_of.empty() && aside_of.contains(connection) &&
           !mutant(Mutant::kLongReadOvertaken);
  }
  void forget_aside(uint64_t id);
  void measured_aside(const LongReadResult& result);

  rocks::StateStore* const store;  // what the database is in; nullptr: it is a view
  ExecutorOptions options;
  Database database;
  SessionTable sessions;
  ScriptEngine scripts;
  Stopwatch stopwatch;
  const CommandSpec* const exec_row = find_command("exec");
  Context context;

  LogIndex queued;      // last entry queued
  LogIndex waits_told;  // the last one that tell_entry_waits() told of
  std::deque<raft::Entry> queue;
  struct Arrival {
    LogIndex last;
    int64_t at_us = 0;
  };
  std::deque<Arrival> arrivals;  // of what is queued, while there is a clock
  std::unordered_map<uint64_t, std::shared_ptr<const PendingBatch>> pending;  // by sequence
  std::vector<std::shared_ptr<const PendingBatch>> taken_batches;  // out of those, in this turn
  std::multimap<LogIndex, WaitingReads> waiting;                   // by index, then arrival
  ReplyGroups replies;
  ExecutorEffects effects;
  const raft::Entry* applying = nullptr;
  // The stack that turns are applied on, where they may rest.
  std::unique_ptr<Fiber> fiber;
  bool rests = false;
  bool rested = false;  // in this turn: its entry is the last one, since what it did is to be told
  bool waits_for_room = false;
  bool abandoned = false;
  bool half_done = false;           // in the middle of an entry
  int64_t began_us = 0;             // this slice of the turn
  rocks::AppliedRecord committed;   // when this turn began
  std::vector<DatabaseSize> sizes;  // when they were last asked for outside of a turn
  ScriptStatus script_status;       // the same
  // Told by inputs, which may come while a turn rests: never part of what the turn says.
  std::vector<uint64_t> long_reads_expired;
  std::vector<uint64_t> long_reads_dropped;
  std::vector<uint64_t> reads_done;
  bool skipped = false;           // Executor::skipped_entry()
  bool held = false;              // Executor::held()
  bool opened_term = false;       // a kNoop was applied since the last take_effects()
  uint64_t turn_commands = 0;     // executed in this half of a turn: entries, then reads
  size_t turn_reply_bytes = 0;    // replies.bytes() at which this half of a turn ends
  uint64_t entry_steps = 0;       // of this entry's writes, those that every node takes
  uint64_t entry_read_steps = 0;  // of its reads
  uint64_t entry_commands = 0;    // executed in this entry: the ordinal of the next (F10)
  std::vector<ReplyBatch> long_replies;
  // Whose replies end in long_replies: what their clients cache is told of once these are taken.
  std::vector<uint64_t> long_answered;
  void take_long_replies(std::vector<ReplyBatch>& taken);
  uint64_t long_reads = 0;  // put aside so far; their ids have the highest bit
  // Put aside and not answered: whose each is, and what each connection has. Those that only wait
  // behind a long one of their connection are bounded by what it may have unanswered.
  struct Aside {
    ConnectionId connection = 0;
    bool is_long = false;
  };
  struct AsideOf {
    std::unordered_set<uint64_t> ids;
    size_t long_ones = 0;
  };
  std::unordered_map<uint64_t, Aside> aside;
  std::unordered_map<ConnectionId, AsideOf> aside_of;
  size_t long_aside = 0;
  bool may_put_aside = false;   // the command being executed is a read on its own
  bool put_aside = false;       // and that was done
  uint64_t reads_executed = 0;  // seeds random reads
  uint64_t commands = 0;
  // In the state before the entry that is applied: later commands are unknown.
  uint32_t cluster_version = 1;
  uint64_t settings_changes = 0;  // Settings::changes() that were told
  uint64_t users_changes = 0;     // UserRecords::changes() that were told
  // Of the operation that is executed: by whom, and whether that is to be checked here.
  uint64_t checked_under = 0;  // the version of the users that its batch was checked by
  bool must_check = false;     // not by that of now
  bool by_user = false;        // one with a number
  bool asker_gone = false;     // whom nobody has any more
  bool in_transaction = false;
  ConnectionId asking = 0;  // the client's, if it is one of this node
  uint64_t failures = 0;    // commands that threw (F30)

  std::string once_reply;         // of the command that counts once, on every node
  size_t entry_once_bytes = 0;    // kept replies of this entry
  uint64_t entry_once_steps = 0;  // of reads in its blocks that count once: every node takes them
  bool block_takes = false;       // one of the last block's commands does (kTakes)
  OnceStatus once_counts;         // what came of those whose clients are here

  Waiters waiters;
  std::vector<ReplySlot> answered;       // while this turn rested: clients_answered()
  std::optional<Waiter> begins_to_wait;  // the operation being executed, and its client is there
  bool keeps_waiting = false;            // a serve found nothing, or CLIENT UNBLOCK waits for one
  bool found_nothing = false;            // the read that was executed last
  LookAhead look{database};
  Decoded between;  // reused: a read between the writes of an entry
  Decoded inner;    // reused: a transaction's commands
};

}  // namespace kiwi::resp
