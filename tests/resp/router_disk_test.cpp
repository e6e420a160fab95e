#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {

using Sequences = std::vector<uint64_t>;
using raft::RefusalReason;

TEST_SUITE_BEGIN("resp/router: nearly full disks");

TEST_CASE("while the disk here is nearly full new writes are refused without a number") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.router.set_disk_full(true);
  h.pipeline(1, {"w2", "r1"});
  CHECK(sequences_of(h.turn()).empty());
  CHECK(h.reply(1, 2).starts_with("-OOM the disk is nearly full"));
  CHECK(h.reply(1, 3) == "");  // reads go on
  h.settle(1);
  h.router.set_disk_full(false);
  h.pipeline(2, {"w3"});
  CHECK(sequences_of(h.turn()) == Sequences{2});
}

TEST_CASE("a leader whose disk is nearly full is left alone for a moment [F3]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  h.turn();
  h.refuse(1, RefusalReason::kDiskFull);
  RouterEffects effects = h.turn();
  REQUIRE(effects.propose.size() == 1);
  CHECK(is_void(effects.propose[0]));
  CHECK(h.reply(1, 1).starts_with("-OOM the leader's disk is nearly full"));
  h.settle(1, false);
  h.pipeline(1, {"w2"});
  CHECK(sequences_of(h.turn()).empty());
  CHECK(h.reply(1, 2).starts_with("-OOM the leader's disk is nearly full"));
  SUBCASE("it is asked again later") {
    h.tick(600);
    h.pipeline(1, {"w3"});
    CHECK(sequences_of(h.turn()) == Sequences{2});
  }
  SUBCASE("another leader is asked at once") {
    h.lead(RouterHarness::kThird, 2);
    h.pipeline(1, {"w3"});
    CHECK(sequences_of(h.turn()) == Sequences{2});
  }
}

TEST_CASE(
    "a leader whose disk is nearly full proposes nothing for itself: it would be refused [F60]") {
  RouterHarness h;
  h.up(RouterHarness::kSelf);
  h.router.set_disk_full(true);
  h.router.propose_internal("expire", h.now);
  const RouterEffects full = h.turn();
  CHECK((full.propose.empty() && full.expect.empty()));
  h.router.set_disk_full(false);
  h.router.propose_internal("expire", h.now);
  CHECK(h.turn().expect.size() == 1);
}

TEST_SUITE_END();

}  // namespace kiwi::resp
