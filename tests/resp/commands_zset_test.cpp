// Sorted sets that recorded answers cannot show: spread ones, pages, draws, what commands cost.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/counting_keyspace.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

// The bulk strings of a reply without nulls, whatever they stand in.
std::vector<std::string> bulks_in(const std::string& reply) {
  std::vector<std::string> found;
  for (size_t at = 0; at < reply.size();) {
    const size_t line = reply.find("\r\n", at);
    if (reply[at] != '$') {
      at = line + 2;
      continue;
    }
    const size_t size = std::stoul(reply.substr(at + 1, line - at - 1));
    found.push_back(reply.substr(line + 2, size));
    at = line + 2 + size + 2;
  }
  return found;
}

std::string member(int i) { return "m" + std::to_string(100000 + i); }
std::string integer(uint64_t number) { return ":" + std::to_string(number) + "\r\n"; }

struct World {
  World() : node(keyspace) { node.start(); }

  // Members m100000 ... with scores 0, 1 ...
  void fill(const std::string& key, int members) {
    std::vector<std::string> argv{"zadd", key};
    for (int i = 0; i < members; ++i) {
      argv.push_back(std::to_string(i));
      argv.push_back(member(i));
    }
    CHECK(node.run(argv) == integer(static_cast<uint64_t>(members)));
  }
  size_t records(rocks::Family family) {
    return keyspace.maps()[static_cast<size_t>(family)].size();
  }
  bool spread() { return records(rocks::Family::kElement) > 0; }
  size_t writes() const { return keyspace.puts + keyspace.erases + keyspace.ranges; }

  CountingKeyspace keyspace;
  Node node;
};

TEST_CASE("ZSCAN gives each member once, page by page [F33]") {
  World w;
  w.fill("z", 300);
  REQUIRE(w.spread());
  std::map<std::string, std::string> found;
  std::string cursor = "0";
  int pages = 0;
  do {
    const std::vector<std::string> page =
        bulks_in(w.node.run({"zscan", "z", cursor, "count", "7"}));
    REQUIRE(page.size() % 2 == 1);
    for (size_t i = 1; i < page.size(); i += 2) {
      CHECK(found.emplace(page[i], page[i + 1]).second);
    }
    cursor = page[0];
    ++pages;
  } while (cursor != "0");
  CHECK(pages > 30);
  CHECK(found.size() == 300);
  CHECK(found[member(42)] == "42");
  CHECK(bulks_in(w.node("zscan z 0 match m10029? count 1000")).size() == 1 + 2 * 10);
}

TEST_CASE(
    "ranks, counts and ranges of a big sorted set read a node a level, whatever is in front") {
  World w;
  w.fill("z", 20000);
  for (const char* command :
       {"zrank z m110000", "zcount z 5000 15000", "zrange z 10000 10009",
        "zrangebyscore z -inf +inf limit 12000 10", "zrevrangebyscore z 15000 0 limit 3000 10",
        "zrevrange z 10000 10009", "zrandmember z", "zscore z m110000", "zlexcount z - +"}) {
    CAPTURE(command);
    w.keyspace.reset();
    w.node(command);
    CHECK(w.keyspace.reads() <= 16);
    CHECK(w.keyspace.cursors == 0);
  }
  CHECK(w.node("zrange z 10000 10001") == "*2\r\n$7\r\nm110000\r\n$7\r\nm110001\r\n");
  CHECK(w.node("zcount z 5000 15000") == ":10001\r\n");
  CHECK(w.node("zrevrangebyscore z 15000 0 limit 3000 1") == "*1\r\n$7\r\nm112000\r\n");
}

TEST_CASE("a change of a big sorted set writes its member, a leaf and what stands above") {
  World w;
  w.fill("z", 20000);
  // The last of each: sequences, applied record and counts are written with the turn.
  w.keyspace.reset();
  w.node("set small 1");
  const size_t turn = w.writes();
  for (const char* command : {"zadd z 10000.5 new", "zadd z 3 new", "zincrby z 0.25 new",
                              "zrem z new", "zpopmin z", "zpopmax z"}) {
    CAPTURE(command);
    w.keyspace.reset();
    w.node(command);
    CHECK(w.writes() <= turn + 8);
  }
}

TEST_CASE("a huge sorted set goes and moves with a handful of writes [F40]") {
  World w;
  for (const char* command : {"del z", "rename z other", "set z small", "zremrangebyrank z 0 -1",
                              "zpopmin z 100000", "flushdb", "zrangestore z none 0 -1"}) {
    CAPTURE(command);
    w.node("flushall");
    w.fill("z", 5000);
    w.keyspace.reset();
    w.node(command);
    CHECK(w.writes() <= 16);
  }
  w.node("flushall");
  CHECK(w.records(rocks::Family::kNode) == 0);
  CHECK(w.records(rocks::Family::kElement) == 0);
}

