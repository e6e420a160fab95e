// Users who are gone, and connections that were let in before their node knew better (SERVICES 5).
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/session_state.hpp"
#include "tests/resp/said_users.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

using acl::User;

TEST_SUITE_BEGIN("session users");

TEST_CASE("local commands of a block whose user is deleted meanwhile are refused") {
  TestNode node;
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", "nopass", "+@all", "~*"}}});
  TestClient bob(node);
  bob.send("AUTH bob x\r\nMULTI\r\nSET a 1\r\nCONFIG SET timeout 7\r\nEXEC\r\n");
  const std::vector<Request> asked = bob.forwarded();
  REQUIRE(asked.size() == 1);
  apply(node, {{"default", 1, kFree}}, 3);
  const std::string reply = bob.answer(asked[0].slot, "*1\r\n+OK\r\n");
  CHECK(reply.starts_with("*2\r\n+OK\r\n-NOPERM"));
  CHECK(node.options.timeout != 7);
  CHECK(node.context.denials.newest_first().front().user == "bob");
  CHECK(bob.session.closing());
}

TEST_CASE("who was let in before the node knew of a password has to say it") {
  TestNode node;
  node.context.status.service = Service::kLoading;
  TestClient early(node, 3);
  CHECK(early.send("PING\r\n") == "+PONG\r\n");
  apply(node, {{"default", 1, {"on", ">pw", "+@all", "~*", "&*"}}});
  CHECK(early.send("CONFIG SET timeout 7\r\n") == "-NOAUTH Authentication required.\r\n");
  CHECK(early.send("AUTH pw\r\n") == "+OK\r\n");
  apply(node, {{"default", 1, {"on", ">other", "+@all", "~*", "&*"}}}, 3);
  CHECK(early.send("PING\r\n") == "+PONG\r\n");  // as in Redis, who is in stays in
}

TEST_CASE("who is in when the first password is set stays in") {
  TestNode node;
  node.context.status.service = Service::kUninitialized;
  TestClient founder(node, 3);
  node.context.status.service = Service::kUp;
  TestClient other(node, 4);
  apply(node, {{"default", 1, {"on", ">pw", "+@all", "~*", "&*"}}});
  CHECK(founder.send("PING\r\n") == "+PONG\r\n");
  CHECK(other.send("PING\r\n") == "+PONG\r\n");
}

TEST_CASE("what RAFT.DEBUG EXEC executes is looked at, too") {
  TestNode node;
  apply(node, {{"default", 1, {"on", "nopass", "+raft.debug", "+get", "~a*"}}});
  TestClient client(node);
  CHECK(client.send("RAFT.DEBUG EXEC GET b\r\n") == kNoKey);
  CHECK(client.send("RAFT.DEBUG EXEC TTL a\r\n").starts_with("-NOPERM"));
  client.send("RAFT.DEBUG EXEC GET a\r\n");
  CHECK(client.forwarded().size() == 1);
}

TEST_CASE("requirepass is the default user's unless its line names passwords") {
  const auto accepts = [](const std::vector<std::string>& rules, std::string_view password) {
    TestNode node;
    node.options.requirepass = "rp";
    User user;
    for (const std::string& rule : rules) {
      REQUIRE_FALSE(user.set(rule, {}));
    }
    acl::Rights own;
    own.emplace("default", user);
    node.context.accounts.set_own(std::move(own));
    return node.context.accounts.users().default_user()->rights.accepts(password);
  };
  CHECK(accepts({"on", ">a", "+@all"}, "a"));
  CHECK_FALSE(accepts({"on", ">a", "+@all"}, "rp"));
  CHECK(accepts({"on", "nopass", "+@all"}, "rp"));
  CHECK_FALSE(accepts({"on", "nopass", "+@all"}, "a"));
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
