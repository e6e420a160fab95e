// ReadIndex (§6.4), batched in rounds (F36), with the reader's clock (F9, F43). A round confirms
// the reads that arrived before it was sent; one round runs at a time and serves all that waited.
// Answers leave at the end of a turn, so that a turn that finds itself deposed, or stopped, gives
// none.
#include <algorithm>
#include <iterator>
#include <utility>

#include "config/base/check.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

// F66: a leader that was stopped for so long may have been replaced meanwhile. What it was told
// before it stopped would still be right, but it is asked anew, under a number that no answer to
// the old question bears.
void Core::State::set_time(int64_t wall_ms, int64_t monotonic_ms) {
  const int64_t passed_ms = monotonic_ms - clock.monotonic_ms();
  clock.set_time(wall_ms, monotonic_ms);
  Leader* leader = leading();
  if (leader != nullptr && passed_ms > options.election_timeout_min_ms &&
      !mutant(Mutant::kStoppedLeaderAnswers)) {
    ask_rounds_again(*leader);
  }
}

void Core::State::ask_rounds_again(Leader& leader) {
  leader.round_running = false;
  for (auto* reads : {&leader.round_reads, &leader.ticking_reads}) {
    std::ranges::move(std::exchange(*reads, {}), std::back_inserter(leader.arrived_reads));
  }
}

// The process behind a new link may be another life of that node: it asked for none of these (F66).
// The same one asks again.
void Core::State::forget_reads_of(Leader& leader, NodeId asker) {
  for (auto* reads : {&leader.arrived_reads, &leader.round_reads, &leader.ticking_reads}) {
    std::erase_if(*reads, [&](const WaitingRead& read) { return read.asker == asker; });
  }
}

// F43: entry index + 1 may change what expires when, as of its stamp, and this reader does not see
// it. It is in memory, as all that is not committed is. If there is none yet, whoever appends it
// stamps it with this clock or later: this leader because its clock never goes back, a later one
// because its stamps begin above the bound of F9. The pair must be taken at one moment: later the
// clock has passed stamps above the index. Both only grow, so do the times that readers are told.
void Core::State::set_read_point(WaitingRead& read) const {
  read.index = commit;
  read.limit_ms = commit < log.last_index() ? log.at(commit + 1).stamp_ms : clock.now_ms();
}

void Core::State::read_index(uint64_t id, bool with_tick) {
  if (removed || (!configuration().members.empty() && !is_member_here())) {
    fail_read_here(id, true);
    return;
  }
  if (Leader* leader = leading()) {
    leader->arrived_reads.push_back({NodeId{}, id, with_tick, clock.now_ms(), {}, 0});
    return;
  }
  auto* follower = std::get_if<Follower>(&role);
  if (follower == nullptr || !follower->leader) {
    fail_read_here(id, false);
    return;
  }
  std::erase_if(follower->forwarded_reads, [&](const auto& read) { return read.id == id; });
  follower->forwarded_reads.push_back({id, ticks});
  send(follower->leader, ReadIndexRequest{id, with_tick});
}

// Requests and answers get lost, and nothing else ends them while the leader stays.
void Core::State::expire_forwarded_reads() {
  auto* follower = std::get_if<Follower>(&role);
  if (follower == nullptr) {
    return;
  }
  std::erase_if(follower->forwarded_reads, [&](const ForwardedRead& read) {
    bool lost = ticks - read.tick > 2 * options.election_ticks_max;
    if (lost) {
      fail_read_here(read.id, false);
    }
    return lost;
  });
}

// F20: no round trip while a quorum is known to stick to this leader. Falls back to a round.
void Core::State::lease_read(uint64_t id) {
  Leader* leader = leading();
  if (leader != nullptr && leader->ready && lease_holds(*leader)) {
    WaitingRead read{NodeId{}, id, false, clock.now_ms(), {}, 0};
    set_read_point(read);
    answer_read(*leader, read);
    return;
  }
  read_index(id, false);
}

// After TimeoutNow another leader may be elected in spite of everybody's stickiness, and that
// message may be under way for as long as it likes: no lease for the rest of the term.
bool Core::State::lease_holds(const Leader& leader) const {
  return options.leases && clock.monotonic_ms() < leader.lease_until_ms &&
         (!leader.timeout_now_sent || mutant(Mutant::kLeaseAfterTimeoutNow));
}

void Core::State::on_read_request(const Message& message, const ReadIndexRequest& request) {
  ReadIndexResponse refusal;
  refusal.id = request.id;
  if (!counts(message.from, message.from_incarnation)) {
    refusal.not_member = leading() != nullptr;  // F25; a follower may be behind and does not judge
    send(message.from, refusal);
    return;
  }
  if (Leader* leader = leading()) {
    leader->arrived_reads.push_back(
        {message.from, request.id, request.with_tick, clock.now_ms(), {}, 0});
    return;
  }
  send(message.from, refusal);
}

