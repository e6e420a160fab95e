// Lists that recorded answers cannot show: those that lie in trees.
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/long_read.hpp"
#include "rocks/keys.hpp"
#include "tests/resp/counting_keyspace.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

struct World {
  explicit World(const ExecutorOptions& options = {}) : node(keyspace, options) { node.start(); }

  // Elements e0 ...: in nodes from about 400 on.
  void fill(const std::string& key, int elements) {
    std::vector<std::string> argv{"rpush", key};
    for (int i = 0; i < elements; ++i) {
      argv.push_back("e" + std::to_string(i));
    }
    CHECK(node.run(argv) == ":" + std::to_string(elements) + "\r\n");
  }
  size_t nodes() { return keyspace.maps()[static_cast<size_t>(rocks::Family::kNode)].size(); }

  CountingKeyspace keyspace;
  Node node;
};

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

TEST_SUITE_BEGIN("resp/commands: lists");

TEST_CASE("LMOVE within one list turns it, whatever its form") {
  for (const int elements : {1, 2, 20, 3'000}) {
    World w;
    w.fill("l", elements);
    const std::string last = "e" + std::to_string(elements - 1);
    CHECK(w.node("lmove l l right left") == bulk(last));
    CHECK(w.node("llen l") == ":" + std::to_string(elements) + "\r\n");
    CHECK(w.node("lindex l 0") == bulk(last));
    CHECK(w.node("rpoplpush l l") == bulk("e" + std::to_string((2 * elements - 2) % elements)));
    CHECK(w.node("lmove l l left right").starts_with("$"));
    CHECK(w.node("lmove l l left right") == bulk(last));
    CHECK(w.node("lrange l 0 0") == "*1\r\n" + bulk("e0"));
    CHECK(w.node("llen l") == ":" + std::to_string(elements) + "\r\n");
  }
}

TEST_CASE("whole lists are renamed, copied, swapped and deleted with their nodes") {
  World w;
  w.fill("l", 3'000);
  const size_t nodes = w.nodes();
  REQUIRE(nodes > 5);
  CHECK(w.node("object encoding l") == bulk("quicklist"));
  CHECK(w.node("type l") == "+list\r\n");
  const std::string all = w.node("lrange l 0 -1");
  w.keyspace.reset();
  CHECK(w.node("rename l m") == "+OK\r\n");
  CHECK(w.keyspace.puts < 8);
  CHECK(w.node("lrange m 0 -1") == all);
  CHECK(w.nodes() == nodes);
  CHECK(w.node("copy m l") == ":1\r\n");
  CHECK(w.nodes() == 2 * nodes);
  CHECK(w.node("lset l 1500 other") == "+OK\r\n");
  CHECK(w.node("lrange m 0 -1") == all);
  CHECK(w.node("copy m c db 1") == ":1\r\n");
  CHECK(w.node("swapdb 0 1") == "+OK\r\n");
  CHECK(w.node("lrange c 0 -1") == all);
  CHECK(w.node("swapdb 0 1") == "+OK\r\n");
  CHECK(w.node("move m 1") == ":1\r\n");
  CHECK(w.nodes() == 3 * nodes);
  CHECK(w.node("lindex l 1500") == bulk("other"));
  CHECK(w.node("del l") == ":1\r\n");
  CHECK(w.nodes() == 2 * nodes);
  w.node.database = 1;
  CHECK(w.node("lrange m 0 -1") == all);
  CHECK(w.node("set c text") == "+OK\r\n");
  CHECK(w.nodes() == nodes);
  CHECK(w.node("flushdb") == "+OK\r\n");
  CHECK(w.nodes() == 0);
}

TEST_CASE("what a list expires with is gone with its nodes") {
  World w;
  w.fill("l", 3'000);
  w.node("pexpire l 100");
  w.node.clock() += 1'000;
  CHECK(w.node("llen l") == ":0\r\n");
  CHECK(w.node("rpush l a") == ":1\r\n");
  CHECK(w.nodes() == 0);
}

TEST_CASE("a huge LRANGE leaves its turn, and reads only what it answers") {
  ExecutorOptions options;
  options.long_read_elements = 1'000;
  World w(options);
  w.fill("l", 5'000);
  std::string expected = "*4001\r\n";
  for (int i = 500; i <= 4'500; ++i) {
    expected += bulk("e" + std::to_string(i));
  }
  const ExecutorEffects effects = w.node.read_effects(packed({"lrange", "l", "500", "4500"}));
  CHECK(effects.replies.empty());
  REQUIRE(effects.long_reads.size() == 1);
  std::unique_ptr<rocks::Reader> view = w.keyspace.view();
  w.node("del l");
  std::atomic<bool> stop{false};
  w.node.executor().long_read_done(run_long_read(*view, effects.long_reads[0], stop));
  CHECK(Node::bytes_of(w.node.executor().take_effects()) == expected);
  // A small part stays, wherever it is.
  w.fill("l", 5'000);
  w.keyspace.reset();
  CHECK(w.node("lrange l 4000 4002") == "*3\r\n" + bulk("e4000") + bulk("e4001") + bulk("e4002"));
  CHECK(w.node("lindex l -1") == bulk("e4999"));
  CHECK(w.keyspace.reads() <= 8);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
