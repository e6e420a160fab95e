#include "actors/node/latency_watch.hpp"

#include <doctest/doctest.h>

#include "config/options.hpp"

namespace kiwi::actors {

namespace {

using resp::LatencyEvent;

struct World {
  config::Options options;
  int64_t wall_s = 1000;
  resp::LatencyMonitor monitor{&options, [this] { return wall_s * 1'000'000; }};
  LatencyWatch watch{monitor, 100};

  World() { options.latency_monitor_threshold = 20; }
  int64_t last(LatencyEvent event) const {
    const auto* series = monitor.find(event);
    return series == nullptr ? -1 : series->samples.back().ms;
  }
};

}  // namespace

TEST_CASE("a timer that comes late says that the loop was stalled") {
  World world;
  world.watch.look({.now_ms = 5000});
  world.watch.look({.now_ms = 5119});
  CHECK(world.last(LatencyEvent::kLoopStall) == -1);  // 19 ms are below the threshold
  world.watch.look({.now_ms = 5339});
  CHECK(world.last(LatencyEvent::kLoopStall) == 120);
}

TEST_CASE("what the router and the log saw last is told if it was slow") {
  World world;
  world.watch.look({.now_ms = 0, .commit_ms = 19, .read_round_ms = 21, .log_sync_us = 19'999});
  CHECK(world.last(LatencyEvent::kCommit) == -1);
  CHECK(world.last(LatencyEvent::kReadRound) == 21);
  CHECK(world.last(LatencyEvent::kLogSync) == -1);
  world.watch.look({.now_ms = 100, .commit_ms = 33, .log_sync_us = 20'000});
  CHECK(world.last(LatencyEvent::kCommit) == 33);
  CHECK(world.last(LatencyEvent::kLogSync) == 20);
}

TEST_CASE("flushes count from the first look, and anew when a snapshot brought another state") {
  World world;
  rocks::StateStore::Usage state;
  state.flushes = 10;
  state.flush_us = 9'000'000;
  state.flush_wait_us = 8'000'000;
  world.watch.look({.now_ms = 0, .state = &state});
  CHECK(world.last(LatencyEvent::kFlush) == -1);
  state.flushes = 12;
  state.flush_us += 100'000;
  state.flush_wait_us += 30'000;
  world.watch.look({.now_ms = 100, .state = &state});
  CHECK(world.last(LatencyEvent::kFlush) == 50);
  CHECK(world.last(LatencyEvent::kCompactionWait) == -1);  // 15 ms each
  state = {};
  world.watch.look({.now_ms = 200, .state = &state});
  CHECK(world.last(LatencyEvent::kFlush) == 50);
  state.flush_wait_us = 44'000;
  world.watch.look({.now_ms = 300, .state = &state});
  CHECK(world.last(LatencyEvent::kCompactionWait) == 44);
}

TEST_CASE("an election lasts from the last ready leader to the next") {
  World world;
  world.watch.leader(true, 100);  // the first one was not missed
  CHECK(world.last(LatencyEvent::kElection) == -1);
  world.watch.leader(false, 1000);
  world.watch.leader(false, 1200);
  world.watch.leader(true, 1350);
  CHECK(world.last(LatencyEvent::kElection) == 350);
  world.watch.leader(true, 2000);
  CHECK(world.last(LatencyEvent::kElection) == 350);
}

}  // namespace kiwi::actors
