#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/router: reads");

namespace {

std::vector<std::string> packed_of(const ReadBatch& batch) {
  std::vector<std::string> packed;
  for (const ReadOp& op : batch.ops) {
    packed.emplace_back(op.packed.view());
  }
  return packed;
}

}  // namespace

TEST_CASE("reads share a round, later ones the next: one confirms what came before it [F36]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"r1"});
  h.pipeline(2, {"r2"});
  RouterEffects effects = h.turn();
  REQUIRE(effects.read_index.size() == 1);
  h.pipeline(3, {"r3"});
  CHECK(h.turn().read_index.empty());
  h.router.read_ready({effects.read_index[0].id, true, false, LogIndex{5}, 77, false}, h.now);
  RouterEffects next = h.turn();
  REQUIRE(next.run_reads.size() == 1);
  CHECK(packed_of(next.run_reads[0]) == std::vector<std::string>{"r1", "r2"});
  CHECK(next.run_reads[0].index == LogIndex{5});
  CHECK(next.run_reads[0].now_ms == 77);
  CHECK_FALSE(next.run_reads[0].clamped);
  REQUIRE(next.read_index.size() == 1);
  h.router.read_ready({next.read_index[0].id, true, false, LogIndex{6}, 78, false}, h.now);
  CHECK(packed_of(h.turn().run_reads.at(0)) == std::vector<std::string>{"r3"});
}

TEST_CASE("an answer to what an earlier boot of this node asked answers nothing [F66]") {
  RouterOptions options = RouterHarness::default_options();
  RouterHarness before(options);
  before.up(RouterHarness::kOther);
  before.pipeline(1, {"r"});
  const uint64_t asked = before.turn().read_index.at(0).id;
  ++options.epoch;
  RouterHarness h(options);
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"r"});
  const uint64_t asks = h.turn().read_index.at(0).id;
  h.router.read_ready({asked, true, false, LogIndex{5}, 77, false}, h.now);
  CHECK(h.turn().run_reads.empty());
  h.router.read_ready({asks, true, false, LogIndex{6}, 78, false}, h.now);
  CHECK(h.turn().run_reads.size() == 1);
}

TEST_CASE("a write waits until the reads before it were executed [F6]") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"r1", "w1"});
  RouterEffects effects = h.turn();
  CHECK(effects.propose.empty());
  h.router.read_ready({effects.read_index.at(0).id, true, false, LogIndex{5}, 0, false}, h.now);
  effects = h.turn();
  CHECK(effects.propose.empty());
  h.router.reads_done(effects.run_reads.at(0).id, h.now);
  CHECK(h.turn().propose.size() == 1);
}

TEST_CASE("reads behind writes of an open batch are executed at their place in it [F6]") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"w1", "r1", "t1", "w2", "r2"});
  h.pipeline(2, {"r3"});
  RouterEffects effects = h.turn();
  CHECK(effects.read_index.size() == 1);  // for r3 alone
  REQUIRE(effects.expect.size() == 1);
  const PendingBatch& batch = *effects.expect[0];
  REQUIRE(batch.ops.size() == 5);
  CHECK(batch.ops[1].kind == RequestKind::kRead);
  CHECK(batch.ops[1].packed == "r1");
  CHECK(batch.ops[2].kind == RequestKind::kWatch);
  CHECK(batch.ops[4].to == ReplySlot{1, 5});
  CHECK(commands_of(batch.payload) == std::vector<std::string>{"w1", "w2"});
}

TEST_CASE("a read behind a batch that was handed over waits for it, it must not join it [F6]") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"w1"});
  h.turn();
  h.pipeline(1, {"r1", "w2"});
  RouterEffects effects = h.turn();
  CHECK(effects.propose.empty());
  CHECK(effects.read_index.empty());
  h.settle(1);
  effects = h.turn();
  CHECK(effects.read_index.size() == 1);
  CHECK(effects.propose.empty());
}

