// The Raft core: input in, effects out. One object is one replica of one group.
//
// It owns no thread, clock, random device, file, socket or logger; the same inputs give the same
// effects on every run. The shell (actors/RaftReplica, or the simulation) feeds inputs, then takes
// the effects and may carry each out the moment it sees it: whatever has to wait for the disk is
// withheld by the core itself until log_persisted() says that the disk has it (§3.8, §10.2.1, F12).
//
// Not thread-safe; every method is called by its owner only. Methods never throw.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "raft/change.hpp"
#include "raft/log_storage.hpp"
#include "raft/status.hpp"
#include "raft/types.hpp"

namespace kiwi::raft {

// F9: how far beyond the stamp of a committed entry a reader's time may be. Safety: what a leader
// told its readers is what the next one has to start above, so it must be the same number on all
// nodes, whatever their options say. It is about as long as a failover takes at the default
// options.
constexpr int64_t kReadBoundMs = 300;

struct CoreOptions {
  GroupId group = kFirstGroup;
  NodeId id;
  Incarnation incarnation;
  uint64_t seed = 1;  // randomised timeouts, entry seeds
  uint32_t heartbeat_ticks = 4;
  uint32_t election_ticks_min = 12;  // drawn uniformly from [min, max]
  uint32_t election_ticks_max = 24;
  int64_t election_timeout_min_ms = 300;  // the same minimum in ms
  // Lease reads may be asked for (F20). Clock assumption: no node's monotonic clock runs more than
  // a tenth faster than another's, and it counts suspended time (CLOCK_BOOTTIME). A restarted node
  // then neither votes nor campaigns for one election timeout. Must be the same on all nodes.
  bool leases = false;
  uint64_t window_bytes = 8 << 20;  // recent entries kept in memory
  uint64_t inflight_bytes_max =
      1 << 20;                         // unacknowledged per follower; one entry always fits (F29)
  uint32_t inflight_messages_max = 2;  // of those below 64 KiB: what comes next shares a message
  uint64_t message_bytes_max = 128 << 10;  // payload bytes per AppendEntries; one entry always fits
  uint64_t uncommitted_bytes_max = 64 << 20;  // admission at the leader: from there on kOverloaded
  // A larger payload goes neither into the log nor to the leader: no link would carry it (F50).
  uint64_t entry_bytes_max = UINT64_MAX;
  uint64_t apply_bytes_max = 1 << 20;           // per take_effects()
  uint64_t apply_inflight_bytes_max = 4 << 20;  // handed to apply and not yet applied() (F28)
  // What is committed, durable and not applied stays in memory up to so much more than
  // window_bytes; what leaves it is read back from the log (F48).
  uint64_t unapplied_bytes_max = 16 << 20;
  // Who has more than this to apply does not campaign first, and is not handed leadership (F53).
  uint64_t ready_backlog_bytes = 4 << 20;
  uint64_t ready_backlog_entries = 2'000;
  uint64_t boot_epoch = 0;  // of this start, as in its proposals (F4); 0: unknown
};

struct Outgoing {
  NodeId to;
  Message message;
  bool operator==(const Outgoing&) const = default;
};

// The shell reads the log storage and answers with log_read(). At most one a follower and one for
// apply is outstanding.
struct LogRead {
  NodeId follower;  // 0 = for apply
  LogIndex from;
  LogIndex last;
  size_t bytes_max = 0;
  Term asked_in;  // what is read for a follower counts for this leadership only
  bool operator==(const LogRead&) const = default;
};

// Answers a read_index() of this node.
struct ReadReady {
  uint64_t id = 0;
  bool ok = false;  // false: nothing happened; ask again when there is a leader
  bool not_member = false;
  LogIndex index;        // answer once applied >= index
  int64_t now_ms = 0;    // F9
  bool clamped = false;  // F9
  bool operator==(const ReadReady&) const = default;
};

// What happened, for logs, INFO, tests and the router. `ready`: this node leads and its no-op is
// applied, or it follows a leader it has heard of.
struct LeaderChanged {
  Term term;
  NodeId leader;  // 0 = none known
  Role role = Role::kFollower;
  bool ready = false;
  bool operator==(const LeaderChanged&) const = default;
};
struct ConfigurationChanged {
  LogIndex index;
  Configuration configuration;
  bool committed = false;
  bool operator==(const ConfigurationChanged&) const = default;
};
struct MembershipDone {  // answers change_membership() / transfer_leadership() with the same id
  ChangeId id;
  ChangeOutcome outcome;
  bool operator==(const MembershipDone&) const = default;
};
// F49: member_returned() said that an id came back while its member lives. Nothing is changed.
struct MemberLives {
  Member member;    // the one that lives
  Member newcomer;  // that says it is the same id
  bool operator==(const MemberLives&) const = default;
};
// F52: the log holds a proposal of a later start of this very directory, or one of this start that
// was not given here: it is an old copy. This node neither votes nor acknowledges any more.
struct OldCopyFound {
  uint64_t epoch = 0;  // of that start
  bool operator==(const OldCopyFound&) const = default;
};
struct RemovedFromCluster {  // F25: this node applied its own removal or was told NotMember
  bool operator==(const RemovedFromCluster&) const = default;
};
using Event = std::variant<LeaderChanged,
                           ConfigurationChanged,
                           MembershipDone,
                           RemovedFromCluster,
                           MemberLives,
                           OldCopyFound>;

// LogStorage::cut() is to be called with this, after the writes of this and all earlier turns.
struct CutRequest {
  SnapshotMeta meta;
  LogIndex keep_from;
  bool operator==(const CutRequest&) const = default;
};

// This leader cannot bring the follower up from its log: a snapshot has to be sent. Said again
// every election timeout until snapshot_pinned() tells of a transfer.
struct SnapshotWanted {
  NodeId follower;
  LogIndex first_index;  // of this log. A snapshot below first_index - 1 is of no use
  bool operator==(const SnapshotWanted&) const = default;
};

// What snapshot_received() decides (F15).
enum class SnapshotVerdict : uint8_t {
  kIgnored,      // nothing new in it, or not to be believed: throw it away
  kCommitMoved,  // the log holds all of it and now knows that it is committed: throw it away
  kInstall,      // LogStorage::install(), swap the state, then snapshot_installed()
};

struct Effects {
  std::vector<Outgoing> send;             // ship first
  std::optional<PersistRequest> persist;  // then this; answer with log_persisted(token)
  std::optional<CutRequest> cut;          // then this; no answer
  std::vector<SnapshotWanted> snapshots;
  std::vector<Entry> apply;  // committed and durable here, contiguous, in order
  std::vector<LogRead> log_reads;
  std::vector<ReadReady> reads;
  std::vector<ProposeRefused> refused;  // to the local origin
  std::vector<Event> events;

