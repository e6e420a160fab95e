// Plays about reads: leaders that do not know that they are none, and clocks.
#include <memory>
#include <utility>

#include "tests/sim/plays.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kMs = 1'000;
constexpr int64_t kCastUs = 1'500 * kMs;
constexpr int64_t kElectionUs = 2'000 * kMs;

}  // namespace

// A leader is cut off, mostly without time passing for it, another one is elected and takes writes,
// and then clients read at the first (§6.4).
void play_deposed(World& world, Then then) {
  auto who = std::make_shared<Cast>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  script->when(kCastUs, [&world, who] { return cast(world, *who); })
      .then([&world, who] {
        world.isolate(who->leader);
        if (world.prng.chance(3, 4)) {
          world.find(who->leader)->pause_raft(kElectionUs);
        }
      })
      .when(kElectionUs, [&world, who] { return successor(world, *who, true) != nullptr; })
      .pause(10 * kMs + static_cast<int64_t>(world.prng.below(60'000)))
      .then([&world, who] { world.clients.visit(who->leader, 2); })
      .pause(4 * kMs)
      .then([&world, who] { world.find(who->leader)->pause(0); })
      .pause(20 * kMs + static_cast<int64_t>(world.prng.below(150'000)));
  script->start([&world, who, then = std::move(then)](bool completed) {
    if (completed) {
      world.coverage.hit(Mark::kPlayDeposed);
    }
    if (Node* node = world.find(who->leader)) {
      node->pause(0);
    }
    then();
  });
}

// Answers to a round of a leader stand still on their links while it does not run and another one
// is elected. Reads that come meanwhile are no part of that round (F36), and whatever it was asked
// before is no longer its to answer (F66).
void play_frozen(World& world, Then then) {
  auto who = std::make_shared<Cast>();
  auto until_us = std::make_shared<int64_t>(0);
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  script->when(kCastUs, [&world, who] { return cast(world, *who); })
      .then([&world, who, until_us] {
        world.clients.visit(who->leader, 2);
        world.clients.mood.think_us_max = 2 * kMs;
      })
      .pause(5 * kMs + static_cast<int64_t>(world.prng.below(15'000)))
      .then([&world, who, until_us] {
        const int64_t us = 750 * kMs + static_cast<int64_t>(world.prng.below(400'000));
        *until_us = world.timeline.now_us() + us;
        for (auto& other : world.nodes) {
          if (other->id() != who->leader) {
            world.network.hold(other->id(), who->leader, us);
          }
        }
      })
      .pause(2 * kMs)
      .then([&world, who, until_us] {
        world.find(who->leader)->pause_raft(*until_us - world.timeline.now_us() + 3 * kMs);
        for (auto& other : world.nodes) {
          if (other->id() != who->leader) {
            world.network.cut(who->leader, other->id(), Network::Notice::kNone);
          }
        }
      })
      .when(kElectionUs,
            [&world, until_us] { return world.timeline.now_us() >= *until_us - 12 * kMs; })
      .then([&world, who] { world.clients.visit(who->leader, 3); })
      .pause(120 * kMs);
  script->start([&world, then = std::move(then)](bool completed) {
    if (completed) {
      world.coverage.hit(Mark::kPlayFrozen);
    }
    then();
  });
}

// A leader whose clock is ahead, a value with a deadline as the last thing that is written, readers
// around its deadline; then the leader is gone, and the next one's clock is behind (F9).
void play_clocks(World& world, Then then) {
  auto who = std::make_shared<Cast>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  const auto lasts_us = static_cast<int64_t>(60'000 + world.prng.below(700'000));
  Mood& mood = world.clients.mood;
  script->when(kCastUs, [&world, who] { return cast(world, *who); })
      .then([&world, who, &mood] {
        for (NodeId other : who->others) {
          world.find(other)->jump_clock(-500 - static_cast<int64_t>(world.prng.below(3'000)));
        }
        mood.quiet = true;
        world.expiry_paused = true;
      })
      .pause(60 * kMs)
      .then([&world, lasts_us, &mood] {
        mood.quiet = false;
        mood.think_us_max = 4 * kMs;
        mood.pipeline_max = 1;
        mood.lasts_ms = static_cast<uint64_t>(lasts_us / kMs);
        mood.kinds = {OpKind::kLend};
      })
      .pause(6 * kMs)
      .then([&mood] {
        mood.kinds = {OpKind::kLook, OpKind::kLook, OpKind::kLookTtl};
      })
      .pause(lasts_us + 10 * kMs + static_cast<int64_t>(world.prng.below(30'000)))
      .then([&world, who, &mood] {
        Node& leader = *world.find(who->leader);
        if (leader.running()) {
          world.crash(leader);
          world.restart_later(leader, 1'500 * kMs);
        }
        mood.lasts_ms = 0;
        mood.kinds = {OpKind::kLook, OpKind::kLook, OpKind::kPersist, OpKind::kReplace};
      })
      .when(kElectionUs, [&world, who] { return successor(world, *who, true) != nullptr; })
      .pause(150 * kMs);
  script->start([&world, then = std::move(then)](bool completed) {
    if (completed) {
      world.coverage.hit(Mark::kPlayClocks);
    }
    world.expiry_paused = false;
    then();
  });
}

}  // namespace kiwi::sim
