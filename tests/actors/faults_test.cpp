// Links that lose, delay, repeat and reorder; nodes that crash: nothing lost, nothing twice.
#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/actors/cluster.hpp"
#include "tests/actors/waiting.hpp"

namespace kiwi::actors::test {
namespace {

struct Counters {
  int acknowledged = 0;
  int unknown = 0;
  int refused = 0;
};

// One INCR; what its reply says of its fate (README.md#what-it-promises).
void increment(Cluster& cluster, int client, Counters& counters) {
  const std::string reply = cluster.command(client, "INCR n");
  if (reply.starts_with(":")) {
    ++counters.acknowledged;
  } else if (reply.empty() || reply.starts_with("-TIMEOUT")) {
    ++counters.unknown;
  } else {
    ++counters.refused;
  }
}

int64_t value_of(Cluster& cluster, int client) {
  const std::string reply = cluster.command(client, "GET n");
  const size_t start = reply.find("\r\n");
  REQUIRE(start != std::string::npos);
  return reply.starts_with("$-1") ? 0 : std::stoll(reply.substr(start + 2));
}

void heal_and_compare(Cluster& cluster, size_t nodes) {
  cluster.set_faults({});
  wait_for_leader(cluster);
  cluster.run_ms(5000);
  for (size_t i = 1; i < nodes; ++i) {
    CHECK(cluster.applied(i) == cluster.applied(0));
    CHECK(cluster.checksum(i) == cluster.checksum(0));
  }
}

}  // namespace

TEST_CASE(
    "messages lost, late, twice and reordered: every acknowledged INCR counts once [F3, F23]") {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    cluster.run_ms(500);
    cluster.set_faults({60, 60, 200, 60});
    const std::vector<int> clients = {cluster.connect(0), cluster.connect(1), cluster.connect(2)};
    Counters counters;
    for (size_t i = 0; i < 45; ++i) {
      increment(cluster, clients[i % 3], counters);
    }
    heal_and_compare(cluster, 3);
    CHECK(counters.refused == 0);
    const int64_t value = value_of(cluster, clients[0]);
    CHECK(value >= counters.acknowledged);
    CHECK(value <= counters.acknowledged + counters.unknown);
    CHECK(counters.acknowledged >= 40);
  }
}

TEST_CASE("links that break all the time lose no write and answer no error [F23]") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    cluster.run_ms(500);
    const std::vector<int> clients = {cluster.connect(0), cluster.connect(1), cluster.connect(2)};
    for (size_t i = 0; i < 30; ++i) {
      cluster.send(clients[i % 3], "INCR n\r\n");
      for (size_t k = 0; k < (seed + 3 * i) % 40; ++k) {
        cluster.step();
      }
      cluster.break_link(i % 3, (i + 1) % 3);
      cluster.run_ms(100);
    }
    cluster.run_ms(8000);
    std::string replies;
    for (const int client : clients) {
      replies += cluster.take(client);
    }
    CHECK(replies.find('-') == std::string::npos);
    CHECK(std::count(replies.begin(), replies.end(), ':') == 30);
    CHECK(value_of(cluster, clients[1]) == 30);
    heal_and_compare(cluster, 3);
  }
}

TEST_CASE("a link's end and its return reach the core and the status") {
  Cluster cluster(3, 8);
  wait_for_leader(cluster);
  cluster.run_ms(500);
  const size_t leader = *cluster.leader();
  const size_t other = (leader + 1) % 3;
  CHECK(cluster.sees_up(leader, other));
  cluster.crash(other);
  cluster.run_ms(200);
  CHECK_FALSE(cluster.sees_up(leader, other));
  CHECK(cluster.sees_up(leader, (leader + 2) % 3));
  cluster.restart(other);
  cluster.run_ms(500);
  CHECK(cluster.sees_up(leader, other));
}

TEST_CASE("the leader crashes under load: clients of the others see latency, no error") {
  for (uint64_t seed = 1; seed <= 90; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    cluster.run_ms(500);
    const size_t leader = *cluster.leader();
    const std::vector<int> clients = {cluster.connect((leader + 1) % 3),
                                      cluster.connect((leader + 2) % 3)};
    Counters counters;
    for (int i = 0; i < 5; ++i) {
      increment(cluster, clients[0], counters);
    }
    cluster.send(clients[0], "INCR n\r\n");
    cluster.send(clients[1], "INCR n\r\n");
    for (uint64_t k = 0; k < seed; ++k) {  // somewhere on the way of the two
      cluster.step();
    }
    cluster.crash(leader);
    cluster.run_ms(5000);
    CHECK(cluster.take(clients[0]).starts_with(":"));
    CHECK(cluster.take(clients[1]).starts_with(":"));
    for (int i = 0; i < 5; ++i) {
      increment(cluster, clients[1], counters);
    }
    CHECK(counters.acknowledged == 10);
    CHECK(value_of(cluster, clients[0]) == 12);
    cluster.restart(leader);
    heal_and_compare(cluster, 3);
  }
}