  bool empty() const;
  bool operator==(const Effects&) const = default;
};

// What start needs from disk beside LoadedLog.
struct StartState {
  LoadedLog log;
  // The last entries, ending at log.last_index. Must reach down to every entry above
  // max(log.commit, applied), so that whatever may be uncommitted is in memory, and must hold the
  // last entry if it is above `applied` (its stamp is needed). May be empty otherwise.
  std::vector<Entry> tail;
  LogIndex applied;                  // the state machine's flushed applied index
  int64_t applied_stamp_ms = 0;      // the stamp of that entry: cluster time never goes below
  std::vector<SessionRow> sessions;  // rows at `applied`
};

class Core {
 public:
  Core(const CoreOptions& options, StartState start);
  ~Core();
  Core(Core&&) noexcept;
  Core& operator=(Core&&) noexcept;

  // ---- inputs; each may produce effects
  // The shell's clocks, given before other inputs of a turn. monotonic_ms never decreases (F37).
  void set_time(int64_t wall_ms, int64_t monotonic_ms);
  void tick();                      // one tick of logical time passed; a late tick counts once
  void step(Message message);       // from a peer
  void propose(Proposal proposal);  // from the local origin; forwarded if another node leads
  void read_index(uint64_t id, bool with_tick);  // from the local router
  // As read_index(), but answered at once while this node leads and holds a lease (F20). Only with
  // CoreOptions::leases, and set_time() before it.
  void lease_read(uint64_t id);
  void log_persisted(const PersistToken& token);
  // No entries: `from` was cut meanwhile. prev_term 0: unknown, for the same reason, or from is 1.
  void log_read(const LogRead& request, std::vector<Entry> entries, Term prev_term);
  // The state machine applied everything up to index. `sessions` are the rows right after applying
  // index; given whenever an entry that opens a term (kNoop) was the last one applied (F23).
  void applied(LogIndex index, std::optional<std::vector<SessionRow>> sessions);
  void link_up(NodeId peer);  // probe it at once
  void link_down(NodeId peer);
  void change_membership(ChangeId id, MembershipChange change);
  // A link's hello said that this member's id came back with another incarnation: its directory was
  // wiped (F1). A leader replaces it by itself: removes the old one, adds the new one as a learner,
  // promotes it once it has caught up. Ignored elsewhere; repeat it to whoever leads. While the
  // present one was heard from within an election timeout it is not replaced (F49, MemberLives).
  void member_returned(Member member);
  void transfer_leadership(ChangeId id, NodeId target);  // target 0 = the most up-to-date voter
  // As the state machine holds it: what this node puts into the log from now on has no newer
  // format. 1 until it is called; it never decreases.
  void set_cluster_version(uint32_t version);
  // The origin here waits for applies: commits should be announced to it at once (F19).
  void set_wants_commit(bool wants);
  // This node's disk is nearly full: while it leads it takes no batches (kDiskFull). What others
  // replicate is still written, and applied, in what is left.
  void set_disk_full(bool full);

