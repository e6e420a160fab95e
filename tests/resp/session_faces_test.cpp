// What the same node is to clients of its faces (resp/face.hpp): the small signs by which they
// decide which server they talk to.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/session_state.hpp"
#include "tests/resp/three_nodes.hpp"

namespace kiwi::resp {
namespace {

// Node 2, a follower that serves; node 1 leads. Both show the cluster face at 8000 + id.
struct Faces : ThreeNodes {
  Faces() {
    options.port = 7002;
    options.cluster_client_port = 8002;
    context.status.raft.ready = true;
    context.status.links[NodeId{1}].cluster_port = 8001;
    context.advice = advise(context, context.status.raft);
  }
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
std::string field(std::string_view name, std::string_view value) {
  return bulk(name) + bulk(value);
}
const std::string kDisabled = "-ERR This instance has cluster support disabled\r\n";

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("the main port is a plain Redis: no sign of a cluster [P1]") {
    Faces node;
    TestClient client(node);
    const std::string hello = client.send("HELLO 2\r\n");
    CHECK(has(hello, field("mode", "standalone")));
    CHECK(has(hello, field("role", "master")));
    const std::string info = client.send("INFO\r\n");
    for (const char* line : {"redis_mode:standalone", "cluster_enabled:0", "role:master",
                             "tcp_port:7002", "connected_slaves:1"}) {
      CAPTURE(line);
      CHECK(has(info, std::string(line) + "\r\n"));
    }
    for (const char* command : {"CLUSTER INFO", "CLUSTER SLOTS", "cluster help", "CLUSTER MYID",
                                "CLUSTER COUNTKEYSINSLOT 1", "ASKING"}) {
      CAPTURE(command);
      CHECK(client.send(std::string(command) + "\r\n") == kDisabled);
    }
    CHECK(client.send("CLUSTER NOSUCH\r\n").starts_with("-ERR unknown subcommand"));
    CHECK(client.send("READONLY\r\nREADWRITE\r\n") == "+OK\r\n+OK\r\n");
    CHECK(client.send("CONFIG GET cluster-enabled\r\n") ==
          "*2\r\n" + field("cluster-enabled", "no"));
    CHECK(client.send("CONFIG GET replica-read-only\r\n") ==
          "*2\r\n" + field("replica-read-only", "no"));
    CHECK(client.send("MULTI\r\nCLUSTER SLOTS\r\nEXEC\r\n") ==
          "+OK\r\n+QUEUED\r\n*1\r\n" + kDisabled);
    CHECK(has(client.send("FAILOVER\r\n"), "RAFT.TRANSFER_LEADER"));
    CHECK(client.forwarded().empty());
  }

  TEST_CASE("a node that serves is a master, for it takes every write; else it is a replica [P2]") {
    Faces node;
    TestClient client(node);
    const std::string master = client.send("ROLE\r\n");
    CHECK(master.starts_with("*3\r\n$6\r\nmaster\r\n:42\r\n*1\r\n*3\r\n$8\r\n10.0.0.1\r\n"));
    CHECK(has(client.send("INFO replication\r\n"), "slave0:ip=10.0.0.1,port=7001,state=online"));
    node.options.raft_follower_proxy = false;  // it answers writes READONLY
    CHECK(client.send("ROLE\r\n").starts_with("*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:7001\r\n"));
    node.options.raft_follower_proxy = true;
    node.context.status.service = Service::kLoading;
    CHECK(client.send("ROLE\r\n").starts_with("*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:7001\r\n"));
    CHECK(has(client.send("HELLO 2\r\n"), field("role", "replica")));
    CHECK(has(client.send("INFO replication\r\n"), "role:slave\r\nmaster_host:10.0.0.1\r\n"));
  }

