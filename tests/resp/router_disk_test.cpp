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

TEST_CASE("without room for what an entry may build COPY and MOVE get no number, others do [F60]") {
  RouterHarness h;
  h.up(RouterHarness::kSelf);
  const auto packed = [](std::vector<std::string_view> argv) {
    std::string out;
    pack_command(out, 0, argv);
    return out;
  };
  const auto write = [&](const std::string& command) {
    RequestBatch batch;
    batch.connection = 1;
    batch.buffer = command;
    batch.requests.emplace_back();
    batch.requests[0].slot = ++h.slots[1];
    batch.requests[0].kind = RequestKind::kWrite;
    batch.requests[0].size = static_cast<uint32_t>(command.size());
    h.router.requests(std::move(batch), h.now);
    const RouterEffects effects = h.turn();
    for (const auto& expected : effects.expect) {
      h.settle(expected->sequence);
    }
    return !effects.expect.empty();
  };
  const auto block = [&](const std::vector<std::string>& commands) {
    std::string out;
    pack_transaction(out, 0, {}, commands);
    return out;
  };
  const std::string copy = packed({"COPY", "a", "b"});
  const std::string set = packed({"set", "copy", "move"});
  h.router.set_builds_refused(true);
  CHECK_FALSE(write(copy));
  CHECK(h.reply(1, 1).starts_with("-OOM the disk is nearly full"));
  CHECK_FALSE(write(packed({"move", "a", "1"})));
  CHECK_FALSE(write(block({set, copy})));
  CHECK(write(set));
  CHECK(write(block({set, set})));
  h.router.set_builds_refused(false);
  CHECK(write(copy));
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
