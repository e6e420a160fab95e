// Vital actors: any death or disk error is a clean fail-stop, at every step of a
// write; the others go on and the promise holds. Slow actors delay, they do not break.
#include <string>

#include <doctest/doctest.h>

#include "tests/actors/cluster.hpp"
#include "tests/actors/waiting.hpp"

namespace kiwi::actors::test {
namespace {

const char* name(Part part) {
  switch (part) {
    case Part::kRouter:
      return "CommandRouter";
    case Part::kStateMachine:
      return "StateMachine";
    case Part::kReplica:
      return "ReplicaHost";
    case Part::kLogStore:
      return "LogStore";
    case Part::kSnapshots:
      return "SnapshotWorker";
  }
  return "";
}

}  // namespace

TEST_CASE(
    "an actor killed at any step of a write stops its node with a reason, no write is lost or "
    "twice") {
  for (const Part part : {Part::kRouter, Part::kStateMachine, Part::kReplica, Part::kLogStore}) {
    for (uint64_t at_step = 0; at_step < 80; ++at_step) {
      CAPTURE(name(part));
      CAPTURE(at_step);
      Cluster cluster(3, at_step + 1);
      wait_for_leader(cluster);
      cluster.run_ms(500);
      const size_t leader = *cluster.leader();
      const int dying = cluster.connect(leader);
      const int living = cluster.connect((leader + 1) % 3);
      REQUIRE(cluster.command(dying, "INCR n") == ":1\r\n");
      cluster.send(dying, "INCR n\r\n");
      cluster.send(living, "INCR n\r\n");
      for (uint64_t k = 0; k < at_step; ++k) {
        cluster.step();
      }
      REQUIRE(cluster.alive(leader));
      cluster.kill(leader, part);
      cluster.run_ms(5000);
      CHECK_FALSE(cluster.alive(leader));
      CHECK(cluster.failure(leader).find(name(part)) == 0);
      CHECK(cluster.closed(dying));
      CHECK(cluster.take(living).starts_with(":"));
      const bool acknowledged = cluster.take(dying).starts_with(":");
      const std::string value = cluster.command(living, "GET n");
      CHECK((value == "$1\r\n3\r\n" || (!acknowledged && value == "$1\r\n2\r\n")));
      cluster.restart(leader);
      cluster.run_ms(3000);
      CHECK(cluster.checksum(leader) == cluster.checksum((leader + 1) % 3));
    }
  }
}

TEST_CASE("an error of the log's disk stops the node with that sentence; it is not retried") {
  Cluster cluster(3, 4);
  wait_for_leader(cluster);
  cluster.run_ms(500);
  const size_t leader = *cluster.leader();
  const int client = cluster.connect(leader);
  const int living = cluster.connect((leader + 1) % 3);
  cluster.log(leader).fail_writes(Error{Errc::kIo, "no space left on the device"}, 1);
  cluster.send(client, "INCR n\r\n");
  cluster.run_ms(5000);
  CHECK_FALSE(cluster.alive(leader));
  CHECK(cluster.failure(leader).find("no space left on the device") != std::string::npos);
  CHECK(cluster.take(client).empty());
  CHECK(cluster.command(living, "INCR n").starts_with(":"));
}

TEST_CASE("nothing is acknowledged while the only disk has not answered") {
  Cluster cluster(1, 5);
  wait_for_leader(cluster);
  const int client = cluster.connect(0);
  cluster.run_ms(100);
  cluster.stall(0, Part::kLogStore, true);
  cluster.send(client, "SET a 1\r\n");
  cluster.run_ms(200);
  CHECK(cluster.take(client).empty());
  cluster.stall(0, Part::kLogStore, false);
  cluster.run_ms(2000);
  CHECK(cluster.take(client) == "+OK\r\n");
}

TEST_CASE("a leader whose disk hangs hands leadership over, its clients are served [F26]") {
  Cluster cluster(3, 6);
  wait_for_leader(cluster);
  cluster.run_ms(500);
  const size_t old_leader = *cluster.leader();
  const int client = cluster.connect((old_leader + 1) % 3);
  cluster.stall(old_leader, Part::kLogStore, true);
  CHECK(cluster.command(client, "INCR n").starts_with(":"));
  cluster.run_ms(3000);
  CHECK(cluster.command(client, "INCR n") == ":2\r\n");
  REQUIRE(cluster.leader().has_value());
  CHECK(*cluster.leader() != old_leader);
  cluster.stall(old_leader, Part::kLogStore, false);
  cluster.run_ms(3000);
  CHECK(cluster.checksum(old_leader) == cluster.checksum((old_leader + 1) % 3));
}

TEST_CASE("long writes go to another thread in order, also when nodes crash under them [F29]") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Cluster cluster(3, seed);
    wait_for_leader(cluster);
    cluster.run_ms(500);
    const size_t leader = *cluster.leader();
    const int client = cluster.connect((leader + 1) % 3);
    const std::string big(20'000, 'x');
    cluster.send(client,
                 "INCR n\r\nSET big " + big + "\r\nINCR n\r\nSET big " + big + "y\r\nINCR n\r\n");
    for (uint64_t k = 0; k < 3 * seed; ++k) {
      cluster.step();
    }
    cluster.crash(leader);
    cluster.run_ms(5000);
    CHECK(cluster.take(client) == ":1\r\n+OK\r\n:2\r\n+OK\r\n:3\r\n");
    cluster.restart(leader);
    cluster.run_ms(5000);
    CHECK(cluster.command(client, "STRLEN big") == ":20001\r\n");
    CHECK(cluster.checksum(leader) == cluster.checksum((leader + 1) % 3));
  }
}

TEST_CASE("a slow state machine delays its node's answers and nobody else's [F28]") {
  Cluster cluster(3, 7);
  wait_for_leader(cluster);
  cluster.run_ms(500);
  const size_t slow = (*cluster.leader() + 1) % 3;
  const int at_slow = cluster.connect(slow);
  const int at_fast = cluster.connect((slow + 1) % 3);
  cluster.run_ms(50);
  cluster.stall(slow, Part::kStateMachine, true);
  cluster.send(at_slow, "INCR n\r\n");
  for (int i = 0; i < 50; ++i) {
    REQUIRE(cluster.command(at_fast, "SET k " + std::to_string(i)) == "+OK\r\n");
  }
  CHECK(cluster.take(at_slow).empty());
  cluster.stall(slow, Part::kStateMachine, false);
  cluster.run_ms(2000);
  CHECK(cluster.take(at_slow) == ":1\r\n");
  CHECK(cluster.command(at_slow, "GET k") == "$2\r\n49\r\n");
}

}  // namespace kiwi::actors::test