  TEST_CASE("the cluster face names its own ports, and the leader as master [P1]") {
    Faces node;
    TestClient client(node, 7, Face::kCluster);
    const std::string hello = client.send("HELLO 2\r\n");
    CHECK(has(hello, field("mode", "cluster")));
    CHECK(has(hello, field("role", "replica")));
    const std::string info = client.send("INFO\r\n");
    for (const char* line : {"redis_mode:cluster", "cluster_enabled:1", "role:slave",
                             "master_port:8001", "tcp_port:8002"}) {
      CAPTURE(line);
      CHECK(has(info, std::string(line) + "\r\n"));
    }
    CHECK(client.send("CONFIG GET cluster-enabled\r\n") ==
          "*2\r\n" + field("cluster-enabled", "yes"));
    // Node 3 was not heard since the start: where it shows this face nobody knows.
    CHECK(client.send("CLUSTER SLOTS\r\n") ==
          "*1\r\n*4\r\n:0\r\n:16383\r\n*4\r\n$8\r\n10.0.0.1\r\n:8001\r\n" + bulk(name_of(1)) +
              "*0\r\n*4\r\n$8\r\n10.0.0.2\r\n:8002\r\n" + bulk(name_of(2)) + "*0\r\n");
    const std::string nodes = client.send("CLUSTER NODES\r\n");
    CHECK(has(nodes, "10.0.0.1:8001@17001 master - 0 0 7 connected 0-16383"));
    CHECK(has(nodes, "10.0.0.2:8002@17002 myself,slave"));
    CHECK(!has(nodes, "10.0.0.3"));
    CHECK(client.send("ASKING\r\n") == "+OK\r\n");
  }

  TEST_CASE("a leader that shows no cluster is no master there: this node names itself [P1]") {
    Faces node;
    node.context.status.links[NodeId{1}].cluster_port = 0;
    TestClient client(node, 7, Face::kCluster);
    CHECK(client.send("CLUSTER SLOTS\r\n") ==
          "*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$8\r\n10.0.0.2\r\n:8002\r\n" + bulk(name_of(2)) +
              "*0\r\n");
    CHECK(advise(node.context, node.context.status.raft).cluster.empty());
  }

  TEST_CASE("with cluster-enabled yes the main port shows it, and all members' do [P1]") {
    Faces node;
    node.options.cluster_enabled = true;
    node.options.cluster_client_port = 0;
    node.context.status.links[NodeId{1}].cluster_port = 0;
    REQUIRE(main_face(node.options) == Face::kCluster);
    TestClient client(node, 7, main_face(node.options));
    CHECK(has(client.send("CLUSTER NODES\r\n"), "10.0.0.3:7003@17003 slave,fail?"));
    CHECK(has(client.send("INFO server\r\n"), "tcp_port:7002\r\n"));
    // Who speaks TLS is sent to where it is spoken.
    node.context.status.links[NodeId{1}].tls_client_address = "10.0.0.1:7501";
    node.context.advice = advise(node.context, node.context.status.raft);
    client.session.state().info.tls = true;
    CHECK(client.send("SET a 1\r\n") == "-MOVED 15495 10.0.0.1:7501\r\n");
    CHECK(has(client.send("CLUSTER NODES\r\n"), "10.0.0.1:7501@17001 master"));
  }

  TEST_CASE("a follower sends plain keyed writes of cluster clients to a ready leader [P3]") {
    Faces node;
    TestClient client(node, 7, Face::kCluster);
    CHECK(client.send("SET foo 1\r\n") == "-MOVED 12182 10.0.0.1:8001\r\n");
    CHECK(client.send("DEL {bar}x y\r\n") == "-MOVED 5061 10.0.0.1:8001\r\n");
    CHECK(client.forwarded().empty());
    // All else is executed here.
    for (const char* command : {"GET foo", "FLUSHALL", "EVAL \"return 1\" 1 foo", "BLPOP l 1"}) {
      CAPTURE(command);
      TestClient other(node, 8, Face::kCluster);
      CHECK(other.send(std::string(command) + "\r\n").empty());
      CHECK(other.forwarded().size() == 1);
    }
    CHECK(client.send("MULTI\r\nSET foo 1\r\nEXEC\r\n") == "+OK\r\n+QUEUED\r\n");
    const std::vector<Request> block = client.forwarded();
    REQUIRE(block.size() == 1);
    client.answer(block[0].slot, "*1\r\n+OK\r\n");
    client.send("WATCH foo\r\n");
    client.answer(client.forwarded().at(0).slot, "+OK\r\n", {WatchToken{0, 1, "foo", true, 5}});
    CHECK(client.send("SET foo 1\r\n").empty());  // its tokens are here
    CHECK(client.forwarded().size() == 1);
  }