  // ---- snapshots and the log's cut (§5, F13-F15, F32)
  // The state is durable at `flushed`, an applied index whose entry had that term (read from the
  // flushed state itself, F13). Cuts the log behind it: keep_entries stay in any case; what known
  // members still lack stays up to keep_for_laggards_entries; what a running transfer needs
  // (pinned) stays. Returns where the log begins now; Effects::cut tells the storage if that moved.
  LogIndex compact(LogIndex flushed,
                   Term term,
                   uint64_t keep_entries,
                   uint64_t keep_for_laggards_entries);
  // A snapshot at `index` is on its way to the follower, from this node or, after a change of
  // leader, from another one (F32): the log is not cut above it until snapshot_done(). False, and
  // nothing pinned: this log begins too late to continue from there.
  bool snapshot_pinned(NodeId follower, LogIndex index);
  // That transfer ended. ok: the follower said that it is at `installed`; else it is tried again
  // after an election timeout.
  void snapshot_done(NodeId follower, LogIndex installed, bool ok);
  // Who sent them is gone: nothing is on its way any more.
  void snapshots_lost();
  // A snapshot is here, whole and verified. Decides now what becomes of it (F15). sender_term: the
  // term its sender, any member, was in when it sent the last of it; an older one is not believed.
  // After kInstall the node neither appends, applies nor votes until snapshot_installed(). The
  // effects of this turn have to reach the log storage before install() does.
  SnapshotVerdict snapshot_received(const SnapshotMeta& meta, Term sender_term);
  // install() is durable and the state machine stands at meta.index; applied() of the old state
  // came before this. applied_stamp_ms: cluster time there (StartState). sessions: the last number
  // of each origin there; one of this node that it did not give proves an old copy (OldCopyFound).
  void snapshot_installed(const SnapshotMeta& meta,
                          int64_t applied_stamp_ms,
                          std::span<const SessionRow> sessions);

  // ---- effects since the last call
  Effects take_effects();

  Status status() const;
  const Configuration& configuration() const;  // the latest in the log (F18)
  bool awaits_applies() const;                 // this node leads, or set_wants_commit() said so

  // Checks what must hold between inputs, and against what held at the last call; aborts if broken.
  // Cheap enough for every input of a simulation, not meant for production turns.
  void check_invariants() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The first entry of a new cluster: a configuration (F2). Written by the bootstrapping node before
// its core starts, at index 1, term 1.
Entry bootstrap_entry(const Configuration& configuration, int64_t stamp_ms);

}  // namespace kiwi::raft
