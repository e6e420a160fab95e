// Blocking commands and the keys that they wait for: what makes them grow, and what else happens to
// them (F31).
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/origin.hpp"

namespace kiwi::resp {
namespace {

TEST_CASE("every command that can make or grow a key wakes [F31]") {
  struct Case {
    const char* before;
    const char* wakes;
    const char* waits;
  };
  const Case cases[] = {
      {"", "lpush k v", "blpop k 0"},
      {"", "rpush k v", "brpop k 0"},
      {"", "rpush k v w", "blmpop 0 1 k left count 9"},
      {"rpush other v", "rename other k", "blpop k 0"},
      {"rpush other v", "renamenx other k", "blpop k 0"},
      {"rpush other v", "copy other k", "blpop k 0"},
      {"rpush other v", "rpoplpush other k", "blpop k 0"},
      {"rpush other v", "lmove other k left left", "blpop k 0"},
      {"rpush other v", "sort other alpha store k", "blpop k 0"},
      {"", "zadd k 1 v", "bzpopmin k 0"},
      {"", "zincrby k 1 v", "bzpopmax k 0"},
      {"zadd other 1 v", "zunionstore k 1 other", "bzmpop 0 1 k min"},
      {"zadd other 1 v", "zinterstore k 1 other", "bzpopmin k 0"},
      {"zadd other 1 v", "zdiffstore k 1 other", "bzpopmin k 0"},
      {"zadd other 1 v", "zrangestore k other 0 -1", "bzpopmin k 0"},
      {"zadd other 1 v", "rename other k", "bzpopmin k 0"},
      {"zadd other 1 v", "copy other k", "bzmpop 0 1 k max count 3"},
      {"", "geoadd k 1 1 v", "bzpopmin k 0"},
      {"geoadd other 1 1 v", "geosearchstore k other fromlonlat 1 1 byradius 1 km", "bzpopmin k 0"},
      {"geoadd other 1 1 v", "georadius other 1 1 1 km store k", "bzpopmax k 0"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.wakes);
    Held held;
    Origin& origin = held.origin;
    if (const std::string before = one.before; !before.empty()) {
      origin.node(before);
    }
    origin.block(5, one.waits);
    REQUIRE(origin.serves.empty());
    origin.elsewhere(one.wakes);
    CHECK(origin.serves.size() == 1);
    origin.serve_all();
    CHECK(origin.replies[5].starts_with("*"));
    CHECK(origin.replies[5] != "*-1\r\n");
  }
}

TEST_CASE("databases that change places, and keys that come from another one, wake [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.node.database = 1;
  origin.node("rpush k v");
  CHECK(origin.serves.empty());
  SUBCASE("SWAPDB") { origin.elsewhere("swapdb 0 1"); }
  SUBCASE("MOVE") {
    std::string move;
    const std::string_view argv[] = {"move", "k", "0"};
    pack_command(move, 1, argv);
    origin.node.log().batch({NodeId{2}, incarnation_of(2), 1, 1}, {move});
    origin.take(origin.node.deliver());
  }
  CHECK(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[5] == popped("k", "v"));
}

TEST_CASE("a key that is restored wakes [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.node("rpush other v");
  const std::string bulk = origin.node("dump other");
  const size_t begin = bulk.find("\r\n") + 2;
  const std::string payload = bulk.substr(begin, bulk.size() - begin - 2);
  origin.block(5, "blpop k 0");
  origin.elsewhere_as({"restore", "k", "0", payload});
  REQUIRE(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[5] == popped("k", "v"));
}

TEST_CASE("a block that pushes wakes once, behind its end [F31]") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  CHECK(origin.node.exec({}, {{"rpush", "k", "a"}, {"rpush", "k", "b"}, {"lpop", "k"}}) ==
        "*3\r\n:1\r\n:2\r\n$1\r\na\r\n");
  origin.clock(1);  // exec() kept that turn's effects for itself
  CHECK(origin.node.executor().waiters().in_flight == 1);
}

// The client's key, after it was asked for a serve and before that is applied.
void check_waits_on(const char* waits, const char* push, const char* meanwhile) {
  CAPTURE(waits);
  CAPTURE(meanwhile);
  Held held;
  Origin& origin = held.origin;
  origin.node("zadd other 1 v");
  origin.block(5, waits);
  origin.elsewhere(push);
  REQUIRE(origin.serves.size() == 1);
  const raft::ProposalNumber number = origin.expect_serves();
  origin.elsewhere(meanwhile);
  origin.apply_serves(number);
  CHECK(origin.replies.empty());
  CHECK(origin.serves.empty());
  CHECK(origin.node.executor().waiters().waiting == 1);
  origin.elsewhere("del k");
  origin.elsewhere(push);
  REQUIRE(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[5].find("$1\r\nv\r\n") != std::string::npos);
}

TEST_CASE("a key that went, or that got another type, leaves who waits waiting [F31]") {
  const char* const lists[] = {"blpop k 0", "brpop k 0", "blmove k d left left 0",
                               "brpoplpush k d 0", "blmpop 0 1 k left count 2"};
  for (const char* waits : lists) {
    for (const char* meanwhile : {"del k", "flushall", "set k x", "zunionstore k 1 other"}) {
      check_waits_on(waits, "rpush k v", meanwhile);
    }
  }
  for (const char* waits : {"bzpopmin k 0", "bzpopmax k 0", "bzmpop 0 1 k min"}) {
    for (const char* meanwhile : {"del k", "flushdb", "set k x", "sort none store k"}) {
      check_waits_on(waits, "zadd k 1 v", meanwhile);
    }
  }
}

TEST_CASE("a serve passes by a key of another type and takes from the next one") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop a b 0");
  origin.elsewhere("rpush a v");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.elsewhere("set a x");
  origin.elsewhere("rpush b w");
  origin.apply_serves(number);
  CHECK(origin.replies[5] == popped("b", "w"));
}

