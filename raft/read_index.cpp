// ReadIndex (§6.4), batched in rounds (F36), with the reader's clock (F9). A round confirms the
// reads that arrived before it was sent; one round runs at a time and serves all that waited.
#include <algorithm>
#include <utility>

#include "raft/core_state.hpp"

namespace kiwi::raft {

void Core::State::read_here(uint64_t id, bool with_tick) {
  if (removed || (!configuration().members.empty() && !is_member_here())) {
    fail_read_here(id, true);
    return;
  }
  if (Leader* leader = leading()) {
    leader->arrived_reads.push_back({NodeId{}, id, with_tick, clock.now_ms(), LogIndex{}});
    return;
  }
  auto* follower = std::get_if<Follower>(&role);
  if (follower == nullptr || !follower->leader) {
    fail_read_here(id, false);
    return;
  }
  if (std::ranges::find(follower->forwarded_reads, id) == follower->forwarded_reads.end()) {
    follower->forwarded_reads.push_back(id);
  }
  send(follower->leader, ReadIndexRequest{id, with_tick});
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
        {message.from, request.id, request.with_tick, clock.now_ms(), LogIndex{}});
    return;
  }
  send(message.from, refusal);
}

void Core::State::on_read_response(const Message& message, const ReadIndexResponse& response) {
  auto* follower = std::get_if<Follower>(&role);
  if (follower == nullptr || follower->leader != message.from) {
    return;  // its reads were failed when that leader was lost
  }
  if (std::erase(follower->forwarded_reads, response.id) == 0) {
    return;
  }
  if (response.ok && message.term == term) {
    // A commit index of our own leader holds for the prefix that we know to be its own.
    advance_commit(std::min(response.index, follower->matched));
  }
  effects.reads.push_back({response.id, response.ok, response.not_member, response.index,
                           response.now_ms, response.clamped});
}

// Takes everything that waits into the next round. Nothing is confirmed before the no-op is applied
// (§6.4: only then does the leader know what is committed).
void Core::State::start_round(Leader& leader) {
  if (!leader.ready || leader.round_running || leader.arrived_reads.empty()) {
    return;
  }
  leader.round_reads = std::exchange(leader.arrived_reads, {});
  ++leader.round;
  leader.round_running = true;
  bool tick_due = false;
  for (WaitingRead& read : leader.round_reads) {
    read.index = commit;
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
  auto confirmed = std::exchange(leader.round_reads, {});
  if (mutant(Mutant::kReadCountedEarly)) {
    for (WaitingRead& read : std::exchange(leader.arrived_reads, {})) {
      read.index = commit;
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

void Core::State::finish_ticking_reads(Leader& leader) {
  if (commit < leader.tick) {
    return;
  }
  for (WaitingRead& read : std::exchange(leader.ticking_reads, {})) {
    read.index = std::max(read.index, leader.tick);
    answer_read(leader, read);
  }
}

void Core::State::answer_read(Leader& leader, const WaitingRead& read) {
  // F9: not beyond what every later leader will stamp above.
  int64_t now_ms = std::min(clock.now_ms(), leader.committed_bound_ms);
  if (mutant(Mutant::kReadBoundIgnored)) {
    now_ms = clock.now_ms();
  }
  bool clamped = now_ms < read.arrived_ms;
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
