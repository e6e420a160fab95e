// A state machine that is slower than its log, in whole nodes: memory, and who leads (F48, F53).
#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "tests/actors/cluster.hpp"
#include "tests/actors/waiting.hpp"

namespace kiwi::actors::test {
namespace {

constexpr size_t kMiB = 1 << 20;

void write(Cluster& cluster, int client, const std::string& key, size_t bytes) {
  const std::string value(bytes, 'v');
  cluster.send(client, "*3\r\n$3\r\nSET\r\n$" + std::to_string(key.size()) + "\r\n" + key +
                           "\r\n$" + std::to_string(bytes) + "\r\n" + value + "\r\n");
  std::string reply;
  for (int i = 0; i < 400 && reply.empty(); ++i) {
    cluster.run_ms(10);
    reply = cluster.take(client);
  }
  REQUIRE(reply == "+OK\r\n");
}

}  // namespace

TEST_CASE("a follower whose state machine stands still does not keep the log in memory [F48]") {
  Cluster cluster(3, 11);
  wait_for_leader(cluster);
  cluster.run_ms(500);
  const size_t leader = *cluster.leader();
  const size_t slow = (leader + 1) % 3;
  const int client = cluster.connect(leader);
  cluster.stall(slow, Part::kStateMachine, true);
  uint64_t most = 0;
  for (int i = 0; i < 64; ++i) {
    write(cluster, client, "k" + std::to_string(i % 4), kMiB);
    most = std::max(most, cluster.window_bytes(slow));
  }
  cluster.run_ms(500);
  CHECK(cluster.applied(slow) < cluster.applied(leader));
  CHECK(most < 27 * kMiB);  // window, what is not applied, and an entry
  CHECK(cluster.backlog_bytes(leader, slow) > 50 * kMiB);
  cluster.stall(slow, Part::kStateMachine, false);
  cluster.run_ms(5000);
  CHECK(cluster.applied(slow) == cluster.applied(leader));
  CHECK(cluster.checksum(slow) == cluster.checksum(leader));
  CHECK(cluster.backlog_bytes(leader, slow) == 0);
}

TEST_CASE("a node whose state lags keeps nobody waiting when the leader dies [F53]") {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    cluster.run_ms(500);
    const size_t leader = *cluster.leader();
    const size_t slow = (leader + 1) % 3;
    const int client = cluster.connect(leader);
    cluster.stall(slow, Part::kStateMachine, true);
    for (int i = 0; i < 6; ++i) {
      write(cluster, client, "k" + std::to_string(i), kMiB);
    }
    cluster.run_ms(500);
    cluster.crash(leader);
    const int other = cluster.connect((leader + 2) % 3);
    CHECK(cluster.command(other, "SET after 1", 2000) == "+OK\r\n");
  }
}

TEST_CASE("a leader whose state stands still hands leadership to one that can serve [F53]") {
  Cluster cluster(3, 21);
  wait_for_leader(cluster);
  cluster.run_ms(500);
  const size_t leader = *cluster.leader();
  const size_t slow = (leader + 1) % 3;
  const size_t other = (leader + 2) % 3;
  const int client = cluster.connect(leader);
  cluster.stall(slow, Part::kStateMachine, true);
  for (int i = 0; i < 6; ++i) {
    write(cluster, client, "k" + std::to_string(i), kMiB);
  }
  cluster.run_ms(500);
  cluster.crash(leader);
  cluster.cut(other, true);  // only the slow one can campaign, as soon as the other one is back
  cluster.run_ms(1500);
  cluster.restart(leader);
  const int waiting = cluster.connect(leader);
  cluster.run_ms(1500);
  cluster.cut(other, false);
  CHECK(cluster.command(waiting, "SET after 1", 4000) == "+OK\r\n");
}

}  // namespace kiwi::actors::test