void Core::State::on_read_response(const Message& message, const ReadIndexResponse& response) {
  auto* follower = std::get_if<Follower>(&role);
  if (follower == nullptr || follower->leader != message.from) {
    return;  // its reads were failed when that leader was lost
  }
  if (std::erase_if(follower->forwarded_reads,
                    [&](const auto& read) { return read.id == response.id; }) == 0) {
    return;
  }
  if (response.ok && message.term == term && !installing) {
    // A commit index of our own leader holds for the prefix that we know to be its own.
    advance_commit(std::min(response.index, follower->matched));
  }
  effects.reads.push_back({response.id, response.ok, response.not_member, response.index,
                           response.now_ms, response.clamped});
}

// Takes everything that waits into the next round. Nothing is confirmed before the no-op is applied
// (§6.4: only then does the leader know what is committed).
void Core::State::start_round(Leader& leader) {
  // With leases a round goes along with every heartbeat.
  const bool renews_lease =
      options.leases &&
      std::ranges::any_of(leader.peers, [](const auto& item) { return item.second.heartbeat_due; });
  if (!leader.ready || leader.round_running || (leader.arrived_reads.empty() && !renews_lease)) {
    return;
  }
  leader.round_started_ms = clock.monotonic_ms();
  CHECK_INVARIANT(leader.round_reads.empty());
  leader.round_reads = std::exchange(leader.arrived_reads, {});
  ++leader.round;
  CHECK_INVARIANT(leader.round - first_read_round(term) < uint64_t{1} << 40);  // F66
  leader.round_running = true;
  bool tick_due = false;
  for (WaitingRead& read : leader.round_reads) {
    set_read_point(read);
    tick_due = tick_due || read.with_tick;
  }
  // F9: an entry stamped now lifts the bound of what readers may be told.
  if (tick_due && leader.committed_bound_ms < clock.now_ms()) {
    append_own(EntryKind::kTick, {}, {});
    leader.tick = log.last_index();
  }
  confirm_round(leader);  // a sole voter needs nobody else
}

void Core::State::confirm_round(Leader& leader) {
  if (!leader.round_running) {
    return;
  }
  bool confirmed = has_quorum(counting_configuration(), [&](NodeId id) {
    auto it = leader.peers.find(id);
    return id == options.id || (it != leader.peers.end() && it->second.round_acked >= leader.round);
  });
  if (confirmed || mutant(Mutant::kReadWithoutConfirmation)) {
    finish_round(leader);
  }
}

void Core::State::finish_round(Leader& leader) {
  leader.round_running = false;
  // The voters that answered grant no vote for the smallest election timeout after they heard us,
  // which is not before the round was sent. One tick less, for theirs may come early, and a tenth
  // for clocks that differ.
  int64_t lease_ms = options.election_timeout_min_ms * (options.election_ticks_min - 1) /
                     options.election_ticks_min * 9 / 10;
  int64_t from_ms =
      mutant(Mutant::kLeaseFromAnswer) ? clock.monotonic_ms() : leader.round_started_ms;
  leader.lease_until_ms = std::max(leader.lease_until_ms, from_ms + lease_ms);
  auto confirmed = std::exchange(leader.round_reads, {});
  if (mutant(Mutant::kReadCountedEarly)) {
    for (WaitingRead& read : std::exchange(leader.arrived_reads, {})) {
      set_read_point(read);
      confirmed.push_back(read);
    }
  }
  for (WaitingRead& read : confirmed) {
    if (read.with_tick && commit < leader.tick) {
      leader.ticking_reads.push_back(read);
    } else {
      answer_read(leader, read);
    }
  }
}

// What the turn's answers have confirmed, and what waited for a tick that is committed now.
void Core::State::finish_reads(Leader& leader) {
  confirm_round(leader);
  if (leader.ticking_reads.empty() || commit < leader.tick) {
    return;
  }
  for (WaitingRead& read : std::exchange(leader.ticking_reads, {})) {
    set_read_point(read);  // at the tick or above it
    answer_read(leader, read);
  }
}

void Core::State::answer_read(Leader& leader, const WaitingRead& read) {
  CHECK_INVARIANT(read.index <= commit);
  // F9: not beyond what every later leader will stamp above.
  int64_t now_ms = std::min(clock.now_ms(), leader.committed_bound_ms);
  if (mutant(Mutant::kReadBoundIgnored)) {
    now_ms = clock.now_ms();
  }
  const bool clamped = now_ms < read.arrived_ms;
  if (!mutant(Mutant::kReaderClockUnlimited)) {
    // F43. No reason for a tick: it would lie above the entry that limits this reader.
    now_ms = std::min(now_ms, read.limit_ms);
  }
  if (read.asker) {
    send(read.asker, ReadIndexResponse{read.id, true, false, read.index, now_ms, clamped});
  } else {
    effects.reads.push_back({read.id, true, false, read.index, now_ms, clamped});
  }
}

void Core::State::fail_read(const WaitingRead& read) {
  if (!read.asker) {
    fail_read_here(read.id, false);
    return;
  }
  ReadIndexResponse response;
  response.id = read.id;
  send(read.asker, response);
}

void Core::State::fail_read_here(uint64_t id, bool not_member) {
  ReadReady failed;
  failed.id = id;
  failed.not_member = not_member;
  effects.reads.push_back(failed);
}

}  // namespace kiwi::raft