TEST_CASE("all nodes crash at once: what was acknowledged is there afterwards") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    cluster.run_ms(500);
    int client = cluster.connect(seed % 3);
    Counters counters;
    for (int i = 0; i < 10; ++i) {
      increment(cluster, client, counters);
    }
    REQUIRE(counters.acknowledged == 10);
    for (size_t i = 0; i < 3; ++i) {
      cluster.crash(i);
    }
    for (size_t i = 0; i < 3; ++i) {
      cluster.restart(i);
    }
    wait_for_leader(cluster);
    cluster.run_ms(1000);
    client = cluster.connect(0);
    CHECK(value_of(cluster, client) == 10);
    heal_and_compare(cluster, 3);
  }
}

TEST_CASE("a link that is up but deaf one way stops no majority") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    cluster.run_ms(500);
    const size_t leader = *cluster.leader();
    const size_t deaf = (leader + 1) % 3;
    const size_t other = (leader + 2) % 3;
    if (seed % 2 == 0) {
      cluster.deafen(leader, deaf, true);  // it hears nothing of the leader
    } else {
      cluster.deafen(deaf, leader, true);  // the leader hears nothing of it
    }
    const int client = cluster.connect(other);
    Counters counters;
    for (int i = 0; i < 10; ++i) {
      increment(cluster, client, counters);
      cluster.run_ms(200);
    }
    CHECK(counters.acknowledged == 10);
    cluster.deafen(leader, deaf, false);
    cluster.deafen(deaf, leader, false);
    heal_and_compare(cluster, 3);
  }
}

TEST_CASE("a leader cut off answers no read and acknowledges no write; healed, it has both") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    cluster.run_ms(500);
    const size_t old_leader = *cluster.leader();
    const int at_old = cluster.connect(old_leader);
    const int at_other = cluster.connect((old_leader + 1) % 3);
    REQUIRE(cluster.command(at_old, "SET k old") == "+OK\r\n");
    cluster.cut(old_leader, true);
    cluster.send(at_old, "GET k\r\n");
    REQUIRE(cluster.command(at_other, "SET k new") == "+OK\r\n");
    cluster.run_ms(1000);
    CHECK(cluster.take(at_old).empty());  // never the old value
    cluster.cut(old_leader, false);
    cluster.run_ms(9000);
    const std::string late = cluster.take(at_old);
    CHECK((late == "$3\r\nnew\r\n" || late.starts_with("-TIMEOUT no quorum for read") ||
           late.starts_with("-CLUSTERDOWN")));
    heal_and_compare(cluster, 3);
  }
}

TEST_CASE("without a majority a write is answered by its fate, never acknowledged [F5]") {
  Cluster cluster(3, 3);
  wait_for_leader(cluster);
  cluster.run_ms(500);
  const size_t leader = *cluster.leader();
  const int client = cluster.connect(leader);
  cluster.cut(leader, true);
  const std::string reply = cluster.command(client, "INCR n", 15'000);
  CHECK((reply.starts_with("-TIMEOUT") || reply.starts_with("-CLUSTERDOWN")));
  cluster.cut(leader, false);
  cluster.run_ms(3000);
  const int64_t value = value_of(cluster, client);
  CHECK(value <= 1);
  if (reply.starts_with("-CLUSTERDOWN")) {
    CHECK(value == 0);
  }
}

TEST_CASE("the same seed gives the same run") {
  const auto run = [] {
    Cluster cluster(3, 99);
    cluster.set_faults({50, 50, 200, 50});
    cluster.run_ms(3000);
    const int client = cluster.connect(1);
    std::string seen;
    for (int i = 0; i < 10; ++i) {
      seen += cluster.command(client, "INCR n");
    }
    for (size_t i = 0; i < 3; ++i) {
      seen +=
          std::to_string(cluster.applied(i)) + "," + std::to_string(cluster.sent(i, (i + 1) % 3));
    }
    return seen;
  };
  CHECK(run() == run());
}

}  // namespace kiwi::actors::test
