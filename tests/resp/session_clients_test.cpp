// CLIENT LIST and KILL, CONFIG SET, INFO: what sessions see of the node and of each other.
#include <chrono>
#include <regex>

#include <doctest/doctest.h>

#include "resp/command_docs.hpp"
#include "resp/session_state.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

bool has_line(const std::string& info, const std::string& line) {
  return info.find("\r\n" + line + "\r\n") != std::string::npos;
}

raft::Member member(uint64_t id) {
  std::string port = std::to_string(6378 + id);
  return {.id = NodeId{id},
          .incarnation = {},
          .client_address = "10.0.0.1:" + port,
          .peer_address = "10.0.0.1:1" + port};
}

void three_nodes(TestNode& node) {
  raft::Status& raft = node.context.status.raft;
  raft.id = NodeId{2};
  raft.term = Term{7};
  raft.leader = NodeId{1};
  raft.first_index = LogIndex{5};
  raft.last_index = LogIndex{44};
  raft.commit = LogIndex{43};
  raft.persisted = LogIndex{44};
  node.context.status.applied = LogIndex{42};
  raft.configuration.members = {member(1), member(2), member(3)};
  raft.configuration.voters = {NodeId{1}, NodeId{2}};
  node.context.status.links[NodeId{1}] = {
      .up = true, .connected_at_ms = 1000, .connections = 3, .errors = 1};
  node.context.monotonic_ms = [] { return int64_t{61'000}; };
}

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("CLIENT LIST has the fields of Redis 7.0, one line a client") {
    TestNode node;
    TestClient first(node, 3);
    TestClient second(node, 4);
    first.send(
        "CLIENT SETNAME me\r\nCLIENT SETINFO LIB-NAME redis-py\r\nCLIENT SETINFO lib-ver "
        "5.0.1\r\n");
    second.send("HELLO 3\r\nSELECT 2\r\nREADONLY\r\nMULTI\r\nGET a\r\n");
    first.now_ms = 5000;
    std::string list = first.send("CLIENT LIST\r\n");
    std::regex pattern(
        "\\$\\d+\r\n"
        "id=3 addr=127.0.0.1:50003 laddr=127.0.0.1:6379 fd=9 name=me age=4 idle=0 flags=N db=0 "
        "sub=0 "
        "psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=\\d+ argv-mem=0 multi-mem=0 rbs=\\d+ rbp=\\d+ "
        "obl=\\d+ "
        "oll=0 omem=0 tot-mem=\\d+ events=r cmd=client\\|list user=default redir=-1 resp=2 "
        "lib-name=redis-py lib-ver=5.0.1\n"
        "id=4 addr=127.0.0.1:50004 laddr=127.0.0.1:6379 fd=9 name= age=4 idle=4 flags=xr db=2 "
        "sub=0 "
        "psub=0 ssub=0 multi=1 qbuf=0 qbuf-free=\\d+ argv-mem=0 multi-mem=\\d+ rbs=\\d+ rbp=\\d+ "
        "obl=\\d+ oll=0 omem=0 tot-mem=\\d+ events=r cmd=get user=default redir=-1 resp=3 "
        "lib-name= lib-ver=\n\r\n");
    CAPTURE(list);
    CHECK(std::regex_match(list, pattern));
    CHECK(first.send("CLIENT LIST ID 4 9\r\n").find("id=4 ") != std::string::npos);
    CHECK(first.send("CLIENT LIST TYPE normal\r\n").find("id=4 ") != std::string::npos);
    CHECK(first.send("CLIENT INFO\r\n").find("id=3 ") != std::string::npos);
    CHECK(second.send("DISCARD\r\nCLIENT INFO\r\n").starts_with("+OK\r\n="));
  }

  // Of a hash table with so many places all of them would stand in one.
  TEST_CASE("CLIENT LIST ID takes no longer for numbers that somebody chose [F63]") {
    constexpr uint64_t kPlaces = 172'933;
    TestNode node;
    TestClient client(node, 3);
    std::string command =
        "*" + std::to_string(kPlaces + 3) + "\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n$2\r\nID\r\n";
    for (uint64_t i = 1; i <= kPlaces; ++i) {
      const std::string id = std::to_string(i * kPlaces);
      command += "$" + std::to_string(id.size()) + "\r\n" + id + "\r\n";
    }
    const auto start = std::chrono::steady_clock::now();
    CHECK(client.send(command) == "$0\r\n\r\n");
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  }

  TEST_CASE("a closed session leaves the list") {
    TestNode node;
    TestClient first(node, 3);
    { TestClient second(node, 4); }
    CHECK(first.send("CLIENT LIST\r\n").find("id=4 ") == std::string::npos);
  }

  TEST_CASE("CLIENT SETINFO refuses what it does not know") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("CLIENT SETINFO lib-foo x\r\n") == "-ERR Unrecognized option 'lib-foo'\r\n");
    CHECK(client.send("CLIENT SETINFO lib-name \"a b\"\r\n") ==
          "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n");
  }

  TEST_CASE("CLIENT KILL closes those that fit every filter") {
    TestNode node;
    TestClient first(node, 3);
    TestClient second(node, 4);
    TestClient third(node, 5);
    SUBCASE("by address, the old form") {
      CHECK(first.send("CLIENT KILL 127.0.0.1:50004\r\n") == "+OK\r\n");
      CHECK(second.session.killed());
      CHECK(node.closed == std::vector<ConnectionId>{4});
      CHECK(first.send("CLIENT KILL 127.0.0.1:50004\r\n") == "-ERR No such client\r\n");
    }
    SUBCASE("by id") {
      CHECK(first.send("CLIENT KILL ID 5\r\n") == ":1\r\n");
      CHECK(node.closed == std::vector<ConnectionId>{5});
    }
    SUBCASE("all others") {
      CHECK(first.send("CLIENT KILL TYPE normal\r\n") == ":2\r\n");
      CHECK(node.closed == std::vector<ConnectionId>{4, 5});
      CHECK(!first.session.closing());
    }
    SUBCASE("oneself too, after the reply") {
      CHECK(first.send("CLIENT KILL LADDR 127.0.0.1:6379 SKIPME no\r\nPING\r\n") == ":3\r\n");
      CHECK(first.session.closing());
      CHECK(!first.session.killed());
      CHECK(node.closed == std::vector<ConnectionId>{4, 5});
    }
    SUBCASE("nobody fits two filters that exclude each other") {
      CHECK(first.send("CLIENT KILL ID 4 ADDR 127.0.0.1:50005\r\n") == ":0\r\n");
    }
    SUBCASE("a killed client is served no further") {
      first.send("CLIENT KILL ID 5\r\n");
      CHECK(third.send("PING\r\n") == "");
    }
  }

  TEST_CASE("HTTP is cut off before its headers can be taken for commands") {
    for (std::string_view request : {"POST / HTTP/1.1\r\nSET a b\r\n", "Host: x\r\nSET a b\r\n",
                                     "GET / HTTP/1.1\r\nHost: x\r\nSET a b\r\n"}) {
      TestNode node;
      TestClient client(node, 5);
      client.send(request);
      CHECK(client.session.killed());
      CHECK(node.closed == std::vector<ConnectionId>{5});
      CHECK(client.forwarded().empty());
    }
  }

  TEST_CASE("CONFIG SET tells the shell, once and only if all of it was taken") {
    TestNode node;
    int changes = 0;
    node.context.options_changed = [&changes] { ++changes; };
    TestClient client(node);
    client.send("CONFIG SET timeout 5 maxclients none\r\n");
    CHECK(changes == 0);
    CHECK(node.options.timeout == 0);
    CHECK(client.send("CONFIG SET timeout 5 maxclients 20\r\n") == "+OK\r\n");
    CHECK(changes == 1);
    CHECK(node.options.timeout == 5);
    CHECK(node.options.maxclients == 20);
  }

  TEST_CASE("setting a password does not lock out who is connected") {
    TestNode node;
    TestClient client(node, 3);
    node.options.requirepass = "secret";
    CHECK(client.send("PING\r\n") == "+PONG\r\n");
    TestClient stranger(node, 4);
    CHECK(stranger.send("PING\r\n") == "-NOAUTH Authentication required.\r\n");
    CHECK(stranger.send("AUTH secre\r\n").starts_with("-WRONGPASS"));
    CHECK(stranger.send("AUTH secretsecret\r\n").starts_with("-WRONGPASS"));
    CHECK(stranger.send("AUTH default secret\r\n") == "+OK\r\n");
    CHECK(stranger.send("PING\r\n") == "+PONG\r\n");
  }

  TEST_CASE("INFO has the sections and the keys that clients look for") {
    TestNode node;
    node.context.status.databases = {{0, 12, 3}, {4, 1, 0}, {5, 0, 0}};
    node.metrics.keyspace_hits = 9;
    TestClient client(node);
    std::string info = client.send("INFO\r\n");
    size_t at = 0;
    for (const char* title :
         {"# Server", "# Clients", "# Memory", "# Persistence", "# Stats", "# Replication", "# CPU",
          "# Modules", "# Errorstats", "# Cluster", "# Keyspace"}) {
      CAPTURE(title);
      size_t found = info.find(std::string(title) + "\r\n");
      REQUIRE(found != std::string::npos);
      CHECK(found >= at);
      at = found;
    }
    for (const char* line : {"redis_version:7.0.15", "redis_mode:standalone", "loading:0",
                             "role:master", "cluster_enabled:0", "connected_clients:1",
                             "keyspace_hits:9", "db0:keys=12,expires=3,avg_ttl=0",
                             "db4:keys=1,expires=0,avg_ttl=0", "aof_enabled:1", "tcp_port:6379"}) {
      CAPTURE(line);
      CHECK(has_line(info, line));
    }
    CHECK(info.find("db5:") == std::string::npos);
    CHECK(info.find("raft_") == std::string::npos);
    node.context.status.service = Service::kLoading;
    CHECK(has_line(client.send("INFO PERSISTENCE cpu\r\n"), "loading:1"));
    CHECK(client.send("INFO nothing\r\n") == "$0\r\n\r\n");
    CHECK(client.send("HELLO 3\r\nINFO cluster\r\n")
              .ends_with("=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n"));
  }

  TEST_CASE("INFO raft shows the cluster as RedisRaft's operators know it") {
    TestNode node;
    three_nodes(node);
    TestClient client(node);
    std::string info = client.send("INFO raft\r\n");
    for (const char* line :
         {"raft_state:up", "raft_role:follower", "raft_node_id:2", "raft_leader_id:1",
          "raft_current_term:7", "raft_voted_for:-1", "raft_is_voting:yes", "raft_num_nodes:3",
          "raft_num_voting_nodes:2", "raft_commit_index:43", "raft_last_applied_index:42",
          "raft_current_index:44", "raft_log_entries:40", "raft_snapshot_in_progress:no",
          "raft_node0:id=1,state=connected,voting=yes,addr=10.0.0.1,port=6379,last_conn_secs=60,"
          "encrypted=no,conn_errors=1,conn_oks=3",
          "raft_node2:id=3,state=disconnected,voting=no,addr=10.0.0.1,port=6381,last_conn_secs=-1,"
          "encrypted=no,conn_errors=0,conn_oks=0"}) {
      CHECK_MESSAGE(has_line(info, line), std::string(line));
    }
    CHECK(info.find("raft_node1:") == std::string::npos);
    CHECK(info.find("# Server") == std::string::npos);
    std::string log = client.send("INFO raft_log\r\n");
    CHECK(has_line(log, "raft_current_index:44"));
    CHECK(log.find("raft_state:") == std::string::npos);
    std::string everything = client.send("INFO everything\r\n");
    CHECK(has_line(everything, "raft_state:up"));
    CHECK(has_line(everything, "role:master"));  // to who speaks plain Redis
    node.context.status.service = Service::kUninitialized;
    CHECK(has_line(client.send("INFO raft\r\n"), "raft_state:uninitialized"));
    CHECK(has_line(client.send("INFO raft\r\n"), "raft_role:(none)"));
  }

  TEST_CASE("INFO is asked for fresh numbers first") {
    TestNode node;
    node.context.refresh_status = [&node] { node.context.status.applied = LogIndex{77}; };
    TestClient client(node);
    CHECK(has_line(client.send("INFO raft\r\n"), "raft_last_applied_index:77"));
  }

  TEST_CASE("the executor's counters are counted from the last CONFIG RESETSTAT on") {
    TestNode node;
    TestClient client(node);
    node.context.count(
        {.keyspace_hits = 5, .keyspace_misses = 2, .expired_keys = 1, .commands = 9});
    client.send("CONFIG RESETSTAT\r\n");
    node.context.count(
        {.keyspace_hits = 8, .keyspace_misses = 2, .expired_keys = 1, .commands = 9});
    CHECK(node.metrics.keyspace_hits == 3);
    CHECK(node.metrics.keyspace_misses == 0);
  }

  TEST_CASE("TIME is the wall clock in seconds and microseconds") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("TIME\r\n") == "*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n");
  }

  TEST_CASE("what came with a later cluster version is unknown") {
    TestNode node;
    TestClient client(node);
    CHECK(client.send("PING\r\n") == "+PONG\r\n");
    node.context.cluster_version = 0;  // every row came with version 1
    CHECK(client.send("PING\r\n").starts_with("-ERR unknown command 'PING'"));
    CHECK(client.send("CONFIG GET port\r\n").starts_with("-ERR unknown command 'CONFIG'"));
    CHECK_FALSE(client.session.has_requests());
    client.send("GET a\r\n");
    CHECK_FALSE(client.session.has_requests());
  }

  TEST_CASE("every command has documentation") {
    for (const CommandSpec& row : all_commands()) {
      if ((row.flags & kInternal) == 0) {
        CAPTURE(row.name);
        CHECK(!command_doc(row).empty());
      }
    }
  }

  TEST_CASE("a write whose reply was lost ends its connection, no word is said of it [F45]") {
    TestNode node;
    TestClient client(node);
    client.send("*3\r\n$4\r\nLPOP\r\n$1\r\nq\r\n$1\r\n9\r\n");
    ReplyBatch lost;
    lost.connection = 7;
    lost.lost = true;
    client.session.reply(lost, client.now_ms);
    CHECK(client.session.killed());
    CHECK(node.closed == std::vector<ConnectionId>{7});
    CHECK(node.metrics.output_limit_disconnections == 1);
    CHECK_FALSE(client.session.has_output());
  }

  TEST_CASE("COMMAND counts and lists what there is") {
    TestNode node;
    TestClient client(node);
    size_t top = 0;
    for (const CommandSpec& row : all_commands()) {
      const bool hidden = (row.flags & (kInternal | kSentinelOnly)) != 0;
      bool shown = !hidden && row.name.find('|') == row.name.npos;
      top += shown ? 1 : 0;
    }
    CHECK(client.send("COMMAND COUNT\r\n") == ":" + std::to_string(top) + "\r\n");
    std::string header = "*" + std::to_string(top) + "\r\n";
    CHECK(client.send("COMMAND\r\n").starts_with(header));
    CHECK(client.send("COMMAND INFO\r\n").starts_with(header));
    CHECK(client.send("COMMAND LIST\r\n").starts_with(header));
    CHECK(client.send("COMMAND DOCS\r\n").starts_with("*" + std::to_string(2 * top) + "\r\n"));
    CHECK(client.send("COMMAND LIST FILTERBY ACLCAT transaction\r\n").starts_with("*5\r\n"));
    CHECK(reply_size(client.send("COMMAND\r\n")) > 0);
    std::string docs = client.send("COMMAND DOCS\r\n");
    CHECK(reply_size(docs) == docs.size());
  }
}

TEST_CASE("sessions are reached by their ids, for as long as they are there") {
  TestNode node;
  const ClientSessions& sessions = node.context.sessions;
  TestClient one(node, 1);
  std::vector<ConnectionId> seen;
  const auto note = [&seen](Session& session) { seen.push_back(session.id()); };
  {
    TestClient three(node, 3);
    TestClient two(node, 2);
    CHECK(sessions.size() == 3);
    CHECK(sessions.with(3, note));
    sessions.each(note);
    CHECK(seen == std::vector<ConnectionId>{3, 1, 2, 3});
  }
  seen.clear();
  CHECK_FALSE(sessions.contains(3));
  CHECK_FALSE(sessions.with(3, note));
  sessions.each(note);
  CHECK(seen == std::vector<ConnectionId>{1});
}

}  // namespace kiwi::resp