TEST_CASE("a read that may be long does not join a batch of writes, it waits for them [F65]") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"w1", "l1", "w2"});
  h.pipeline(2, {"w1", "r1"});
  RouterEffects effects = h.turn();
  REQUIRE(effects.expect.size() == 1);
  CHECK(effects.expect[0]->ops.size() == 3);  // w1 of both, r1
  CHECK(effects.read_index.empty());
  h.settle(1);
  effects = h.turn();
  CHECK(effects.propose.empty());  // w2 waits for it
  REQUIRE(effects.read_index.size() == 1);
  h.router.read_ready({effects.read_index[0].id, true, false, LogIndex{5}, 0, false}, h.now);
  effects = h.turn();
  CHECK(packed_of(effects.run_reads.at(0)) == std::vector<std::string>{"l1"});
  h.router.reads_done(effects.run_reads[0].id, h.now);
  CHECK(h.turn().propose.size() == 1);
}

TEST_CASE("a read also waits when one batch is handed over and the next is still open [F6]") {
  RouterOptions options = RouterHarness::default_options();
  options.inflight_batches_max = 1;
  RouterHarness h(options);
  h.up();
  h.pipeline(1, {"w1"});
  h.turn();
  h.pipeline(1, {"w2", "r1"});
  CHECK(h.turn().propose.empty());
  h.settle(1);
  RouterEffects effects = h.turn();
  REQUIRE(effects.expect.size() == 1);
  CHECK(effects.expect[0]->ops.size() == 2);
  CHECK(effects.read_index.empty());
}

TEST_CASE("stale reads run at once, but not before what their connection said earlier [F6]") {
  RouterHarness h;
  h.up(NodeId{});
  h.pipeline(1, {"s1"});
  CHECK(h.turn().run_reads.at(0).index == LogIndex{0});
  h.pipeline(2, {"r1", "s1"});
  CHECK(h.turn().run_reads.empty());
  h.lead(RouterHarness::kOther, 1);
  h.pipeline(3, {"w1", "s1"});
  RouterEffects effects = h.turn();
  REQUIRE(effects.expect.size() == 1);
  CHECK(effects.expect[0]->ops.at(1).kind == RequestKind::kStaleRead);
  h.pipeline(3, {"s2"});
  CHECK(h.turn().run_reads.empty());
  h.settle(1);
  effects = h.turn();
  REQUIRE(effects.run_reads.size() == 1);
  CHECK(packed_of(effects.run_reads[0]) == std::vector<std::string>{"s2"});
}

TEST_CASE("reads of a void batch come back as ordinary reads [F6]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1", "r1"});
  h.turn();
  h.refuse(1, raft::RefusalReason::kOverloaded);
  h.turn();
  h.router.settled({1, false, {{{1, 2}, RequestKind::kRead, 2, std::string("r1")}}}, h.now);
  RouterEffects effects = h.turn();
  REQUIRE(effects.read_index.size() == 1);
  h.router.read_ready({effects.read_index[0].id, true, false, LogIndex{5}, 0, false}, h.now);
  CHECK(packed_of(h.turn().run_reads.at(0)) == std::vector<std::string>{"r1"});
  CHECK(h.reply(1, 1) == error_line("OOM too many writes wait to be committed"));
}

TEST_CASE("a lost or refused question is asked again, any answer of the round serves it [F23]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"r1"});
  uint64_t first = h.turn().read_index.at(0).id;
  CHECK(h.tick(299).read_index.empty());
  uint64_t second = h.tick(1).read_index.at(0).id;
  CHECK(second != first);
  h.router.read_ready({second, false, false, {}, 0, false}, h.now);
  CHECK(h.turn().read_index.empty());
  uint64_t third = h.tick(50).read_index.at(0).id;
  h.pipeline(2, {"r2"});  // came after the first question
  h.router.read_ready({first, true, false, LogIndex{5}, 0, false}, h.now);
  RouterEffects effects = h.turn();
  CHECK(packed_of(effects.run_reads.at(0)) == std::vector<std::string>{"r1"});
  REQUIRE(effects.read_index.size() == 1);
  h.router.read_ready({third, true, false, LogIndex{5}, 0, false}, h.now);
  CHECK(h.turn().run_reads.empty());  // not its round [F36]
}

