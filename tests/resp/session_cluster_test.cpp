// CLUSTER, ROLE, WAIT and RAFT.*: which order the node gets, and what the client is told. Seen as
// by clients of raft.dialect redisraft; the other faces: session_faces_test.cpp.
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/three_nodes.hpp"

namespace kiwi::resp {
namespace {

std::string slot_node(int id) {
  return "*4\r\n" + bulk("10.0.0." + std::to_string(id)) + ":700" + std::to_string(id) + "\r\n" +
         bulk(name_of(id)) + "*0\r\n";
}
const std::string kAllSlots = ":0\r\n:16383\r\n";

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("CLUSTER SLOTS: the leader is master of all slots, whoever can be reached a replica") {
    ThreeNodes node;
    RaftClient client(node);
    CHECK(client.send("CLUSTER SLOTS\r\n") ==
          "*1\r\n*4\r\n" + kAllSlots + slot_node(1) + slot_node(2));
    node.context.status.links[NodeId{3}].up = true;
    CHECK(client.send("CLUSTER SLOTS\r\n") ==
          "*1\r\n*5\r\n" + kAllSlots + slot_node(1) + slot_node(2) + slot_node(3));
    // A learner that is catching up serves nobody yet.
    node.context.status.raft.configuration.voters = {NodeId{1}, NodeId{2}};
    node.context.status.raft.configuration.promoting = {NodeId{3}};
    CHECK(client.send("CLUSTER SLOTS\r\n") ==
          "*1\r\n*4\r\n" + kAllSlots + slot_node(1) + slot_node(2));
    CHECK(client.send("HELLO 3\r\nCLUSTER SLOTS\r\n").find("*4\r\n$8\r\n10.0.0.1\r\n") !=
          std::string::npos);
  }

  TEST_CASE("a node whose leader is gone names itself, so that no client waits for the dead") {
    ThreeNodes node;
    RaftClient client(node);
    node.context.status.links[NodeId{1}].up = false;
    CHECK(client.send("CLUSTER SLOTS\r\n") == "*1\r\n*3\r\n" + kAllSlots + slot_node(2));
    node.context.status.raft.leader = NodeId{};
    CHECK(client.send("CLUSTER SLOTS\r\n") == "*1\r\n*3\r\n" + kAllSlots + slot_node(2));
    node.context.status.service = Service::kLoading;  // it serves nobody either
    CHECK(client.send("CLUSTER SLOTS\r\n") == "-CLUSTERDOWN No raft leader\r\n");
    CHECK(client.send("CLUSTER SHARDS\r\n") == "-CLUSTERDOWN No raft leader\r\n");
  }

  TEST_CASE("a node in no cluster says so, and one that was removed says that [F25]") {
    TestNode node;
    RaftClient client(node);
    for (const auto& [service, error] :
         {std::pair(Service::kUninitialized, "-NOCLUSTER No Raft Cluster\r\n"),
          std::pair(Service::kRemoved,
                    "-CLUSTERDOWN This node was removed from its cluster\r\n")}) {
      node.context.status.service = service;
      for (const char* command : {"SLOTS", "SHARDS", "NODES", "MYID", "LINKS", "REPLICAS x",
                                  "COUNT-FAILURE-REPORTS x", "FAILOVER"}) {
        CAPTURE(command);
        CHECK(client.send("CLUSTER " + std::string(command) + "\r\n") == error);
      }
      CHECK(client.send("CLUSTER INFO\r\n").find("cluster_state:fail\r\n") != std::string::npos);
      CHECK(client.send("RAFT.NODE REMOVE 1\r\n") == error);
      CHECK(client.send("RAFT.TRANSFER_LEADER\r\n") == error);
      CHECK(client.send("RAFT.DEBUG COMPACT\r\n") == error);
      CHECK(client.send("ROLE\r\n").starts_with("*3\r\n$6\r\nmaster\r\n"));
    }
  }

