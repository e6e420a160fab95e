// Writes that wait for others (RouterOptions::group_commit_us): when, how long, and that nothing is
// forgotten.
#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {

using Sequences = std::vector<uint64_t>;
constexpr auto kWrites = Router::Waiting::kWrites;
constexpr auto kReads = Router::Waiting::kReads;

TEST_SUITE_BEGIN("resp/router: group commit");

namespace {

RouterOptions gathering() {
  RouterOptions options = RouterHarness::default_options();
  options.group_commit_us = 200;
  options.read_gather_us = 100;
  return options;
}

// The round that was asked for comes back.
void answer_round(RouterHarness& h, const RouterEffects& asked) {
  h.router.read_ready({asked.read_index.at(0).id, true, false, LogIndex{1}, 0, false}, h.now);
  RouterEffects effects = h.turn();
  for (const ReadBatch& batch : effects.run_reads) {
    h.router.reads_done(batch.id, h.now);
  }
}

// Two clients were answered by one round, and one of them is back.
void one_waits_for_another(RouterHarness& h) {
  h.up();
  h.pipeline(1, {"r1"});
  h.pipeline(2, {"r1"});
  answer_round(h, h.turn());
  h.pipeline(1, {"r2"});
  CHECK(h.turn().read_index.empty());
}

}  // namespace

TEST_CASE("a lone write goes at once, the next one waits for it") {
  RouterHarness h(gathering());
  h.up();
  h.pipeline(1, {"w1"});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  CHECK(h.router.delay(kWrites).wait_us == 0);
  h.pipeline(2, {"w1"});
  CHECK(h.turn().propose.empty());
  const Router::Delay delay = h.router.delay(kWrites);
  CHECK(delay.wait_us == 1000);
  CHECK_FALSE(delay.soon);  // a round trip first
  h.pipeline(3, {"w1"});
  CHECK(h.turn().propose.empty());
  CHECK(h.router.delay(kWrites).id == delay.id);  // one wait, one timer
  h.settle(1);
  RouterEffects effects = h.turn();  // one is missing: two were held, one was under way
  REQUIRE(effects.propose.empty());
  CHECK(h.router.delay(kWrites).wait_us == 200);
  CHECK(h.router.delay(kWrites).soon);
  CHECK(h.router.delay(kWrites).id != delay.id);
  h.pipeline(1, {"w2"});
  effects = h.turn();
  REQUIRE(sequences_of(effects) == Sequences{2});
  CHECK(commands_of(effects.propose[0].payload).size() == 3);
  CHECK(h.router.delay(kWrites).wait_us == 0);
  CHECK_FALSE(h.router.delay(kWrites).soon);
}

TEST_CASE("the wait ends when its time is over, and a client that stays away is not waited for") {
  RouterHarness h(gathering());
  h.up();
  h.pipeline(1, {"w1"});
  h.pipeline(2, {"w1"});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.settle(1);
  h.turn();
  h.pipeline(1, {"w2"});
  CHECK(h.turn().propose.empty());
  CHECK(h.router.delay(kWrites).wait_us == 200);
  h.router.end_delay(kWrites, h.now);
  CHECK(sequences_of(h.take()) == Sequences{2});
  h.settle(2);
  h.turn();
  h.pipeline(1, {"w3"});
  CHECK(sequences_of(h.turn()) == Sequences{3});
}

TEST_CASE("behind others for a millisecond at most, so that cohorts overlap on slow networks") {
  RouterHarness h(gathering());
  h.up();
  h.pipeline(1, {"w1"});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.pipeline(2, {"w1"});
  CHECK(h.turn().propose.empty());
  h.router.end_delay(kWrites, h.now);
  CHECK(sequences_of(h.take()) == Sequences{2});
}

TEST_CASE("where sockets are looked at with each commit, two groups take turns") {
  RouterHarness h(gathering());
  h.up();
  const auto group_and_who_came_meanwhile = [&h](int came) {
    for (const ConnectionId client : {1, 2, 3, 4}) {
      h.pipeline(client, {"w1"});
    }
    CHECK(sequences_of(h.turn()) == Sequences{1});
    for (int i = 0; i < came; ++i) {
      h.pipeline(ConnectionId{10} + static_cast<ConnectionId>(i), {"w1"});
    }
    h.settle(1);
    return h.turn();
  };
  SUBCASE("half as many as were under way go at once") {
    h.router.set_looks_at_commits(true);
    CHECK(sequences_of(group_and_who_came_meanwhile(2)) == Sequences{2});
    CHECK(h.router.delay(kWrites).wait_us == 0);
  }
  SUBCASE("a few wait for those that are being answered") {
    h.router.set_looks_at_commits(true);
    CHECK(group_and_who_came_meanwhile(1).propose.empty());
    CHECK(h.router.delay(kWrites).wait_us == 200);
  }
  SUBCASE("where they are read as they come, all make one group") {
    CHECK(group_and_who_came_meanwhile(3).propose.empty());
    CHECK(h.router.delay(kWrites).wait_us == 200);
  }
}

