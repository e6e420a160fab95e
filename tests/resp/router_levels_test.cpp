// Reads that say how old what they show may be: which of them need a round, and at which index they
// are evaluated.
#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/router: levels");

namespace {

// A router that follows, and the answers to its rounds.
struct Follower {
  Follower() { h.up(RouterHarness::kOther); }
  RouterHarness h;
  uint64_t asked = 0;
  // What this turn hands to the executor; a round that it asks for stays open.
  std::vector<ReadBatch> turn() {
    RouterEffects effects = h.turn();
    if (!effects.read_index.empty()) {
      asked = effects.read_index.back().id;
    }
    rounds += effects.read_index.size();
    return std::move(effects.run_reads);
  }
  void answer(uint64_t index, bool clamped = false) {
    h.router.read_ready({asked, true, false, LogIndex{index}, 777, clamped}, h.now);
  }
  void done(const ReadBatch& batch) { h.router.reads_done(batch.id, h.now); }
  size_t rounds = 0;
};

std::string text_of(const ReadBatch& batch) {
  std::string all;
  for (const ReadOp& op : batch.ops) {
    all += op.packed.view();
  }
  return all;
}

}  // namespace

TEST_CASE("ATLEAST asks for no round, also without a leader, and waits for its index") {
  Follower f;
  f.h.lead(NodeId{0}, 2, false);
  f.h.pipeline(1, {"a50", "a40", "a60"});
  f.h.pipeline(2, {"a10"});
  const std::vector<ReadBatch> batches = f.turn();
  CHECK(f.rounds == 0);
  REQUIRE(batches.size() == 3);
  CHECK(batches[0].index == LogIndex{10});
  CHECK(batches[1].index == LogIndex{50});
  CHECK(text_of(batches[1]) == "a50a40");  // behind it: not below its index
  CHECK(batches[2].index == LogIndex{60});
  CHECK(batches[0].now_ms == 0);
}

TEST_CASE("others of its connection wait until an ATLEAST read was evaluated [F6]") {
  Follower f;
  f.h.pipeline(1, {"a50", "s", "r"});
  std::vector<ReadBatch> batches = f.turn();
  REQUIRE(batches.size() == 1);
  CHECK(f.rounds == 0);
  f.done(batches[0]);
  batches = f.turn();
  REQUIRE(batches.size() == 1);
  CHECK(text_of(batches[0]) == "s");
  CHECK(f.rounds == 1);
}

TEST_CASE("an ATLEAST read waits for its connection's own writes") {
  Follower f;
  f.h.pipeline(1, {"w"});
  f.turn();
  f.h.pipeline(1, {"a5"});
  CHECK(f.turn().empty());
  f.h.settle(1);
  CHECK(f.turn().size() == 1);
}

TEST_CASE("an index that does not come is given up after the response timeout") {
  Follower f;
  f.h.pipeline(1, {"a999"});
  const std::vector<ReadBatch> batches = f.turn();
  REQUIRE(batches.size() == 1);
  const RouterEffects effects = f.h.tick(10'000);
  REQUIRE(effects.cancel_reads.size() == 1);
  CHECK(effects.cancel_reads[0] == batches[0].id);
}

TEST_CASE("a round serves reads of an age from when it was asked, not from its answer") {
  Follower f;
  f.h.pipeline(1, {"m100"});
  CHECK(f.turn().empty());  // nothing is known yet
  CHECK(f.rounds == 1);
  f.h.now += 90;  // a slow answer
  f.answer(5);
  std::vector<ReadBatch> batches = f.turn();
  REQUIRE(batches.size() == 1);
  f.done(batches[0]);
  f.h.pipeline(2, {"m1000"});
  batches = f.turn();
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].index == LogIndex{5});
  CHECK(batches[0].now_ms == 777);
  CHECK(f.rounds == 1);
  f.done(batches[0]);
  f.h.now += 10;  // 100 ms since it was asked
  f.h.pipeline(1, {"m100"});
  CHECK(f.turn().empty());
  CHECK(f.rounds == 2);
}

TEST_CASE("while such reads come one of them asks for a round each half of the age") {
  Follower f;
  f.h.pipeline(1, {"m100"});
  f.turn();
  f.answer(5);
  f.done(f.turn().at(0));
  f.h.now += 50;
  f.h.pipeline(1, {"m100"});
  CHECK(f.turn().empty());
  CHECK(f.rounds == 2);
  f.h.pipeline(2, {"m100", "m100"});  // the old answer will do for others meanwhile
  std::vector<ReadBatch> batches = f.turn();
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].index == LogIndex{5});
  f.done(batches[0]);
  f.answer(9);
  f.done(f.turn().at(0));
  f.h.pipeline(3, {"m100"});
  CHECK(f.turn().at(0).index == LogIndex{9});
  CHECK(f.rounds == 2);
}

