// WAIT and WAITAOF: what is certain at once, what the leader knows, and who waits for more.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/three_nodes.hpp"

namespace kiwi::resp {
namespace {

struct WaitNode : ThreeNodes {
  WaitNode() {
    context.monotonic_ms = [this] { return now_ms; };
    context.replicas_awaited = [this] { ++asked; };
  }
  // What the leader of that term says of the logs of nodes 1, 2 and 3.
  void say(uint64_t term, std::vector<uint64_t> matches) {
    context.matches.term = Term{term};
    context.matches.members.clear();
    for (size_t i = 0; i < matches.size(); ++i) {
      context.matches.members.emplace_back(NodeId{i + 1}, LogIndex{matches[i]});
    }
    context.look_after_replica_waits();
  }
  void pass(int64_t ms) {
    now_ms += ms;
    context.look_after_replica_waits();
  }
  int64_t now_ms = 61'000;
  int asked = 0;
};

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("WAIT answers at once what a majority's disks are certain to hold [P8]") {
    WaitNode node;
    for (const Face face : {Face::kStandalone, Face::kCluster, Face::kRedisRaft}) {
      TestClient client(node, 7, face);
      CHECK(client.send("WAIT 1 0\r\n") == ":1\r\n");
      CHECK(client.send("WAIT 0 0\r\n") == ":1\r\n");
      CHECK(client.send("WAITAOF 0 0 0\r\n") == "*2\r\n:1\r\n:1\r\n");
      CHECK(client.send("WAITAOF 1 1 0\r\n") == "*2\r\n:1\r\n:1\r\n");
    }
    CHECK(node.asked == 0);
    node.options.raft_log_fsync = false;
    TestClient client(node);
    CHECK(client.send("WAITAOF 1 0 0\r\n") == "*2\r\n:0\r\n:0\r\n");  // nor are the others'
    CHECK(client.send("WAITAOF 0 1 0\r\n") == "*2\r\n:0\r\n:0\r\n");  // no wait in vain
    CHECK(client.send("WAIT 1 0\r\n") == ":1\r\n");
  }

  TEST_CASE("WAIT and WAITAOF refuse nonsense in Redis' words [P8]") {
    WaitNode node;
    TestClient client(node);
    CHECK(client.send("WAIT x 0\r\n") == "-ERR value is not an integer or out of range\r\n");
    CHECK(client.send("WAIT 1 x\r\n") == "-ERR timeout is not an integer or out of range\r\n");
    CHECK(client.send("WAIT 1 -1\r\n") == "-ERR timeout is negative\r\n");
    CHECK(client.send("WAITAOF 2 0 0\r\n") ==
          "-ERR value is out of range, value must between 0 and 1\r\n");
    CHECK(client.send("WAITAOF 0 -1 0\r\n") == "-ERR value is out of range, must be positive\r\n");
    CHECK(client.send("WAITAOF 0 0 -1\r\n") == "-ERR timeout is negative\r\n");
    CHECK(client.send("WAITAOF 0 0\r\n") ==
          "-ERR wrong number of arguments for 'waitaof' command\r\n");
  }

  TEST_CASE("a leader knows who has what, and waits until enough have it [P8]") {
    WaitNode node;
    node.lead();
    TestClient client(node);
    CHECK(client.send("WAIT 2 100\r\nPING\r\n").empty());  // nothing behind it is executed
    CHECK(node.asked == 1);
    node.pass(50);
    CHECK(node.later(client).empty());
    node.context.status.raft.peers[1].match = LogIndex{42};
    node.pass(0);
    CHECK(node.later(client) == ":2\r\n+PONG\r\n");
    // More than there are: until the time is over.
    CHECK(client.send("WAIT 3 100\r\n").empty());
    node.pass(99);
    CHECK(node.later(client).empty());
    node.pass(1);
    CHECK(node.later(client) == ":2\r\n");
    CHECK(client.send("WAITAOF 1 3 0\r\n").empty());  // 0: raft.response-timeout
    node.pass(node.options.raft_response_timeout - 1);
    CHECK(node.later(client).empty());
    node.pass(1);
    CHECK(node.later(client) == "*2\r\n:1\r\n:2\r\n");
    CHECK_FALSE(node.context.replica_waits.any());
  }

