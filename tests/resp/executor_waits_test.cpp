// Blocking commands in the executor: who waits, what wakes it, and serves that are applied once and
// tell nobody when they find nothing (F31).
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/origin.hpp"

namespace kiwi::resp {
namespace {

constexpr const char* kNil = "*-1\r\n";

TEST_CASE("a push wakes who waits, and a serve through the log gives it the element [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  CHECK(origin.replies.empty());
  CHECK(origin.serves.empty());
  origin.elsewhere("rpush k a b");
  REQUIRE(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[5] == popped("k", "a"));
  CHECK(origin.serves.empty());
  CHECK(origin.node("lrange k 0 -1") == "*1\r\n$1\r\nb\r\n");
  CHECK(origin.node.executor().waiters().waiting == 0);
}

TEST_CASE("what is there already is taken by a serve at once; errors are answered, nobody waits") {
  Held held;
  Origin& origin = held.origin;
  origin.node("rpush k a");
  origin.node("set s 1");
  origin.block(5, "blpop none k 0");
  CHECK(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[5] == popped("k", "a"));
  origin.block(6, "blpop k s 0");
  CHECK(origin.replies[6] == "-" + std::string(texts::kWrongType) + "\r\n");
  CHECK(origin.node.executor().waiters().waiting == 0);
}

TEST_CASE(
    "a blocking command on a state that may be old: serves for what is there, else asked again") {
  Held held;
  Origin& origin = held.origin;
  const auto try_here = [&origin](ConnectionId connection, const std::string& line) {
    ReadBatch batch;
    batch.id = 1000 + connection;
    batch.ops.push_back(
        {{connection, 1}, RequestKind::kBlocking, 2, packed(Origin::words(line)), 0});
    origin.node.executor().run_reads(std::move(batch));
    ExecutorEffects effects = origin.node.deliver();
    const size_t again = effects.reads.again.size();
    origin.take(std::move(effects));
    return again;
  };
  origin.node("set s 1");
  origin.node("rpush k a");
  CHECK(try_here(5, "blpop none 0") == 1);
  CHECK(try_here(5, "blpop s 0") == 1);  // WRONGTYPE may be over
  CHECK(try_here(5, "xread block 0 streams none $") == 1);
  CHECK(try_here(5, "xreadgroup group g c block 0 streams none >") == 1);
  CHECK(origin.replies.empty());
  CHECK(origin.node.executor().waiters().waiting == 0);
  CHECK(try_here(5, "blpop none k 0") == 0);
  CHECK(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[5] == popped("k", "a"));
}

TEST_CASE("a serve that finds nothing answers nobody and changes nothing [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.elsewhere("rpush k a");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.elsewhere("lpop k");  // it was faster
  origin.apply_serves(number);
  CHECK(origin.replies.empty());
  CHECK(origin.serves.empty());
  CHECK(origin.node.executor().waiters().waiting == 1);
  CHECK(origin.node.executor().waiters().in_vain == 1);
  origin.elsewhere("rpush k b");
  origin.serve_all();
  CHECK(origin.replies[5] == popped("k", "b"));
}

TEST_CASE("nobody is served twice: the entry comes again, the element goes once [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.elsewhere("rpush k a b c");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.apply_serves(number);
  origin.apply_serves(number);  // a leader took it twice
  CHECK(origin.replies[5] == popped("k", "a"));
  CHECK(origin.node("llen k") == ":2\r\n");
}

TEST_CASE("one element and a thousand clients: one serve; three elements: three more [F31]") {
  Held held;
  Origin& origin = held.origin;
  for (ConnectionId id = 1; id <= 1000; ++id) {
    origin.block(10 + id, "blpop k 0");
  }
  origin.elsewhere("rpush k a");
  CHECK(origin.serves.size() == 1);
  origin.elsewhere("rpush k b c d");
  CHECK(origin.serves.size() == 4);
  origin.serve_all();
  CHECK(origin.replies.size() == 4);
  CHECK(origin.replies[11] == popped("k", "a"));
  CHECK(origin.replies[14] == popped("k", "d"));
  CHECK(origin.node.executor().waiters().waiting == 996);
}

TEST_CASE("what a block pushes and pops itself wakes nobody") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.elsewhere_in_block({{"rpush", "k", "v"}, {"lpop", "k"}});
  CHECK(origin.serves.empty());
}

TEST_CASE("a serve's own push wakes who waits for it, and a key of another type nobody") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blmove a b left right 0");
  origin.block(6, "blpop b 0");
  origin.elsewhere("set b x");
  CHECK(origin.serves.empty());
  origin.elsewhere("del b");
  origin.elsewhere("rpush a v");
  origin.serve_all();
  CHECK(origin.replies[5] == "$1\r\nv\r\n");
  origin.serve_all();
  CHECK(origin.replies[6] == popped("b", "v"));
}