TEST_CASE("what is under way: writes and nothing else, or something that a client may gain from") {
  RouterHarness h(gathering());
  h.up();
  CHECK_FALSE(h.router.flight().writes_only);
  h.pipeline(1, {"w1"});
  CHECK_FALSE(h.router.flight().writes_only);  // not handed over
  h.turn();
  CHECK(h.router.flight().writes_only);
  CHECK(h.router.flight().oldest == 1);
  CHECK(h.router.flight().next == 2);
  SUBCASE("a read") {
    h.pipeline(2, {"r1"});
    CHECK_FALSE(h.router.flight().writes_only);
    const RouterEffects asked = h.turn();
    CHECK_FALSE(h.router.flight().writes_only);
    answer_round(h, asked);
    CHECK(h.router.flight().writes_only);
  }
  SUBCASE("a stale read") {
    h.pipeline(2, {"s1"});
    const RouterEffects effects = h.turn();
    CHECK_FALSE(h.router.flight().writes_only);
    h.router.reads_done(effects.run_reads.at(0).id, h.now);
    CHECK(h.router.flight().writes_only);
  }
  SUBCASE("pipelines, whose full batches go at once") {
    h.pipeline(2, std::vector<std::string>(200, "w"));
    h.turn();
    CHECK(h.router.flight().next == 3);
    CHECK_FALSE(h.router.flight().writes_only);
  }
  SUBCASE("no leader, or one that is not ready") {
    h.lead(NodeId{}, 2, false);
    h.turn();
    CHECK_FALSE(h.router.flight().writes_only);
    h.lead(RouterHarness::kOther, 2);
    h.turn();
    CHECK(h.router.flight().writes_only);  // sent again
  }
  SUBCASE("clients that were just answered") {
    h.pipeline(2, {"w1"});
    h.settle(1);
    h.turn();
    CHECK(h.router.flight().gathers);
    CHECK_FALSE(h.router.flight().writes_only);
    CHECK(h.router.flight().oldest == 2);
  }
  SUBCASE("all of it is over") {
    h.settle(1);
    h.turn();
    CHECK_FALSE(h.router.flight().writes_only);
    CHECK_FALSE(h.router.flight().gathers);
  }
}

TEST_CASE("a timer that was lost costs a tick, no more") {
  RouterHarness h(gathering());
  h.up();
  h.pipeline(1, {"w1"});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.pipeline(2, {"w1"});
  CHECK(h.turn().propose.empty());
  CHECK(sequences_of(h.tick(50)) == Sequences{2});
}

TEST_CASE("reads wait for those that the last round answered, and ask once all are back") {
  RouterHarness h(gathering());
  h.up();
  h.pipeline(1, {"r1"});
  RouterEffects asked = h.turn();
  REQUIRE(asked.read_index.size() == 1);  // alone: at once
  h.pipeline(2, {"r1"});
  CHECK(h.turn().read_index.empty());  // behind a round
  answer_round(h, asked);
  CHECK(h.router.delay(kReads).wait_us == 100);
  const uint64_t id = h.router.delay(kReads).id;
  h.pipeline(1, {"r2"});
  asked = h.turn();
  REQUIRE(asked.read_index.size() == 1);
  CHECK(h.router.delay(kReads).wait_us == 0);
  answer_round(h, asked);
  h.pipeline(2, {"r2"});
  CHECK(h.turn().read_index.empty());
  CHECK(h.router.delay(kReads).wait_us == 100);
  CHECK(h.router.delay(kReads).id != id);
}

TEST_CASE("reads wait once for a client that stays away, and not for one that comes later") {
  RouterHarness h(gathering());
  one_waits_for_another(h);
  h.router.end_delay(kReads, h.now);
  RouterEffects asked = h.take();
  REQUIRE(asked.read_index.size() == 1);
  answer_round(h, asked);
  h.pipeline(1, {"r3"});
  asked = h.turn();
  REQUIRE(asked.read_index.size() == 1);
  h.pipeline(2, {"r2"});
  answer_round(h, asked);
  h.now += 2;
  CHECK(h.turn().read_index.size() == 1);
}

TEST_CASE("reads that wait for others do not wait when the leader is gone") {
  RouterHarness h(gathering());
  one_waits_for_another(h);
  REQUIRE(h.router.delay(kReads).wait_us == 100);
  h.lead(NodeId{}, 9, false);
  h.router.end_delay(kReads, h.now);
  CHECK(h.router.delay(kReads).wait_us == 0);
}

TEST_CASE("a timer for reads that was lost costs a tick, no more") {
  RouterHarness h(gathering());
  one_waits_for_another(h);
  CHECK(h.tick(50).read_index.size() == 1);
}

TEST_CASE("half a batch does not wait for others") {
  RouterHarness h(gathering());
  h.up();
  h.pipeline(1, {"w1"});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.pipeline(2, std::vector<std::string>(127, "w"));
  CHECK(h.turn().propose.empty());
  h.pipeline(3, {"w1"});
  CHECK(sequences_of(h.turn()) == Sequences{2});
  h.pipeline(4, {"w" + std::string(40'000, 'x')});
  CHECK(sequences_of(h.turn()) == Sequences{3});
  h.pipeline(5, std::vector<std::string>(300, "w"));
  CHECK(sequences_of(h.turn()) == Sequences{4, 5});  // what is behind a full batch goes along
}

TEST_CASE("who comes later than at once is not waited with") {
  RouterHarness h(gathering());
  h.up();
  h.pipeline(1, {"w1"});
  h.pipeline(2, {"w1"});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.settle(1);
  h.now += 2;
  h.pipeline(1, {"w2"});
  CHECK(sequences_of(h.turn()) == Sequences{2});
}

TEST_SUITE_END();

}  // namespace kiwi::resp