  TEST_CASE("CLUSTER NODES, REPLICAS and COUNT-FAILURE-REPORTS show who is who") {
    ThreeNodes node;
    RaftClient client(node);
    std::string one = name_of(1) + " 10.0.0.1:7001@17001 master - 0 0 7 connected 0-16383";
    std::string two =
        name_of(2) + " 10.0.0.2:7002@17002 myself,slave " + name_of(1) + " 0 0 7 connected";
    std::string three =
        name_of(3) + " 10.0.0.3:7003@17003 slave,fail? " + name_of(1) + " 0 0 7 disconnected";
    CHECK(client.send("CLUSTER NODES\r\n") == bulk(one + "\n" + two + "\n" + three + "\n"));
    CHECK(client.send("CLUSTER REPLICAS " + name_of(1) + "\r\n") ==
          "*2\r\n" + bulk(two) + bulk(three));
    CHECK(client.send("CLUSTER SLAVES " + name_of(3) + "\r\n") ==
          "-ERR The specified node is not a master\r\n");
    CHECK(client.send("CLUSTER REPLICAS abc\r\n") == "-ERR Unknown node abc\r\n");
    CHECK(client.send("CLUSTER COUNT-FAILURE-REPORTS " + name_of(3) + "\r\n") == ":1\r\n");
    CHECK(client.send("CLUSTER COUNT-FAILURE-REPORTS " + name_of(1) + "\r\n") == ":0\r\n");
    CHECK(client.send("CLUSTER MYID\r\n") == bulk(name_of(2)));
    CHECK(client.send("CLUSTER LINKS\r\n") ==
          "*1\r\n*12\r\n$9\r\ndirection\r\n$4\r\nfrom\r\n$4\r\nnode\r\n" + bulk(name_of(1)) +
              "$11\r\ncreate-time\r\n:1699999940123\r\n$6\r\nevents\r\n$2\r\nrw\r\n"
              "$21\r\nsend-buffer-allocated\r\n:0\r\n$16\r\nsend-buffer-used\r\n:0\r\n");
  }

  TEST_CASE("CLUSTER SHARDS shows one shard, its master first") {
    ThreeNodes node;
    RaftClient client(node);
    node.context.status.raft.configuration.promoting = {NodeId{2}};
    std::string shards = client.send("CLUSTER SHARDS\r\n");
    auto shown = [](int id, const char* role, int offset, const char* health) {
      std::string host = "10.0.0." + std::to_string(id);
      return "*14\r\n$2\r\nid\r\n" + bulk(name_of(id)) + "$4\r\nport\r\n:700" + std::to_string(id) +
             "\r\n$2\r\nip\r\n" + bulk(host) + "$8\r\nendpoint\r\n" + bulk(host) +
             "$4\r\nrole\r\n" + bulk(role) +
             "$18\r\nreplication-offset\r\n:" + std::to_string(offset) + "\r\n$6\r\nhealth\r\n" +
             bulk(health);
    };
    CHECK(shards == "*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n" + kAllSlots + "$5\r\nnodes\r\n*3\r\n" +
                        shown(1, "master", 43, "online") + shown(2, "replica", 42, "loading") +
                        shown(3, "replica", 43, "fail"));
  }

  TEST_CASE("CLUSTER INFO says whether the cluster serves") {
    ThreeNodes node;
    RaftClient client(node);
    std::string info = client.send("CLUSTER INFO\r\n");
    for (const char* line :
         {"cluster_state:ok", "cluster_slots_assigned:16384", "cluster_slots_ok:16384",
          "cluster_known_nodes:3", "cluster_size:1", "cluster_current_epoch:7"}) {
      CAPTURE(line);
      CHECK(info.find(std::string(line) + "\r\n") != std::string::npos);
    }
    node.context.status.raft.leader = NodeId{};
    CHECK(client.send("CLUSTER INFO\r\n").find("cluster_state:fail\r\n") != std::string::npos);
  }

