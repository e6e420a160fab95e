// Plays about who is whom: members that were never committed, directories that are lost or come
// back, ids that two processes claim.
#include <algorithm>
#include <memory>
#include <utility>

#include "tests/sim/plays.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kMs = 1'000;
constexpr int64_t kCastUs = 1'500 * kMs;
constexpr int64_t kElectionUs = 2'000 * kMs;

// Three voters who all have nearly everything: the last loss was made good.
bool cast_whole(World& world, Cast& who) {
  if (!cast(world, who, 3)) {
    return false;
  }
  const Node& leader = *world.find(who.leader);
  return std::ranges::all_of(
      who.others, [&](NodeId id) { return match_of(leader, id) == leader.status().last_index; });
}

}  // namespace

// Members that a leader wrote down alone and nobody else ever heard of (F18).
void play_rolled_back(World& world, Then then) {
  auto a = std::make_shared<Cast>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  script->when(kCastUs, [&world, a] { return cast(world, *a); })
      .then([&world, a] {
        world.isolate(a->leader);
        world.clients.mood.focus = a->leader;
        world.clients.mood.focus_percent = 50;
        Node& leader = *world.find(a->leader);
        raft::MembershipChange change;
        for (auto& node : world.nodes) {
          const raft::Configuration& now = leader.core().configuration();
          if (now.find(node->id()) == nullptr &&
              !std::ranges::binary_search(now.removed_ids, node->id())) {
            change.add_learners.push_back(node->member());
          }
        }
        if (change.add_learners.empty() || world.prng.chance(1, 2)) {
          change.add_learners.clear();
          change.remove.push_back(a->others.front());
        }
        leader.change(std::move(change));
      })
      .when(kElectionUs, [&world, a] { return successor(world, *a, true) != nullptr; })
      .then([&world, a] {
        world.network.heal();
        world.clients.mood.focus_percent = 0;
        if (world.prng.chance(1, 2)) {  // commits are told before entries (F19)
          world.network.fill(successor(world, *a, true)->id(), a->leader, 600 * kMs);
        }
      })
      .when(kElectionUs,
            [&world, a] {
              const Node& node = *world.find(a->leader);
              return node.running() && node.status().term > a->term && node.status().ready;
            })
      .then([&world, a] {
        if (Node* leader = world.ready_leader()) {
          leader->transfer(a->leader);
        }
      })
      .pause(200 * kMs);
  script->start(over(world, Mark::kPlayRolledBack, std::move(then)));
}

// A voter's directory is lost after it acknowledged; whoever lacks that may not be elected with its
// new vote (F1).
void play_wiped(World& world, Then then) {
  auto a = std::make_shared<Cast>();
  auto from = std::make_shared<LogIndex>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  script->when(kCastUs, [&world, a] { return cast_whole(world, *a); })
      .then([&world, a, from] {
        world.isolate(a->others[1]);
        *from = world.find(a->leader)->status().commit;
      })
      .when(500 * kMs,
            [&world, a, from] {
              const Node& leader = *world.find(a->leader);
              return leader.running() && leader.applied() >= *from + 2;
            })
      .then([&world, a] {
        Node& victim = *world.find(a->others[0]);
        world.wipe(victim);
        world.network.heal();
        world.isolate(a->leader);
        world.restart(victim);
      })
      .pause(1'300 * kMs);
  script->start(over(world, Mark::kPlayWiped, std::move(then)));
}

// The same with a directory that is not empty but old (F52): it was copied, went on, and the copy
// was put back.
void play_old_copy(World& world, Then then) {
  auto a = std::make_shared<Cast>();
  auto from = std::make_shared<LogIndex>();
  auto copy = std::make_shared<Directory>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  script->when(kCastUs, [&world, a] { return cast_whole(world, *a); })
      .then([&world, a, copy] { *copy = world.find(a->others[0])->copy_directory(); })
      .pause(5 * kMs)
      // Everybody hears of it: whoever alone remembers must not be away when the copy comes back.
      .when(500 * kMs, [&world, a] { return world.find(a->others[0])->running(); })
      .then([&world, a, from] {
        world.find(a->others[0])->draw_mark();
        world.hear_hellos();
        world.isolate(a->others[1]);
        *from = world.find(a->leader)->status().commit;
      })
      .when(500 * kMs,
            [&world, a, from] {
              const Node& leader = *world.find(a->leader);
              return leader.running() && leader.applied() >= *from + 2;
            })
      .then([&world, a, copy] {
        Node& victim = *world.find(a->others[0]);
        if (victim.running()) {
          world.crash(victim);
        }
        victim.put_back(*copy);
        world.network.heal();
        world.isolate(a->leader);
        world.restart(victim);
      })
      .pause(1'500 * kMs);
  script->start(over(world, Mark::kPlayOldCopy, std::move(then)));
}

// A stranger says that he is a member who lives, maybe while that one stands still for so long that
// it might as well be dead (F49).
void play_double(World& world, Then then) {
  auto a = std::make_shared<Cast>();
  auto stranger = std::make_shared<raft::Member>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  world.network.faults = {};
  const bool silent = world.prng.chance(1, 2);
  const int looks = silent ? 1'000 : 300;  // one a millisecond
  script->when(kCastUs, [&world, a] { return cast(world, *a); })
      .then([&world, a, stranger, silent] {
        Node& member = *world.find(a->others[0]);
        *stranger = world.stranger(member);
        if (silent) {
          member.pause_raft(900 * kMs);
        }
      })
      .when(looks * kMs + 100 * kMs, [&world, a, stranger, looks, looked = 0]() mutable {
        Node& leader = *world.find(a->leader);
        if (leader.running() && looked % 100 == 0) {
          leader.returned(*stranger);
        }
        if (leader.running() &&
            leader.core().configuration().has(stranger->id, stranger->incarnation)) {
          throw Violation{"members that live stay",
                          "node " + std::to_string(stranger->id.value) +
                              " was replaced by a stranger while it lived"};
        }
        return ++looked == looks;
      });
  script->start(over(world, Mark::kPlayDouble, std::move(then)));
}

}  // namespace kiwi::sim
