// Batches are written in the formats that the cluster's version has (F46).
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {
namespace {

std::optional<uint64_t> users_of(const RouterEffects& effects) {
  REQUIRE(effects.propose.size() == 1);
  return BatchReader(effects.propose.front().payload.view()).acl_version();
}

TEST_SUITE_BEGIN("router versions");

TEST_CASE("batch format 2 is written from cluster version 2 on, and no sooner") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"w1"});
  CHECK_FALSE(users_of(h.turn()).has_value());
  h.settle(1);
  h.router.set_cluster_version(2);
  h.pipeline(1, {"w2", "w3"});
  const RouterEffects effects = h.turn();
  CHECK(users_of(effects) == 0);
  CHECK(commands_of(effects.propose.front().payload) == std::vector<std::string>{"w2", "w3"});
}

// One that waited for a leader: every version of the cluster that has it reads the older format.
TEST_CASE("a batch that was begun before the version rose goes as it is") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"w1"});
  h.router.set_cluster_version(2);
  CHECK_FALSE(users_of(h.turn()).has_value());
}

TEST_CASE("a connection that leaves a batch leaves it in its format") {
  RouterOptions options = RouterHarness::default_options();
  options.inflight_bytes_max = 3;  // more waits, so what the closed one has goes with it
  RouterHarness h(options);
  h.up();
  h.router.set_cluster_version(2);
  h.pipeline(1, {"w1"});
  h.pipeline(2, {"w2"});
  h.router.connection_closed(1);
  const RouterEffects effects = h.turn();
  CHECK(users_of(effects) == 0);
  CHECK(commands_of(effects.propose.front().payload) == std::vector<std::string>{"w2"});
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
