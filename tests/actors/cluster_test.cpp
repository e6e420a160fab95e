// Nodes of real shells working together: the way of a command, on any node, in order.
#include "tests/actors/cluster.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/actors/waiting.hpp"

namespace kiwi::actors::test {
namespace {

void converge(Cluster& cluster, size_t nodes) {
  cluster.run_ms(3000);
  for (size_t i = 1; i < nodes; ++i) {
    CHECK(cluster.applied(i) == cluster.applied(0));
    CHECK(cluster.checksum(i) == cluster.checksum(0));
  }
}

}  // namespace

TEST_CASE("a node alone serves writes and reads") {
  Cluster cluster(1, 1);
  const int client = cluster.connect(0);
  wait_for_leader(cluster);
  CHECK(cluster.command(client, "SET a 1") == "+OK\r\n");
  CHECK(cluster.command(client, "GET a") == "$1\r\n1\r\n");
}

TEST_CASE("before its first catch-up a node answers LOADING and nothing else [F22]") {
  Cluster cluster(3, 2);
  const int client = cluster.connect(0);
  CHECK(cluster.command(client, "GET a", 10).starts_with("-LOADING"));
  wait_for_leader(cluster);
  cluster.run_ms(500);
  CHECK(cluster.command(client, "GET a") == "$-1\r\n");
}

TEST_CASE("every node serves every client, and reads see what was acknowledged elsewhere") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    cluster.run_ms(500);
    const std::vector<int> clients = {cluster.connect(0), cluster.connect(1), cluster.connect(2)};
    for (size_t i = 0; i < 30; ++i) {
      const std::string value = std::to_string(i);
      REQUIRE(cluster.command(clients[i % 3], "SET k " + value) == "+OK\r\n");
      const std::string expected = "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
      REQUIRE(cluster.command(clients[(i + 1) % 3], "GET k") == expected);
    }
    converge(cluster, 3);
  }
}

TEST_CASE(
    "a follower nobody waits on applies with its tick, and at once when a client of it waits") {
  Cluster cluster(3, 7);
  wait_for_leader(cluster);
  cluster.run_ms(500);
  const size_t leader = *cluster.leader();
  const size_t follower = (leader + 1) % 3;
  const int writer = cluster.connect(leader);
  const int reader = cluster.connect(follower);
  bool held = false;
  for (int i = 0; i < 20; ++i) {
    cluster.run_ms(2000);  // the follower's client is forgotten
    const std::string value = std::to_string(10 + i);
    for (const char* key : {"a", "b", "c"}) {  // the later ones bring word of the earlier ones
      REQUIRE(cluster.command(writer, std::string("SET ") + key + " " + value, 10) == "+OK\r\n");
    }
    held = held || cluster.applied(follower) + 2 < cluster.applied(leader);
    if (i % 2 == 0) {  // within a fifth of a tick
      REQUIRE(cluster.command(reader, "GET c", 5) == "$2\r\n" + value + "\r\n");
      REQUIRE(cluster.applied(follower) == cluster.applied(leader));
    } else {
      cluster.run_ms(125);  // a heartbeat brings word of the last one
      REQUIRE(cluster.applied(follower) == cluster.applied(leader));
    }
  }
  CHECK(held);
  converge(cluster, 3);
}

TEST_CASE("a pipeline is answered in its order, reads see the writes before them only [F6]") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    cluster.run_ms(500);
    const size_t follower = (*cluster.leader() + 1) % 3;
    const int client = cluster.connect(follower);
    cluster.send(client,
                 "GET a\r\nSET a 1\r\nGET a\r\nPING\r\nINCR a\r\nGET a\r\nMULTI\r\nINCR a\r\nINCR "
                 "a\r\nEXEC\r\nGET a\r\n");
    cluster.run_ms(2000);
    CHECK(cluster.take(client) ==
          "$-1\r\n+OK\r\n$1\r\n1\r\n+PONG\r\n:2\r\n$1\r\n2\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:"
          "3\r\n:4\r\n$1\r\n4\r\n");
  }
}

TEST_CASE("commands of one loop turn travel together: fewer peer messages than commands") {
  Cluster cluster(3, 5);
  wait_for_leader(cluster);
  cluster.run_ms(500);
  const size_t leader = *cluster.leader();
  const size_t other = (leader + 1) % 3;
  std::vector<int> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(cluster.connect(leader));
  }
  cluster.run_ms(10);
  const uint64_t before = cluster.sent(leader, other);
  for (const int client : clients) {
    cluster.send(client, "INCR n\r\nINCR n\r\nINCR n\r\nINCR n\r\n");
  }
  cluster.run_ms(200);
  for (const int client : clients) {
    CHECK_FALSE(cluster.take(client).empty());
  }
  CHECK(cluster.sent(leader, other) - before < 50);  // 200 commands
  CHECK(cluster.command(clients[0], "GET n") == "$3\r\n200\r\n");
}

TEST_CASE("a connection's end is that connection's only, whatever it had under way") {
  Cluster cluster(3, 6);
  wait_for_leader(cluster);
  cluster.run_ms(500);
  const int leaving = cluster.connect(0);
  const int staying = cluster.connect(0);
  cluster.send(leaving, "INCR n\r\nINCR n\r\nGET n\r\n");
  cluster.step();
  cluster.step();
  cluster.hang_up(leaving);
  CHECK(cluster.command(staying, "PING") == "+PONG\r\n");
  cluster.run_ms(2000);
  CHECK(cluster.open_connections(0) == 1);
  const std::string count = cluster.command(staying, "GET n");
  CHECK((count == "$1\r\n2\r\n" || count == "$-1\r\n"));
}

TEST_CASE("a client that breaks the protocol is answered and closed, others are not disturbed") {
  Cluster cluster(1, 7);
  wait_for_leader(cluster);
  const int bad = cluster.connect(0);
  const int good = cluster.connect(0);
  cluster.send(bad, "*1\r\n$-5\r\n");
  cluster.run_ms(50);
  CHECK(cluster.take(bad).starts_with("-ERR Protocol error"));
  CHECK(cluster.closed(bad));
  CHECK(cluster.command(good, "SET a 1") == "+OK\r\n");
  CHECK(cluster.open_connections(0) == 1);
}

}  // namespace kiwi::actors::test
