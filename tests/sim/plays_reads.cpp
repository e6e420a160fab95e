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

// Everybody lends, for so long, and nothing else.
void lend(Mood& mood, int64_t lasts_us) {
  mood.quiet = false;
  mood.think_us_max = 4 * kMs;
  mood.pipeline_max = 1;
  mood.lasts_ms = static_cast<uint64_t>(lasts_us / kMs);
  mood.kinds = {OpKind::kLend};
}

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

// Five voters, two of them on the side of the leader: the other of the two asks it for a read index
// while the answers to its last round stand still on their links, and while the three elect another
// leader. That read is no part of that round (F36).
void play_minority(World& world, Then then) {
  auto who = std::make_shared<Cast>();
  const auto each = [&world, who](const std::function<void(NodeId)>& call) {
    for (size_t i = 1; i < who->others.size(); ++i) {
      call(who->others[i]);
    }
  };
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  script->when(kCastUs, [&world, who] { return cast(world, *who) && who->others.size() == 4; })
      .then([&world, who] {
        world.clients.leave(who->others[0]);  // it must not wait for an earlier answer
        world.clients.mood.avoid = who->others[0];
        world.clients.visit(who->leader, 2);
        world.clients.mood.think_us_max = 2 * kMs;
      })
      .pause(8 * kMs + static_cast<int64_t>(world.prng.below(10'000)))
      .then([&world, who, each] {
        each([&](NodeId id) { world.network.hold(id, who->leader, 2'000 * kMs); });
      })
      .pause(2 * kMs)
      .then([&world, who, each] {
        each([&](NodeId id) {
          world.network.cut(who->leader, id, Network::Notice::kNone);
          world.network.cut(who->others[0], id, Network::Notice::kNone);
          world.network.cut(id, who->others[0], Network::Notice::kNone);
        });
        world.clients.mood.think_us_max = 15 * kMs;
      })
      .when(kElectionUs, [&world, who] { return successor(world, *who, true) != nullptr; })
      .pause(15 * kMs)
      .then([&world, who] { world.clients.visit(who->others[0], 2); })
      .pause(8 * kMs)
      .then(
          [&world, who, each] { each([&](NodeId id) { world.network.release(id, who->leader); }); })
      .pause(60 * kMs);
  script->start([&world, then = std::move(then)](bool completed) {
    if (completed) {
      world.coverage.hit(Mark::kPlayMinority);
    }
    then();
  });
}

// Somebody keeps a value just before its deadline, and the entry that says so takes its time:
// readers do not see it yet, and their clocks may not pass its stamp (F43).
void play_in_flight(World& world, Then then) {
  auto who = std::make_shared<Cast>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  constexpr int64_t kLastsUs = 120 * kMs;
  Mood& mood = world.clients.mood;
  script->when(kCastUs, [&world, who] { return cast(world, *who); })
      .then([&world, &mood] {
        mood.quiet = true;
        world.expiry_paused = true;
        for (auto& node : world.nodes) {
          node->set_disk_delay(0);
        }
      })
      .pause(40 * kMs)
      .then([&mood] { lend(mood, kLastsUs); })
      .pause(10 * kMs)
      .then([&mood] { mood.quiet = true; })
      .pause(kLastsUs - 16 * kMs)
      .then([&world, &mood] {
        for (auto& node : world.nodes) {
          node->set_disk_delay(30 * kMs + static_cast<int64_t>(world.prng.below(40'000)));
        }
        mood.quiet = false;
        mood.kinds = {OpKind::kPersist, OpKind::kProlong, OpKind::kReplace, OpKind::kTouchKeep};
      })
      .pause(6 * kMs)
      .then([&mood] {
        mood.think_us_max = 2 * kMs;
        mood.kinds = {OpKind::kLook, OpKind::kLook, OpKind::kLookTtl};
      })
      .pause(40 * kMs)
      .then([&mood] { mood.quiet = true; })
      .pause(50 * kMs);
  script->start([&world, then = std::move(then)](bool completed) {
    if (completed) {
      world.coverage.hit(Mark::kPlayInFlight);
    }
    for (auto& node : world.nodes) {
      node->restore_disk();
    }
    world.expiry_paused = false;
    then();
  });
}

// A leader whose clock is ahead, a value with a deadline as the last thing that is written, readers
// around its deadline; then the leader is gone, and the next one's clock is behind (F9).
void play_clocks(World& world, Then then) {
  auto who = std::make_shared<Cast>();
  const auto script = world.script = std::make_shared<Script>(world.timeline);
  // Within what readers may be told beyond the last stamp, and beyond that.
  const auto lasts_us =
      static_cast<int64_t>(world.prng.chance(1, 2) ? 60'000 + world.prng.below(230'000)
                                                   : 400'000 + world.prng.below(400'000));
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
      .then([&mood, lasts_us] { lend(mood, lasts_us); })
      .pause(14 * kMs)
      .then([&mood] { mood.quiet = true; })  // a key bears so many questions, no more
      .pause(lasts_us - 20 * kMs)
      .then([&mood] {
        mood.quiet = false;
        mood.kinds = {OpKind::kLook, OpKind::kLook, OpKind::kLookTtl};
      })
      .pause(25 * kMs + static_cast<int64_t>(world.prng.below(25'000)))
      .then([&world, who, &mood] {
        mood.quiet = true;
        Node& leader = *world.find(who->leader);
        if (leader.running()) {
          world.crash(leader);
          world.restart_later(leader, 1'500 * kMs);
        }
      })
      .when(kElectionUs, [&world, who] { return successor(world, *who, true) != nullptr; })
      .then([&mood] {
        mood.quiet = false;
        mood.kinds = {OpKind::kLook, OpKind::kLook, OpKind::kPersist, OpKind::kReplace};
      })
      .pause(60 * kMs);
  script->start([&world, then = std::move(then)](bool completed) {
    if (completed) {
      world.coverage.hit(Mark::kPlayClocks);
    }
    world.expiry_paused = false;
    then();
  });
}

}  // namespace kiwi::sim
