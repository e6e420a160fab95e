// The inside of raft::Core, private to raft/*.cpp. One struct, its methods spread over chapter
// files (README.md lists them). Every method runs on the owner's thread and ends with all state
// consistent but for effects, which flush() derives at take_effects(): so whatever came in one turn
// is batched.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/base/prng.hpp"
#include "raft/cluster_clock.hpp"
#include "raft/configuration.hpp"
#include "raft/core.hpp"
#include "raft/log_window.hpp"
#include "raft/mutants.hpp"
#include "raft/progress.hpp"

namespace kiwi::raft {

// ---------------------------------------------------------------- roles (§3.3)

struct ForwardedRead {
  uint64_t id = 0;
  uint64_t tick = 0;  // when it was sent; lost ones are failed after a while
};

struct Follower {
  NodeId leader;                               // 0 = none heard of in this term
  LogIndex matched;                            // highest index known to equal the leader's log
  LogIndex acknowledged;                       // highest match sent to it
  bool answer_owed = false;                    // an AppendEntries waits for the disk to be answered
  uint64_t answer_sequence = 0;                // of the latest AppendEntries
  std::vector<ForwardedRead> forwarded_reads;  // this node's own, not answered yet
};

struct PreCandidate {
  std::set<NodeId> granted;
};

struct Candidate {
  std::set<NodeId> granted;
  bool transfer = false;
};

// One who asked for a read index: this node (asker 0) or a follower.
struct WaitingRead {
  NodeId asker;
  uint64_t id = 0;
  bool with_tick = false;
  int64_t arrived_ms = 0;  // cluster time; an answer below it is marked as clamped
  // Set together when its round starts:
  LogIndex index;
  int64_t limit_ms = 0;  // no entry above index is stamped below it (F43)
};

struct OriginKey {
  NodeId node;
  Incarnation incarnation;
  auto operator<=>(const OriginKey&) const = default;
};

// The last number of an origin in this leader's log (F23).
struct OriginTail {
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  uint64_t nacked_expect = 0;  // the last gap that was reported, and when, so that a burst of
  uint64_t nacked_tick = 0;    // batches behind one lost batch costs one answer
};

struct Transfer {
  ChangeId id;
  NodeId target;
  uint32_t ticks = 0;
  bool sent = false;  // TimeoutNow is out: another leader may exist from now on
};

// One membership change asked for here; answered when what it led to is applied.
struct PendingChange {
  ChangeId id;
  LogIndex index;               // of its first configuration entry
  std::vector<NodeId> promote;  // have to be voters before it is done
};

struct Leader {
  std::map<NodeId, Progress> peers;  // every member but this node
  LogIndex noop;                     // opens the term
  bool ready = false;                // the no-op is applied here
  uint32_t heartbeat_elapsed = 0;
  uint32_t quorum_elapsed = 0;

  std::vector<WaitingRead> arrived_reads;  // not in a round yet
  std::vector<WaitingRead> round_reads;    // in the running round
  std::vector<WaitingRead> ticking_reads;  // confirmed, wait for a tick to commit
  uint64_t round = 0;                      // the latest; never used again (F66)
  bool round_running = false;
  int64_t round_started_ms = 0;        // monotonic
  int64_t lease_until_ms = INT64_MIN;  // monotonic (F20)
  LogIndex tick;                       // the last tick appended for a read
  int64_t committed_bound_ms = 0;      // read bound of the last committed own-term entry (F9)

  std::map<OriginKey, OriginTail> tails;
  std::map<OriginKey, ProposalNumber> turned_away;  // came before readiness or during a transfer