TEST_CASE("copies, moves and renames of a big sorted set take members and nodes along") {
  World w;
  w.fill("z", 3000);
  const size_t nodes = w.records(rocks::Family::kNode);
  CHECK(w.node("copy z y") == ":1\r\n");
  CHECK(w.records(rocks::Family::kNode) == 2 * nodes);
  CHECK(w.node("move y 5") == ":1\r\n");
  CHECK(w.records(rocks::Family::kNode) == 2 * nodes);
  CHECK(w.node("zadd z 1 extra") == ":1\r\n");
  const size_t both = w.records(rocks::Family::kNode);
  w.node("swapdb 0 5");
  CHECK(w.node("zcard y") == ":3000\r\n");
  CHECK(w.node("zrange y 1500 1500") == "*1\r\n$7\r\nm101500\r\n");
  CHECK(w.node("zrank y m102999") == ":2999\r\n");
  w.node("flushdb");
  CHECK(w.records(rocks::Family::kNode) == both - nodes);
  w.node("swapdb 0 5");
  CHECK(w.node("rename z x") == "+OK\r\n");
  CHECK(w.node("zcard x") == ":3001\r\n");
  CHECK(w.node("type x") == "+zset\r\n");
  CHECK(bulks_in(w.node("scan 0 type zset")) == std::vector<std::string>{"0", "x"});
  CHECK(w.node("object encoding x") == "$8\r\nskiplist\r\n");
  w.node("pexpire x 10");
  w.node.clock() += 10;
  w.node.write(due_expirations(w.node.executor(), w.node.clock(), 100));
  CHECK(w.records(rocks::Family::kNode) == 0);
  CHECK(w.records(rocks::Family::kElement) == 0);
}

TEST_CASE("ZRANDMEMBER of a big sorted set draws its members, different ones if asked") {
  World w;
  w.fill("z", 500);
  for (const char* count : {"1", "30", "200", "500", "1000", "-1", "-40", "-700"}) {
    CAPTURE(count);
    const int asked = std::stoi(count);
    const int wanted = asked < 0 ? -asked : std::min(asked, 500);
    const auto drawn = bulks_in(w.node("zrandmember z " + std::string(count) + " withscores"));
    REQUIRE(drawn.size() == 2 * static_cast<size_t>(wanted));
    std::set<std::string> different;
    for (size_t i = 0; i < drawn.size(); i += 2) {
      CHECK(drawn[i] == member(std::stoi(drawn[i + 1])));
      different.insert(drawn[i]);
    }
    CHECK((asked < 0 || different.size() == static_cast<size_t>(wanted)));
  }
  CHECK(w.node("zrandmember z -1048577") == "-ERR value is out of range\r\n");
}

TEST_CASE("STORE commands read their destination before they replace it") {
  World w;
  w.fill("z", 1000);
  w.node("zadd few 5 m100001 7 other");
  CHECK(w.node("zunionstore z 2 z few weights 2 1") == ":1001\r\n");
  CHECK(w.node("zscore z m100001") == "$1\r\n7\r\n");
  CHECK(w.node("zscore z m100999") == "$4\r\n1998\r\n");
  CHECK(w.node("zinterstore z 3 z few z") == ":2\r\n");
  CHECK(w.node("zrange z 0 -1 withscores") ==
        "*4\r\n$7\r\nm100001\r\n$2\r\n19\r\n$5\r\nother\r\n$2\r\n21\r\n");
  CHECK(w.records(rocks::Family::kElement) == 0);
  CHECK(w.node("zdiffstore z 2 z z") == ":0\r\n");
  CHECK(w.node("exists z") == ":0\r\n");
}

TEST_CASE("sorted sets in a block see each other's changes") {
  World w;
  CHECK(w.node.exec({}, {{"zadd", "z", "1", "a", "2", "b"},
                         {"zincrby", "z", "5", "a"},
                         {"zrange", "z", "0", "-1", "withscores"},
                         {"zpopmin", "z"},
                         {"zrem", "z", "a"},
                         {"exists", "z"}}) ==
        "*6\r\n:2\r\n$1\r\n6\r\n*4\r\n$1\r\nb\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\n6\r\n"
        "*2\r\n$1\r\nb\r\n$1\r\n2\r\n:1\r\n:0\r\n");
}

}  // namespace
}  // namespace kiwi::resp
