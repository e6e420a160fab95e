// Elections: pre-vote (§9.6), stickiness (§4.2.3), randomised timeouts (§3.4), votes that wait for
// the disk (§3.8), TimeoutNow (§3.10), and every change of role.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

void Core::State::tick() {
  ++ticks;
  if (ticks_since_leader != UINT32_MAX) {
    ++ticks_since_leader;
  }
  if (Leader* leader = leading()) {
    tick_leader(*leader);
    return;
  }
  expire_forwarded_reads();
  ++election_elapsed;
  const bool due = election_elapsed >= election_timeout;
  // A lone voter has nobody to wait for.
  const bool alone =
      std::holds_alternative<Follower>(role) && is_sole_voter(configuration(), options.id);
  if (promotable() && (alone || !due || waited_to_apply || !has_much_to_apply())) {
    if (due || alone) {
      campaign();
    }
  } else if (due) {
    waited_to_apply = true;
    become_follower(term, NodeId{});
    reset_election_timer();
  }
}

// Liveness, §4.2.2: also a voter whose own removal stands in its log and is not committed yet. It
// may hold what the others cannot be elected without, and its vote is not counted (seed 18395).
bool Core::State::is_voter_here() const {
  const auto voter = [&](const Configuration& in) {
    return in.has(options.id, options.incarnation) && in.is_voter(options.id);
  };
  const bool leaving = configurations.back().index > commit && voter(committed_configuration());
  return voter(configuration()) || (leaving && !mutant(Mutant::kRemovedNeverCampaigns));
}

// May this node campaign? §4.2.1: learners do not. F1: nor does a directory that is not the one in
// the configuration, or an old copy of it (F52). F26: nor does a node whose disk does not answer.
// Nor one whose log is about to be replaced by a snapshot.
bool Core::State::promotable() const {
  return !removed && !old_copy && is_voter_here() && !disk_hangs() && !installing &&
         ticks >= silent_until;
}

// F53: as a leader it would serve nobody until all of it is applied, so others go first. Liveness:
// for one election timeout only, because all of them may be like that.
bool Core::State::has_much_to_apply() const {
  const uint64_t held = log.last_index() - log.base_index();
  const uint64_t average = held == 0 ? 0 : log.bytes() / held;
  const uint64_t uncounted = counted_from > emitted ? counted_from - emitted : 0;
  return waiting_bytes + apply_bytes + uncounted * average > options.ready_backlog_bytes ||
         log.last_index() - applied > options.ready_backlog_entries;
}

// Liveness: a write gets one election timeout, and one more for every 4 MiB of it. A leader that
// stepped down over a big entry would leave the same write to the next one, for ever (F29).
bool Core::State::disk_hangs() const {
  constexpr uint64_t kBytesPerTimeout = 4 << 20;
  return !outstanding.empty() &&
         ticks - outstanding.front().tick >
             options.election_ticks_min * (1 + outstanding.front().bytes / kBytesPerTimeout);
}

// §4.2.3: heard from a leader less than the smallest election timeout ago, or leads.
bool Core::State::sticky() const {
  return leading() != nullptr || ticks_since_leader < options.election_ticks_min ||
         ticks < silent_until;
}

void Core::State::reset_election_timer() {
  election_elapsed = 0;
  uint64_t spread = options.election_ticks_max - options.election_ticks_min + 1;
  election_timeout = options.election_ticks_min + static_cast<uint32_t>(timeout_prng.below(spread));
  CHECK_INVARIANT(election_timeout >= options.election_ticks_min &&
                  election_timeout <= options.election_ticks_max);
}

void Core::State::become_follower(Term new_term, NodeId new_leader) {
  CHECK_INVARIANT(new_term >= term);
  CHECK_INVARIANT(new_leader != options.id);  // who leads follows nobody
  if (auto* follower = std::get_if<Follower>(&role);
      follower != nullptr && new_term == term && follower->leader == new_leader) {
    return;
  }
  const bool led = leading() != nullptr;
  leave_role();
  if (new_term > term) {
    term = new_term;
    voted_for = NodeId{};
    hard_state_durable = false;
    until_hard_state_durable.clear();
    ticks_since_leader = UINT32_MAX;
  }
  Follower follower;
  follower.leader = new_leader;
  role = std::move(follower);
  if (led) {
    reset_election_timer();
  }
  announce();
}

// Nothing that was promised in a role is left unanswered when it ends.
void Core::State::leave_role() {
  if (auto* follower = std::get_if<Follower>(&role)) {
    for (const ForwardedRead& read : std::exchange(follower->forwarded_reads, {})) {
      fail_read_here(read.id, false);
    }
  } else if (Leader* leader = leading()) {
    if (mutant(Mutant::kStepDownKeepsReads)) {
      finish_round(*leader);
    }
    for (auto* reads : {&leader->arrived_reads, &leader->round_reads, &leader->ticking_reads}) {
      for (const WaitingRead& read : std::exchange(*reads, {})) {
        fail_read(read);
      }
    }
    end_transfer(*leader, ChangeRefusal::kNone);
    fail_changes(*leader);
  }
}

