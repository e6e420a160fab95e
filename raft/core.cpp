// Construction, dispatch of inputs, the order of effects, status.
#include "raft/core.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "config/base/check.hpp"
#include "raft/codec.hpp"
#include "raft/core_state.hpp"
#include "raft/members_at_start.hpp"

namespace kiwi::raft {

namespace {

template <Role kRole>
using RoleOf = std::variant_alternative_t<static_cast<size_t>(kRole), RoleState>;

// Streams of neighbouring seeds must be unrelated. (splitmix64 seeded with multiples of its own
// step gives shifted copies of one stream: nodes that draw the same timeouts for ever.)
uint64_t mixed(const CoreOptions& options, uint64_t purpose) {
  uint64_t seed = options.seed;
  for (uint64_t part : {options.id.value, purpose}) {
    seed = Prng(seed).next() + part;
  }
  return Prng(seed).next();
}

LogWindow window_of(const StartState& start) {
  const LoadedLog& loaded = start.log;
  if (start.tail.empty()) {
    return LogWindow(loaded.last_index, loaded.last_term);
  }
  LogIndex base = start.tail.front().index - 1;
  std::optional<Term> term;
  if (base == loaded.snapshot.index) {
    term = loaded.snapshot.term;  // 0 at index 0
  }
  LogWindow window(base, term);
  for (const Entry& entry : start.tail) {
    window.append(entry);
  }
  return window;
}

}  // namespace

bool Effects::empty() const {
  return send.empty() && !persist && !cut && snapshots.empty() && apply.empty() &&
         log_reads.empty() && reads.empty() && refused.empty() && events.empty();
}

Core::State::State(const CoreOptions& core_options, StartState start)
    : options(core_options),
      timeout_prng(mixed(core_options, 1)),
      seed_prng(mixed(core_options, 2)),
      term(start.log.hard_state.term),
      voted_for(start.log.hard_state.voted_for),
      log(window_of(start)),
      first_index(start.log.first_index),
      snapshot_index(start.log.snapshot.index),
      snapshot_term(start.log.snapshot.term),
      issued_hard_state(start.log.hard_state),
      issued(start.log.last_index),
      persisted(start.log.last_index),
      commit(committed_at_start(start)),
      emitted(start.applied),
      applied(start.applied),
      clock(kReadBoundMs),
      last_stamp_ms(start.applied_stamp_ms) {
  CHECK_INVARIANT(options.id);
  CHECK_INVARIANT(options.election_ticks_min > 0);
  CHECK_INVARIANT(options.election_ticks_max >= options.election_ticks_min);
  CHECK_INVARIANT(options.heartbeat_ticks > 0);
  CHECK_INVARIANT(log.last_index() == start.log.last_index);
  CHECK_INVARIANT(applied <= log.last_index());
  CHECK_INVARIANT(snapshot_index <= applied);
  CHECK_INVARIANT(first_index <= applied + 1);  // F13: nothing is missing between state and log
  counted_from = commit;
  CHECK_INVARIANT(log.base_index() <= std::max(commit, applied));
  CHECK_INVARIANT(log.last_index() <= applied || log.holds(log.last_index()));
  if (log.holds(log.last_index())) {
    last_stamp_ms = std::max(last_stamp_ms, log.at(log.last_index()).stamp_ms);
  }
  for (LogIndex i = commit + 1; i <= log.last_index(); ++i) {
    uncommitted_bytes += entry_bytes(log.at(i));
  }
  // F18: the configuration is what the log says, not what was applied.
  configurations.push_back({snapshot_index, start.log.snapshot.configuration});
  for (const Entry& entry : start.log.configurations) {
    if (entry.index > snapshot_index) {
      adopt_configuration(entry);
    }
  }
  effects = {};
  // F52: an old copy may have taken later numbers of its own from a leader, and ended before it
  // left a note of it. While it knew of them it acknowledged nothing, so none was told to it as
  // committed: they are in the tail, or in the state that was installed.
  note_own_numbers(start.sessions);
  for (LogIndex i = log.base_index() + 1; i <= log.last_index(); ++i) {
    note_own_number(log.at(i).number);
  }
  announced.term = term;
  silent_until = options.leases ? options.election_ticks_min : 0;
  reset_election_timer();
}

// ---------------------------------------------------------------- messages

void Core::State::send(NodeId to, Body body) { send_at(to, term, std::move(body)); }

void Core::State::send_at(NodeId to, Term at, Body body) {
  CHECK_INVARIANT(to && to != options.id);
  CHECK_INVARIANT(at <= term);
  effects.send.push_back({to, {options.id, to, at, std::move(body), options.incarnation}});
}

void Core::State::step(Message message) {
  if (message.to != options.id || message.from == options.id || !message.from) {
    return;
  }
  if (step_term(message)) {
    dispatch(message);
  }
}

// The rules about terms (§3.3), in one place. False: the message is dealt with.
bool Core::State::step_term(const Message& message) {
  const auto* vote_request = std::get_if<RequestVote>(&message.body);
  const auto* vote = std::get_if<RequestVoteResponse>(&message.body);
  const bool is_append = std::holds_alternative<AppendEntries>(message.body);
  const bool is_append_response = std::holds_alternative<AppendEntriesResponse>(message.body);
  if (vote == nullptr && vote_request == nullptr && !is_append && !is_append_response) {
    return true;  // carries the sender's term without raising ours
  }
  if (vote_request != nullptr) {
    // F1: a known id with another incarnation. A wholly unknown id may come from a configuration
    // that is not here yet (§4.1), unless it was removed for good.
    const Member* member = configuration().find(message.from);
    bool foreign = member != nullptr ? member->incarnation != message.from_incarnation
                                     : std::ranges::binary_search(
                                           committed_configuration().removed_ids, message.from);
    if (foreign && !mutant(Mutant::kWipedVoterCounted)) {
      send(message.from, NotMember{});
      return false;
    }
    // F27: a pre-vote changes nobody's term. §4.2.3: nor does a vote request while there is a
    // leader, unless that leader asked for it (§3.10).
    if (vote_request->pre_vote) {
      return true;
    }
    if (message.term > term && !vote_request->leadership_transfer && sticky()) {
      return false;
    }
  }
  // F1: what counts must come from a member; its term does not count either.
  if ((vote != nullptr || is_append_response) && !counts(message.from, message.from_incarnation) &&
      !is_leaving(message)) {
    send(message.from, NotMember{});
    return false;
  }
  if (vote != nullptr && vote->pre_vote && vote->granted) {
    return true;  // comes from a term that may be lower than ours, by design
  }
  if (message.term > term) {
    become_follower(message.term, is_append ? message.from : NodeId{});
    return true;
  }
  if (message.term < term) {
    // F27: tells a leader or candidate of an old term that it is one.
    if (is_append) {
      send(message.from, AppendEntriesResponse{});
    } else if (vote_request != nullptr) {
      send(message.from, RequestVoteResponse{});
    }
    return false;
  }
  return true;
}

void Core::State::dispatch(const Message& message) {
  struct Visitor {
    State& state;
    const Message& message;
    void operator()(const RequestVote& body) { state.on_request_vote(message, body); }
    void operator()(const RequestVoteResponse& body) { state.on_vote(message, body); }
    void operator()(const AppendEntries& body) { state.on_append(message, body); }
    void operator()(const AppendEntriesResponse& body) { state.on_append_response(message, body); }
    void operator()(const TimeoutNow&) { state.on_timeout_now(message); }
    void operator()(const Propose& body) { state.on_propose(message, body); }
    void operator()(const ProposeRefused& body) {
      if (message.from == state.leader()) {
        state.effects.refused.push_back(body);
      }
    }
    void operator()(const ReadIndexRequest& body) { state.on_read_request(message, body); }
    void operator()(const ReadIndexResponse& body) { state.on_read_response(message, body); }
    void operator()(const NotMember&) { state.on_not_member(message); }
  };
  std::visit(Visitor{*this, message}, message.body);
}

// Derives from the state what has to be sent, written and applied. Order: reads that are confirmed
// are answered, rounds may append ticks, appends are shipped, and only then is the turn's one write
// composed.
void Core::State::flush() {
  if (Leader* leader = leading()) {
    finish_reads(*leader);
    drive_membership(*leader);
    drive_transfer(*leader);
    start_round(*leader);
    flush_peers(*leader);
  }
  flush_forwarding();
  flush_persist();
  flush_apply();
  evict();
}

// ---------------------------------------------------------------- roles as others see them

Role Core::State::role_kind() const {
  static_assert(std::variant_size_v<RoleState> == 4);
  static_assert(std::is_same_v<RoleOf<Role::kFollower>, Follower>);
  static_assert(std::is_same_v<RoleOf<Role::kPreCandidate>, PreCandidate>);
  static_assert(std::is_same_v<RoleOf<Role::kCandidate>, Candidate>);
  static_assert(std::is_same_v<RoleOf<Role::kLeader>, Leader>);
  return static_cast<Role>(role.index());
}

NodeId Core::State::leader() const {
  if (const auto* follower = std::get_if<Follower>(&role)) {
    return follower->leader;
  }
  return leading() != nullptr ? options.id : NodeId{};
}

void Core::State::announce() {
  const Leader* own = leading();
  LeaderChanged now{term, leader(), role_kind(), false};
  now.ready = own != nullptr ? own->ready : static_cast<bool>(now.leader);
  if (now != announced) {
    announced = now;
    effects.events.emplace_back(now);
  }
}

void Core::State::on_link(NodeId peer, bool up) {
  if (up) {
    links_down.erase(peer);
  } else {
    links_down.insert(peer);
  }
  Leader* leader = leading();
  if (leader == nullptr) {
    return;
  }
  auto it = leader->peers.find(peer);
  if (it == leader->peers.end()) {
    return;
  }
  if (!up) {
    forget_reads_of(*leader, peer);
  }
  Progress& progress = it->second;
  progress.up = up;
  progress.snapshot_wait_ticks = 0;
  // What was in flight is lost with the link; the follower's own log tells where to go on.
  if (progress.state != PeerState::kSnapshot) {
    progress.enter_probe(progress.match ? progress.match + 1 : progress.next);
  }
  progress.heartbeat_due = up;
  progress.commit_sent = LogIndex{};
}

// How far a follower is behind, and where from it will be served.
void Core::State::describe_lag(const Progress& progress, PeerStatus& peer) const {
  const LogIndex first_lacking = progress.match + 1;
  peer.lag_entries = log.last_index() - progress.match;
  peer.lag_bytes = log.bytes_above(progress.match);
  const uint64_t held = log.last_index() - std::max(progress.match, log.base_index());
  if (held < peer.lag_entries) {  // the others are taken to be as big as those in memory
    const uint64_t entries = log.last_index() - log.base_index();
    const uint64_t average = entries == 0 ? entry_bytes(Entry{}) : log.bytes() / entries;
    peer.lag_bytes += (peer.lag_entries - held) * average;
  }
  const LogIndex oldest = std::max(first_lacking, log.base_index() + 1);
  if (log.holds(oldest)) {
    peer.lag_ms = std::max<int64_t>(0, clock.now_ms() - log.at(oldest).stamp_ms);
  }
  if (progress.state == PeerState::kSnapshot) {
    peer.catch_up = CatchUp::kSnapshot;
  } else if (progress.next <= log.base_index()) {
    peer.catch_up = CatchUp::kLog;
  }
}

Status Core::State::status() const {
  Status out;
  out.id = options.id;
  out.term = term;
  out.voted_for = voted_for;
  out.leader = leader();
  out.role = role_kind();
  out.first_index = first_index;
  out.last_index = log.last_index();
  out.commit = commit;
  out.persisted = persisted;
  out.applied = applied;
  out.snapshot_index = snapshot_index;
  out.snapshot_term = snapshot_term;
  out.window_entries = log.last_index() - log.base_index();
  out.window_bytes = log.bytes();
  out.backlog_bytes = waiting_bytes + apply_bytes;
  out.installing = installing;
  out.ready = announced.ready;
  out.cluster_time_ms = clock.now_ms();
  out.configuration = configuration();
  for (const Member& member : configuration().members) {
    if (member.id == options.id) {
      continue;
    }
    PeerStatus peer;
    peer.member = member;
    peer.voter = configuration().is_voter(member.id);
    peer.up = !links_down.contains(member.id);
    if (const Leader* own = leading()) {
      const Progress& progress = own->peers.at(member.id);
      peer.match = progress.match;
      peer.next = progress.next;
      peer.inflight_bytes = progress.inflight_bytes;
      peer.ticks_since_heard = progress.ticks_since_heard;
      peer.clock_ahead_ms = progress.clock_ahead_ms;
      peer.state = progress.state;
      peer.applied = progress.applied;
      peer.backlog_bytes = progress.backlog_bytes;
      describe_lag(progress, peer);
      auto pin = pins.find(member.id);
      peer.snapshot_index = pin == pins.end() ? LogIndex{} : pin->second;
    }
    out.peers.push_back(std::move(peer));
  }
  return out;
}

void Core::State::log_read(const LogRead& request, std::vector<Entry> entries, Term prev_term) {
  if (request.follower) {
    on_log_read_for_peer(request, std::move(entries), prev_term);
    return;
  }
  apply_reading = false;
  for (Entry& entry : entries) {
    apply_read.push_back(std::move(entry));
  }
}

// ---------------------------------------------------------------- the public face

Core::Core(const CoreOptions& options, StartState start)
    : state_(std::make_unique<State>(options, std::move(start))) {}
Core::~Core() = default;
Core::Core(Core&&) noexcept = default;
Core& Core::operator=(Core&&) noexcept = default;

void Core::set_time(int64_t wall_ms, int64_t monotonic_ms) {
  state_->set_time(wall_ms, monotonic_ms);
}
void Core::tick() { state_->tick(); }
void Core::step(Message message) { state_->step(std::move(message)); }
void Core::propose(Proposal proposal) { state_->propose(std::move(proposal)); }
void Core::read_index(uint64_t id, bool with_tick) { state_->read_index(id, with_tick); }
void Core::lease_read(uint64_t id) { state_->lease_read(id); }
void Core::log_persisted(const PersistToken& token) { state_->log_persisted(token); }
void Core::log_read(const LogRead& request, std::vector<Entry> entries, Term prev_term) {
  state_->log_read(request, std::move(entries), prev_term);
}
void Core::applied(LogIndex index, std::optional<std::vector<SessionRow>> sessions) {
  state_->on_applied(index, std::move(sessions));
}
void Core::link_up(NodeId peer) { state_->on_link(peer, true); }
void Core::link_down(NodeId peer) { state_->on_link(peer, false); }
void Core::change_membership(ChangeId id, MembershipChange change) {
  for (Member& member : change.add_learners) {
    member = held_by(state_->cluster_version, std::move(member));
  }
  state_->change_membership(id, change);
}
void Core::member_returned(Member member) {
  state_->member_returned(held_by(state_->cluster_version, std::move(member)));
}
void Core::set_cluster_version(uint32_t version) { state_->cluster_version = version; }
void Core::transfer_leadership(ChangeId id, NodeId target) {
  state_->transfer_leadership(id, target);
}
LogIndex Core::compact(LogIndex flushed,
                       Term term,
                       uint64_t keep_entries,
                       uint64_t keep_for_laggards_entries) {
  return state_->compact(flushed, term, keep_entries, keep_for_laggards_entries);
}
bool Core::snapshot_pinned(NodeId follower, LogIndex index) {
  return state_->snapshot_pinned(follower, index);
}
void Core::snapshot_done(NodeId follower, LogIndex installed, bool ok) {
  state_->snapshot_done(follower, installed, ok);
}
void Core::snapshots_lost() { state_->snapshots_lost(); }
SnapshotVerdict Core::snapshot_received(const SnapshotMeta& meta, Term sender_term) {
  return state_->snapshot_received(meta, sender_term);
}
void Core::snapshot_installed(const SnapshotMeta& meta,
                              int64_t applied_stamp_ms,
                              std::span<const SessionRow> sessions) {
  state_->snapshot_installed(meta, applied_stamp_ms, sessions);
}
void Core::set_wants_commit(bool wants) { state_->wants_commit = wants; }

void Core::set_disk_full(bool full) { state_->disk_full = full; }
Effects Core::take_effects() {
  state_->flush();
  return std::exchange(state_->effects, {});
}
Status Core::status() const { return state_->status(); }
bool Core::awaits_applies() const { return state_->leading() != nullptr || state_->wants_commit; }
const Configuration& Core::configuration() const { return state_->configuration(); }
void Core::check_invariants() const { state_->check_invariants(); }

Entry bootstrap_entry(const Configuration& configuration, int64_t stamp_ms) {
  Entry entry;
  entry.index = LogIndex{1};
  entry.term = Term{1};
  entry.kind = EntryKind::kConfiguration;
  entry.stamp_ms = stamp_ms;
  entry.payload = SharedBytes(encode_configuration(configuration));
  return entry;
}

}  // namespace kiwi::raft
