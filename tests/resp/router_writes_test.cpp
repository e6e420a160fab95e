#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {

using Sequences = std::vector<uint64_t>;
using raft::RefusalReason;

TEST_SUITE_BEGIN("resp/router: writes");

TEST_CASE("writes of all connections share a batch that is numbered when the turn ends [F3]") {
  RouterHarness h;
  h.up();
  h.pipeline(1, {"w1", "w2"});
  h.pipeline(2, {"w3"});
  CHECK(h.take().propose.empty());
  CHECK(h.router.needs_end_of_turn());
  RouterEffects effects = h.turn();
  REQUIRE(effects.propose.size() == 1);
  CHECK(effects.propose[0].number == h.number(1));
  CHECK(effects.propose[0].kind == raft::EntryKind::kBatch);
  CHECK(commands_of(effects.propose[0].payload) == std::vector<std::string>{"w1", "w2", "w3"});
  REQUIRE(effects.expect.size() == 1);
  CHECK(effects.expect[0]->payload == effects.propose[0].payload);
  CHECK(effects.expect[0]->ops[2].to == ReplySlot{2, 1});
  CHECK_FALSE(h.router.needs_end_of_turn());
}

TEST_CASE("a batch ends at 256 commands or 64 KiB, a bigger command goes alone") {
  RouterHarness h;
  h.up();
  h.pipeline(1, std::vector<std::string>(257, "w"));
  RouterEffects effects = h.turn();
  REQUIRE(effects.propose.size() == 2);
  CHECK(commands_of(effects.propose[0].payload).size() == 256);
  CHECK(commands_of(effects.propose[1].payload).size() == 1);
  h.pipeline(1, {"w1", "w" + std::string(100'000, 'x'), "w2"});
  effects = h.turn();
  CHECK(sequences_of(effects) == Sequences{3, 4, 5});
}

TEST_CASE("what is handed over and not applied is bounded, the rest waits without a number [F28]") {
  RouterOptions options = RouterHarness::default_options();
  options.inflight_batches_max = 2;
  options.batch_commands_max = 1;
  RouterHarness h(options);
  h.up();
  h.pipeline(1, {"w1", "w2", "w3", "w4"});
  CHECK(sequences_of(h.turn()) == Sequences{1, 2});
  CHECK_FALSE(h.router.needs_end_of_turn());
  h.settle(1);
  CHECK(h.router.needs_end_of_turn());
  CHECK(sequences_of(h.turn()) == Sequences{3});
}

TEST_CASE("one batch always fits, whatever its size [F28]") {
  RouterOptions options = RouterHarness::default_options();
  options.inflight_bytes_max = 10;
  RouterHarness h(options);
  h.up();
  h.pipeline(1, {"w" + std::string(1000, 'x')});
  h.pipeline(2, {"w" + std::string(70'000, 'x')});
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.settle(1);
  CHECK(sequences_of(h.turn()) == Sequences{2});
}

TEST_CASE("a new leader gets everything unsettled again, in order, before anything new [F23]") {
  RouterOptions options = RouterHarness::default_options();
  options.batch_commands_max = 1;
  RouterHarness h(options);
  h.up(RouterHarness::kOther, 1);
  h.pipeline(1, {"w1", "w2", "w3"});
  RouterEffects first = h.turn();
  h.settle(1);
  h.lead(NodeId{}, 2, false);
  h.pipeline(1, {"w4"});
  CHECK(h.turn().propose.empty());
  h.lead(RouterHarness::kThird, 2, false);  // known, but it does not serve yet
  CHECK(h.turn().propose.empty());
  h.lead(RouterHarness::kThird, 2);
  RouterEffects again = h.turn();
  CHECK(sequences_of(again) == Sequences{2, 3, 4});
  CHECK(again.propose[0] == first.propose[1]);  // the number is bound to its bytes [F3]
  h.lead(RouterHarness::kThird, 2);             // said twice: nothing new
  CHECK(h.turn().propose.empty());
  CHECK(h.router.status().resends == 2);
}

TEST_CASE("a link that comes up to the leader brings everything unsettled again [F23]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  h.turn();
  h.router.link_up(RouterHarness::kThird, h.now);
  CHECK(h.turn().propose.empty());
  h.router.link_up(RouterHarness::kOther, h.now);
  CHECK(sequences_of(h.turn()) == Sequences{1});
}

TEST_CASE("a gap is filled from the expected number on, once per number and term [F23]") {
  RouterOptions options = RouterHarness::default_options();
  options.batch_commands_max = 1;
  RouterHarness h(options);
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1", "w2", "w3", "w4"});
  h.turn();
  h.refuse(3, RefusalReason::kGap, 2);
  h.refuse(4, RefusalReason::kGap, 2);
  CHECK(sequences_of(h.turn()) == Sequences{2, 3, 4});
  h.refuse(4, RefusalReason::kGap, 2);
  CHECK(h.turn().propose.empty());
  h.refuse(4, RefusalReason::kGap, 3);
  CHECK(sequences_of(h.turn()) == Sequences{3, 4});
  h.lead(RouterHarness::kOther, 5);
  CHECK(sequences_of(h.turn()) == Sequences{1, 2, 3, 4});
  h.refuse(4, RefusalReason::kGap, 3);
  CHECK(sequences_of(h.turn()) == Sequences{3, 4});
}

TEST_CASE("a leader that is not ready is asked again soon [F23]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  h.turn();
  h.refuse(1, RefusalReason::kGap, 0);
  CHECK(h.turn().propose.empty());
  CHECK(sequences_of(h.tick(50)) == Sequences{1});
}

TEST_CASE("no progress for an election timeout sends again, ever more slowly [F23]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  h.turn();
  std::vector<int64_t> when;
  int64_t start = h.now;
  while (h.now - start < 5000) {
    if (!h.tick(50).propose.empty()) {
      when.push_back(h.now - start);
    }
  }
  CHECK(when == std::vector<int64_t>{300, 900, 2100, 4500});
  h.settle(1);
  CHECK(h.tick(5000).propose.empty());
}

TEST_CASE("what is sent again is bounded per turn and stays in order [F23]") {
  RouterOptions options = RouterHarness::default_options();
  options.batch_commands_max = 1;
  RouterHarness h(options);
  h.up(RouterHarness::kOther, 1);
  h.pipeline(1, std::vector<std::string>(200, "w"));
  CHECK(h.turn().propose.size() == 200);
  h.lead(RouterHarness::kThird, 2);
  h.pipeline(1, {"w"});
  Sequences sent;
  size_t turns = 0;
  while (h.router.needs_end_of_turn()) {
    ++turns;
    for (uint64_t sequence : sequences_of(h.turn())) {
      sent.push_back(sequence);
    }
  }
  CHECK(turns > 2);
  REQUIRE(sent.size() == 201);
  for (size_t i = 0; i < sent.size(); ++i) {
    CHECK(sent[i] == i + 1);
  }
}

TEST_CASE("a write that was handed over times out as unknown, then only void is sent [F5]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1", "r1"});
  h.turn();
  CHECK(h.tick(9'999).replies.empty());
  RouterEffects effects = h.tick(1);
  CHECK(effects.forget == std::vector<uint64_t>{1});
  CHECK(h.reply(1, 1) == error_line("TIMEOUT not committed yet"));
  CHECK(h.reply(1, 2) == error_line("TIMEOUT no quorum for read"));
  h.lead(RouterHarness::kThird, 2);
  effects = h.turn();
  REQUIRE(effects.propose.size() == 1);
  CHECK(is_void(effects.propose[0]));
  h.settle(1, true);  // the old copy was in a log after all: nobody is answered twice
  CHECK(h.turn().replies.empty());
  CHECK(h.router.status().pending_batches == 0);
  h.pipeline(1, {"w2"});
  CHECK(sequences_of(h.turn()) == Sequences{2});
}

TEST_CASE("a write that was never handed over is certainly not applied and gets no number [F3]") {
  RouterHarness h;
  h.up(NodeId{});
  h.pipeline(1, {"w1"});
  h.turn();
  CHECK(h.tick(9'999).replies.empty());
  RouterEffects effects = h.tick(1);
  CHECK(effects.forget.empty());
  CHECK(h.reply(1, 1) == error_line("CLUSTERDOWN No raft leader"));
  h.lead(RouterHarness::kOther, 1);
  CHECK(h.turn().propose.empty());
  h.pipeline(1, {"w2"});
  RouterEffects next = h.turn();
  CHECK(sequences_of(next) == Sequences{1});
  CHECK(commands_of(next.propose[0].payload) == std::vector<std::string>{"w2"});
}

TEST_CASE("a fresh write does not share the fate of a write that has waited long [F5]") {
  RouterHarness h;
  h.up(NodeId{});
  h.pipeline(1, {"w1"});
  h.tick(4'000);
  h.pipeline(2, {"w2"});
  h.lead(RouterHarness::kOther, 1);
  CHECK(sequences_of(h.turn()) == Sequences{1, 2});
  h.tick(6'000);
  CHECK(h.reply(1, 1) == error_line("TIMEOUT not committed yet"));
  CHECK(h.reply(2, 1) == "");
  h.tick(4'000);
  CHECK(h.reply(2, 1) == error_line("TIMEOUT not committed yet"));
}

TEST_CASE("a refusal of what was sent once is answered at once, its number becomes void [F3]") {
  RouterOptions options = RouterHarness::default_options();
  options.batch_commands_max = 1;
  RouterHarness h(options);
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1", "w2", "w3"});
  RouterEffects first = h.turn();
  h.refuse(2, RefusalReason::kOverloaded);
  h.refuse(3, RefusalReason::kGap, 2);
  RouterEffects effects = h.turn();
  CHECK(h.reply(1, 2) == error_line("OOM too many writes wait to be committed"));
  CHECK(effects.forget.empty());
  REQUIRE(sequences_of(effects) == Sequences{2, 3});
  CHECK(is_void(effects.propose[0]));
  CHECK(effects.propose[1] == first.propose[2]);
  h.settle(1);
  h.settle(2, false);
  h.settle(3);
  CHECK(h.turn().replies.empty());
  h.pipeline(1, {"w4"});
  CHECK(sequences_of(h.turn()) == Sequences{4});
}

TEST_CASE("a refusal of what was sent twice is answered by what is applied [F3]") {
  for (bool applied : {false, true}) {
    RouterHarness h;
    h.up(RouterHarness::kOther, 1);
    h.pipeline(1, {"w1"});
    h.turn();
    h.lead(RouterHarness::kThird, 2);
    h.turn();
    h.refuse(1, RefusalReason::kOverloaded);
    RouterEffects effects = h.turn();
    REQUIRE(effects.propose.size() == 1);
    CHECK(is_void(effects.propose[0]));
    CHECK(effects.replies.empty());
    h.settle(1, applied);
    h.turn();
    CHECK(h.reply(1, 1) == (applied ? "" : error_line("OOM too many writes wait to be committed")));
  }
}

TEST_CASE("refusals of another boot, incarnation or of settled numbers are ignored [F4]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  h.turn();
  raft::ProposeRefused refused{RefusalReason::kOverloaded, h.number(1), 0};
  refused.number.epoch = 6;
  h.router.refused(refused, h.now);
  refused.number = h.number(1);
  refused.number.incarnation = incarnation_of(9);
  h.router.refused(refused, h.now);
  h.refuse(2, RefusalReason::kOverloaded);
  h.settle(1);
  h.refuse(1, RefusalReason::kOverloaded);
  CHECK(h.turn().propose.empty());
  CHECK(h.replies.empty());
}

TEST_CASE("a node that is not a member answers and serves nothing [F25]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  h.turn();
  h.pipeline(2, {"r1"});
  h.turn();
  h.pipeline(3, {"w1"});
  h.refuse(1, RefusalReason::kNotMember);
  h.turn();
  CHECK(h.reply(1, 1) == error_line("TIMEOUT not committed yet"));
  CHECK(h.reply(2, 1) == error_line("CLUSTERDOWN No raft leader"));
  CHECK(h.reply(3, 1) == error_line("CLUSTERDOWN No raft leader"));
  h.router.set_service(Service::kRemoved, h.now);  // the core is sure
  h.pipeline(4, {"w1", "r1", "s1"});
  CHECK(h.turn().propose.empty());
  for (uint64_t slot : {1, 2, 3}) {
    CHECK(h.reply(4, slot) == error_line("CLUSTERDOWN This node was removed from its cluster"));
  }
  h.lead(RouterHarness::kOther, 9);
  CHECK(h.tick(20'000).propose.empty());
}

TEST_CASE("a node that turns out to be a member sends what it gave up as void [F5] [F25]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  h.turn();
  h.refuse(1, RefusalReason::kNotMember);
  CHECK(h.turn().forget == std::vector<uint64_t>{1});
  h.lead(RouterHarness::kThird, 2);
  h.pipeline(2, {"w2"});
  RouterEffects effects = h.turn();
  REQUIRE(sequences_of(effects) == Sequences{1, 2});
  CHECK(is_void(effects.propose[0]));
  CHECK(commands_of(effects.propose[1].payload) == std::vector<std::string>{"w2"});
}

TEST_CASE("what a snapshot swallowed is answered as unknown, the others are sent again [F22]") {
  RouterOptions options = RouterHarness::default_options();
  options.batch_commands_max = 1;
  RouterHarness h(options);
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1", "w2", "w3"});
  h.turn();
  h.router.session_row(7, 2, h.now);
  RouterEffects effects = h.turn();
  CHECK(effects.forget == std::vector<uint64_t>{1, 2});
  CHECK(h.reply(1, 1) == error_line("TIMEOUT not committed yet"));
  CHECK(h.reply(1, 2) == error_line("TIMEOUT not committed yet"));
  CHECK(h.reply(1, 3) == "");
  CHECK(sequences_of(effects) == Sequences{3});
  h.settle(3);
}

TEST_CASE("a row of numbers that this start never gave swallows nothing [F52]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  h.turn();
  h.router.session_row(7, 2, h.now);
  CHECK(h.turn().forget.empty());
  CHECK(h.reply(1, 1) == "");
}

TEST_CASE("without a proxy a follower says MOVED and a leaderless node CLUSTERDOWN, at once") {
  RouterOptions options = RouterHarness::default_options();
  options.follower_proxy = false;
  RouterHarness h(options);
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1", "r1", "t1", "s1"});
  RouterEffects effects = h.turn();
  CHECK(effects.propose.empty());
  for (uint64_t slot : {1, 2, 3}) {
    CHECK(h.reply(1, slot) == error_line("MOVED 0 127.0.0.1:7002"));
  }
  CHECK(effects.replies[0].failed_watch);
  CHECK(effects.run_reads.size() == 1);  // stale reads are served anyway
  h.lead(NodeId{}, 2, false);
  h.pipeline(2, {"w1", "r1"});
  h.turn();
  CHECK(h.reply(2, 1) == error_line("CLUSTERDOWN No raft leader"));
  CHECK(h.reply(2, 2) == error_line("CLUSTERDOWN No raft leader"));
  h.lead(RouterHarness::kSelf, 3, false);  // will serve in a moment
  h.pipeline(3, {"w1", "r1"});
  CHECK(h.turn().replies.empty());
  h.lead(RouterHarness::kOther, 4);  // or not
  h.turn();
  CHECK(h.reply(3, 1) == error_line("MOVED 0 127.0.0.1:7002"));
  CHECK(h.reply(3, 2) == error_line("MOVED 0 127.0.0.1:7002"));
}

TEST_CASE(
    "MOVED names the slot of the first key, so that clients correct the right part of their map") {
  RouterOptions options = RouterHarness::default_options();
  options.follower_proxy = false;
  RouterHarness h(options);
  h.up(RouterHarness::kOther);
  uint64_t slot = 0;
  auto refused = [&](std::string packed) {
    RequestBatch batch;
    batch.connection = 9;
    batch.face = h.face;
    batch.buffer = std::move(packed);
    Request request;
    request.slot = ++slot;
    request.kind = RequestKind::kWrite;
    request.size = static_cast<uint32_t>(batch.buffer.size());
    batch.requests.push_back(request);
    h.router.requests(std::move(batch), h.now);
    h.turn();
    return h.reply(9, slot);
  };
  auto plain = [](std::vector<std::string_view> args) {
    std::string out;
    pack_command(out, 0, args);
    return out;
  };
  CHECK(refused(plain({"SET", "foo", "1"})) == error_line("MOVED 12182 127.0.0.1:7002"));
  CHECK(refused(plain({"get", "{bar}x"})) == error_line("MOVED 5061 127.0.0.1:7002"));
  CHECK(refused(plain({"FLUSHALL"})) == error_line("MOVED 0 127.0.0.1:7002"));
  CHECK(refused(plain({"nosuch", "foo"})) == error_line("MOVED 0 127.0.0.1:7002"));
  std::string block;
  pack_transaction(block, 0, {}, std::vector<std::string>{plain({"SET", "foo", "1"})});
  CHECK(refused(block) == error_line("MOVED 12182 127.0.0.1:7002"));
}

TEST_CASE("with a proxy an election is latency, a lost quorum an early answer [F24]") {
  RouterHarness h;
  h.up(RouterHarness::kOther, 1);
  h.lead(NodeId{}, 2, false);
  h.tick(1000);
  h.pipeline(1, {"w1"});
  CHECK(h.turn().replies.empty());
  h.tick(4000);
  h.pipeline(2, {"w1", "r1"});
  h.turn();
  CHECK(h.reply(2, 1) == error_line("CLUSTERDOWN No raft leader"));
  CHECK(h.reply(2, 2) == error_line("CLUSTERDOWN No raft leader"));
  h.lead(RouterHarness::kOther, 3);
  CHECK(sequences_of(h.turn()) == Sequences{1});
}

TEST_CASE("a node without a cluster or still loading says so, whatever is asked [F39]") {
  RouterHarness h;
  h.pipeline(1, {"w1", "r1", "s1"});
  h.turn();
  CHECK(h.reply(1, 1) == error_line("NOCLUSTER No Raft Cluster"));
  CHECK(h.reply(1, 3) == error_line("NOCLUSTER No Raft Cluster"));
  h.router.set_service(Service::kLoading, h.now);
  h.lead(RouterHarness::kOther, 1);
  h.pipeline(2, {"w1", "r1", "s1"});
  CHECK(h.turn().propose.empty());
  for (uint64_t slot : {1, 2, 3}) {
    CHECK(h.reply(2, slot) == error_line("LOADING Raft module is loading data"));
  }
}

TEST_CASE("while a snapshot is installed what was not handed over is answered LOADING [F22]") {
  RouterHarness h;
  h.up(NodeId{});
  h.pipeline(1, {"w1"});
  h.pipeline(2, {"r1"});
  h.turn();
  h.router.set_service(Service::kLoading, h.now);
  h.turn();
  CHECK(h.reply(1, 1) == error_line("LOADING Raft module is loading data"));
  CHECK(h.reply(2, 1) == error_line("LOADING Raft module is loading data"));
}

TEST_CASE("a closed connection's writes stay, nobody is told [F5]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.pipeline(1, {"w1"});
  h.router.connection_closed(1);
  CHECK(sequences_of(h.turn()) == Sequences{1});
  h.tick(10'000);
  CHECK(h.replies.empty());
}

TEST_CASE("only a leader that serves proposes for itself, and nobody is answered [F8]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  h.router.propose_internal("w", h.now);
  CHECK(h.turn().propose.empty());
  h.lead(RouterHarness::kSelf, 2);
  h.router.propose_internal("w", h.now);
  RouterEffects effects = h.turn();
  REQUIRE(effects.expect.size() == 1);
  CHECK(effects.expect[0]->ops[0].to.connection == 0);
  h.tick(10'000);
  CHECK(h.replies.empty());
}

TEST_CASE("commits are asked to be announced while something waits and another node leads [F19]") {
  RouterHarness h;
  h.up(RouterHarness::kOther);
  CHECK_FALSE(h.take().wants_commit_changed);
  h.pipeline(1, {"w1"});
  RouterEffects effects = h.turn();
  CHECK(effects.wants_commit_changed);
  CHECK(effects.wants_commit);
  h.settle(1);
  CHECK_FALSE(h.tick(50).wants_commit_changed);  // the next batch is probably near
  h.tick(500);
  effects = h.tick(500);
  CHECK(effects.wants_commit_changed);
  CHECK_FALSE(effects.wants_commit);
  h.lead(RouterHarness::kSelf, 2);
  h.pipeline(1, {"w2"});
  CHECK_FALSE(h.turn().wants_commit_changed);
}

TEST_SUITE_END();

}  // namespace kiwi::resp
