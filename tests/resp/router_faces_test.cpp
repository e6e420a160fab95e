// Who is sent elsewhere, by the face that its connection sees: without a proxy.
#include <doctest/doctest.h>

#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {
namespace {

TEST_CASE("without a proxy a plain server reads, and says READONLY to what may write [P3]") {
  RouterOptions options = RouterHarness::default_options();
  options.follower_proxy = false;
  RouterHarness h(options);
  h.face = Face::kStandalone;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1", "s1"});
  h.pipeline(2, {"r1", "t1"});
  RouterEffects effects = h.turn();
  CHECK(effects.propose.empty());
  CHECK(h.reply(1, 1) == error_line(texts::kReadOnly));
  REQUIRE(effects.read_index.size() == 1);  // the leader is asked for an index
  CHECK(h.reply(2, 1).empty());
  h.lead(NodeId{}, 2, false);  // an election delays them
  h.pipeline(2, {"r2"});
  h.pipeline(3, {"w1"});
  CHECK(h.turn().read_index.empty());
  CHECK(h.reply(2, 1).empty());
  CHECK(h.reply(2, 3).empty());
  CHECK(h.reply(3, 1) == error_line("CLUSTERDOWN No raft leader"));
  h.lead(RouterHarness::kThird, 3);
  h.tick(options.election_timeout_ms);
  CHECK(h.reply(2, 1).empty());
  h.lead(RouterHarness::kSelf, 4);
  h.pipeline(3, {"w2"});
  CHECK(h.turn().propose.size() == 1);
}

TEST_CASE("MOVED names the leader's port of the face that the client sees [P3]") {
  RouterOptions options = RouterHarness::default_options();
  options.follower_proxy = false;
  RouterHarness h(options);
  h.face = Face::kCluster;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  h.turn();
  CHECK(h.reply(1, 1) == error_line("CLUSTERDOWN No raft leader"));  // none that shows it
  h.router.set_leader_cluster_address("127.0.0.1:9002");
  h.pipeline(1, {"w2"});
  h.turn();
  CHECK(h.reply(1, 2) == error_line("MOVED 0 127.0.0.1:9002"));
  h.router.set_follower_proxy(true, h.now);
  h.pipeline(1, {"w3"});
  CHECK(h.turn().propose.size() == 1);
  h.pipeline(2, {"w1"});
  h.router.set_follower_proxy(false, h.now);  // what waits is sent on, too
  h.turn();
  CHECK(h.reply(2, 1) == error_line("MOVED 0 127.0.0.1:9002"));
}

}  // namespace
}  // namespace kiwi::resp
