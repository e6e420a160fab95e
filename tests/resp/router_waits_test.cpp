// Serves of clients that wait, on their way through the router (F31).
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {
namespace {

Serve serve_of(ConnectionId connection, uint64_t waiter, uint64_t slot = 99) {
  return {waiter, {connection, slot}, 2, "s" + std::to_string(waiter)};
}

// A client that asked a blocking command and waits.
void wait(RouterHarness& h, ConnectionId connection) {
  RequestBatch batch;
  batch.connection = connection;
  batch.face = h.face;
  batch.buffer = "b";
  batch.requests.push_back({++h.slots[connection], RequestKind::kBlocking, 2, false, 0, 1, 77});
  h.router.requests(std::move(batch), h.now);
}

// Nothing is there on this node: the executor gives them back, and they are asked for.
RouterEffects ask_round(RouterHarness& h) {
  RouterEffects tried = h.turn();
  for (ReadBatch& batch : tried.run_reads) {
    CHECK(batch.index.value == 0);
    h.router.reads_again(std::move(batch), h.now);
  }
  return h.turn();
}

TEST_CASE("a blocking command is tried here, then it is a linearizable read that keeps its time") {
  RouterHarness h;
  h.up();
  wait(h, 5);
  const RouterEffects asked = ask_round(h);
  REQUIRE(asked.read_index.size() == 1);
  CHECK_FALSE(asked.read_index[0].with_tick);
  raft::ReadReady ready;
  ready.id = asked.read_index[0].id;
  ready.ok = true;
  ready.index = LogIndex{3};
  h.router.read_ready(ready, h.now);
  RouterEffects run = h.turn();
  REQUIRE(run.run_reads.size() == 1);
  CHECK(run.run_reads[0].ops.at(0).kind == RequestKind::kBlocking);
  CHECK(run.run_reads[0].ops.at(0).wait_until_ms == 77);
}

TEST_CASE("a blocking command for which something is there asks for no round [F31]") {
  RouterHarness h;
  h.up();
  wait(h, 5);
  h.pipeline(6, {"r1"});
  const RouterEffects tried = h.turn();
  REQUIRE(tried.run_reads.size() == 1);
  REQUIRE(tried.read_index.size() == 1);  // the other's
  h.router.reads_done(tried.run_reads[0].id, h.now);
  h.router.serves({serve_of(5, 1)}, h.now);
  const RouterEffects effects = h.turn();
  CHECK(effects.expect.size() == 1);
  CHECK(effects.read_index.empty());
}

TEST_CASE("serves are proposed like writes, in order, and say whose they are [F31]") {
  RouterHarness h;
  h.up();
  wait(h, 5);
  wait(h, 6);
  h.router.serves({serve_of(5, 1), serve_of(6, 2)}, h.now);
  RouterEffects effects = h.turn();
  REQUIRE(effects.expect.size() == 1);
  CHECK(commands_of(effects.expect[0]->payload) == std::vector<std::string>{"s1", "s2"});
  CHECK(effects.expect[0]->ops.at(0).waiter == 1);
  CHECK(effects.expect[0]->ops.at(1).to == ReplySlot{6, 99});
  h.settle(1);
  CHECK(h.take().replies.empty());
}

TEST_CASE("a serve that was not handed over comes back: its client waits on [F31]") {
  RouterHarness h;
  h.router.set_service(Service::kUp, h.now);  // no leader
  wait(h, 5);
  CHECK(ask_round(h).read_index.empty());
  h.router.serves({serve_of(5, 1)}, h.now);
  CHECK(h.turn().expect.empty());
  const RouterEffects late = h.tick(RouterHarness::default_options().response_timeout_ms);
  CHECK(late.serves_returned == std::vector<uint64_t>{1});
  // The blocking command itself was told: it never began to wait.
  CHECK(h.reply(5, 1) == error_line(texts::kNoLeader));
}

TEST_CASE("a full disk gives serves back") {
  RouterHarness h;
  h.up();
  wait(h, 5);
  h.router.set_disk_full(true);
  h.router.serves({serve_of(5, 1)}, h.now);
  CHECK(h.turn().serves_returned == std::vector<uint64_t>{1});
  CHECK(h.reply(5, 99).empty());
}

TEST_CASE("a refused serve is not answered: a void tells the executor that it took nothing [F31]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  wait(h, 5);
  h.pipeline(6, {"w1"});
  h.router.serves({serve_of(5, 1)}, h.now);
  REQUIRE(h.turn().propose.size() == 1);
  h.refuse(1, raft::RefusalReason::kOverloaded);
  h.take();
  CHECK(h.reply(6, 1) == error_line(texts::kTooManyWrites));
  CHECK(h.reply(5, 99).empty());
  h.settle(1, false);
  h.take();
  CHECK(h.reply(5, 99).empty());
}

TEST_CASE("a serve whose fate nobody knows in time is answered TIMEOUT [F31]") {
  RouterHarness h;
  h.up();
  wait(h, 5);
  h.router.serves({serve_of(5, 1)}, h.now);
  REQUIRE(h.turn().propose.size() == 1);
  const RouterEffects late = h.tick(RouterHarness::default_options().response_timeout_ms);
  CHECK(late.forget == std::vector<uint64_t>{1});
  CHECK(late.answered == std::vector<ReplySlot>{{5, 99}});
  CHECK(late.serves_returned.empty());
  CHECK(h.reply(5, 99) == error_line(texts::kTimeout));
}

TEST_CASE("the serve of a client that left takes nothing while it is not on its way [F31]") {
  RouterHarness h;
  h.router.set_service(Service::kUp, h.now);
  wait(h, 5);
  wait(h, 6);
  h.router.serves({serve_of(5, 1), serve_of(6, 2)}, h.now);
  h.turn();
  h.router.connection_closed(5);
  const RouterEffects closed = h.take();
  CHECK(closed.serves_returned == std::vector<uint64_t>{1});
  CHECK(closed.gone.at(0) == 5);
  h.lead(RouterHarness::kSelf, 1);
  const RouterEffects effects = h.turn();
  REQUIRE(effects.expect.size() == 1);
  CHECK(commands_of(effects.expect[0]->payload) == std::vector<std::string>{"s2"});
  h.router.serves({serve_of(5, 3)}, h.now);  // asked for before the executor heard of it
  CHECK(h.turn().serves_returned == std::vector<uint64_t>{3});
}

TEST_CASE(
    "who closed while its blocking command was on its way is told of again at its end [F31]") {
  RouterHarness h;
  h.up();
  wait(h, 5);
  const RouterEffects asked = ask_round(h);
  raft::ReadReady ready;
  ready.id = asked.read_index.at(0).id;
  ready.ok = true;
  ready.index = LogIndex{3};
  h.router.read_ready(ready, h.now);
  const RouterEffects run = h.turn();
  h.router.connection_closed(5);
  CHECK(h.take().gone.empty());  // the executor has it, and may let it wait
  h.router.reads_done(run.run_reads.at(0).id, h.now);
  CHECK(h.take().gone == std::vector<ConnectionId>{5});
  h.pipeline(6, {"r1"});
  h.router.connection_closed(6);
  h.tick(1);
  CHECK(h.take().gone.empty());  // it never asked such a command
}

TEST_CASE(
    "a serve whose batch was refused, and no void settles: its client is told in time [F31]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  wait(h, 5);
  h.router.serves({serve_of(5, 1)}, h.now);
  REQUIRE(h.turn().propose.size() == 1);
  h.refuse(1, raft::RefusalReason::kOverloaded);
  h.take();
  const RouterEffects late = h.tick(RouterHarness::default_options().response_timeout_ms);
  CHECK(late.forget == std::vector<uint64_t>{1});
  CHECK(h.reply(5, 99) == error_line(texts::kTimeout));
}

TEST_CASE("while the leader's disk is full, serves are not even sent") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  wait(h, 5);
  h.router.serves({serve_of(5, 1)}, h.now);
  REQUIRE(h.turn().propose.size() == 1);
  h.refuse(1, raft::RefusalReason::kDiskFull);
  h.take();
  h.router.serves({serve_of(5, 2)}, h.now);
  CHECK(h.turn().serves_returned == std::vector<uint64_t>{2});
  CHECK(h.reply(5, 99).empty());
}

TEST_CASE("without a proxy, a node that does not lead sends who would be served to the leader") {
  RouterOptions options = RouterHarness::default_options();
  options.follower_proxy = false;
  RouterHarness h(options);
  h.up();
  wait(h, 5);
  h.turn();
  h.lead(RouterHarness::kOther, 2);
  h.take();
  h.pipeline(6, {"s1"});
  h.router.serves({serve_of(6, 4)}, h.now);
  const RouterEffects effects = h.turn();
  CHECK(effects.serves_answered == std::vector<uint64_t>{4});
  CHECK(h.reply(6, 99).starts_with("-MOVED"));
}

TEST_CASE(
    "a blocking command behind a write whose batch is given up: the executor is told [F5][F31]") {
  RouterHarness h;
  h.up();
  h.pipeline(5, {"w1"});
  wait(h, 5);
  REQUIRE(h.turn().propose.size() == 1);
  const RouterEffects late = h.tick(RouterHarness::default_options().response_timeout_ms);
  CHECK(late.forget == std::vector<uint64_t>{1});
  CHECK(late.answered == std::vector<ReplySlot>{{5, 2}});
  CHECK(h.reply(5, 2) == error_line(texts::kReadTimeout));
}

TEST_CASE(
    "who was told that nothing happened is served no more: its wait's report came later [F31]") {
  RouterOptions options = RouterHarness::default_options();
  options.follower_proxy = false;
  RouterHarness h(options);
  h.up();
  h.pipeline(5, {"w1"});
  wait(h, 5);
  REQUIRE(h.turn().propose.size() == 1);
  // The executor has executed both, and let the second wait; that it did is on its way.
  REQUIRE(h.tick(options.response_timeout_ms).answered == std::vector<ReplySlot>{{5, 2}});
  REQUIRE(h.reply(5, 2) == error_line(texts::kReadTimeout));
  SUBCASE("as a leader") {}
  SUBCASE("where a client would be sent to the leader: it has its answer") {
    h.lead(RouterHarness::kOther, 2);
  }
  h.settle(1);
  h.router.serves({serve_of(5, 1, 2)}, h.now);
  const RouterEffects effects = h.turn();
  CHECK(effects.expect.empty());
  CHECK(effects.serves_returned == std::vector<uint64_t>{1});
  CHECK(effects.serves_answered.empty());
  h.lead(RouterHarness::kSelf, 3);
  wait(h, 5);  // it asks again
  h.turn();
  h.router.serves({serve_of(5, 2, 3)}, h.now);
  CHECK(h.turn().expect.size() == 1);
}

TEST_CASE("a serve that was in vain is not repeated for who was told TIMEOUT meanwhile [F31]") {
  RouterHarness h;
  h.up();
  wait(h, 5);
  h.router.serves({serve_of(5, 1)}, h.now);
  REQUIRE(h.turn().propose.size() == 1);
  h.tick(RouterHarness::default_options().response_timeout_ms);
  REQUIRE(h.reply(5, 99) == error_line(texts::kTimeout));
  h.settle(1);
  h.router.serves({serve_of(5, 1)}, h.now);  // something else came, in the same turn
  const RouterEffects effects = h.turn();
  CHECK(effects.expect.empty());
  CHECK(effects.serves_returned == std::vector<uint64_t>{1});
}

TEST_CASE("a node whose clients wait hears of every commit at once [F31]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  CHECK_FALSE(h.turn().wants_commit);
  h.router.set_waiting_clients(true);
  RouterEffects effects = h.turn();
  CHECK(effects.wants_commit_changed);
  CHECK(effects.wants_commit);
  for (int seconds = 0; seconds < 5; ++seconds) {
    CHECK(h.tick(1000).wants_commit);
  }
  h.router.set_waiting_clients(false);
  h.tick(1);
  effects = h.tick(1000);
  CHECK(effects.wants_commit_changed);
  CHECK_FALSE(effects.wants_commit);
}

TEST_CASE("CLIENT UNBLOCK waits until a blocking command that is on its way has come [F31]") {
  RouterHarness h;
  h.up();
  wait(h, 5);
  const RouterEffects asked = ask_round(h);
  RequestBatch batch;
  batch.connection = 6;
  const std::string_view argv[] = {"client", "unblock", "5", "ERROR", "blocked"};
  pack_command(batch.buffer, 0, argv);
  batch.requests.push_back(
      {1, RequestKind::kUnblock, 2, false, 0, static_cast<uint32_t>(batch.buffer.size()), 0});
  h.router.requests(std::move(batch), h.now);
  CHECK(h.turn().run_reads.empty());
  raft::ReadReady ready;
  ready.id = asked.read_index.at(0).id;
  ready.ok = true;
  h.router.read_ready(ready, h.now);
  const RouterEffects run = h.turn();
  REQUIRE(run.run_reads.size() == 1);
  CHECK(h.tick(10).run_reads.empty());
  h.router.reads_done(run.run_reads[0].id, h.now);
  const RouterEffects next = h.tick(10);
  REQUIRE(next.run_reads.size() == 1);
  CHECK(next.run_reads[0].ops.at(0).kind == RequestKind::kUnblock);
}

TEST_CASE("a removed node ends all waits, also those that begin yet") {
  RouterHarness h;
  h.up();
  wait(h, 5);
  const RouterEffects asked = ask_round(h);
  raft::ReadReady ready;
  ready.id = asked.read_index.at(0).id;
  ready.ok = true;
  h.router.read_ready(ready, h.now);
  const RouterEffects run = h.turn();
  h.router.set_service(Service::kRemoved, h.now);
  CHECK(h.take().end_waits);
  CHECK_FALSE(h.take().end_waits);
  h.router.reads_done(run.run_reads.at(0).id, h.now);  // maybe it began to wait after that
  CHECK(h.take().end_waits);
}

}  // namespace
}  // namespace kiwi::resp
