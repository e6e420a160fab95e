// Hashes that recorded answers cannot show: spread ones, pages, what a small one costs.
#include <algorithm>
#include <map>
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

struct World {
  World() : node(keyspace) { node.start(); }

  // Fields f0 ... with values v0 ...: spread from about 200 on.
  std::map<std::string, std::string> fill(const std::string& key, int fields) {
    std::vector<std::string> argv{"hset", key};
    std::map<std::string, std::string> expected;
    for (int i = 0; i < fields; ++i) {
      argv.push_back("f" + std::to_string(i));
      argv.push_back("v" + std::to_string(i));
      expected[argv[argv.size() - 2]] = argv.back();
    }
    CHECK(node.run(argv) == ":" + std::to_string(fields) + "\r\n");
    return expected;
  }
  size_t records(rocks::Family family) {
    return keyspace.maps()[static_cast<size_t>(family)].size();
  }
  bool spread() { return records(rocks::Family::kElement) > 0; }

  CountingKeyspace keyspace;
  Node node;
};

TEST_CASE("HSCAN gives each field once, page by page, whatever the key becomes meanwhile [F33]") {
  World w;
  const auto expected = w.fill("h", 300);
  REQUIRE(w.spread());
  std::map<std::string, std::string> found;
  std::string cursor = "0";
  std::string in_between;
  int pages = 0;
  do {
    const std::vector<std::string> page =
        bulks_in(w.node.run({"hscan", "h", cursor, "count", "7"}));
    REQUIRE(page.size() % 2 == 1);
    for (size_t i = 1; i < page.size(); i += 2) {
      CHECK(found.emplace(page[i], page[i + 1]).second);
    }
    cursor = page[0];
    in_between = ++pages == 20 ? cursor : in_between;
  } while (cursor != "0");
  CHECK(found == expected);
  CHECK(pages > 30);

  const std::string match = w.node("hscan h 0 match f29? count 1000");
  CHECK(bulks_in(match).size() == 1 + 2 * 10);
  w.node("del h");
  CHECK(w.node("hset h a 1 b 2") == ":2\r\n");
  CHECK(w.node("hscan h " + in_between) ==
        "*2\r\n$1\r\n0\r\n*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n");
  w.node("del h");
  w.fill("h", 300);
  CHECK(bulks_in(w.node("hscan h " + in_between + " count 1000")).size() < 1 + 2 * 300);
}

TEST_CASE("a spread hash answers like a small one") {
  World w;
  const auto expected = w.fill("h", 300);
  REQUIRE(w.spread());
  w.node.version = 3;
  CHECK(w.node("hgetall h").starts_with("%300\r\n"));
  CHECK(w.node("hkeys h").starts_with("*300\r\n"));
  std::map<std::string, std::string> found;
  const std::vector<std::string> all = bulks_in(w.node("hgetall h"));
  for (size_t i = 0; i + 1 < all.size(); i += 2) {
    found[all[i]] = all[i + 1];
  }
  CHECK(found == expected);
  for (const char* count : {"1", "30", "200", "300", "1000", "-1", "-40", "-500"}) {
    CAPTURE(count);
    const int asked = std::stoi(count);
    const int wanted = asked < 0 ? -asked : std::min(asked, 300);
    const std::string reply = w.node("hrandfield h " + std::string(count) + " withvalues");
    CHECK(reply.starts_with("*" + std::to_string(wanted) + "\r\n*2\r\n"));
    const std::vector<std::string> drawn = bulks_in(reply);
    REQUIRE(drawn.size() == 2 * static_cast<size_t>(wanted));
    std::map<std::string, std::string> different;
    for (size_t i = 0; i < drawn.size(); i += 2) {
      CHECK(expected.at(drawn[i]) == drawn[i + 1]);
      different[drawn[i]] = drawn[i + 1];
    }
    CHECK((asked < 0 || different.size() == static_cast<size_t>(wanted)));
  }
  CHECK(w.node("hincrby h n 5") == ":5\r\n");
  CHECK(w.node("hincrby h n -7") == ":-2\r\n");
  CHECK(w.node("hincrby h f1 1") == "-ERR hash value is not an integer\r\n");
  CHECK(w.node("hincrbyfloat h n 0.5") == "$4\r\n-1.5\r\n");
  CHECK(w.node("hsetnx h n x") == ":0\r\n");
  CHECK(w.node("hsetnx h m x") == ":1\r\n");
  CHECK(w.node("hmget h n nothing m") == "*3\r\n$4\r\n-1.5\r\n_\r\n$1\r\nx\r\n");
  CHECK(w.node("hlen h") == ":302\r\n");
}

TEST_CASE("a spread hash that was emptied leaves nothing, and begins small again") {
  World w;
  w.fill("h", 300);
  w.node("copy h g");
  w.node("rename h i");
  for (const char* key : {"g", "i"}) {
    std::vector<std::string> argv{"hdel", key};
    for (int i = 0; i < 300; ++i) {
      argv.push_back("f" + std::to_string(i));
    }
    CHECK(w.node.run(argv) == ":300\r\n");
    CHECK(w.node("exists " + std::string(key)) == ":0\r\n");
  }
  CHECK(!w.spread());
  CHECK(w.records(rocks::Family::kMeta) == 0);
  w.node("hset g a 1");
  CHECK(!w.spread());
}

TEST_CASE("a small hash is one record: reading all of it walks nothing") {
  World w;
  w.fill("h", 20);
  REQUIRE(!w.spread());
  w.keyspace.reset();
  CHECK(bulks_in(w.node("hgetall h")).size() == 40);
  CHECK(bulks_in(w.node("hrandfield h 7")).size() == 7);
  CHECK(w.node("hget h f7") == "$2\r\nv7\r\n");
  CHECK(w.keyspace.cursors == 0);
}

TEST_CASE("hashes in a block see each other's changes") {
  World w;
  CHECK(w.node.exec({}, {{"hset", "h", "a", "1", "b", "2"},
                         {"hgetall", "h"},
                         {"hincrby", "h", "a", "1"},
                         {"hdel", "h", "b"},
                         {"hgetall", "h"},
                         {"hdel", "h", "a"},
                         {"exists", "h"}}) ==
        "*7\r\n:2\r\n*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n:2\r\n:1\r\n"
        "*2\r\n$1\r\na\r\n$1\r\n2\r\n:1\r\n:0\r\n");
}

}  // namespace
}  // namespace kiwi::resp