TEST_CASE("a new leader is asked at once [F23]") {
  RouterHarness h;
  h.up(RouterHarness::kOther, 1);
  h.pipeline(1, {"r1"});
  CHECK(h.turn().read_index.size() == 1);
  h.lead(NodeId{}, 2, false);
  CHECK(h.turn().read_index.empty());
  h.lead(RouterHarness::kThird, 2);
  CHECK(h.turn().read_index.size() == 1);
}

TEST_CASE("a read without an answer fails with certainty, by whether a leader is known [F36]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"r1"});
  h.pipeline(2, {"t1"});
  h.turn();
  CHECK(h.tick(9'999).replies.empty());
  RouterEffects effects = h.tick(1);
  CHECK(h.reply(1, 1) == error_line("TIMEOUT no quorum for read"));
  CHECK(h.reply(2, 1) == error_line("TIMEOUT no quorum for read"));
  CHECK(effects.replies.at(1).failed_watch);
  h.pipeline(3, {"r1"});
  h.turn();
  h.lead(NodeId{}, 2, false);
  h.tick(10'000);
  CHECK(h.reply(3, 1) == error_line("CLUSTERDOWN No raft leader"));
}

TEST_CASE("a read whose entries never come is taken back from the executor") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"r1", "w1"});
  h.router.read_ready({h.turn().read_index.at(0).id, true, false, LogIndex{50}, 0, false}, h.now);
  uint64_t id = h.turn().run_reads.at(0).id;
  CHECK(h.tick(9'000).cancel_reads.empty());
  CHECK(h.tick(1'000).cancel_reads == std::vector<uint64_t>{id});
  CHECK(h.reply(1, 1) == "");  // the executor answers it
  CHECK(h.tick(1'000).cancel_reads.empty());
  CHECK(h.reply(1, 2) == error_line("CLUSTERDOWN No raft leader"));  // the write never left
}

TEST_CASE("a read under a clamped clock asks again with a tick, later reads stay behind it [F9]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"r1"});
  h.pipeline(2, {"r2"});
  RouterEffects effects = h.turn();
  CHECK_FALSE(effects.read_index.at(0).with_tick);
  h.router.read_ready({effects.read_index[0].id, true, false, LogIndex{5}, 70, true}, h.now);
  h.pipeline(1, {"r3"});
  h.pipeline(2, {"w1"});
  effects = h.turn();
  ReadBatch ran = effects.run_reads.at(0);
  ReadBatch again = ran;
  again.ops.pop_back();  // r2 was answered
  h.router.reads_again(again, h.now);
  h.router.reads_done(ran.id, h.now);
  effects = h.turn();
  CHECK(effects.propose.size() == 1);  // r2 is done, its connection goes on
  REQUIRE(effects.read_index.size() == 1);
  CHECK(effects.read_index[0].with_tick);
  h.router.read_ready({effects.read_index[0].id, true, false, LogIndex{6}, 80, false}, h.now);
  effects = h.turn();
  CHECK(packed_of(effects.run_reads.at(0)) == std::vector<std::string>{"r1", "r3"});
}

TEST_CASE("no read is asked for beside reads that may have to be asked again [F6][F9]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"r1"});
  h.pipeline(2, {"r2"});
  RouterEffects effects = h.turn();
  h.router.read_ready({effects.read_index.at(0).id, true, false, LogIndex{5}, 70, true}, h.now);
  h.pipeline(1, {"r3"});
  effects = h.turn();
  ReadBatch ran = effects.run_reads.at(0);
  CHECK(ran.clamped);
  CHECK(effects.read_index.empty());
  CHECK_FALSE(h.router.needs_end_of_turn());
  CHECK(h.tick(500).read_index.empty());

  SUBCASE("they were answered") { h.router.reads_done(ran.id, h.now); }
  SUBCASE("all come back") { h.router.reads_again(ran, h.now); }
  SUBCASE("some come back") {
    ReadBatch again = ran;
    again.ops.pop_back();
    h.router.reads_again(again, h.now);
    CHECK(h.turn().read_index.empty());  // the executor has not done with it
    h.router.reads_done(ran.id, h.now);
  }
  SUBCASE("they took too long") {
    CHECK(h.tick(9'500).cancel_reads == std::vector<uint64_t>{ran.id});
    h.router.reads_done(ran.id, h.now);
    CHECK(h.reply(1, 2) == error_line("TIMEOUT no quorum for read"));
    h.pipeline(1, {"r4"});
  }
  SUBCASE("their clients left") {
    h.router.connection_closed(1);
    h.router.connection_closed(2);
    h.router.reads_done(ran.id, h.now);
    h.pipeline(3, {"r1"});
  }
  SUBCASE("this node was no member for a while") {
    h.router.set_service(Service::kRemoved, h.now);
    CHECK(h.take().cancel_reads == std::vector<uint64_t>{ran.id});
    h.router.reads_done(ran.id, h.now);
    h.router.set_service(Service::kUp, h.now);
    h.pipeline(3, {"r1"});
  }
  CHECK(h.router.needs_end_of_turn());
  CHECK(h.turn().read_index.size() == 1);
}

TEST_CASE(
    "the router lets the reads beside a split read go, and its connection's writes wait [F6]") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"r1"});
  h.pipeline(2, {"r1"});
  RouterEffects effects = h.turn();
  REQUIRE(effects.read_index.size() == 1);
  raft::ReadReady ready;
  ready.id = effects.read_index[0].id;
  ready.ok = true;
  ready.index = LogIndex{5};
  h.router.read_ready(ready, h.now);
  effects = h.turn();
  REQUIRE(effects.run_reads.size() == 1);
  const uint64_t batch = effects.run_reads[0].id;
  const uint64_t own = uint64_t{1} << 63 | 1;
  h.router.read_split({batch, own, 2, true});
  h.router.reads_done(batch, h.now);
  h.pipeline(1, {"w1"});
  h.pipeline(2, {"w1"});
  effects = h.turn();
  REQUIRE(effects.propose.size() == 1);
  CHECK(commands_of(effects.propose[0].payload).size() == 1);
  CHECK(effects.expect[0]->ops[0].to.connection == 1);
  h.router.reads_done(own, h.now);
  effects = h.turn();
  REQUIRE(effects.propose.size() == 1);
  CHECK(effects.expect[0]->ops[0].to.connection == 2);
}

TEST_CASE("a closed connection's reads are dropped") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"r1", "w1", "r2"});
  h.pipeline(2, {"r3"});
  RouterEffects effects = h.turn();
  h.router.connection_closed(1);
  CHECK(h.turn().propose.size() == 1);  // the write had been said: it is not held back any more
  h.router.read_ready({effects.read_index.at(0).id, true, false, LogIndex{5}, 0, false}, h.now);
  CHECK(packed_of(h.turn().run_reads.at(0)) == std::vector<std::string>{"r3"});
}

TEST_CASE("what a connection asks behind a long read waits until that is answered [F44]") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"r1"});
  h.pipeline(2, {"r1"});
  RouterEffects effects = h.turn();
  h.router.read_ready({effects.read_index.at(0).id, true, false, LogIndex{5}, 0, false}, h.now);
  const uint64_t batch = h.turn().run_reads.at(0).id;
  constexpr uint64_t kLong = uint64_t{1} << 63;
  h.router.read_split({batch, kLong, 1, true});
  h.router.reads_done(batch, h.now);
  h.pipeline(1, {"r2", "s3", "t4", "w5"});
  h.pipeline(2, {"r2"});
  effects = h.turn();
  REQUIRE(effects.read_index.size() == 1);
  h.router.read_ready({effects.read_index[0].id, true, false, LogIndex{6}, 0, false}, h.now);
  effects = h.turn();
  REQUIRE(effects.run_reads.size() == 1);
  CHECK(effects.run_reads[0].ops.size() == 1);
  CHECK(effects.run_reads[0].ops[0].to.connection == 2);
  CHECK(effects.propose.empty());
  h.router.reads_done(kLong, h.now);
  effects = h.turn();
  REQUIRE(effects.read_index.size() == 1);
  h.router.read_ready({effects.read_index[0].id, true, false, LogIndex{6}, 0, false}, h.now);
  effects = h.turn();
  REQUIRE(effects.run_reads.size() == 1);
  CHECK(packed_of(effects.run_reads[0]) == std::vector<std::string>{"r2"});
  h.router.reads_done(effects.run_reads[0].id, h.now);
  effects = h.turn();
  REQUIRE(effects.run_reads.size() == 1);
  CHECK(packed_of(effects.run_reads[0]) == std::vector<std::string>{"s3"});
}

