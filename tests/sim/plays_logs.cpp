// Plays about logs and proposals: entries that are cut off or come back, disks that are behind,
// snapshots and answers that are late.
#include <algorithm>
#include <memory>
#include <utility>

#include "tests/sim/plays.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kMs = 1'000;
constexpr int64_t kCastUs = 1'500 * kMs;
constexpr int64_t kFineUs = 150;
constexpr int64_t kElectionUs = 2'000 * kMs;

}  // namespace

// Figure 8 of the paper: entries of an old term reach a majority and are cut off all the same
// (§3.6.2). A writes alone; B is elected and writes alone; A is elected again and sends what it
// had; then B.
void play_old_terms(World& world, Then then) {
  auto a = std::make_shared<Cast>();
  auto b = std::make_shared<NodeId>();
  auto c = std::make_shared<NodeId>();
  auto old_last = std::make_shared<LogIndex>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  script->when(kCastUs, [&world, a] { return cast(world, *a, 3); })
      .then([&world, a] {
        world.isolate(a->leader);
        world.clients.mood.focus = a->leader;
        world.clients.mood.focus_percent = 60;
      })
      .when(
          kElectionUs, [&world, a] { return successor(world, *a, false) != nullptr; }, kFineUs)
      .then([&world, a, b, c, old_last] {
        *b = successor(world, *a, false)->id();
        *c = a->others[0] == *b ? a->others[1] : a->others[0];
        *old_last = world.find(a->leader)->status().last_index;
        world.network.heal();
        world.isolate(*b);
      })
      .when(kElectionUs,
            [&world, a, c, old_last] {
              const Node& node = *world.find(a->leader);
              const Node& follower = *world.find(*c);
              return node.running() && follower.running() &&
                     node.status().role == raft::Role::kLeader && node.status().term > a->term &&
                     match_of(node, *c) >= *old_last && follower.status().last_index == *old_last;
            })
      .then([&world, a] {
        world.network.heal();
        world.isolate(a->leader);
      })
      .when(kElectionUs, [&world, b] {
        const Node& node = *world.find(*b);
        return node.running() && node.status().role == raft::Role::kLeader && node.status().ready;
      });
  script->start(over(world, Mark::kPlayOldTerms, std::move(then)));
}

// A deposed leader whose disk is far behind follows the next one, who needs it: what the disk says
// of the entries that are cut off says nothing of those that came instead (F12).
void play_slow_disk(World& world, Then then) {
  auto a = std::make_shared<Cast>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  script->when(kCastUs, [&world, a] { return cast(world, *a, 3); })
      .then([&world, a] {
        world.clients.mood.focus = a->leader;
        world.clients.mood.focus_percent = 60;
        world.clients.mood.think_us_max = 5 * kMs;
        world.find(a->leader)->set_disk_delay(100 * kMs +
                                              static_cast<int64_t>(world.prng.below(100'000)));
      })
      .pause(100 * kMs)
      .then([&world, a] { world.isolate(a->leader); })
      .when(kElectionUs, [&world, a] { return successor(world, *a, true) != nullptr; })
      .then([&world, a] {
        const NodeId b = successor(world, *a, true)->id();
        world.network.heal();
        world.isolate(a->others[0] == b ? a->others[1] : a->others[0]);
      })
      .pause(700 * kMs)
      .then([&world, a] { world.find(a->leader)->restore_disk(); });
  script->start([&world, a, last = over(world, Mark::kPlaySlowDisk, std::move(then))](bool done) {
    if (Node* node = world.find(a->leader)) {
      node->restore_disk();
    }
    last(done);
  });
}

// A snapshot arrives when the log already holds all of it and more, acknowledged, and only the
// commit index is behind (F15).
void play_late_snapshot(World& world, Then then) {
  auto a = std::make_shared<Cast>();
  auto b = std::make_shared<NodeId>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  world.clients.mood.think_us_max = 3 * kMs;
  script->when(kCastUs, [&world, a] { return cast(world, *a); })
      .when(
          kCastUs,
          [&world, a, b] {
            const Node& leader = *world.find(a->leader);
            for (NodeId id : a->others) {
              const Node& node = *world.find(id);
              if (leader.running() && node.running() && node.status().commit < leader.applied() &&
                  node.disk().last_index() > leader.applied() &&
                  node.status().term == leader.status().term) {
                *b = id;
                return true;
              }
            }
            return false;
          },
          kFineUs)
      .then([&world, a, b] {
        Node& leader = *world.find(a->leader);
        auto copy = std::make_shared<const Copy>(leader.checkpoint());
        Node& follower = *world.find(*b);
        follower.receive(std::move(copy), leader.status().term, [](LogIndex, bool) {});
        follower.pause_raft(15 * kMs);  // the leader goes on with what it acknowledged
      })
      .pause(40 * kMs);
  script->start(over(world, Mark::kPlayLateSnapshot, std::move(then)));
}

// The way from the leader to an origin stands still while the leader refuses: the origin sends the
// same number again, and hears of the first refusal when a copy is on its way (F3).
void play_held_refusal(World& world, Then then) {
  auto a = std::make_shared<Cast>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  script->when(kCastUs, [&world, a] { return cast(world, *a); })
      .then([&world, a] {
        const NodeId origin = a->others.front();
        world.clients.mood.focus = origin;
        world.clients.mood.focus_percent = 70;
        world.clients.mood.think_us_max = 4 * kMs;
        for (NodeId other : a->others) {  // it cannot commit, so it is full soon
          world.network.hold(other, a->leader, 0);
          if (other != origin || world.prng.chance(1, 2)) {
            world.network.hold(a->leader, other, 250 * kMs);
          }
        }
        world.network.hold(a->leader, origin,
                           150 * kMs + static_cast<int64_t>(world.prng.below(200'000)));
        world.network.hold(origin, a->leader, static_cast<int64_t>(world.prng.below(60'000)));
      })
      .pause(400 * kMs);
  script->start(over(world, Mark::kPlayHeldRefusal, std::move(then)));
}

}  // namespace kiwi::sim
