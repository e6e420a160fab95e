#include "tests/sim/plays.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

using Play = void (*)(World&, Then);

constexpr Play kDeposedPlays[] = {play_deposed, play_frozen, play_minority, play_minority};
constexpr Play kRewrittenPlays[] = {play_old_terms, play_old_terms, play_slow_disk,
                                    play_rolled_back};
constexpr Play kDeadlinePlays[] = {play_clocks, play_clocks, play_in_flight};
constexpr Play kMemberPlays[] = {play_wiped, play_old_copy, play_double, play_rolled_back};
constexpr Play kSnapshotPlays[] = {play_late_snapshot};
constexpr Play kOverloadPlays[] = {play_held_refusal, play_held_refusal, play_deposed};

std::span<const Play> plays_of(Profile profile) {
  switch (profile) {
    case Profile::kDeposed:
      return kDeposedPlays;
    case Profile::kRewritten:
      return kRewrittenPlays;
    case Profile::kDeadlines:
      return kDeadlinePlays;
    case Profile::kMembers:
      return kMemberPlays;
    case Profile::kSnapshots:
      return kSnapshotPlays;
    case Profile::kOverload:
      return kOverloadPlays;
    default:
      return {};
  }
}

}  // namespace

void play(World& world, Then then) {
  const std::span<const Play> plays = plays_of(world.options.profile);
  world.network.heal();
  if (world.prng.chance(3, 4)) {
    world.network.faults = {};
    for (auto& node : world.nodes) {
      node->restore_disk();
    }
  }
  plays[world.prng.below(plays.size())](world, std::move(then));
}

bool cast(World& world, Cast& cast, size_t voters_max) {
  Node* leader = world.ready_leader();
  if (leader == nullptr) {
    return false;
  }
  const raft::Configuration& now = leader->core().configuration();
  if (now.is_joint() || now.voters.size() < 3 || now.voters.size() > voters_max ||
      !now.is_voter(leader->id())) {
    return false;
  }
  cast.leader = leader->id();
  cast.term = leader->status().term;
  cast.others.clear();
  for (NodeId voter : now.voters) {
    const Node& node = *world.find(voter);
    if (!node.running() || !now.has(voter, node.incarnation())) {
      return false;
    }
    if (voter != cast.leader) {
      cast.others.push_back(voter);
    }
  }
  std::swap(cast.others.front(), cast.others[world.prng.below(cast.others.size())]);
  return true;
}

std::function<void(bool)> over(World& world, Mark mark, Then then) {
  return [&world, mark, then = std::move(then)](bool completed) {
    if (completed) {
      world.coverage.hit(mark);
    }
    then();
  };
}

LogIndex match_of(const Node& leader, NodeId follower) {
  for (const raft::PeerStatus& peer : leader.status().peers) {
    if (peer.member.id == follower) {
      return peer.match;
    }
  }
  return {};
}

Node* successor(World& world, const Cast& cast, bool ready) {
  for (auto& node : world.nodes) {
    if (node->running() && node->id() != cast.leader) {
      const raft::Status status = node->status();
      if (status.role == raft::Role::kLeader && status.term > cast.term &&
          (status.ready || !ready)) {
        return node.get();
      }
    }
  }
  return nullptr;
}

}  // namespace kiwi::sim