TEST_CASE("a read of an age never goes before a read of its connection that asked for a round") {
  Follower f;
  f.h.pipeline(1, {"m1000"});
  f.turn();
  f.answer(5);
  f.done(f.turn().at(0));
  f.h.pipeline(1, {"r", "m1000"});
  CHECK(f.turn().empty());
  CHECK(f.rounds == 2);
  f.answer(8);
  const std::vector<ReadBatch> batches = f.turn();
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].index == LogIndex{8});
  CHECK(batches[0].ops.size() == 2);
}

TEST_CASE("a clock that was held back is used for its own round only [F9]") {
  Follower f;
  f.h.pipeline(1, {"m1000"});
  f.turn();
  f.answer(5, true);
  f.done(f.turn().at(0));
  f.h.pipeline(1, {"m1000"});
  CHECK(f.turn().empty());
  CHECK(f.rounds == 2);
}

TEST_CASE("an ATLEAST read behind a write that was given up keeps its index") {
  Follower f;
  f.h.lead(NodeId{0}, 2, false);
  f.h.pipeline(1, {"w", "a50"});
  CHECK(f.turn().empty());
  const RouterEffects effects = f.h.tick(10'000);
  CHECK(f.h.reply(1, 1) == error_line(texts::kNoLeader));
  REQUIRE(effects.run_reads.size() == 1);
  CHECK(effects.run_reads[0].index == LogIndex{50});
  CHECK(f.h.reply(1, 2).empty());
}

TEST_CASE("an index that never came binds no later read of its connection") {
  Follower f;
  f.h.pipeline(1, {"a999"});
  f.done(f.turn().at(0));  // given up
  f.h.pipeline(1, {"a5"});
  CHECK(f.turn().at(0).index == LogIndex{5});
}

TEST_CASE(
    "what waits for indexes that never come keeps nobody from a round, and has a bound [F47]") {
  RouterOptions options = RouterHarness::default_options();
  options.inflight_bytes_max = 1;
  RouterHarness h(options);
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"a999"});
  CHECK(h.turn().run_reads.size() == 1);
  h.pipeline(2, {"a999"});
  CHECK(h.turn().run_reads.empty());
  h.pipeline(3, {"r"});
  CHECK(h.turn().read_index.size() == 1);
}

TEST_CASE("no clock that a reader had is taken back for later reads [F9]") {
  Follower f;
  f.h.pipeline(1, {"r"});
  f.turn();
  f.answer(5, true);  // held back: good for no age, but who read by it saw what had expired
  f.done(f.turn().at(0));
  f.h.pipeline(1, {"a5"});
  CHECK(f.turn().at(0).now_ms == 777);
}

TEST_CASE("a round's clock serves no state below its index before that is applied [F43]") {
  Follower f;
  f.h.pipeline(1, {"r"});
  f.turn();
  f.answer(9);
  const ReadBatch round = f.turn().at(0);
  // Entry 9 may give a key a later deadline than the one that is over at 777.
  f.h.pipeline(2, {"a5"});
  CHECK(f.turn().at(0).now_ms == 0);
  f.h.pipeline(2, {"a9", "a5"});
  const ReadBatch behind = f.turn().at(0);
  CHECK(behind.index == LogIndex{9});
  CHECK(behind.now_ms == 777);
  CHECK(text_of(behind) == "a9a5");
  f.done(round);
  f.h.pipeline(3, {"a5"});
  CHECK(f.turn().at(0).now_ms == 777);
}

TEST_CASE("the clock of reads that were given up serves no others [F43]") {
  Follower f;
  f.h.pipeline(1, {"r"});
  f.turn();
  f.answer(9);
  const ReadBatch round = f.turn().at(0);
  CHECK(f.h.tick(10'000).cancel_reads.size() == 1);
  f.done(round);
  f.h.pipeline(2, {"a5"});
  CHECK(f.turn().at(0).now_ms == 0);
}

TEST_CASE("a node that serves no more answers what waits for an index") {
  Follower f;
  f.h.pipeline(1, {"a5"});
  f.h.router.set_service(Service::kLoading, f.h.now);
  f.h.take();
  CHECK(f.h.reply(1, 1) == error_line(texts::kLoading));
}

TEST_SUITE_END();

}  // namespace kiwi::resp