TEST_CASE("nil when the time is over, and none beside a serve [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.clock(1000);
  origin.block(5, "blpop k 1", 2000);
  origin.block(6, "blmove k d left left 1", 2000);
  CHECK(origin.node.executor().wake_at_ms() == 2000);
  origin.elsewhere("rpush k v");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.clock(2000);
  CHECK(origin.replies[6] == kNil);
  CHECK_FALSE(origin.replies.contains(5));
  origin.apply_serves(number);
  CHECK(origin.replies[5] == popped("k", "v"));
}

TEST_CASE("a void in a serve's place takes nothing: its client waits on [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.clock(1000);
  origin.block(5, "blpop k 0");
  origin.elsewhere("rpush k v");
  origin.apply_serves(origin.expect_serves(), raft::EntryKind::kVoid);
  CHECK(origin.replies.empty());
  CHECK(origin.serves.empty());
  origin.clock(1100);
  origin.serve_all();
  CHECK(origin.replies[5] == popped("k", "v"));
}

TEST_CASE("a serve of unknown fate is over: its client was told TIMEOUT [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.elsewhere("rpush k v");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.node.executor().forget(number.sequence);
  CHECK(origin.node.executor().waiters().waiting == 0);
  origin.apply_serves(number);  // it comes yet
  CHECK(origin.replies.empty());
  CHECK(origin.node("llen k") == ":0\r\n");
}

TEST_CASE("CLIENT UNBLOCK ends a wait with nil or an error, and says whether it did [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.block(6, "blpop k 0");
  origin.ask(8, packed({"client", "unblock", "7", "TIMEOUT"}), RequestKind::kUnblock);
  CHECK(origin.replies[8] == ":0\r\n");
  origin.ask(9, packed({"client", "unblock", "5", "ERROR"}), RequestKind::kUnblock);
  CHECK(origin.replies[9] == ":1\r\n");
  CHECK(origin.replies[5] == "-" + std::string(texts::kUnblocked) + "\r\n");
  origin.elsewhere("rpush k v");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.ask(10, packed({"client", "unblock", "6", "TIMEOUT"}), RequestKind::kUnblock);
  CHECK_FALSE(origin.replies.contains(10));  // its serve is under way
  origin.apply_serves(number);
  CHECK(origin.replies[6] == popped("k", "v"));
  CHECK(origin.replies[10] == ":0\r\n");
}

TEST_CASE("a client that left takes nothing, unless its serve was under way [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.block(6, "blpop k 0");
  origin.node.executor().forget_connection(5);
  origin.elsewhere("rpush k v");
  origin.serve_all();
  CHECK(origin.replies[6] == popped("k", "v"));
  CHECK_FALSE(origin.replies.contains(5));
}

TEST_CASE(
    "who left before its blocking command came here is forgotten when the router says so [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.node.executor().forget_connection(5);
  origin.clock(1);
  origin.block(5, "blpop k 0");  // it was on its way
  origin.node.executor().forget_connection(5);
  CHECK(origin.node.executor().waiters().waiting == 0);
  origin.block(6, "blpop k 0");
  origin.elsewhere("rpush k v");
  origin.serve_all();
  CHECK(origin.replies[6] == popped("k", "v"));
}

