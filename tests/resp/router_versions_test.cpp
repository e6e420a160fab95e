// By which users a batch was checked, as its entry says (SERVICES 5.2).
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

void write(RouterHarness& h, ConnectionId connection, uint64_t acl_version) {
  RequestBatch batch;
  batch.connection = connection;
  batch.acl_version = acl_version;
  batch.buffer = "w";
  Request request;
  request.slot = ++h.slots[connection];
  request.kind = RequestKind::kWrite;
  request.size = 1;
  batch.requests.push_back(request);
  h.router.requests(std::move(batch), h.now);
}

TEST_SUITE_BEGIN("router versions");

TEST_CASE("a batch says the oldest of the users that its commands were checked by") {
  RouterHarness h;
  h.up();
  write(h, 1, 7);
  write(h, 2, 5);
  write(h, 3, 9);
  CHECK(users_of(h.turn()) == 5);
}

TEST_CASE("the next batch says its own") {
  RouterHarness h;
  h.up();
  write(h, 1, 5);
  CHECK(users_of(h.turn()) == 5);
  h.settle(1);
  write(h, 1, 7);
  CHECK(users_of(h.turn()) == 7);
}

// What waited was checked when it came, not when it goes.
TEST_CASE("a write that waits for reads keeps the version that it was checked by") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"r1"});
  const RouterEffects asked = h.turn();
  REQUIRE(asked.read_index.size() == 1);
  write(h, 1, 3);
  raft::ReadReady ready;
  ready.id = asked.read_index.front().id;
  ready.ok = true;
  h.router.read_ready(ready, h.now);
  const RouterEffects reads = h.turn();
  REQUIRE(reads.run_reads.size() == 1);
  h.router.reads_done(reads.run_reads.front().id, h.now);
  CHECK(users_of(h.turn()) == 3);
}

TEST_CASE("what nodes propose themselves asks for no check") {
  RouterHarness h;
  h.up();
  h.router.propose_internal("i", h.now);
  write(h, 1, 4);
  CHECK(users_of(h.turn()) == 4);
  h.settle(1);
  h.router.propose_internal("i", h.now);
  CHECK(users_of(h.turn()) == kNeedsNoCheck);
}

TEST_CASE("what a waiting client is served by is checked when it is applied") {
  RouterHarness h;
  h.up();
  h.pipeline(5, {"r1"});
  h.turn();
  write(h, 1, 4);
  h.router.serves({{1, {5, 2}, 2, "s"}}, h.now);
  CHECK(users_of(h.turn()) == kUnchecked);
}

TEST_CASE("a connection that leaves a batch leaves it with its version") {
  RouterOptions options = RouterHarness::default_options();
  options.inflight_bytes_max = 1;  // more waits, so what the closed one has goes with it
  RouterHarness h(options);
  h.up();
  write(h, 1, 4);
  write(h, 2, 6);
  h.router.connection_closed(1);
  const RouterEffects effects = h.turn();
  CHECK(users_of(effects) == 4);
  CHECK(commands_of(effects.propose.front().payload) == std::vector<std::string>{"w"});
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