  TEST_CASE("what would move slots or members the Redis way is refused with the way that works") {
    ThreeNodes node;
    RaftClient client(node);
    for (const char* command :
         {"MEET 1.2.3.4 5", "FORGET x", "ADDSLOTS 1", "REPLICATE x", "RESET", "BUMPEPOCH"}) {
      CAPTURE(command);
      std::string said = client.send("CLUSTER " + std::string(command) + "\r\n");
      CHECK(said.starts_with("-ERR "));
      CHECK(said.find("RAFT.NODE ADD") != std::string::npos);
    }
    CHECK(client.send("REPLICAOF NO ONE\r\n").starts_with("-ERR REPLICAOF not allowed"));
    CHECK(client.send("SLAVEOF 1.2.3.4 5\r\n").starts_with("-ERR SLAVEOF not allowed"));
    CHECK(client.send("FAILOVER\r\n") ==
          "-ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.\r\n");
    CHECK(client.send("CLUSTER SAVECONFIG\r\n") == "+OK\r\n");
    CHECK(client.send("ASKING\r\n") == "+OK\r\n");
  }

  TEST_CASE("ROLE, HELLO and INFO replication agree on who replicates whom") {
    ThreeNodes node;
    RaftClient client(node);
    CHECK(client.send("ROLE\r\n") ==
          "*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:7001\r\n$9\r\nconnected\r\n:42\r\n");
    CHECK(client.send("HELLO 2\r\n").find("$4\r\nrole\r\n$7\r\nreplica\r\n") != std::string::npos);
    std::string info = client.send("INFO replication\r\n");
    for (const char* line :
         {"role:slave", "master_host:10.0.0.1", "master_port:7001", "master_link_status:up",
          "slave_repl_offset:42", "connected_slaves:0"}) {
      CAPTURE(line);
      CHECK(info.find(std::string(line) + "\r\n") != std::string::npos);
    }
    node.context.status.links[NodeId{1}].up = false;
    CHECK(client.send("ROLE\r\n") ==
          "*5\r\n$5\r\nslave\r\n$0\r\n\r\n:0\r\n$7\r\nconnect\r\n:42\r\n");
    node.context.status.links[NodeId{1}].up = true;
    node.lead();
    CHECK(client.send("ROLE\r\n") ==
          "*3\r\n$6\r\nmaster\r\n:42\r\n*1\r\n*3\r\n$8\r\n10.0.0.1\r\n$4\r\n7001\r\n$2\r\n42\r\n");
    info = client.send("INFO replication\r\n");
    CHECK(info.find("role:master\r\nconnected_slaves:1\r\n"
                    "slave0:ip=10.0.0.1,port=7001,state=online,offset=42,lag=0\r\n") !=
          std::string::npos);
  }

  TEST_CASE("RAFT.NODE and its like hand over what was asked and answer when it is done") {
    ThreeNodes node;
    RaftClient client(node);
    NodeAddress added;
    AdminDone done;
    node.context.admin.add_node = [&](NodeAddress address, AdminDone then) {
      added = std::move(address);
      done = std::move(then);
    };
    CHECK(client.send("RAFT.NODE ADD 0 localhost:7004\r\nPING\r\n").empty());
    CHECK(!added.id);
    CHECK(added.client == "localhost:7004");
    CHECK(added.peer.empty());
    done({"", NodeId{4}, cluster_id(), ""});
    CHECK(node.later(client) == "*2\r\n:4\r\n+" + kDbid + "\r\n+PONG\r\n");
    CHECK(client.send("RAFT.NODE ADD 9 [::1]:7004/10.0.0.1:99\r\n").empty());
    CHECK(added.id == NodeId{9});
    CHECK(added.client == "[::1]:7004");
    CHECK(added.peer == "10.0.0.1:99");
    done({"ERR node id has already been used in this cluster", {}, {}, {}});
    CHECK(node.later(client) == "-ERR node id has already been used in this cluster\r\n");
    NodeId removed;
    node.context.admin.remove_node = [&](NodeId id, const AdminDone& then) {
      removed = id;
      then({});  // before the call is over
    };
    CHECK(client.send("RAFT.NODE REMOVE 3\r\n").empty());
    CHECK(removed == NodeId{3});
    CHECK(node.later(client) == "+OK\r\n");
  }