  std::optional<Transfer> transfer;
  bool timeout_now_sent = false;  // in this term (F20)
  uint32_t unready_ticks = 0;     // since the no-op is committed and not applied here (F53)
  std::vector<PendingChange> changes;
  std::map<NodeId, Member> returned;  // wiped members to bring back (F1)
};

using RoleState = std::variant<Follower, PreCandidate, Candidate, Leader>;

struct IndexedConfiguration {
  LogIndex index;
  Configuration configuration;
};

// A persist effect that was not answered yet.
struct OutstandingPersist {
  PersistToken token;
  uint64_t tick = 0;  // since when the disk is at it: issued, and all before it were answered (F26)
  uint64_t bytes = 0;  // of payload: a long write is not a hanging disk (F29)
  bool has_entries = false;
};

// What Core is told goes to the method of the same name; applied() and link_up(), link_down() go to
// on_applied() and on_link(). Messages go to on_...() by their kind.
struct Core::State {
  State(const CoreOptions& core_options, StartState start);

  // ---------------- state
  CoreOptions options;
  uint32_t cluster_version = 1;
  Prng timeout_prng;
  Prng seed_prng;

  Term term;
  NodeId voted_for;
  LogWindow log;
  LogIndex first_index;     // first entry on disk
  LogIndex snapshot_index;  // where the log was cut or a snapshot installed: <= applied
  Term snapshot_term;
  bool installing = false;          // between kInstall and snapshot_installed()
  std::map<NodeId, LogIndex> pins;  // transfers that run, by follower
  struct HeldPin {
    LogIndex index;
    uint64_t until = 0;  // in ticks
  };
  std::map<NodeId, HeldPin> held_pins;  // of transfers that failed, for the next attempt at them
  std::vector<IndexedConfiguration>
      configurations;  // the snapshot's (or none at 0), then the log's
  RoleState role = Follower{};

  HardState issued_hard_state;     // as of the last persist effect
  LogIndex issued;                 // entries above it were in no persist effect yet
  LogIndex persisted;              // durable here, and part of the present log
  bool hard_state_durable = true;  // {term, voted_for} is on disk
  std::deque<OutstandingPersist> outstanding;
  std::vector<Outgoing> until_hard_state_durable;

  LogIndex commit;
  LogIndex emitted;  // handed to apply
  LogIndex applied;
  std::deque<std::pair<LogIndex, uint64_t>> apply_chunks;  // (last index, bytes), not applied yet
  uint64_t apply_bytes = 0;
  uint64_t waiting_bytes = 0;  // committed, not handed to apply yet: of what is above counted_from
  LogIndex counted_from;       // what was committed at the start has no known size
  std::deque<Entry> apply_read;  // read back for apply
  bool apply_reading = false;
  uint64_t uncommitted_bytes = 0;

  ClusterClock clock;
  int64_t last_stamp_ms = 0;  // of the last entry in the log
  uint64_t ticks = 0;
  uint64_t silent_until = 0;  // F20: with leases a restarted node neither votes nor campaigns
  uint32_t election_elapsed = 0;
  uint32_t election_timeout = 0;
  uint32_t ticks_since_leader = UINT32_MAX;  // heard of; saturates
  std::set<NodeId> links_down;
  bool wants_commit = false;
  bool disk_full = false;
  bool removed = false;          // told so, or applied so (F25)
  bool old_copy = false;         // F52
  uint64_t last_given = 0;       // sequence of this start's last proposal
  bool waited_to_apply = false;  // one election timeout, since a leader was heard (F53)
  std::set<NodeId> not_member_from;
  std::vector<Proposal> forwarding;
  LeaderChanged announced;
  Effects effects;

#ifdef KIWI_MUTANTS
  mutable Configuration mutant_configuration;
#endif

  // What check_invariants() saw last.
  struct Seen {
    Term term;
    NodeId voted_for;
    LogIndex commit, emitted, applied, last_index, first_index, snapshot_index;
    bool leader = false;
  };
  mutable Seen seen;

  // ---------------- core.cpp
  void step(Message message);
  bool step_term(const Message& message);
  void dispatch(const Message& message);
  void flush();
  void send(NodeId to, Body body);
  void send_at(NodeId to, Term at, Body body);
  void announce();
  Role role_kind() const;
  NodeId leader() const;
  Leader* leading() { return std::get_if<Leader>(&role); }
  const Leader* leading() const { return std::get_if<Leader>(&role); }
  void on_link(NodeId peer, bool up);
  void log_read(const LogRead& request, std::vector<Entry> entries, Term prev_term);
  Status status() const;
  void describe_lag(const Progress& progress, PeerStatus& peer) const;