  TEST_CASE("a follower is told by the leader, and believes no other term [P8]") {
    WaitNode node;
    TestClient client(node);
    CHECK(client.send("WAIT 2 1000\r\n").empty());
    node.say(6, {42, 42, 42});  // of a former leader: its entries may be others
    CHECK(node.later(client).empty());
    node.say(7, {43, 42, 41});
    CHECK(node.later(client).empty());
    node.say(7, {43, 42, 42});
    CHECK(node.later(client) == ":2\r\n");
    node.context.matches = {};
    CHECK(client.send("WAIT 2 1000\r\n").empty());
    node.say(7, {41, 100, 41});  // this node itself is none of them
    CHECK(node.later(client).empty());
    node.pass(1000);
    CHECK(node.later(client) == ":1\r\n");
  }

  // A fourth voter makes three of four the majority, but what was committed before may be on two.
  TEST_CASE(
      "a new configuration counts for WAIT when it is committed, an old one until then [P8]") {
    WaitNode node;
    raft::Configuration four = node.context.status.raft.configuration;
    four.members.push_back({NodeId{4}, {}, "10.0.0.4:7004", "10.0.0.9:17004"});
    four.voters.push_back(NodeId{4});
    TestClient client(node);
    node.context.status.raft.configuration = four;
    CHECK(client.send("WAIT 1 0\r\n") == ":1\r\n");
    node.context.status.committed = four;
    CHECK(client.send("WAIT 0 0\r\n") == ":2\r\n");
    node.context.status.raft.configuration.voters.pop_back();  // it goes again: two of three
    CHECK(client.send("WAIT 0 0\r\n") == ":1\r\n");
  }

  TEST_CASE("a status from before what is applied says nothing of who has that [P8]") {
    WaitNode node;
    node.lead();
    node.context.status.raft.peers[1].match = LogIndex{50};
    TestClient client(node);
    CHECK(client.send("WAIT 2 0\r\n") == ":2\r\n");
    // Entries of a later leader were applied, and this one has not heard that it leads no more.
    node.context.status.applied = LogIndex{45};
    CHECK(client.send("WAIT 2 100\r\n").empty());
    node.pass(50);
    CHECK(node.later(client).empty());
    node.context.status.raft.commit = LogIndex{45};
    node.context.status.raft.peers[0].match = LogIndex{45};
    node.pass(0);
    CHECK(node.later(client) == ":2\r\n");
  }

  TEST_CASE("WAIT is behind the writes of its connection; in a block it does not wait [P8]") {
    WaitNode node;
    TestClient client(node);
    CHECK(client.send("SET a 1\r\nWAIT 1 0\r\n").empty());
    CHECK(client.answer(client.forwarded()[0].slot, "+OK\r\n") == "+OK\r\n:1\r\n");
    CHECK(client.send("MULTI\r\nWAIT 2 0\r\nEXEC\r\n") == "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
    CHECK_FALSE(node.context.replica_waits.any());
    // A block without data is executed at once: of a write before it only the sure is told.
    node.lead();
    node.context.status.raft.peers[1].match = LogIndex{42};
    CHECK(client.send("SET a 2\r\nMULTI\r\nWAIT 2 0\r\nEXEC\r\n").empty());
    CHECK(client.answer(client.forwarded()[0].slot, "+OK\r\n") ==
          "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
  }

  TEST_CASE("who leaves waits no longer, and a node that ends tells who waits [P8]") {
    WaitNode node;
    {
      TestClient client(node);
      CHECK(client.send("WAIT 2 0\r\n").empty());
      CHECK(client.session.wants_more_input());  // or nobody would see it leave
      CHECK(node.context.replica_waits.size() == 1);
    }
    CHECK_FALSE(node.context.replica_waits.any());
    TestClient client(node);
    CHECK(client.send("WAIT 2 0\r\n").empty());
    client.session.end_wait();
    node.pass(0);
    CHECK(node.later(client) == ":1\r\n");
  }
}

}  // namespace kiwi::resp
