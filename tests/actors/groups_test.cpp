// Several Raft groups on the same nodes, over the same links: what is a group's stays the group's.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/actors/cluster.hpp"

namespace kiwi::actors::test {
namespace {

ClusterOptions two_groups() {
  ClusterOptions options;
  options.groups = 2;
  return options;
}

void wait_for_leaders(Cluster& cluster) {
  for (int i = 0; i < 400 && !(cluster.leader(0) && cluster.leader(1)); ++i) {
    cluster.run_ms(50);
  }
  REQUIRE(cluster.leader(0).has_value());
  REQUIRE(cluster.leader(1).has_value());
}

void converge(Cluster& cluster) {
  cluster.set_faults({});
  wait_for_leaders(cluster);
  cluster.run_ms(4000);
  for (const size_t group : {0, 1}) {
    CAPTURE(group);
    for (const size_t node : {1, 2}) {
      CHECK(cluster.applied(node, group) == cluster.applied(0, group));
      CHECK(cluster.checksum(node, group) == cluster.checksum(0, group));
    }
  }
}

}  // namespace

TEST_CASE("two groups over one link: each has its own leader, log and data") {
  Cluster cluster(3, 1, two_groups());
  wait_for_leaders(cluster);
  if (cluster.leader(0) == cluster.leader(1)) {
    cluster.hand_over(*cluster.leader(1), 1);
    cluster.run_ms(2000);
    wait_for_leaders(cluster);
  }
  CHECK(cluster.leader(0) != cluster.leader(1));
  for (const size_t node : {0, 1, 2}) {
    const int first = cluster.connect(node, 0);
    const int second = cluster.connect(node, 1);
    CHECK(cluster.command(first, "SET k" + std::to_string(node) + " first") == "+OK\r\n");
    CHECK(cluster.command(second, "GET k" + std::to_string(node)) == "$-1\r\n");
    CHECK(cluster.command(second, "SET k" + std::to_string(node) + " second") == "+OK\r\n");
    CHECK(cluster.command(first, "GET k" + std::to_string(node)) == "$5\r\nfirst\r\n");
  }
  converge(cluster);
  CHECK(cluster.checksum(0, 0) != cluster.checksum(0, 1));
}

TEST_CASE(
    "two groups over links that lose, repeat and break: every INCR counts once, in its group") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed, two_groups());
    wait_for_leaders(cluster);
    cluster.set_faults({60, 60, 200, 60});
    std::vector<std::vector<int>> clients(2);
    for (const size_t group : {0, 1}) {
      for (const size_t node : {0, 1, 2}) {
        clients[group].push_back(cluster.connect(node, group));
      }
    }
    std::vector<int> acknowledged(2);
    for (size_t i = 0; i < 40; ++i) {
      const size_t group = i % 4 == 0 ? 0 : 1;
      if (i % 8 == 5) {
        cluster.break_link(i % 3, (i + 1) % 3);
      }
      const std::string reply = cluster.command(clients[group][i % 3], "INCR n");
      acknowledged[group] += reply.starts_with(":") ? 1 : 0;
    }
    converge(cluster);
    CHECK(acknowledged == std::vector<int>{10, 30});
    CHECK(cluster.command(clients[0][0], "GET n") == "$2\r\n10\r\n");
    CHECK(cluster.command(clients[1][0], "GET n") == "$2\r\n30\r\n");
  }
}

TEST_CASE("a follower behind the cut of one group gets that group's snapshot, over the same link") {
  ClusterOptions options = two_groups();
  options.snapshots = true;
  Cluster cluster(3, 3, options);
  wait_for_leaders(cluster);
  cluster.run_ms(500);
  const size_t leader = *cluster.leader(1);
  const size_t behind = (leader + 1) % 3;
  cluster.crash(behind);
  const int client = cluster.connect(leader, 1);
  for (int i = 0; i < 60; ++i) {
    REQUIRE(cluster.command(client, "SET k" + std::to_string(i) + " " + std::string(200, 'v')) ==
            "+OK\r\n");
  }
  wait_for_leaders(cluster);
  cluster.cut_log(*cluster.leader(1), 0, 0, 1);
  cluster.run_ms(500);
  cluster.restart(behind);
  cluster.run_ms(5000);
  converge(cluster);
  CHECK(cluster.snapshots(behind, 1).received == 1);
  CHECK(cluster.snapshots(behind, 0).received == 0);
}

}  // namespace kiwi::actors::test