  // ---------------- membership.cpp
  const Configuration& configuration() const { return configurations.back().configuration; }
  const Configuration& committed_configuration() const;
  const Configuration& counting_configuration() const;
  bool counts(NodeId id, const Incarnation& incarnation) const;
  bool is_leaving(const Message& message) const;
  bool is_member_here() const;
  void adopt_configuration(const Entry& entry);
  void drop_configurations_after(LogIndex last);
  void configuration_changed();
  void on_configurations_committed(LogIndex before);
  void on_not_member(const Message& message);
  void note_removed();
  void note_heard_as_member();
  void note_own_number(const ProposalNumber& number);
  void note_own_numbers(std::span<const SessionRow> sessions);
  void note_configurations_applied(LogIndex before);

  // ---------------- election.cpp
  void tick();
  bool is_voter_here() const;
  bool promotable() const;
  bool has_much_to_apply() const;
  bool disk_hangs() const;
  bool sticky() const;
  void reset_election_timer();
  void become_follower(Term new_term, NodeId new_leader);
  void leave_role();
  void campaign();
  void start_election(bool transfer);
  void ask_votes(bool pre_vote, bool transfer);
  void count_own_vote();
  void maybe_win();
  void become_leader();
  bool up_to_date(const RequestVote& request) const;
  void on_request_vote(const Message& message, const RequestVote& request);
  void on_vote(const Message& message, const RequestVoteResponse& response);
  void on_timeout_now(const Message& message);

  // ---------------- log.cpp
  void append_to_log(Entry entry);
  void truncate_after(LogIndex last);

  // ---------------- replication.cpp (leader) and follower.cpp
  void tick_leader(Leader& leader);
  void append_own(EntryKind kind, ProposalNumber number, SharedBytes payload);
  void flush_peers(Leader& leader);
  void flush_peer(Leader& leader, NodeId id, Progress& peer);
  bool send_next_entries(Leader& leader, NodeId id, Progress& peer);
  void read_for_peer(NodeId id, Progress& peer);
  void send_entries(
      Leader& leader, NodeId id, Progress& peer, Term prev_term, std::vector<Entry> entries);
  void send_heartbeat(Leader& leader, NodeId id, Progress& peer);
  void send_commit_notice(NodeId id, Progress& peer);
  void ship_append(Leader* leader, NodeId id, Progress& peer, AppendEntries append);
  std::optional<Term> prev_term_of(const Progress& peer) const;
  bool looks_lost(const Progress& peer) const;
  bool window_admits(const Progress& peer, uint64_t bytes) const;
  void on_append_response(const Message& message, const AppendEntriesResponse& response);
  void compare_clocks(Progress& peer, const AppendEntriesResponse& response) const;
  void on_append_rejected(Progress& peer, const AppendEntriesResponse& response);
  void on_log_read_for_peer(const LogRead& request, std::vector<Entry> entries, Term prev_term);
  void reconcile_peers(Leader& leader);
  void drop_departed_peers(Leader& leader);
  void start_progress(Progress& peer, const Member& member);

  void on_append(const Message& message, const AppendEntries& append);
  AppendEntriesResponse answer_to(uint64_t sequence, uint64_t round, int64_t wall_ms) const;
  void answer_append(const AppendEntries& append);
  void refuse_while_installing(const Message& message, const AppendEntries& append);
  bool merge_entries(const AppendEntries& append);
  void reject_append(const Message& message, const AppendEntries& append);
  LogIndex acknowledgeable(LogIndex matched) const;
  void answer_if_durable();