  TEST_CASE("nobody is sent to a leader that is away, not ready, about to go, or this node [P3]") {
    Faces node;
    raft::Status& raft = node.context.status.raft;
    const auto here = [&] {
      node.context.advice = advise(node.context, raft);
      TestClient client(node, 7, Face::kCluster);
      return client.send("SET foo 1\r\n").empty();
    };
    CHECK_FALSE(here());
    raft.ready = false;
    CHECK(here());
    raft.ready = true;
    node.context.status.links[NodeId{1}].up = false;
    CHECK(here());
    node.context.status.links[NodeId{1}].up = true;
    node.context.status.links[NodeId{1}].drains = true;
    CHECK(here());  // it may take no new connections any more
    node.context.status.links[NodeId{1}].drains = false;
    node.context.status.service = Service::kLoading;
    CHECK(here());  // the router answers
    node.context.status.service = Service::kUp;
    node.lead();
    CHECK(here());
  }

  TEST_CASE("a plain server sends only those away that said CLIENT CAPA redirect [P3]") {
    Faces node;
    TestClient client(node);
    CHECK(client.send("SET foo 1\r\n").empty());
    client.answer(client.forwarded().at(0).slot, "+OK\r\n");
    CHECK(client.send("CLIENT CAPA flying\r\n") == "+OK\r\n");
    CHECK(client.send("SET foo 1\r\n").empty());
    client.answer(client.forwarded().at(0).slot, "+OK\r\n");
    CHECK(client.send("CLIENT CAPA flying REDIRECT\r\n") == "+OK\r\n");
    CHECK(client.send("SET foo 1\r\n") == "-REDIRECT 10.0.0.1:7001\r\n");
    CHECK(client.send("GET foo\r\n").empty());
    client.answer(client.forwarded().at(0).slot, "$-1\r\n");
    CHECK(client.send("RESET\r\nSET foo 1\r\n") == "+RESET\r\n");
    CHECK(client.forwarded().size() == 1);
    node.context.advice.standalone = plain_address("::1", 7001);
    CHECK(node.context.advice.of(Face::kStandalone) == "::1:7001");  // the last colon counts
  }

  TEST_CASE("raft.dialect redisraft: CLUSTER beside a plain server's HELLO, and no advice [P10]") {
    Faces node;
    node.options.raft_dialect = config::Dialect::kRedisRaft;
    REQUIRE(main_face(node.options) == Face::kRedisRaft);
    RaftClient client(node);
    CHECK(has(client.send("HELLO 2\r\n"), field("mode", "standalone")));
    const std::string info = client.send("INFO\r\n");
    CHECK(has(info, "redis_mode:standalone\r\n"));
    CHECK(has(info, "cluster_enabled:1\r\n"));
    CHECK(has(client.send("CLUSTER SLOTS\r\n"), "10.0.0.1\r\n:7001\r\n"));
    CHECK(client.send("CONFIG GET cluster-enabled\r\n") ==
          "*2\r\n" + field("cluster-enabled", "no"));
    CHECK(client.send("SET foo 1\r\n").empty());  // raft.follower-proxy decides, in the router
    CHECK(client.forwarded().size() == 1);
  }
}

}  // namespace kiwi::resp