TEST_CASE("the destination has another type: its client is told, the element stays") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blmove k d left left 0");
  origin.elsewhere("set d x");
  origin.elsewhere("rpush k v");
  origin.serve_all();
  CHECK(origin.replies[5] == "-" + std::string(texts::kWrongType) + "\r\n");
  CHECK(origin.node("llen k") == ":1\r\n");
  CHECK(origin.node.executor().waiters().waiting == 0);
}

TEST_CASE("what expires before its serve is applied is taken by nobody") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.elsewhere("rpush k v");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.elsewhere("pexpire k 10");
  origin.node.clock() += 20;
  origin.apply_serves(number);
  CHECK(origin.replies.empty());
  CHECK(origin.serves.empty());
  CHECK(origin.node.executor().waiters().waiting == 1);
}

TEST_CASE("a watched key that a serve takes from has changed [F11]") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.elsewhere("rpush k v w");
  const std::vector<WatchToken> tokens = origin.node.watch({"k"});
  const std::vector<WatchToken> other = origin.node.watch({"other"});
  origin.serve_all();
  CHECK(origin.node.exec(tokens, {{"set", "x", "1"}}) == "*-1\r\n");
  CHECK(origin.node.exec(other, {{"set", "x", "1"}}) == "*1\r\n+OK\r\n");
}

TEST_CASE("a watched key that a serve found empty has not changed [F11]") {
  Held held;
  Origin& origin = held.origin;
  origin.block(5, "blpop k 0");
  origin.elsewhere("rpush k v");
  const raft::ProposalNumber number = origin.expect_serves();
  origin.elsewhere("lpop k");
  const std::vector<WatchToken> tokens = origin.node.watch({"k"});
  origin.apply_serves(number);
  CHECK(origin.node.exec(tokens, {{"set", "x", "1"}}) == "*1\r\n+OK\r\n");
}

TEST_CASE("one command that waits for very many keys is looked at for a bounded time a turn") {
  Held held;
  Origin& origin = held.origin;
  std::vector<std::string> argv{"blpop"};
  for (int i = 0; i < 100'000; ++i) {
    argv.push_back("k" + std::to_string(i));
  }
  argv.emplace_back("0");
  origin.ask(5, packed(argv), RequestKind::kBlocking);
  origin.elsewhere("swapdb 0 1");  // all of them have to be looked at again
  CHECK(origin.serves.empty());
  origin.elsewhere("rpush k99999 v");
  REQUIRE(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[5] == popped("k99999", "v"));
}

TEST_CASE("counts that no sum can hold are as good as very many") {
  Held held;
  Origin& origin = held.origin;
  origin.clock(1000);
  for (ConnectionId id = 1; id <= 5; ++id) {
    origin.block(10 + id, "blmpop 1 1 k left count 9223372036854775807", 2000);
  }
  origin.elsewhere("rpush k a b c");
  CHECK(origin.serves.size() == 1);
  origin.serve_all();
  CHECK(origin.replies[11] == "*2\r\n$1\r\nk\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
  origin.clock(2000);
  CHECK(origin.replies[15] == "*-1\r\n");
  CHECK(origin.node.executor().waiters().waiting == 0);
}

}  // namespace
}  // namespace kiwi::resp
