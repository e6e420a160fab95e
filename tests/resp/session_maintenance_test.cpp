// CLIENT MAINT_NOTIFICATIONS: what clients are told of failovers and of a node that goes, and the
// habits of clients that the messages respect.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/session_state.hpp"
#include "tests/resp/three_nodes.hpp"

namespace kiwi::resp {
namespace {

constexpr std::string_view kOn = "CLIENT MAINT_NOTIFICATIONS ON\r\n";

// A client in RESP3, whose HELLO is answered.
struct Client3 : TestClient {
  explicit Client3(TestNode& node, ConnectionId id = 7, std::string_view on = kOn)
      : TestClient(node, id) {
    send("HELLO 3\r\n");
    CHECK(send(on) == "+OK\r\n");
  }
};

std::vector<MovingTarget> two_targets(Face, bool) {
  return {{"10.0.0.1", 7001}, {"10.0.0.3", 7003}};
}

std::string bytes_of(const Push& push) { return push->push; }

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("MAINT_NOTIFICATIONS needs RESP3 and knows its words [P7]") {
    ThreeNodes node;
    TestClient client(node);
    CHECK(client.send(kOn).starts_with("-ERR CLIENT MAINT_NOTIFICATIONS needs RESP3"));
    CHECK(client.send("CLIENT MAINT_NOTIFICATIONS OFF\r\n") == "+OK\r\n");
    client.send("HELLO 3\r\n");
    for (const char* type :
         {"internal-ip", "external-ip", "internal-fqdn", "external-fqdn", "none", "NONE"}) {
      CAPTURE(type);
      CHECK(client.send("client maint_notifications on moving-endpoint-type " + std::string(type) +
                        "\r\n") == "+OK\r\n");
    }
    for (const char* words : {"MAYBE", "ON moving-endpoint-type", "ON moving-endpoint-type ip",
                              "ON endpoint none", "OFF x"}) {
      CAPTURE(words);
      CHECK(client.send("CLIENT MAINT_NOTIFICATIONS " + std::string(words) + "\r\n") ==
            "-ERR syntax error\r\n");
    }
  }

