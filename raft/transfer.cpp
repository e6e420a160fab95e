// Leadership transfer (§3.10): the target is brought up to date while proposals wait at their
// origins (F32), then told to campaign at once.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

void Core::State::transfer_leadership(ChangeId id, NodeId target) {
  Leader* leader = leading();
  if (leader != nullptr && target == options.id) {
    effects.events.emplace_back(MembershipDone{id, {}});
    return;
  }
  const ChangeOutcome outcome = leader == nullptr ? ChangeOutcome{ChangeRefusal::kNotLeader, {}}
                                                  : begin_transfer(*leader, id, target);
  if (!outcome.done()) {
    effects.events.emplace_back(MembershipDone{id, outcome});
  }
}

ChangeOutcome Core::State::begin_transfer(Leader& leader, ChangeId id, NodeId target) {
  if (leader.transfer) {
    return {ChangeRefusal::kTransferUnderWay, {}};
  }
  if (configurations.back().index > commit) {
    return {ChangeRefusal::kChangeUnderWay, {}};
  }
  target = target ? target : best_successor(leader);
  if (!target) {
    return {ChangeRefusal::kNoSuccessor, {}};
  }
  if (!configuration().is_voter(target) || !leader.peers.contains(target)) {
    return {ChangeRefusal::kNotVoter, target};
  }
  CHECK_INVARIANT(target != options.id);
  leader.transfer = Transfer{id, target, 0, false};
  return {};
}

bool Core::State::answers(NodeId id, const Progress& peer) const {
  return configuration().is_voter(id) && peer.up &&
         peer.ticks_since_heard < options.election_ticks_min;
}

// F53: it has little to apply, as far as it has said in this term.
bool Core::State::is_ready_to_lead(const Progress& peer) const {
  return peer.backlog_bytes <= options.ready_backlog_bytes &&
         log.last_index().value <= peer.applied.value + options.ready_backlog_entries;
}

// Of the voters that answer: one that would be ready soon, and of those the one whose log is the
// longest.
NodeId Core::State::best_successor(const Leader& leader) const {
  NodeId best;
  std::pair<bool, LogIndex> best_rank;
  for (const auto& [id, peer] : leader.peers) {
    const std::pair rank(is_ready_to_lead(peer), peer.match);
    if (answers(id, peer) && (!best || rank > best_rank)) {
      best = id;
      best_rank = rank;
    }
  }
  return best;
}

// F53: nobody is served before the no-op is applied here. If that takes longer than an election
// timeout, a voter that has applied more than this node and has all of the log does it better.
void Core::State::step_aside_if_unready(Leader& leader) {
  if (leader.ready || commit < leader.noop || leader.transfer) {
    leader.unready_ticks = 0;
    return;
  }
  if (++leader.unready_ticks < options.election_ticks_min || mutant(Mutant::kUnreadyLeaderStays)) {
    return;
  }
  leader.unready_ticks = 0;  // asked again after another one: TimeoutNow may be lost
  NodeId successor;
  for (const auto& [id, peer] : leader.peers) {
    if (answers(id, peer) && is_ready_to_lead(peer) && peer.match == log.last_index() &&
        peer.applied > applied) {
      successor = id;
    }
  }
  if (successor) {
    leader.timeout_now_sent = true;
    send(successor, TimeoutNow{});
  }
}

void Core::State::drive_transfer(Leader& leader) {
  if (!leader.transfer || leader.transfer->sent) {
    return;
  }
  auto it = leader.peers.find(leader.transfer->target);
  if (it != leader.peers.end() && it->second.match == log.last_index()) {
    leader.transfer->sent = true;
    leader.timeout_now_sent = true;
    send(leader.transfer->target, TimeoutNow{});
  }
}

void Core::State::tick_transfer(Leader& leader) {
  if (leader.transfer && ++leader.transfer->ticks >= options.election_ticks_max) {
    end_transfer(leader, ChangeRefusal::kTransferTimedOut);
    release_turned_away(leader);
  }
}

// kNone: leadership was left, which is what was asked for if the target was told to campaign.
void Core::State::end_transfer(Leader& leader, ChangeRefusal refusal) {
  if (!leader.transfer) {
    return;
  }
  if (refusal == ChangeRefusal::kNone && !leader.transfer->sent) {
    refusal = ChangeRefusal::kLostBeforeTransfer;
  }
  const ChangeId id = leader.transfer->id;
  leader.transfer.reset();
  effects.events.emplace_back(MembershipDone{id, {refusal, {}}});
}

}  // namespace kiwi::raft