TEST_CASE(
    "a serve that came back from the router is asked for again, whoever left meanwhile [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.clock(1000);
  origin.block(5, "blpop k 0");
  origin.block(6, "blpop k 0");
  origin.elsewhere("rpush k v");
  REQUIRE(origin.serves.size() == 1);
  origin.node.executor().serves_returned({origin.serves[0].waiter});
  origin.serves.clear();
  origin.clock(1010);
  CHECK(origin.serves.empty());
  origin.node.executor().forget_connection(5);
  CHECK(origin.node.executor().wake_at_ms() == 1100);
  origin.clock(1100);
  origin.serve_all();
  CHECK(origin.replies[6] == popped("k", "v"));
}

TEST_CASE("a removed node lets go of who waits, and of who began to wait after that") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.node.executor().end_waits();
  origin.clock(1);
  const std::string over = "-" + std::string(texts::kUnblockedByForce) + "\r\n";
  CHECK(origin.replies[5] == over);
  origin.block(6, "blpop k 0");
  origin.node.executor().end_waits();
  origin.clock(2);
  CHECK(origin.replies[6] == over);
}

TEST_CASE("ten thousand idle clients cost a wake-up in ten milliseconds, and no entry [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.clock(1000);
  for (ConnectionId id = 1; id <= 10'000; ++id) {
    origin.block(10 + id, "blpop k 1", 2000 + static_cast<int64_t>(id / 10));
  }
  int wakes = 0;
  for (std::optional<int64_t> at; (at = origin.node.executor().wake_at_ms()); ++wakes) {
    origin.clock(*at);
  }
  CHECK(wakes == 101);
  CHECK(origin.replies.size() == 10'000);
  CHECK(origin.serves.empty());
  CHECK(origin.node.executor().waiters().timeouts == 10'000);
}

TEST_CASE("another state was installed: waits go on in it, serves that it holds are lost [F22]") {
  InMemory old_fixture;
  Origin origin(old_fixture.keyspace());
  origin.block(5, "blpop k 0");
  origin.block(6, "blpop other 0");
  origin.elsewhere("rpush k v");
  origin.expect_serves();  // number 1, in the snapshot

  InMemory fresh_fixture;
  Origin fresh(fresh_fixture.keyspace());
  fresh.node.run({"rpush", "other", "w"});  // this node's number 1 there
  fresh.node.executor().take_over(origin.node.executor());
  fresh.take(fresh.node.deliver());
  CHECK(fresh.node.executor().waiters().waiting == 1);
  REQUIRE(fresh.serves.size() == 1);
  CHECK(fresh.serves[0].to.connection == 6);
  fresh.serve_all();
  CHECK(fresh.replies[6] == popped("other", "w"));
}

TEST_CASE("in a block a blocking command never waits: nil at once") {
  Held held;
  Origin& origin = held.origin;
  CHECK(origin.node.exec({}, {{"blpop", "q", "0"},
                              {"blmove", "q", "d", "left", "left", "0"},
                              {"blmpop", "0", "1", "q", "left"},
                              {"bzpopmin", "q", "0"},
                              {"bzmpop", "0", "1", "q", "min"},
                              {"brpoplpush", "q", "d", "0"},
                              {"blpop", "q", "x"}}) ==
        "*7\r\n*-1\r\n$-1\r\n*-1\r\n*-1\r\n*-1\r\n$-1\r\n"
        "-ERR timeout is not a float or out of range\r\n");
}

TEST_CASE("nodes that are no origin apply a serve like any write: the same state") {
  InMemory a_fixture;
  InMemory b_fixture;
  Origin a(a_fixture.keyspace());
  Node b(b_fixture.keyspace());
  b.start();
  a.block(5, "blpop k 0");
  Log& log = a.node.log();
  log.batch({NodeId{2}, incarnation_of(2), 1, 1}, {packed({"rpush", "k", "v", "w"})});
  std::vector<raft::Entry> entries = log.entries;
  a.take(a.node.deliver());
  const std::string serve = a.serves.at(0).packed;
  const raft::ProposalNumber number = a.expect_serves();
  log.batch(number, {serve});
  entries.insert(entries.end(), log.entries.begin(), log.entries.end());
  a.take(a.node.deliver());
  b.executor().apply(entries);  // nobody expects anything there
  while (b.executor().work()) {
  }
  CHECK(a.node.executor().state_checksum() == b.executor().state_checksum());
  CHECK(a.replies[5] == popped("k", "v"));
}

}  // namespace
}  // namespace kiwi::resp
