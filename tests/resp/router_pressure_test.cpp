// Back-pressure in the router: a state that lags behind slows its node's writes down, that of the
// leader everybody's, smoothly and never for good.
#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {

using Sequences = std::vector<uint64_t>;

TEST_SUITE_BEGIN("resp/router: pressure");

namespace {

RouterOptions one_by_one() {  // a batch is one command
  RouterOptions options = RouterHarness::default_options();
  options.batch_commands_max = 1;
  return options;
}

// Milliseconds until `count` writes were handed over, when each is applied at once.
int64_t time_for(uint32_t pressure, uint64_t count) {
  RouterHarness h(one_by_one());
  h.up();
  h.router.set_pressure(pressure);
  h.pipeline(1, std::vector<std::string>(count, "w"));
  const int64_t began = h.now;
  uint64_t handed = 0;
  for (RouterEffects effects = h.turn(); handed < count; effects = h.take()) {
    for (const uint64_t sequence : sequences_of(effects)) {
      ++handed;
      h.settle(sequence);
    }
    if (handed < count) {
      const int64_t wait_us = h.router.delay(Router::Waiting::kWrites).wait_us;
      REQUIRE(wait_us > 0);  // else nobody would ever call again
      h.now += (wait_us + 999) / 1000;
      h.router.end_delay(Router::Waiting::kWrites, h.now);
    }
  }
  return h.now - began;
}

}  // namespace

TEST_CASE("without pressure nothing waits, with it each batch does, the longer the higher") {
  CHECK(time_for(0, 50) == 0);
  const int64_t low = time_for(100, 50);
  const int64_t middle = time_for(500, 50);
  const int64_t full = time_for(1000, 50);
  CHECK(low >= 49);
  CHECK(low < middle);
  CHECK(middle < full);
  CHECK(full < 50 * 30);  // bounded: writes go on
}

TEST_CASE("a large batch is followed by a longer pause, but by a bounded one") {
  for (const size_t size : {size_t{64} << 10, size_t{640} << 10, size_t{64} << 20}) {
    RouterHarness h(one_by_one());
    h.up();
    h.router.set_pressure(1000);
    h.pipeline(1, {"w" + std::string(size, 'x'), "w2"});
    CHECK(sequences_of(h.turn()) == Sequences{1});
    h.settle(1);
    CHECK(h.turn().propose.empty());
    const int64_t wait_ms = h.router.delay(Router::Waiting::kWrites).wait_us / 1000;
    CHECK(wait_ms == (size == size_t{64} << 10 ? 41 : size == size_t{640} << 10 ? 221 : 500));
  }
}

TEST_CASE("what waits is counted once, keeps its order, and reads do not wait with it") {
  RouterHarness h(one_by_one());
  h.up();
  h.router.set_pressure(1000);
  h.pipeline(1, {"w1", "w2", "w3"});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.pipeline(2, {"r"});
  RouterEffects effects = h.turn();
  CHECK(effects.propose.empty());
  CHECK(effects.read_index.size() == 1);
  h.settle(1);
  h.now += 21;
  effects = h.turn();
  CHECK(sequences_of(effects) == Sequences{2});
  CHECK(commands_of(effects.propose[0].payload) == std::vector<std::string>{"w2"});
  CHECK(h.router.status().throttled_writes == 1);
  h.settle(2);
  h.router.set_pressure(0);
  h.now += 21;  // the pause that was begun still ends
  CHECK(sequences_of(h.turn()) == Sequences{3});
  CHECK(h.router.status().throttled_writes == 2);
}

TEST_CASE("under pressure less is under way, and an answer lets the next one go") {
  RouterOptions options = one_by_one();
  options.inflight_bytes_max = 6400;
  RouterHarness h(options);
  h.up();
  h.router.set_pressure(1000);  // a 64th
  h.pipeline(1, {"w1" + std::string(150, 'x'), "w2"});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.now += 1000;
  CHECK(h.turn().propose.empty());
  CHECK(h.router.delay(Router::Waiting::kWrites).wait_us > 0);
  h.settle(1);
  CHECK(sequences_of(h.turn()) == Sequences{2});
}

TEST_CASE("the leader's pressure counts here, until it is old or another node leads") {
  RouterHarness h(one_by_one());
  h.up(RouterHarness::kOther);
  h.router.set_leader_pressure(1000, h.now);
  h.pipeline(1, {"w1", "w2", "w3", "w4"});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.settle(1);
  CHECK(h.turn().propose.empty());
  h.now += 30;
  CHECK(sequences_of(h.turn()) == Sequences{2});
  h.settle(2);
  h.now += 600;  // not said again: two at once
  CHECK(sequences_of(h.turn()) == Sequences{3, 4});

  h.router.set_leader_pressure(1000, h.now);
  h.lead(RouterHarness::kThird, 2);
  h.pipeline(2, {"w1", "w2"});
  CHECK(sequences_of(h.turn()).size() >= 2);
}

TEST_SUITE_END();

}  // namespace kiwi::resp
