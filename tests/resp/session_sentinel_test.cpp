// A node as a Sentinel of its cluster: who is the master, what else is told, and the events.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/session_state.hpp"
#include "tests/resp/three_nodes.hpp"

namespace kiwi::resp {
namespace {

// Node 2 of three. Node 1 is announced, whoever leads; node 3 is away.
struct Watched : ThreeNodes {
  Watched() {
    options.port = 7002;
    options.sentinel_port = 27002;
    context.status.links[NodeId{1}].sentinel_port = 27001;
    context.status.links[NodeId{3}].down_since_ms = 1000;
    context.announced = {NodeId{1}, 65537, 60'000};
    context.master_names.configure("mymaster");
  }
  // What changed since the last look, one line an event.
  std::string events() {
    std::string out;
    for (const Publication& event :
         context.sentinel_events.look(view_sentinel(context), context.master_names.all())) {
      out += event.channel + " " + event.message + "\n";
    }
    return out;
  }
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
std::string field(std::string_view name, std::string_view value) {
  return bulk(name) + bulk(value);
}
struct SentinelClient : TestClient {
  explicit SentinelClient(TestNode& node, ConnectionId id = 7)
      : TestClient(node, id, Face::kSentinel) {}
};

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("SENTINEL GET-MASTER-ADDR-BY-NAME tells the announced node, by any name [P4] [P5]") {
    Watched node;
    SentinelClient client(node);
    const std::string first = "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n7001\r\n";
    CHECK(client.send("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster\r\n") == first);
    CHECK(client.send("sentinel get-master-addr-by-name queue\r\n") == first);
    CHECK(client.send("SENTINEL GET-MASTER-ADDR-BY-NAME \"a b\"\r\n") == "*-1\r\n");
    CHECK(client.send("ROLE\r\n") ==
          "*2\r\n$8\r\nsentinel\r\n*2\r\n" + bulk("mymaster") + bulk("queue"));
    node.context.status.raft.leader = NodeId{2};  // leadership moves, the announcement does not
    CHECK(client.send("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster\r\n") == first);
    node.context.announced = {};  // none was heard of: the leader
    CHECK(has(client.send("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster\r\n"), "10.0.0.2"));
  }

  TEST_CASE("SENTINEL MASTERS, REPLICAS and SENTINELS have Redis' fields in Redis' order [P4]") {
    Watched node;
    SentinelClient client(node);
    const std::string master = client.send("SENTINEL MASTER mymaster\r\n");
    CHECK(client.send("SENTINEL MASTERS\r\n") == "*1\r\n" + master);
    CHECK(master == "*40\r\n" + field("name", "mymaster") + field("ip", "10.0.0.1") +
                        field("port", "7001") + field("runid", name_of(1)) +
                        field("flags", "master") + field("link-pending-commands", "0") +
                        field("link-refcount", "1") + field("last-ping-sent", "0") +
                        field("last-ok-ping-reply", "0") + field("last-ping-reply", "0") +
                        field("down-after-milliseconds", "300") + field("info-refresh", "0") +
                        field("role-reported", "master") + field("role-reported-time", "1000") +
                        field("config-epoch", "65537") + field("num-slaves", "2") +
                        field("num-other-sentinels", "2") + field("quorum", "2") +
                        field("failover-timeout", "10000") + field("parallel-syncs", "1"));
    const std::string replicas = client.send("SENTINEL REPLICAS mymaster\r\n");
    CHECK(client.send("SENTINEL SLAVES mymaster\r\n") == replicas);
    CHECK(replicas.starts_with("*2\r\n*42\r\n" + field("name", "10.0.0.2:7002")));
    CHECK(has(replicas, field("flags", "slave")));
    CHECK(has(replicas, field("flags", "s_down,slave,disconnected")));
    CHECK(has(replicas, field("s-down-time", "60000")));
    CHECK(has(replicas, field("master-link-status", "ok") + field("master-host", "10.0.0.1") +
                            field("master-port", "7001")));
    // Node 3 was not heard since the start.
    const std::string sentinels = client.send("SENTINEL SENTINELS mymaster\r\n");
    CHECK(sentinels.starts_with("*1\r\n*28\r\n" + field("name", name_of(1)) +
                                field("ip", "10.0.0.1") + field("port", "27001")));
    CHECK(has(sentinels, field("flags", "sentinel")));
    CHECK(client.send("HELLO 3\r\nSENTINEL MASTER mymaster\r\n").find("%20\r\n") !=
          std::string::npos);
    CHECK(client.send("SENTINEL MYID\r\n") == bulk(name_of(2)));
  }

  TEST_CASE("CKQUORUM counts voters that are linked; INFO has a Sentinel's sections [P4]") {
    Watched node;
    SentinelClient client(node);
    CHECK(client.send("SENTINEL CKQUORUM mymaster\r\n") ==
          "+OK 2 usable Sentinels. Quorum and failover authorization can be reached\r\n");
    node.context.status.links[NodeId{1}].up = false;
    CHECK(client.send("SENTINEL CKQUORUM mymaster\r\n").starts_with("-NOQUORUM 1 usable"));
    node.context.status.links[NodeId{1}].up = true;
    const std::string info = client.send("INFO\r\n");
    size_t at = 0;
    for (const char* title : {"# Server", "# Clients", "# Stats", "# CPU", "# Sentinel"}) {
      CAPTURE(title);
      REQUIRE(info.find(title) != std::string::npos);
      CHECK(info.find(title) >= at);
      at = info.find(title);
    }
    CHECK(has(info, "redis_mode:sentinel\r\n"));
    CHECK(has(info, "tcp_port:27002\r\n"));
    CHECK(has(info,
              "master0:name=mymaster,status=ok,address=10.0.0.1:7001,slaves=2,sentinels=2\r\n"));
    CHECK(!has(info, "# Replication"));
    CHECK(!has(info, "raft_"));
    CHECK(has(client.send("SENTINEL INFO-CACHE mymaster nope\r\n"), "redis_mode:standalone"));
    // Plain clients do not know it.
    TestClient plain(node, 8);
    CHECK(plain.send("SENTINEL MASTERS\r\n").starts_with("-ERR unknown command 'SENTINEL'"));
    CHECK(plain.send("INFO sentinel\r\n") == "$0\r\n\r\n");
    CHECK(plain.send("COMMAND INFO sentinel\r\n") == "*1\r\n$-1\r\n");
    CHECK(client.send("COMMAND INFO get\r\n") == "*1\r\n$-1\r\n");
    // Those of redis-sentinel 7.0.15, and QUIT, which Redis has outside its table.
    CHECK(client.send("COMMAND COUNT\r\n") == ":16\r\n");
  }

  TEST_CASE("with a Sentinel, plain clients see the announced node as master [P2]") {
    Watched node;
    TestClient client(node);
    CHECK(client.send("ROLE\r\n").starts_with("*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:7001"));
    CHECK(has(client.send("INFO replication\r\n"), "role:slave\r\nmaster_host:10.0.0.1\r\n"));
    CHECK(has(client.send("INFO replication\r\n"), "role_shown:announced\r\n"));
    CHECK(client.send("SET a 1\r\n").empty());  // it takes writes all the same
    client.answer(client.forwarded().at(0).slot, "+OK\r\n");
    node.context.announced = {NodeId{2}, 65538, 0};
    CHECK(client.send("ROLE\r\n").starts_with("*3\r\n$6\r\nmaster\r\n"));
    node.context.status.service = Service::kLoading;
    CHECK(client.send("ROLE\r\n").starts_with("*5\r\n$5\r\nslave\r\n"));
    node.options.role_shown = config::RoleShown::kAny;
    node.context.status.service = Service::kUp;
    node.context.announced = {NodeId{1}, 65539, 0};
    CHECK(client.send("ROLE\r\n").starts_with("*3\r\n$6\r\nmaster\r\n"));
  }

  TEST_CASE("SENTINEL FAILOVER begins or says why not; what would watch others is refused [P4]") {
    Watched node;
    SentinelClient client(node);
    std::string refusal;
    node.context.admin.sentinel_failover = [&refusal] { return refusal; };
    CHECK(client.send("SENTINEL FAILOVER mymaster\r\n") == "+OK\r\n");
    refusal = texts::kFailoverInProgress;
    CHECK(client.send("SENTINEL FAILOVER mymaster\r\n") ==
          "-INPROG Failover already in progress\r\n");
    refusal = texts::kNoGoodReplica;
    CHECK(client.send("SENTINEL FAILOVER mymaster\r\n") ==
          "-NOGOODSLAVE No suitable replica to promote\r\n");
    for (const char* command : {"MONITOR a 1.2.3.4 5 2", "REMOVE mymaster", "SET mymaster quorum 3",
                                "CONFIG SET announce-ip 1.2.3.4"}) {
      CAPTURE(command);
      CHECK(client.send("SENTINEL " + std::string(command) + "\r\n").starts_with("-ERR "));
    }
  }

  TEST_CASE("events of a Sentinel go to its own subscribers, and data's messages do not [P6]") {
    Watched node;
    SentinelClient sentinel(node, 7);
    TestClient plain(node, 8);
    CHECK(has(sentinel.send("SUBSCRIBE +switch-master\r\n"), "+switch-master\r\n:1\r\n"));
    CHECK(has(sentinel.send("PSUBSCRIBE *\r\n"), ":2\r\n"));
    CHECK(has(plain.send("SUBSCRIBE +switch-master\r\n"), ":1\r\n"));
    CHECK_FALSE(node.context.pubsub.empty());
    node.context.publish_sentinel({{false, "+switch-master", "mymaster a 1 b 2"}});
    REQUIRE(node.delivered.size() == 1);
    CHECK(node.delivered[0].connection == 7);
    const std::string got = node.later(sentinel);
    CHECK(has(got, "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$16\r\nmymaster a 1 b 2\r\n"));
    CHECK(has(got, "pmessage"));
    Pushes pushes;
    CHECK(node.context.publish({false, "+switch-master", "x"}, pushes) == 1);
    CHECK(pushes.begin()->first == 8);
    {
      SentinelClient gone(node, 9);
      gone.send("SUBSCRIBE a\r\n");
    }
    node.context.publish_sentinel({{false, "a", "nobody is there"}});
  }

  TEST_CASE("a master that goes: +sdown, +odown, +switch-master, +slave, in this order [P6]") {
    Watched node;
    node.context.master_names.touch("queue");
    CHECK(node.events().empty());
    CHECK(node.events().empty());
    LinkStatus& first = node.context.status.links[NodeId{1}];
    first.up = false;
    first.down_since_ms = 60'800;
    CHECK(node.events().empty());  // a hiccup
    node.context.monotonic_ms = [] { return int64_t{61'200}; };
    std::string both = node.events();
    CHECK(both ==
          "+sdown master mymaster 10.0.0.1 7001\n"
          "+odown master mymaster 10.0.0.1 7001 #quorum 1/2\n"
          "+sdown master queue 10.0.0.1 7001\n"
          "+odown master queue 10.0.0.1 7001 #quorum 1/2\n");
    node.context.announced = {NodeId{2}, 131073, 61'000};
    both = node.events();
    CHECK(
        both.starts_with("+switch-master mymaster 10.0.0.1 7001 10.0.0.2 7002\n"
                         "+slave slave 10.0.0.1:7001 10.0.0.1 7001 @ mymaster 10.0.0.2 7002\n"
                         "+sdown slave 10.0.0.1:7001 10.0.0.1 7001 @ mymaster 10.0.0.2 7002\n"
                         "+slave slave 10.0.0.3:7003 10.0.0.3 7003 @ mymaster 10.0.0.2 7002\n"));
    CHECK(has(both, "+switch-master queue 10.0.0.1 7001 10.0.0.2 7002\n"));
    first.up = true;
    both = node.events();
    CHECK(both ==
          "-sdown slave 10.0.0.1:7001 10.0.0.1 7001 @ mymaster 10.0.0.2 7002\n"
          "-sdown slave 10.0.0.1:7001 10.0.0.1 7001 @ queue 10.0.0.2 7002\n");
    CHECK(node.events().empty());
  }

  TEST_CASE(
      "an announcement that comes before this node's own patience is over: +sdown first [P6]") {
    Watched node;
    CHECK(node.events().empty());
    LinkStatus& first = node.context.status.links[NodeId{1}];
    first.up = false;
    first.down_since_ms = 60'950;
    node.context.announced = {NodeId{2}, 131073, 60'950};
    CHECK(
        node.events().starts_with("+sdown master mymaster 10.0.0.1 7001\n"
                                  "+odown master mymaster 10.0.0.1 7001 #quorum 1/2\n"
                                  "+switch-master mymaster 10.0.0.1 7001 10.0.0.2 7002\n"));
    CHECK(node.events().empty());  // it is down as long as it is away
  }

  TEST_CASE("a master that is known again after a while of none: what changed is told [P6]") {
    Watched node;
    CHECK(node.events().empty());
    raft::Status& raft = node.context.status.raft;
    const raft::Configuration all = raft.configuration;
    raft.configuration = {};
    REQUIRE(announced_master(node.context) == NodeId{});
    CHECK(node.events().empty());
    raft.configuration = all;
    CHECK(node.events().empty());  // nothing changed
    raft.configuration = {};
    CHECK(node.events().empty());
    raft.configuration = all;
    node.context.announced = {NodeId{2}, 131073, 61'000};
    CHECK(node.events().starts_with("+switch-master mymaster 10.0.0.1 7001 10.0.0.2 7002\n"));
  }

  TEST_CASE("+sentinel at a member's first hello; a member that loads is down [P6]") {
    Watched node;
    CHECK(node.events().empty());
    LinkStatus& third = node.context.status.links[NodeId{3}];
    third.up = true;
    third.sentinel_port = 27003;
    const std::string heard = node.events();
    CHECK(heard ==
          "-sdown slave 10.0.0.3:7003 10.0.0.3 7003 @ mymaster 10.0.0.1 7001\n"
          "+sentinel sentinel " +
              name_of(3) + " 10.0.0.3 27003 @ mymaster 10.0.0.1 7001\n");
    third.serves = false;
    CHECK(node.events() == "+sdown slave 10.0.0.3:7003 10.0.0.3 7003 @ mymaster 10.0.0.1 7001\n");
  }

  TEST_CASE("names: the configured ones stay, of others the 64 asked for last [P4]") {
    MasterNames names;
    names.configure("one two  one");
    CHECK(names.all() == std::vector<std::string>{"one", "two"});
    CHECK(names.touch("two"));
    CHECK_FALSE(names.take_news());
    CHECK(names.touch("three"));
    CHECK(names.take_news());
    CHECK_FALSE(names.take_news());
    for (const char* wrong : {"", "a b", "a\nb", "\x7f"}) {
      CHECK_FALSE(names.touch(wrong));
    }
    CHECK_FALSE(names.touch(std::string(129, 'x')));
    for (int i = 0; i < 61; ++i) {
      names.touch("n" + std::to_string(i));
    }
    CHECK(names.all().size() == 64);
    names.touch("three");  // asked for again
    names.touch("new");
    CHECK(names.all().size() == 64);
    const std::vector<std::string> asked = names.asked_for();
    CHECK(std::ranges::find(asked, "three") != asked.end());
    CHECK(std::ranges::find(asked, "n0") == asked.end());
    names.configure("three");
    CHECK(names.all().front() == "three");
    CHECK(names.asked_for().size() == 61);
  }
}

}  // namespace kiwi::resp