void Core::State::campaign() {
  CHECK_INVARIANT(leading() == nullptr && promotable());
  leave_role();
  PreCandidate candidate;
  candidate.granted.insert(options.id);
  role = std::move(candidate);
  reset_election_timer();
  announce();
  const auto& granted = std::get<PreCandidate>(role).granted;
  if (has_quorum(counting_configuration(), [&](NodeId id) { return granted.contains(id); })) {
    start_election(false);
  } else {
    ask_votes(true, false);
  }
}

void Core::State::start_election(bool transfer) {
  CHECK_INVARIANT(leading() == nullptr);
  leave_role();
  term = term + 1;
  voted_for = options.id;
  hard_state_durable = false;
  until_hard_state_durable.clear();
  Candidate candidate;
  candidate.transfer = transfer;
  role = std::move(candidate);
  reset_election_timer();
  announce();
  ask_votes(false, transfer);
}

// Safety: real requests wait for the disk as votes do. A candidate that forgets its term in a crash
// could ask again in the same term with another log, and be elected by votes for the first one.
void Core::State::ask_votes(bool pre_vote, bool transfer) {
  RequestVote request{log.last_index(), log.last_term(), pre_vote, transfer};
  for (const Member& member : configuration().members) {
    if (member.id == options.id || !configuration().is_voter(member.id)) {
      continue;
    }
    if (pre_vote) {
      send(member.id, request);
    } else {
      until_hard_state_durable.push_back(
          {member.id, {options.id, member.id, term, request, options.incarnation}});
    }
  }
}

void Core::State::count_own_vote() {
  if (auto* candidate = std::get_if<Candidate>(&role)) {
    candidate->granted.insert(options.id);
    maybe_win();
  }
}

void Core::State::maybe_win() {
  const auto& granted = std::get<Candidate>(role).granted;
  if (has_quorum(counting_configuration(), [&](NodeId id) { return granted.contains(id); })) {
    become_leader();
  }
}

void Core::State::become_leader() {
  CHECK_INVARIANT(hard_state_durable && voted_for == options.id);
  CHECK_INVARIANT(std::holds_alternative<Candidate>(role));
  CHECK_INVARIANT(!installing && !old_copy);
  leave_role();
  // F9: every reader's time of older terms lies below what this leader stamps first.
  clock.start_leading(last_stamp_ms);
  role = Leader{};
  Leader& leader = *leading();
  leader.round = first_read_round(term);
  reconcile_peers(leader);
  append_own(EntryKind::kNoop, {}, {});
  leader.noop = log.last_index();
  CHECK_INVARIANT(leader.noop > commit && log.last_term() == term);
  if (mutant(Mutant::kNoNoopGate)) {
    leader.ready = true;
    leader.committed_bound_ms = clock.now_ms();
  }
  announce();
}

bool Core::State::up_to_date(const RequestVote& request) const {
  // §3.6.1
  Term own = log.last_term();
  return request.last_term > own ||
         (request.last_term == own && request.last_index >= log.last_index());
}

void Core::State::on_request_vote(const Message& message, const RequestVote& request) {
  if (request.pre_vote) {
    // The term asked about is message.term + 1; ours does not change (F27).
    bool granted =
        message.term >= term && !sticky() && up_to_date(request) && !installing && !old_copy;
    send(message.from, RequestVoteResponse{true, granted});
    return;
  }
  // A leader or candidate of this term voted for itself; nobody has voted where a leader is known.
  CHECK_INVARIANT(message.term == term);  // step_term() has seen to it
  bool free = !leader() && (!voted_for || voted_for == message.from);
  bool granted = free && up_to_date(request) && ticks >= silent_until && !installing && !old_copy;
  if (!granted) {
    send(message.from, RequestVoteResponse{false, false});
    return;
  }
  become_follower(term, NodeId{});  // a pre-candidate gives way
  if (!voted_for) {
    voted_for = message.from;
    hard_state_durable = false;
  }
  CHECK_INVARIANT(voted_for == message.from);
  reset_election_timer();
  if (hard_state_durable || mutant(Mutant::kVoteBeforePersist)) {
    send(message.from, RequestVoteResponse{false, true});
    return;
  }
  until_hard_state_durable.push_back(
      {message.from,
       {options.id, message.from, term, RequestVoteResponse{false, true}, options.incarnation}});
}

void Core::State::on_vote(const Message& message, const RequestVoteResponse& response) {
  if (!response.granted) {
    return;
  }
  if (response.pre_vote) {
    auto* candidate = std::get_if<PreCandidate>(&role);
    if (candidate == nullptr) {
      return;
    }
    candidate->granted.insert(message.from);
    if (has_quorum(counting_configuration(),
                   [&](NodeId id) { return candidate->granted.contains(id); })) {
      start_election(false);
    }
    return;
  }
  CHECK_INVARIANT(message.term == term);  // a vote counts in its own term only
  if (auto* candidate = std::get_if<Candidate>(&role)) {
    CHECK_INVARIANT(voted_for == options.id);
    candidate->granted.insert(message.from);
    maybe_win();
  }
}

// §3.10. Skips the pre-vote: the leader itself asks, so nobody is disturbed.
void Core::State::on_timeout_now(const Message& message) {
  const auto* follower = std::get_if<Follower>(&role);
  if (message.term == term && follower != nullptr && follower->leader == message.from &&
      promotable()) {
    start_election(true);
  }
}

}  // namespace kiwi::raft