  TEST_CASE("RAFT.CLUSTER INIT and JOIN say OK when the node serves, and not before [P10]") {
    ThreeNodes node;
    RaftClient client(node);
    node.options.raft_join_timeout = 5000;
    node.context.init_cluster = [](std::optional<ClusterId>) { return Result(cluster_id()); };
    node.context.status.service = Service::kUninitialized;
    CHECK(client.send("RAFT.CLUSTER INIT\r\n").empty());
    node.context.serving_waits.look(Service::kLoading, 61'100);
    CHECK(node.later(client).empty());
    node.context.serving_waits.look(Service::kUp, 61'200);
    CHECK(node.later(client) == "+OK " + kDbid + "\r\n");
    AdminDone joined;
    node.context.admin.join = [&](std::vector<std::string>, AdminDone done) {
      joined = std::move(done);
    };
    CHECK(client.send("RAFT.CLUSTER JOIN a:1\r\n").empty());
    joined({});
    CHECK(node.later(client).empty());
    node.context.serving_waits.look(Service::kUp, 61'300);
    CHECK(node.later(client) == "+OK\r\n");
    CHECK(client.send("RAFT.CLUSTER JOIN a:1\r\n").empty());
    joined({});
    node.context.serving_waits.look(Service::kLoading, 65'999);
    CHECK(node.later(client).empty());
    node.context.serving_waits.look(Service::kLoading, 66'000);
    CHECK(node.later(client).starts_with("-TIMEOUT the cluster let this node in"));
    CHECK(client.send("RAFT.CLUSTER JOIN a:1\r\n").empty());
    joined({"ERR failed to connect to cluster for join, please check logs", {}, {}, {}});
    CHECK(node.later(client).starts_with("-ERR failed to connect"));
  }

  TEST_CASE("RAFT.* refuse nonsense with RedisRaft's words and ask the node nothing") {
    ThreeNodes node;
    RaftClient client(node);
    for (auto [sent, said] : std::vector<std::pair<std::string, std::string>>{
             {"RAFT.NODE ADD x a:1", "ERR invalid node id"},
             {"RAFT.NODE ADD -1 a:1", "ERR invalid node id"},
             {"RAFT.NODE ADD 4 nowhere", "ERR invalid node address"},
             {"RAFT.NODE ADD 4 a:0", "ERR invalid node address"},
             {"RAFT.NODE ADD 4 a:1/b", "ERR invalid node address"},
             {"RAFT.NODE REMOVE 0", "ERR invalid node id"},
             {"RAFT.NODE FIX 1", "ERR RAFT.NODE supports ADD / REMOVE only"},
             {"RAFT.CLUSTER LEAVE", "RAFT.CLUSTER supports INIT / JOIN only"},
             {"RAFT.CLUSTER JOIN nowhere", "ERR invalid node address"},
             {"RAFT.CLUSTER JOIN a:1", "ERR Already cluster member"},
             {"RAFT.CLUSTER INIT", "ERR Already cluster member"},
             {"RAFT.CLUSTER INIT abc", "ERR cluster id must be 32 characters"},
             {"RAFT.TRANSFER_LEADER x", "ERR invalid target node id"},
             {"RAFT.TRANSFER_LEADER 9", "ERR invalid node id"},
             {"RAFT.NODESHUTDOWN 1", "invalid node id"},
             {"RAFT.RECONFIGURE 1 x", "ERR invalid node id"},
             {"RAFT.RECONFIGURE 1,2@nowhere", "ERR invalid node address"},
             {"RAFT.DEBUG NODECFG 9 +voting", "ERR node does not exist"},
             {"RAFT.DEBUG NODECFG 1 +flying", "ERR invalid nodecfg option"},
             {"RAFT.DEBUG EXEC NOSUCH", "Bad command or failed to execute"},
             {"RAFT.DEBUG EXEC GET", "Bad command or failed to execute"},
             {"RAFT.DEBUG COMMANDSPEC nosuch", "ERR unknown command"},
             {"RAFT.DEBUG COMMANDSPEC kiwi.expire", "ERR unknown command"},
         }) {
      CAPTURE(sent);
      CHECK(client.send(sent + "\r\n") == "-" + said + "\r\n");
    }
    CHECK(node.delivered.empty());
    CHECK(client.forwarded().empty());
    node.context.status.service = Service::kLoading;
    CHECK(client.send("RAFT.NODE REMOVE 1\r\n") == "-LOADING Raft module is loading data\r\n");
  }

  TEST_CASE("leadership goes where it is told, and errors say why it did not") {
    ThreeNodes node;
    RaftClient client(node);
    std::vector<uint64_t> targets;
    node.context.admin.transfer_leadership = [&](NodeId target, const AdminDone& done) {
      targets.push_back(target.value);
      done({target.value == 3 ? "ERR transfer timed out" : "", {}, {}, {}});
    };
    CHECK(client.send("RAFT.TRANSFER_LEADER\r\nRAFT.TRANSFER_LEADER 3\r\n").empty());
    CHECK(node.later(client) == "+OK\r\n-ERR transfer timed out\r\n");
    CHECK(targets == std::vector<uint64_t>{0, 3});
    node.context.admin.timeout_now = [](const AdminDone& done) {
      done({"ERR leader transfer is in progress", {}, {}, {}});
    };
    CHECK(client.send("RAFT.TIMEOUT_NOW\r\n").empty());
    CHECK(node.later(client) ==
          "-ERR failed to start an election: leader transfer is in progress\r\n");
    node.context.admin.timeout_now = [](const AdminDone& done) { done({}); };
    CHECK(client.send("CLUSTER FAILOVER TAKEOVER\r\n").empty());
    CHECK(node.later(client) == "+OK\r\n");
    CHECK(client.send("CLUSTER FAILOVER NOW\r\n") == "-ERR syntax error\r\n");
    node.lead();
    CHECK(client.send("CLUSTER FAILOVER\r\n") ==
          "-ERR You should send CLUSTER FAILOVER to a replica\r\n");
  }

  TEST_CASE("RAFT.RECONFIGURE takes members one by one or as a list") {
    ThreeNodes node;
    RaftClient client(node);
    std::vector<NodeAddress> asked;
    node.context.admin.reconfigure = [&](std::vector<NodeAddress> members, const AdminDone& done) {
      asked = std::move(members);
      done({});
    };
    CHECK(client.send("RAFT.RECONFIGURE 1 2,4@10.0.0.4:7004/10.0.0.5:1 5@h:5\r\n").empty());
    CHECK(node.later(client) == "+OK\r\n");
    REQUIRE(asked.size() == 4);
    CHECK(asked[0].id == NodeId{1});
    CHECK(asked[0].client.empty());
    CHECK(asked[2].id == NodeId{4});
    CHECK(asked[2].client == "10.0.0.4:7004");
    CHECK(asked[2].peer == "10.0.0.5:1");
    CHECK(asked[3].client == "h:5");
  }

  TEST_CASE("RAFT.DEBUG EXEC reads this node's state, and only reads [F21]") {
    ThreeNodes node;
    RaftClient client(node);
    CHECK(client.send("RAFT.DEBUG EXEC GET k\r\n").empty());
    std::vector<Request> forwarded = client.forwarded();
    REQUIRE(forwarded.size() == 1);
    CHECK(forwarded[0].kind == RequestKind::kStaleRead);
    CHECK_FALSE(forwarded[0].may_be_long);
    CHECK(client.unpacked(forwarded[0]).args == std::vector<std::string_view>{"GET", "k"});
    CHECK(client.answer(forwarded[0].slot, "$1\r\nv\r\n") == "$1\r\nv\r\n");
    CHECK(client.send("RAFT.DEBUG EXEC SET k v\r\n").starts_with("-ERR RAFT.DEBUG EXEC takes"));
    CHECK(client.send("RAFT.DEBUG AUDIT k\r\n").empty());
    forwarded = client.forwarded();
    CHECK(forwarded.at(0).kind == RequestKind::kStaleRead);
    CHECK(forwarded[0].may_be_long);
    CHECK(client.unpacked(forwarded[0]).args == std::vector<std::string_view>{"kiwi.audit", "k"});
    CHECK(client.forwarded().empty());
  }

  TEST_CASE("RAFT.DEBUG NODECFG changes votes through the log [F21]") {
    ThreeNodes node;
    RaftClient client(node);
    std::vector<std::pair<uint64_t, bool>> changes;
    node.context.admin.set_voting = [&](NodeId id, bool votes, const AdminDone& done) {
      changes.emplace_back(id.value, votes);
      done({});
    };
    CHECK(client.send("RAFT.DEBUG NODECFG 3 \"-voting +active\"\r\n").empty());
    CHECK(node.later(client) == "+OK\r\n");
    CHECK(client.send("RAFT.DEBUG NODECFG 1 +active +voting\r\n").empty());
    CHECK(node.later(client) == "+OK\r\n");
    CHECK(changes == std::vector<std::pair<uint64_t, bool>>{{3, false}, {1, true}});
    CHECK(client.send("RAFT.DEBUG NODECFG 1 +active\r\n") == "+OK\r\n");
    CHECK(client.send("RAFT.DEBUG NODECFG 1 -active\r\n").starts_with("-ERR a member is always"));
    CHECK(changes.size() == 2);
  }

  TEST_CASE("RAFT.DEBUG COMPACT, SAVE and BGSAVE take a snapshot; LASTSAVE tells when") {
    ThreeNodes node;
    RaftClient client(node);
    node.context.started_wall_ms = 1'600'000'000'000;
    std::vector<AdminDone> compacting;
    std::vector<AdminDone> saving;  // keeps what followers need
    node.context.admin.compact = [&](AdminDone done) { compacting.push_back(std::move(done)); };
    node.context.admin.save = [&](AdminDone done) { saving.push_back(std::move(done)); };
    CHECK(client.send("LASTSAVE\r\n") == ":1600000000\r\n");
    CHECK(client.send("RAFT.DEBUG COMPACT\r\n").empty());
    compacting.at(0)({"ERR failed to begin compaction", {}, {}, {}});
    CHECK(node.later(client) == "-ERR failed to begin compaction\r\n");
    CHECK(client.send("RAFT.DEBUG COMPACT 1\r\n") == "+OK\r\n");
    CHECK(client.send("BGSAVE\r\n") == "+Background saving started\r\n");
    CHECK(client.send("BGSAVE SCHEDULE\r\n") == "-ERR Background save already in progress\r\n");
    CHECK(client.send("SAVE\r\n") == "-ERR Background save already in progress\r\n");
    CHECK(client.send("INFO persistence\r\n").find("rdb_bgsave_in_progress:1\r\n") !=
          std::string::npos);
    saving.at(0)({});
    CHECK(client.send("LASTSAVE\r\n") == ":1700000000\r\n");
    CHECK(client.send("SAVE\r\n").empty());
    saving.at(1)({"ERR disk", {}, {}, {}});
    CHECK(node.later(client) == "-ERR disk\r\n");
    CHECK(client.send("INFO persistence\r\n").find("rdb_last_bgsave_status:err\r\n") !=
          std::string::npos);
    CHECK(compacting.size() == 2);
    CHECK(saving.size() == 2);
  }

  TEST_CASE("RAFT.BACKUP answers where the copy is") {
    ThreeNodes node;
    RaftClient client(node);
    node.context.admin.backup = [](std::string directory, const AdminDone& done) {
      done({"", {}, {}, "/data/" + directory});
    };
    CHECK(client.send("RAFT.BACKUP monday\r\n").empty());
    CHECK(node.later(client) == bulk("/data/monday"));
    CHECK(client.send("RAFT.BACKUP \"\"\r\n").starts_with("-ERR the backup needs"));
  }

  TEST_CASE("SHUTDOWN and RAFT.NODESHUTDOWN end the node, and nothing else is said") {
    ThreeNodes node;
    RaftClient client(node);
    int gently = 0;
    int at_once = 0;
    node.context.admin.shutdown = [&] { ++gently; };
    node.context.admin.shutdown_now = [&] { ++at_once; };
    CHECK(client.send("SHUTDOWN\r\nSHUTDOWN NOSAVE NOW\r\n").empty());
    CHECK(gently == 2);
    CHECK(client.send("SHUTDOWN ABORT\r\n") == "-ERR No shutdown in progress.\r\n");
    for (const char* words : {"SAVE NOSAVE", "x", "ABORT NOW"}) {
      CHECK(client.send("SHUTDOWN " + std::string(words) + "\r\n") == "-ERR syntax error\r\n");
    }
    CHECK(client.send("RAFT.NODESHUTDOWN 2\r\n").empty());
    CHECK(at_once == 1);
    CHECK(gently == 2);
  }

  TEST_CASE("RAFT in front of a command changes nothing") {
    ThreeNodes node;
    RaftClient client(node);
    CHECK(client.send("RAFT PING\r\n") == "+PONG\r\n");
    CHECK(client.send("RAFT SET k v\r\n").empty());
    std::vector<Request> forwarded = client.forwarded();
    REQUIRE(forwarded.size() == 1);
    CHECK(forwarded[0].kind == RequestKind::kWrite);
    CHECK(client.unpacked(forwarded[0]).args == std::vector<std::string_view>{"SET", "k", "v"});
    client.answer(forwarded[0].slot, "+OK\r\n");
    CHECK(client.send("RAFT NOSUCH x\r\n").starts_with("-ERR unknown command 'NOSUCH'"));
    CHECK(client.send("RAFT\r\n") == "-ERR wrong number of arguments for 'raft' command\r\n");
    CHECK(client.send("MULTI\r\nRAFT INCR k\r\n") == "+OK\r\n+QUEUED\r\n");
    CHECK(client.send("RAFT DISCARD\r\n") == "+OK\r\n");
  }

  TEST_CASE("INFO raft counts transactions under way and what went wrong between nodes") {
    ThreeNodes node;
    RaftClient first(node, 1);
    RaftClient second(node, 2);
    auto shows = [&](const char* line) {
      return second.send("INFO raft\r\n").find(std::string(line) + "\r\n") != std::string::npos;
    };
    CHECK(shows("raft_num_sessions:0"));
    first.send("MULTI\r\n");
    CHECK(shows("raft_num_sessions:1"));
    first.send("DISCARD\r\nWATCH k\r\n");
    CHECK(shows("raft_num_sessions:0"));
    first.answer(first.forwarded()[0].slot, "+OK\r\n", {WatchToken{0, 1, "k", true, 5}});
    CHECK(shows("raft_num_sessions:1"));
    node.context.status.router.resends = 3;
    node.context.status.router.timeouts = 4;
    CHECK(shows("raft_proxy_failed_reqs:3"));
    CHECK(shows("raft_proxy_failed_responses:4"));
  }

  TEST_CASE("members and used ids are told") {
    ThreeNodes node;
    RaftClient client(node);
    node.context.admin.used_node_ids = [] { return std::vector<NodeId>{NodeId{1}, NodeId{5}}; };
    CHECK(client.send("RAFT.DEBUG USED_NODE_IDS\r\n") == "*2\r\n:1\r\n:5\r\n");
    CHECK(client.send("RAFT.DEBUG COMMANDSPEC get\r\n") == ":2\r\n");
    CHECK(client.send("RAFT.DEBUG COMMANDSPEC set\r\n") == ":4\r\n");
    CHECK(client.send("RAFT.DEBUG COMMANDSPEC ping\r\n") == ":16\r\n");
    CHECK(client.send("RAFT.DEBUG COMMANDSPEC spop\r\n") == ":68\r\n");
    CHECK(client.send("RAFT.DEBUG COMMANDSPEC smembers\r\n") == ":34\r\n");
  }
}

}  // namespace kiwi::resp
