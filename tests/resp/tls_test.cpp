// What clients that speak TLS are told and how they log in: redirections, CONFIG SET, certificates.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/session_state.hpp"
#include "tests/resp/router_harness.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {

TEST_CASE("MOVED names a port that speaks TLS to clients that do") {
  RouterOptions options = RouterHarness::default_options();
  options.follower_proxy = false;
  RouterHarness h(options);
  h.up(RouterHarness::kOther);
  const auto answer = [&h](ConnectionId connection, bool tls) {
    RequestBatch batch;
    batch.connection = connection;
    batch.tls = tls;
    batch.face = Face::kRedisRaft;
    pack_command(batch.buffer, 0, std::vector<std::string_view>{"GET", "foo"});
    Request request;
    request.slot = 1;
    request.size = static_cast<uint32_t>(batch.buffer.size());
    batch.requests.push_back(request);
    h.router.requests(std::move(batch), h.now);
    h.turn();
    return h.reply(connection, 1);
  };
  CHECK(answer(11, true) == error_line("CLUSTERDOWN No raft leader"));  // it has no such port
  h.router.set_leader_tls_address("127.0.0.1:7502");
  CHECK(answer(12, true) == error_line("MOVED 12182 127.0.0.1:7502"));
  CHECK(answer(13, false) == error_line("MOVED 12182 127.0.0.1:7002"));
}

TEST_CASE("clients that speak TLS are shown where it is spoken, the others where it is not") {
  TestNode node;
  raft::Status& raft = node.context.status.raft;
  raft.id = NodeId{2};
  raft.leader = NodeId{1};
  for (const uint64_t id : {1, 2, 3}) {
    const std::string host = "10.0.0." + std::to_string(id);
    raft.configuration.members.push_back(
        {NodeId{id}, {}, host + ":700" + std::to_string(id), host + ":1700" + std::to_string(id)});
    raft.configuration.voters.push_back(NodeId{id});
  }
  node.context.status.links[NodeId{1}] = {.up = true, .connected_at_ms = 1000};
  node.options.tls_port = 7502;
  node.options.raft_addr = "10.0.0.2:7002";
  node.context.status.links[NodeId{1}].tls_client_address = "10.0.0.1:7501";
  node.context.status.links[NodeId{3}] = {.up = true,
                                          .connected_at_ms = 1000};  // it has told of no such port
  TestClient client(node);
  client.session.state().info.face = Face::kRedisRaft;
  const std::string plain = client.send("CLUSTER SLOTS\r\n");
  client.session.state().info.tls = true;
  const std::string tls = client.send("CLUSTER SLOTS\r\n");
  for (const int id : {1, 2, 3}) {
    CHECK(plain.find(":700" + std::to_string(id) + "\r\n") != std::string::npos);
  }
  std::string expected = plain;
  for (const int id : {1, 2}) {
    const std::string port = ":700" + std::to_string(id) + "\r\n";
    expected.replace(expected.find(port), port.size(), ":750" + std::to_string(id) + "\r\n");
  }
  CHECK(tls == expected);
  CHECK(client.send("INFO replication\r\n").find("\r\nmaster_port:7501\r\n") != std::string::npos);
  client.session.state().info.tls = false;
  CHECK(client.send("INFO replication\r\n").find("\r\nmaster_port:7001\r\n") != std::string::npos);
}

TEST_CASE("CONFIG SET of a tls option reads the files first, and changes nothing if that fails") {
  TestNode node;
  int loads = 0;
  bool works = false;
  node.context.reload_tls = [&](const config::Options& wanted) -> Result<void> {
    ++loads;
    CHECK(wanted.tls_cert_file == "/a.crt");
    return works ? Result<void>() : Result<void>(Error{Errc::kInvalid, "/a.crt is none"});
  };
  TestClient client(node);
  CHECK(client.send("CONFIG SET timeout 5 TLS-cert-file /a.crt\r\n") ==
        "-ERR CONFIG SET failed (possibly related to argument 'TLS-cert-file') - Unable to update "
        "TLS configuration: /a.crt is none\r\n");
  CHECK(node.options.timeout == 0);
  CHECK(node.options.tls_cert_file.empty());
  works = true;
  CHECK(client.send("CONFIG SET timeout 5 tls-cert-file /a.crt\r\n") == "+OK\r\n");
  CHECK(node.options.tls_cert_file == "/a.crt");
  // The same name again: the file may be another one.
  CHECK(client.send("CONFIG SET tls-cert-file /a.crt\r\n") == "+OK\r\n");
  CHECK(client.send("CONFIG SET timeout 6\r\n") == "+OK\r\n");
  CHECK(loads == 3);
}

TEST_CASE("a certificate logs in the user it names, if the option says so") {
  TestNode node;
  node.options.requirepass = "secret";
  const auto answer = [&node](ConnectionId id, const std::string& name) {
    SessionInfo info;
    info.id = id;
    info.tls = true;
    info.certificate_name = name;
    Session session(node.context, std::move(info), 0);
    session.receive("PING\r\n", 0);
    return session.take_output();
  };
  CHECK(answer(5, "default") == "-NOAUTH Authentication required.\r\n");
  node.options.tls_auth_clients_user = config::TlsUserOf::kCommonName;
  CHECK(answer(6, "default") == "+PONG\r\n");
  CHECK(answer(7, "Default") == "-NOAUTH Authentication required.\r\n");
  CHECK(answer(8, "") == "-NOAUTH Authentication required.\r\n");
  acl::Rights own;
  for (const std::string_view name : {"reader", "leaver"}) {
    acl::User& user = own.emplace(std::string(name), acl::User()).first->second;
    for (const std::string_view rule : {"on", "+ping"}) {
      REQUIRE_FALSE(user.set(rule, {}));
    }
  }
  REQUIRE_FALSE(own.at("leaver").set("off", {}));
  node.context.accounts.set_own(std::move(own));
  CHECK(answer(9, "reader") == "+PONG\r\n");
  CHECK(answer(10, "leaver") == "-NOAUTH Authentication required.\r\n");
}

}  // namespace kiwi::resp
