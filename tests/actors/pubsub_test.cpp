// Publish/subscribe between nodes: delivery beside the log, and in the order of the log.
#include <string>

#include <doctest/doctest.h>

#include "tests/actors/cluster.hpp"
#include "tests/actors/waiting.hpp"

namespace kiwi::actors::test {
namespace {

void settle(Cluster& cluster) {
  wait_for_leader(cluster);
  cluster.run_ms(500);
}

std::string message(const std::string& text) {
  return "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$" + std::to_string(text.size()) + "\r\n" + text +
         "\r\n";
}

}  // namespace

TEST_CASE("what is published on one node reaches subscribers on all, and is counted") {
  Cluster cluster(3, 1);
  settle(cluster);
  const int first = cluster.connect(0);
  const int second = cluster.connect(1);
  const int publisher = cluster.connect(2);
  CHECK(cluster.command(first, "SUBSCRIBE a") == "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
  CHECK(cluster.command(second, "SUBSCRIBE a") == "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
  CHECK(cluster.command(publisher, "PUBLISH a x") == ":2\r\n");
  CHECK(cluster.take(first) == message("x"));
  CHECK(cluster.take(second) == message("x"));
}

TEST_CASE("publishing needs no leader, and waits 200 ms at most for who cannot be reached") {
  Cluster cluster(3, 2);
  settle(cluster);
  const int subscriber = cluster.connect(0);
  const int publisher = cluster.connect(0);
  cluster.command(subscriber, "SUBSCRIBE a");
  cluster.cut(0, true);
  CHECK(cluster.command(publisher, "PUBLISH a x", 1000) == ":1\r\n");
  CHECK(cluster.take(subscriber) == message("x"));
}

TEST_CASE("a block's messages come once and in order on every node, under lost frames") {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    settle(cluster);
    const int subscribers[] = {cluster.connect(0), cluster.connect(1), cluster.connect(2)};
    for (const int subscriber : subscribers) {
      cluster.command(subscriber, "SUBSCRIBE a");
    }
    cluster.set_faults({60, 60, 200, 60});
    const int writer = cluster.connect(0);
    std::string expected;
    for (int i = 0; i < 10; ++i) {
      const std::string text = std::to_string(100 + i);
      cluster.command(writer, "MULTI");
      cluster.command(writer, "PUBLISH a " + text);
      cluster.command(writer, "INCR n");
      REQUIRE(cluster.command(writer, "EXEC").starts_with("*2\r\n"));
      expected += message(text);
    }
    cluster.set_faults({});
    cluster.run_ms(4000);
    for (const int subscriber : subscribers) {
      CHECK(cluster.take(subscriber) == expected);
    }
  }
}

}  // namespace kiwi::actors::test
