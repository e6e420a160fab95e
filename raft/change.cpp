// Membership changes that a leader proposes (§4.1-§4.3, F18): one at a time, from a committed base,
// in a term that has committed an entry of its own. One voter at a time is a single step; several
// go through a joint configuration, which any leader that commits it ends with the final one.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/codec.hpp"
#include "raft/core_state.hpp"

namespace kiwi::raft {

namespace {

void insert_sorted(std::vector<NodeId>& ids, NodeId id) {
  auto it = std::ranges::lower_bound(ids, id);
  if (it == ids.end() || *it != id) {
    ids.insert(it, id);
  }
}

bool contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::ranges::find(ids, id) != ids.end();
}

size_t differing_voters(const Configuration& a, const Configuration& b) {
  std::vector<NodeId> differing;
  std::ranges::set_symmetric_difference(a.voters, b.voters, std::back_inserter(differing));
  return differing.size();
}

// An unknown id, a known one with a new address, or a known one whose directory was wiped (F1).
ChangeRefusal add_learner(Configuration& next, const Member& member, bool* replaced_voter) {
  if (!member.id || !member.incarnation.is_set()) {
    return ChangeRefusal::kIncompleteMember;
  }
  if (contains(next.removed_ids, member.id)) {
    return ChangeRefusal::kRemovedId;
  }
  auto it = std::ranges::lower_bound(next.members, member.id, {}, &Member::id);
  if (it == next.members.end() || it->id != member.id) {
    next.members.insert(it, member);
    return ChangeRefusal::kNone;
  }
  if (*it == member) {
    return ChangeRefusal::kMemberAlready;
  }
  if (it->incarnation != member.incarnation) {
    *replaced_voter = *replaced_voter || contains(next.voters, member.id);
    std::erase(next.voters, member.id);
    std::erase(next.promoting, member.id);
  }
  *it = member;
  return ChangeRefusal::kNone;
}

ChangeRefusal remove_member(Configuration& next, NodeId id) {
  if (next.find(id) == nullptr) {
    return ChangeRefusal::kNotMember;
  }
  std::erase(next.voters, id);
  std::erase(next.promoting, id);
  std::erase_if(next.members, [&](const Member& member) { return member.id == id; });
  insert_sorted(next.removed_ids, id);
  return ChangeRefusal::kNone;
}

// Both halves vote; voters that leave stay members until the final configuration.
void make_joint(Configuration& next, const Configuration& current) {
  next.outgoing_voters = current.voters;
  for (NodeId id : current.voters) {
    if (next.find(id) == nullptr) {
      auto it = std::ranges::lower_bound(next.members, id, {}, &Member::id);
      next.members.insert(it, *current.find(id));
    }
  }
}

Configuration final_of(const Configuration& joint) {
  Configuration next = joint;
  next.outgoing_voters.clear();
  std::erase_if(next.members,
                [&](const Member& member) { return contains(next.removed_ids, member.id); });
  return next;
}

}  // namespace

void Core::State::change_membership(ChangeId id, const MembershipChange& change) {
  Leader* leader = leading();
  const ChangeOutcome outcome = leader == nullptr ? ChangeOutcome{ChangeRefusal::kNotLeader, {}}
                                                  : propose_change(*leader, change);
  if (!outcome.done()) {
    effects.events.emplace_back(MembershipDone{id, outcome});
    return;
  }
  CHECK_INVARIANT(configurations.back().index == log.last_index());
  leader->changes.push_back({id, configurations.back().index, change.promote});
}

bool Core::State::is_heard(const Leader& leader, NodeId id) const {
  const auto peer = leader.peers.find(id);
  return id == options.id ||
         (peer != leader.peers.end() && peer->second.up && peer->second.answered &&
          peer->second.ticks_since_heard < options.election_ticks_min);
}

// A configuration counts from its append on: one whose voters do not answer would never be
// committed, and the leader that appended it could not be replaced by anybody either. One voter
// that is not heard; 0: enough are.
NodeId Core::State::silent_voter(const Leader& leader, const Configuration& next) const {
  const auto stays = [&](NodeId id) { return contains(next.voters, id); };
  const auto heard = [&](NodeId id) { return is_heard(leader, id); };
  if (std::ranges::all_of(configuration().voters, stays) || has_quorum(next, heard)) {
    return NodeId{};
  }
  const auto silent = std::ranges::find_if_not(next.voters, heard);
  return silent != next.voters.end() ? *silent
                                     : *std::ranges::find_if_not(next.outgoing_voters, heard);
}

ChangeRefusal Core::State::busy_with(const Leader& leader) const {
  if (commit < leader.noop) {
    return ChangeRefusal::kTermNotCommitted;  // raft-dev 2015
  }
  if (configurations.back().index > commit || configuration().is_joint()) {
    return ChangeRefusal::kChangeUnderWay;
  }
  return leader.transfer ? ChangeRefusal::kTransferUnderWay : ChangeRefusal::kNone;
}