  TEST_CASE("a failover begins when no leader is known, and ends with a ready one [P7]") {
    FailoverNews news;
    FailoverNews::Sight sight{Term{4}, false, false};
    CHECK_FALSE(news.look(sight, 10'000).has_value());  // none was known yet
    sight.ready_leader = true;
    CHECK_FALSE(news.look(sight, 10'000).has_value());
    sight.ready_leader = false;
    auto told = news.look(sight, 10'000);
    REQUIRE(told.has_value());
    CHECK(bytes_of(*told) == ">4\r\n$12\r\nFAILING_OVER\r\n:4\r\n:10\r\n$1\r\n0\r\n");
    CHECK_FALSE(news.look(sight, 10'000).has_value());
    sight = {Term{5}, true, false};
    told = news.look(sight, 10'000);
    REQUIRE(told.has_value());
    CHECK(bytes_of(*told) == ">3\r\n$11\r\nFAILED_OVER\r\n:5\r\n$1\r\n0\r\n");
    sight.hands_over = true;  // planned: before it is gone
    told = news.look(sight, 1500);
    REQUIRE(told.has_value());
    CHECK(bytes_of(*told) == ">4\r\n$12\r\nFAILING_OVER\r\n:5\r\n:2\r\n$1\r\n0\r\n");
  }

  TEST_CASE("who neither blocks nor subscribes is told, behind its replies [P7]") {
    ThreeNodes node;
    Client3 one(node, 1);
    Client3 blocked(node, 2);
    Client3 subscriber(node, 3);
    TestClient plain(node, 4);
    CHECK(blocked.send("BLPOP l 0\r\n").empty());
    subscriber.send("SUBSCRIBE a\r\n");
    node.context.tell_of_failover(failed_over_message(7));
    REQUIRE(node.delivered.size() == 1);
    CHECK(node.delivered[0].connection == 1);
    CHECK(node.later(one) == ">3\r\n$11\r\nFAILED_OVER\r\n:7\r\n$1\r\n0\r\n");
    one.send("RESET\r\n");
    node.context.tell_of_failover(failed_over_message(8));
    CHECK(node.delivered.empty());
  }

  TEST_CASE("a node that goes sends each client to one of the others, in turn, and once [P7]") {
    ThreeNodes node;
    Client3 even(node, 2);
    Client3 odd(node, 3);
    Client3 no_address(node, 4, "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type none\r\n");
    CHECK(node.context.move_clients(65, 5, two_targets) == 3);
    CHECK(node.context.clients_moving() == 3);
    REQUIRE(node.delivered.size() == 3);
    const auto sent = [&](size_t i) { return bytes_of(node.delivered[i].pushes.at(0)); };
    CHECK(sent(0) == ">4\r\n$6\r\nMOVING\r\n:65\r\n:5\r\n$13\r\n10.0.0.1:7001\r\n");
    CHECK(sent(1) == ">4\r\n$6\r\nMOVING\r\n:65\r\n:5\r\n$13\r\n10.0.0.3:7003\r\n");
    CHECK(sent(2) == ">4\r\n$6\r\nMOVING\r\n:65\r\n:5\r\n_\r\n");
    CHECK(node.context.move_clients(66, 5, two_targets) == 0);
    node.context.clients_stay();  // the drain was taken back, and begins once more
    CHECK(node.context.clients_moving() == 0);
    CHECK(node.context.move_clients(67, 5, two_targets) == 3);
  }

  TEST_CASE(
      "clients of a Sentinel's port are sent to such a port, of members that told of it [P7]") {
    ThreeNodes node;
    const raft::Configuration& members = node.context.status.raft.configuration;
    const raft::Member& first = *members.find(NodeId{1});
    CHECK(face_port(node.context, first, Face::kSentinel) == 0);
    node.context.status.links[NodeId{1}].sentinel_port = 27001;
    CHECK(face_port(node.context, first, Face::kSentinel) == 27001);
    CHECK(face_port(node.context, first, Face::kStandalone) == 7001);
    node.options.sentinel_port = 27002;
    CHECK(face_port(node.context, *members.find(NodeId{2}), Face::kSentinel) == 27002);
  }

  TEST_CASE("no target: none of IPv6, none of another port for whom keeps its port [P7]") {
    ThreeNodes node;
    node.options.port = 7003;
    Client3 keeps(node, 2);
    keeps.send("CLIENT SETINFO LIB-NAME redis-py\r\n");
    CHECK(node.context.move_clients(1, 5, [](Face, bool) {
      return std::vector<MovingTarget>{{"10.0.0.1", 7001}, {"::1", 7003}};
    }) == 0);
    CHECK(node.context.clients_moving() == 0);
    CHECK(node.context.move_clients(2, 5, two_targets) == 1);  // 10.0.0.3 has that port
    CHECK(bytes_of(node.delivered.back().pushes.at(0)).find("10.0.0.3:7003") != std::string::npos);
    CHECK(target_for({}, 3, std::nullopt) == nullptr);
    CHECK(target_for({{"10.0.0.1", 0}}, 3, std::nullopt) == nullptr);  // it shows no such face
  }

  TEST_CASE("RAFT.DRAIN asks the node, and answers [P7]") {
    ThreeNodes node;
    TestClient client(node);
    int drains = 0;
    node.context.admin.drain = [&](const AdminDone& done) {
      ++drains;
      done({});
    };
    CHECK(client.send("RAFT.DRAIN\r\n").empty());
    CHECK(node.later(client) == "+OK\r\n");
    CHECK(drains == 1);
    node.context.status.service = Service::kUninitialized;
    CHECK(client.send("RAFT.DRAIN\r\n") == "-NOCLUSTER No Raft Cluster\r\n");
  }
}

}  // namespace kiwi::resp