TEST_CASE("a long read that nobody answers is cancelled like any other, once [F65]") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"r1"});
  RouterEffects effects = h.turn();
  h.router.read_ready({effects.read_index.at(0).id, true, false, LogIndex{5}, 0, false}, h.now);
  const uint64_t batch = h.turn().run_reads.at(0).id;
  constexpr uint64_t kLong = uint64_t{1} << 63;
  h.router.read_split({batch, kLong, 1, true});
  h.router.reads_done(batch, h.now);
  CHECK(h.tick(9'000).cancel_reads.empty());
  CHECK(h.tick(1'000).cancel_reads == std::vector<uint64_t>{kLong});
  CHECK(h.tick(1'000).cancel_reads.empty());
}

TEST_CASE("reads that came together are parts of one buffer, which keeps little else alive [F47]") {
  // Where the second read lies behind the first one.
  auto distance = [](RouterHarness& h, const std::vector<std::string>& commands) {
    h.pipeline(1, commands);
    const raft::ReadReady ready{h.turn().read_index.at(0).id, true, false, LogIndex{5}, 77, false};
    h.router.read_ready(ready, h.now);
    const RouterEffects effects = h.turn();
    const std::vector<ReadOp>& ops = effects.run_reads.at(0).ops;
    REQUIRE(ops.size() == 2);
    CHECK(ops[0].packed == "r1");
    CHECK(ops[1].packed == "r2");
    return ops[1].packed.view().data() - ops[0].packed.view().data();
  };
  RouterHarness reads;
  reads.up();
  CHECK(distance(reads, {"r1", "r2"}) == 2);
  RouterHarness small;
  small.up();
  CHECK(distance(small, {"r1", "r2", "w3"}) == 2);
  RouterHarness large;
  large.up();
  CHECK(distance(large, {"r1", "r2", "w" + std::string(10'000, 'x')}) != 2);
}

TEST_CASE("a read that waits for others keeps a copy of itself only [F47]") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"w1"});
  CHECK(sequences_of(h.turn()) == std::vector<uint64_t>{1});
  h.pipeline(1, {"r2", "r3"});
  h.settle(1);
  const raft::ReadReady ready{h.turn().read_index.at(0).id, true, false, LogIndex{5}, 77, false};
  h.router.read_ready(ready, h.now);
  const RouterEffects effects = h.turn();
  const std::vector<ReadOp>& ops = effects.run_reads.at(0).ops;
  REQUIRE(packed_of(effects.run_reads[0]) == std::vector<std::string>{"r2", "r3"});
  CHECK(ops[1].packed.view().data() - ops[0].packed.view().data() != 2);
}

TEST_SUITE_END();

}  // namespace kiwi::resp