  // ---------------- snapshots.cpp
  LogIndex compact(LogIndex flushed,
                   Term flushed_term,
                   uint64_t keep_entries,
                   uint64_t keep_for_laggards_entries);
  void drop_served_pins();
  void hold_pin(NodeId follower, LogIndex index);
  LogIndex needed_by_held_pins(LogIndex flushed) const;
  LogIndex needed_by_laggards(LogIndex flushed, uint64_t budget_entries) const;
  std::optional<Term> known_term(LogIndex index) const;
  bool on_disk_from(LogIndex next) const;
  bool can_serve_from(LogIndex next) const;
  void want_snapshot(NodeId id, Progress& peer);
  bool snapshot_pinned(NodeId follower, LogIndex index);
  void snapshot_done(NodeId follower, LogIndex installed, bool ok);
  void snapshots_lost();
  SnapshotVerdict snapshot_received(const SnapshotMeta& meta, Term sender_term);
  void snapshot_installed(const SnapshotMeta& meta,
                          int64_t applied_stamp_ms,
                          std::span<const SessionRow> sessions);

  // ---------------- commit.cpp
  void flush_persist();
  void log_persisted(const PersistToken& token);
  void hard_state_became_durable();
  void maybe_commit();
  void advance_commit(LogIndex index);
  void flush_apply();
  const Entry* next_to_apply();
  void on_applied(LogIndex index, std::optional<std::vector<SessionRow>> sessions);
  void evict();

  // ---------------- read_index.cpp
  void set_time(int64_t wall_ms, int64_t monotonic_ms);
  void ask_rounds_again(Leader& leader);
  void forget_reads_of(Leader& leader, NodeId asker);
  void set_read_point(WaitingRead& read) const;
  void read_index(uint64_t id, bool with_tick);
  void lease_read(uint64_t id);
  bool lease_holds(const Leader& leader) const;
  void expire_forwarded_reads();
  void on_read_request(const Message& message, const ReadIndexRequest& request);
  void on_read_response(const Message& message, const ReadIndexResponse& response);
  void start_round(Leader& leader);
  void confirm_round(Leader& leader);
  void finish_round(Leader& leader);
  void finish_reads(Leader& leader);
  void answer_read(Leader& leader, const WaitingRead& read);
  void fail_read(const WaitingRead& read);
  void fail_read_here(uint64_t id, bool not_member);

  // ---------------- proposals.cpp
  void propose(Proposal proposal);
  void on_propose(const Message& message, const Propose& propose);
  void admit(Leader& leader, NodeId from, Proposal proposal);
  void refuse(NodeId origin, const ProposalNumber& number, RefusalReason reason, uint64_t expect);
  void become_ready(Leader& leader, const std::vector<SessionRow>& sessions);
  void release_turned_away(Leader& leader);
  bool accepts_proposals(const Leader& leader) const;
  void flush_forwarding();

  // ---------------- change.cpp, transfer.cpp
  void change_membership(ChangeId id, const MembershipChange& change);
  ChangeRefusal busy_with(const Leader& leader) const;
  ChangeOutcome propose_change(Leader& leader, const MembershipChange& change);
  bool is_heard(const Leader& leader, NodeId id) const;
  NodeId silent_voter(const Leader& leader, const Configuration& next) const;
  bool caught_up(const Leader& leader, NodeId id) const;
  void member_returned(const Member& member);
  bool lives(const Leader& leader, NodeId id) const;
  void drive_membership(Leader& leader);
  void answer_changes(Leader& leader, LogIndex reached);
  void fail_changes(Leader& leader);
  void transfer_leadership(ChangeId id, NodeId target);
  ChangeOutcome begin_transfer(Leader& leader, ChangeId id, NodeId target);
  void drive_transfer(Leader& leader);
  void tick_transfer(Leader& leader);
  void end_transfer(Leader& leader, ChangeRefusal refusal);
  bool answers(NodeId id, const Progress& peer) const;
  bool is_ready_to_lead(const Progress& peer) const;
  NodeId best_successor(const Leader& leader) const;
  void step_aside_if_unready(Leader& leader);

  // ---------------- invariants.cpp
  void check_indexes() const;
  void check_invariants() const;
};

}  // namespace kiwi::raft