// Appends the configuration that the change asks for, or says why not.
ChangeOutcome Core::State::propose_change(Leader& leader, const MembershipChange& change) {
  if (const ChangeRefusal busy = busy_with(leader); busy != ChangeRefusal::kNone) {
    return {busy, {}};
  }
  const Configuration& current = configuration();
  Configuration next = current;
  bool replaced_voter = false;
  for (NodeId id : change.remove) {
    if (const auto refusal = remove_member(next, id); refusal != ChangeRefusal::kNone) {
      return {refusal, id};
    }
  }
  for (const Member& member : change.add_learners) {
    if (const auto refusal = add_learner(next, member, &replaced_voter);
        refusal != ChangeRefusal::kNone) {
      return {refusal, member.id};
    }
  }
  for (NodeId id : change.promote) {
    if (next.find(id) == nullptr || contains(next.voters, id)) {
      return {next.find(id) == nullptr ? ChangeRefusal::kNotMember : ChangeRefusal::kVoterAlready,
              id};
    }
    // §4.2.1: a voter that lags would only raise the quorum.
    const Member* before = current.find(id);
    const bool known = before != nullptr && *before == *next.find(id);
    if (known && caught_up(leader, id)) {
      insert_sorted(next.voters, id);
      std::erase(next.promoting, id);
    } else {
      insert_sorted(next.promoting, id);
    }
  }
  if (next == current) {
    return {ChangeRefusal::kNothingChanges, {}};
  }
  if (differing_voters(current, next) > 1) {
    if (replaced_voter) {
      return {ChangeRefusal::kReplacesVoter, {}};
    }
    make_joint(next, current);
  }
  if (next.voters.empty()) {
    return {ChangeRefusal::kNoVoterLeft, {}};
  }
  CHECK_INVARIANT(configuration_error(next).empty());
  CHECK_INVARIANT(next.cluster == current.cluster);
  if (const NodeId silent = silent_voter(leader, next); silent) {
    return {ChangeRefusal::kVotersNotHeard, silent};
  }
  append_own(EntryKind::kConfiguration, {}, SharedBytes(encode_configuration(next)));
  return {};
}

bool Core::State::caught_up(const Leader& leader, NodeId id) const {
  auto it = leader.peers.find(id);
  return it != leader.peers.end() && it->second.state == PeerState::kReplicate &&
         it->second.match >= commit && it->second.ticks_since_heard < options.election_ticks_min;
}

// F49: its present life answered within the longest time that anybody waits for a leader.
bool Core::State::lives(const Leader& leader, NodeId id) const {
  const auto peer = leader.peers.find(id);
  return peer != leader.peers.end() && !peer->second.leaving_at &&
         peer->second.ticks_since_heard < options.election_ticks_max &&
         !mutant(Mutant::kLivingMemberReplaced);
}

void Core::State::member_returned(const Member& member) {
  Leader* leader = leading();
  if (leader == nullptr) {
    return;
  }
  const Member* known = configuration().find(member.id);
  if (known != nullptr && known->incarnation != member.incarnation && lives(*leader, member.id)) {
    effects.events.emplace_back(MemberLives{*known, member});
    return;
  }
  leader->returned.insert_or_assign(member.id, member);
}

// The leader's own next step, if there is one: ends a joint configuration, replaces a wiped member,
// promotes a learner that has caught up.
void Core::State::drive_membership(Leader& leader) {
  if (commit < leader.noop || configurations.back().index > commit || leader.transfer) {
    return;
  }
  if (configuration().is_joint()) {
    Configuration next = final_of(configuration());
    append_own(EntryKind::kConfiguration, {}, SharedBytes(encode_configuration(next)));
    return;
  }
  while (!leader.returned.empty()) {
    Member member = leader.returned.begin()->second;
    leader.returned.erase(leader.returned.begin());
    const Member* known = configuration().find(member.id);
    if (known == nullptr || known->incarnation == member.incarnation || member.id == options.id ||
        lives(leader, member.id)) {
      continue;
    }
    MembershipChange change;
    change.add_learners.push_back(member);
    if (configuration().is_voter(member.id) || contains(configuration().promoting, member.id)) {
      change.promote.push_back(member.id);
    }
    if (propose_change(leader, change).done()) {
      return;
    }
  }
  for (NodeId id : configuration().promoting) {
    if (caught_up(leader, id)) {
      MembershipChange change;
      change.promote.push_back(id);
      CHECK_INVARIANT(propose_change(leader, change).done());
      return;
    }
  }
}

void Core::State::answer_changes(Leader& leader, LogIndex reached) {
  if (leader.changes.empty()) {
    return;
  }
  auto latest = std::ranges::find_if(configurations.rbegin(), configurations.rend(),
                                     [&](const auto& item) { return item.index <= reached; });
  if (latest == configurations.rend() || latest->configuration.is_joint()) {
    return;
  }
  std::erase_if(leader.changes, [&](const PendingChange& pending) {
    bool done =
        pending.index <= latest->index && std::ranges::all_of(pending.promote, [&](NodeId id) {
          return latest->configuration.find(id) == nullptr || latest->configuration.is_voter(id);
        });
    if (done) {
      effects.events.emplace_back(MembershipDone{pending.id, {}});
    }
    return done;
  });
}

void Core::State::fail_changes(Leader& leader) {
  for (const PendingChange& pending : std::exchange(leader.changes, {})) {
    effects.events.emplace_back(MembershipDone{pending.id, {ChangeRefusal::kLostDuringChange, {}}});
  }
}

}  // namespace kiwi::raft
