// Whose a session is, what that user may do, and what leaves the session for it (SERVICES 5).
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/sha256.hpp"
#include "resp/session_state.hpp"
#include "tests/resp/said_users.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

using acl::User;

TEST_SUITE_BEGIN("session users");

TEST_CASE("the default user without bounds asks as nobody, and nothing of it is looked at") {
  TestNode node;
  TestClient client(node);
  CHECK(client.session.state().limited == nullptr);
  CHECK(client.send("ACL WHOAMI\r\n") == "$7\r\ndefault\r\n");
  client.send("SET a 1\r\n");
  CHECK_FALSE(client.unpacked(client.forwarded().at(0)).user);
}

TEST_CASE("a user logs in by name and password, and its commands carry its number") {
  TestNode node;
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", ">pw", "+@all", "~a*"}}});
  TestClient client(node);
  CHECK(client.send("AUTH bob nope\r\n").starts_with("-WRONGPASS"));
  CHECK(client.send("AUTH nobody pw\r\n").starts_with("-WRONGPASS"));
  CHECK(client.send("AUTH bob pw\r\n") == "+OK\r\n");
  CHECK(client.send("ACL WHOAMI\r\n") == "$3\r\nbob\r\n");
  CHECK(client.send("CLIENT INFO\r\n").find(" user=bob ") != std::string::npos);
  client.send("SET a1 1\r\nGET a1\r\n");
  for (const Request& request : client.forwarded()) {
    CHECK(client.unpacked(request).user == 7);
    client.answer(request.slot, "+OK\r\n");
  }
  client.session.take_output();
  CHECK(client.send("SET b 1\r\n") == kNoKey);
  CHECK(client.send("RESET\r\n") == "+RESET\r\n");
  CHECK(client.send("ACL WHOAMI\r\n") == "$7\r\ndefault\r\n");
}

TEST_CASE("HELLO logs in, too") {
  TestNode node;
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", ">pw"}}});
  TestClient client(node);
  CHECK(client.send("HELLO 3 AUTH bob no\r\n").starts_with("-WRONGPASS"));
  CHECK(client.send("HELLO 3 AUTH bob pw\r\n").starts_with("%7\r\n"));
  CHECK(client.send("ACL WHOAMI\r\n") ==
        "-NOPERM this user has no permissions to run the 'acl|whoami' command\r\n");
}

TEST_CASE("a user that is off cannot log in") {
  TestNode node;
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"off", "nopass", "+@all"}}});
  TestClient client(node);
  CHECK(client.send("AUTH bob x\r\n").starts_with("-WRONGPASS"));
}

TEST_CASE("a refusal breaks the block that is being queued") {
  TestNode node;
  apply(node, {{"default", 1, {"on", "nopass", "+@all", "-get", "~*"}}});
  TestClient client(node);
  CHECK(client.send("MULTI\r\n") == "+OK\r\n");
  CHECK(client.send("GET a\r\n") == kNoGet);
  CHECK(client.send("EXEC\r\n") ==
        "-EXECABORT Transaction discarded because of previous errors.\r\n");
  CHECK(client.send("PUBLISH c x\r\n") == kNoChannel);
}

TEST_CASE("a block carries the oldest version of users that one of its commands was checked by") {
  TestNode node;
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", "nopass", "+@all", "~*"}}}, 5);
  TestClient client(node);
  client.send("AUTH bob x\r\nMULTI\r\nSET a 1\r\n");
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", "nopass", "+@all", "~*"}}}, 6);
  client.session.receive("SET a 2\r\nEXEC\r\n", client.now_ms);
  const RequestBatch batch = client.session.take_requests();
  CHECK(batch.acl_version == 5);
  PackedCommand block;
  REQUIRE(unpack_command(batch.packed(batch.requests.at(0)), block));
  CHECK(block.user == 7);
  CHECK(block.commands.size() == 2);
}

TEST_CASE("what is forwarded says by which users it was checked") {
  TestNode node;
  apply(node, {{"default", 1, kFree}}, 9);
  TestClient client(node);
  client.session.receive("SET a 1\r\n", client.now_ms);
  CHECK(client.session.take_requests().acl_version == 9);
}

TEST_CASE("local commands of a block are looked at again when it is executed") {
  TestNode node;
  const std::vector<std::string> rules{"on", "nopass", "+@all", "~*"};
  apply(node, {{"default", 1, kFree}, {"bob", 7, rules}});
  TestClient client(node);
  client.send("AUTH bob x\r\nMULTI\r\nPING\r\nECHO x\r\n");
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", "nopass", "+@all", "-echo", "~*"}}}, 3);
  CHECK(client.send("EXEC\r\n") ==
        "*2\r\n+PONG\r\n-NOPERM ACLs rules changed between the moment the transaction was "
        "accumulated and the EXEC call. This command is no longer allowed for the following "
        "reason: no permission to execute the command or subcommand\r\n");
}

TEST_CASE("no password of ACL SETUSER leaves the session") {
  TestNode node;
  TestClient client(node);
  client.send("ACL SETUSER bob on >secret <older (+get ~a)\r\n");
  const PackedCommand command = client.unpacked(client.forwarded().at(0));
  CHECK(command.args == std::vector<std::string_view>{"ACL", "SETUSER", "bob", "on",
                                                      "#" + sha256_hex("secret"),
                                                      "!" + sha256_hex("older"), "(+get ~a)"});
  client.send("MULTI\r\nACL SETUSER bob >secret\r\nEXEC\r\n");
  const Request block = client.forwarded().at(0);
  CHECK(client.bytes_of(block).find("secret") == std::string_view::npos);
}

TEST_CASE("rules that are none are refused where the client is") {
  TestNode node;
  TestClient client(node);
  CHECK(client.send("ACL SETUSER bob on foo >x\r\n") ==
        "-ERR Error in ACL SETUSER modifier 'foo': Syntax error\r\n");
  CHECK(client.send("ACL SETUSER bob (>x)\r\n") ==
        "-ERR Error in ACL SETUSER modifier '(>x)': Syntax error\r\n");
  CHECK(client.send("ACL SETUSER bob +get (+set\r\n") ==
        "-ERR Unmatched parenthesis in acl selector starting at '(+set'.\r\n");
  CHECK(client.send("*3\r\n$3\r\nACL\r\n$7\r\nSETUSER\r\n$3\r\na b\r\n") ==
        "-ERR Usernames can't contain spaces or null characters\r\n");
  CHECK(client.forwarded().empty());
}

TEST_CASE("the password of CONFIG SET is the default user's, in the whole cluster") {
  TestNode node;
  TestClient client(node);
  client.send("CONFIG SET requirepass secret\r\n");
  const Request request = client.forwarded().at(0);
  const PackedCommand command = client.unpacked(request);
  CHECK(command.args == std::vector<std::string_view>{"kiwi.password", sha256_hex("secret")});
  CHECK(client.answer(request.slot, "+OK\r\n") == "+OK\r\n");
  CHECK(node.options.requirepass.empty());
  CHECK(
      client.send("CONFIG SET requirepass x timeout 5\r\n").starts_with("-ERR CONFIG SET failed"));
  CHECK(client.send("MULTI\r\nCONFIG SET requirepass x\r\n")
            .find("-ERR settings of the whole cluster are not changed inside MULTI") !=
        std::string::npos);
}

// Without a number it would pass for what nodes say themselves, which nobody is asked about.
TEST_CASE("internal commands that are made of a client's carry the default user's number, too") {
  TestNode node;
  TestClient client(node);
  client.send("CONFIG SET requirepass x\r\n");
  CHECK(client.unpacked(client.forwarded().at(0)).user == acl::kDefaultId);
}

TEST_CASE("the connections of a user that was deleted end, and others stay") {
  TestNode node;
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", "nopass", "+@all", "~*"}}});
  TestClient bob(node, 3);
  TestClient other(node, 4);
  CHECK(bob.send("AUTH bob x\r\n") == "+OK\r\n");
  bob.send("SET a 1\r\n");
  apply(node, {{"default", 1, kFree}}, 3);
  CHECK(node.closed == std::vector<ConnectionId>{3});
  CHECK_FALSE(bob.session.closing());  // it is answered what it asked
  CHECK(bob.send("GET a\r\n") == "");
  const std::vector<Request> asked = bob.forwarded();
  REQUIRE(asked.size() == 1);
  CHECK(bob.answer(asked[0].slot, "+OK\r\n") == "+OK\r\n");
  CHECK(bob.session.closing());
  CHECK(other.send("PING\r\n") == "+PONG\r\n");
}

TEST_CASE("a user that is made anew is another one") {
  TestNode node;
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", "nopass", "+@all", "~*"}}});
  TestClient bob(node, 3);
  bob.send("AUTH bob x\r\n");
  apply(node, {{"default", 1, kFree}, {"bob", 8, {"on", "nopass", "+@all", "~*"}}}, 4);
  CHECK(bob.session.closing());
}

TEST_CASE("who may not use a channel any more that it subscribed to is closed") {
  TestNode node;
  const std::vector<std::string> before{"on", "nopass", "+@all", "&a", "&b*"};
  apply(node, {{"default", 1, kFree}, {"bob", 7, before}});
  TestClient on_a(node, 3);
  TestClient on_pattern(node, 4);
  TestClient quiet(node, 5);
  for (TestClient* client : {&on_a, &on_pattern, &quiet}) {
    client->send("AUTH bob x\r\n");
  }
  CHECK(on_a.send("SUBSCRIBE a c\r\n") == kNoChannel);
  CHECK(on_a.send("SUBSCRIBE a\r\n").starts_with("*3\r\n$9\r\nsubscribe"));
  CHECK(on_pattern.send("PSUBSCRIBE b1\r\n") == kNoChannel);
  CHECK(on_pattern.send("PSUBSCRIBE b*\r\n").starts_with("*3\r\n$10\r\npsubscribe"));
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", "nopass", "+@all", "&a"}}}, 3);
  CHECK_FALSE(on_a.session.killed());
  CHECK(on_pattern.session.killed());
  CHECK_FALSE(quiet.session.killed());
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", "nopass", "+@all"}}}, 4);
  CHECK(on_a.session.killed());
}

TEST_CASE("connections keep their user when it is turned off, with the rights of now") {
  TestNode node;
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", "nopass", "+@all", "~*"}}});
  TestClient bob(node, 3);
  bob.send("AUTH bob x\r\n");
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"off", "+ping"}}}, 3);
  CHECK(bob.send("PING\r\n") == "+PONG\r\n");
  CHECK(bob.send("GET a\r\n") == kNoGet);
}

TEST_CASE("a login is refused only when what others acknowledged before is known here") {
  TestNode node;
  apply(node, {{"default", 1, kFree}});
  bool may_ask = true;
  node.context.may_ask_login = [&may_ask] { return may_ask; };
  TestClient client(node);
  CHECK(client.send("AUTH bob x\r\nPING\r\n") == "");
  const std::vector<Request> asked = client.forwarded();
  REQUIRE(asked.size() == 1);
  CHECK(client.unpacked(asked[0]).args == std::vector<std::string_view>{"kiwi.settled"});
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", ">x", "+ping"}}}, 3);
  CHECK(client.answer(asked[0].slot, "+OK\r\n") == "+OK\r\n+PONG\r\n");

  TestClient wrong(node, 8);
  CHECK(wrong.send("HELLO 3 AUTH bob y\r\n") == "");
  CHECK(wrong.answer(wrong.forwarded().at(0).slot, "+OK\r\n").starts_with("-WRONGPASS"));
  CHECK(node.context.denials.newest_first().front().object == "HELLO");

  TestClient slow(node, 9);
  CHECK(slow.send("AUTH bob y\r\n") == "");
  slow.now_ms += 600;
  slow.session.tick(slow.now_ms);
  CHECK(slow.session.take_output().starts_with("-WRONGPASS"));
  may_ask = false;
  CHECK(slow.send("AUTH bob y\r\n").starts_with("-WRONGPASS"));
  // While it catches up nobody is told for good.
  node.context.status.service = Service::kLoading;
  CHECK(slow.send("AUTH bob y\r\n").starts_with("-LOADING"));
  CHECK(slow.send("HELLO 3 AUTH bob y\r\n").starts_with("-LOADING"));
}

TEST_CASE("until the cluster has users this node's options name some") {
  TestNode node;
  User ann;
  REQUIRE_FALSE(ann.set("on", {}));
  REQUIRE_FALSE(ann.set(">pw", {}));
  REQUIRE_FALSE(ann.set("+get", {}));
  REQUIRE_FALSE(ann.set("~*", {}));
  acl::Rights own;
  own.emplace("ann", ann);
  node.options.requirepass = "secret";
  node.context.accounts.set_own(std::move(own));
  TestClient client(node);
  CHECK(client.send("PING\r\n") == "-NOAUTH Authentication required.\r\n");
  CHECK(client.send("AUTH ann pw\r\n") == "+OK\r\n");
  client.send("GET a\r\n");
  const Request get = client.forwarded().at(0);
  CHECK_FALSE(client.unpacked(get).user);  // no entry knows its number
  client.answer(get.slot, "$-1\r\n");
  client.session.take_output();
  CHECK(client.send("SET a 1\r\n").starts_with("-NOPERM"));
  CHECK(node.context.accounts.to_seed().size() == 4);

  TestClient operator_(node, 8);
  operator_.send("AUTH secret\r\n");
  CHECK(operator_.send("ACL SETUSER bob on\r\n").starts_with("-TRYAGAIN"));
  // The seed is applied: connections go on as what became of their users.
  apply(node, {{"default", 1, {"on", ">secret", "+@all", "~*", "&*"}},
               {"ann", 2, {"on", ">pw", "+get", "~*"}}});
  client.send("GET a\r\n");
  CHECK(client.unpacked(client.forwarded().at(0)).user == 2);
  CHECK(node.context.accounts.to_seed().empty());
  CHECK(node.context.accounts.ignored().empty());
}

TEST_CASE("ACL LOG shows what was refused, the latest first") {
  TestNode node;
  apply(node, {{"default", 1, {"on", "nopass", "+@all", "-get", "~a*"}}});
  TestClient client(node);
  client.send("GET a\r\nGET a\r\nSET b 1\r\nMULTI\r\nSET c 1\r\nDISCARD\r\nauth x y\r\n");
  CHECK(client.send("ACL LOG x\r\n") == "-ERR value is not an integer or out of range\r\n");
  const std::string log = client.send("ACL LOG 4\r\n");
  CHECK(
      log.starts_with("*4\r\n*14\r\n$5\r\ncount\r\n:1\r\n$6\r\nreason\r\n$4\r\nauth\r\n"
                      "$7\r\ncontext\r\n$8\r\ntoplevel\r\n$6\r\nobject\r\n$4\r\nauth\r\n"
                      "$8\r\nusername\r\n$1\r\nx\r\n$11\r\nage-seconds\r\n"));
  CHECK(log.find("$5\r\nmulti\r\n$6\r\nobject\r\n$1\r\nc\r\n") != std::string::npos);
  CHECK(log.find(":2\r\n$6\r\nreason\r\n$7\r\ncommand\r\n") != std::string::npos);
  CHECK(client.send("ACL LOG RESET\r\n") == "+OK\r\n");
  CHECK(client.send("ACL LOG\r\n") == "*0\r\n");
}

TEST_CASE("CLIENT KILL USER") {
  TestNode node;
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", "nopass"}}});
  TestClient bob(node, 3);
  bob.send("AUTH bob x\r\n");
  TestClient me(node, 4);
  CHECK(me.send("CLIENT KILL USER eve\r\n") == "-ERR No such user 'eve'\r\n");
  CHECK(me.send("CLIENT KILL USER bob\r\n") == ":1\r\n");
  CHECK(bob.session.killed());
}

TEST_CASE("renamed commands have one name, also behind RAFT") {
  TestNode node;
  REQUIRE(check_renames({{"get", "fetch"}, {"flushall", ""}}));
  CHECK_FALSE(check_renames({{"get", "set"}}));
  CHECK_FALSE(check_renames({{"nothing", "x"}}));
  node.context.renames = Renames({{"get", "fetch"}, {"flushall", ""}});
  TestClient client(node);
  CHECK(client.send("GET a\r\n").starts_with("-ERR unknown command 'GET'"));
  CHECK(client.send("RAFT FLUSHALL\r\n").starts_with("-ERR unknown command 'FLUSHALL'"));
  client.send("FETCH a\r\nRAFT RAFT fetch b\r\n");
  const std::vector<Request> asked = client.forwarded();
  REQUIRE(asked.size() == 2);
  CHECK(client.unpacked(asked[0]).args == std::vector<std::string_view>{"get", "a"});
  CHECK(client.unpacked(asked[1]).args == std::vector<std::string_view>{"get", "b"});
  // A prefix with a new name, half a million times: to copy what is behind each would take an
  // hour.
  constexpr size_t kPrefixes = 500'000;
  node.context.renames = Renames({{"raft", "r"}, {"get", "fetch"}});
  std::string many = "*" + std::to_string(kPrefixes + 2) + "\r\n";
  for (size_t i = 0; i < kPrefixes; ++i) {
    many += "$1\r\nr\r\n";
  }
  client.send(many + "$5\r\nfetch\r\n$1\r\nc\r\n");
  const std::vector<Request> last = client.forwarded();
  REQUIRE(last.size() == 1);
  CHECK(client.unpacked(last[0]).args == std::vector<std::string_view>{"get", "c"});
}

TEST_CASE("options that say where files are written are protected") {
  TestNode node;
  TestClient client(node);
  CHECK(client.send("CONFIG SET audit-log /tmp/x\r\n") ==
        "-ERR CONFIG SET failed (possibly related to argument 'audit-log') - can't set protected "
        "config\r\n");
  node.options.enable_protected_configs = config::DebugAccess::kLocal;
  CHECK(client.send("CONFIG SET audit-log /tmp/x\r\n") == "+OK\r\n");
}

TEST_CASE("protected mode turns strangers away while nobody needs a password") {
  TestNode node;
  CHECK(node.context.turns_away(false));
  CHECK_FALSE(node.context.turns_away(true));
  node.options.requirepass = "x";
  CHECK_FALSE(node.context.turns_away(false));
  node.options.requirepass.clear();
  node.options.protected_mode = false;
  CHECK_FALSE(node.context.turns_away(false));
}

TEST_CASE("the audit log has logins, refusals and what operators said, and no password") {
  TestNode node;
  std::vector<std::string> lines;
  node.context.trail = [&lines](std::string line) { lines.push_back(std::move(line)); };
  apply(node, {{"default", 1, kFree}, {"bob", 7, {"on", ">pw", "+@all", "-get"}}});
  TestClient client(node);
  client.send("AUTH bob pw\r\nGET a\r\nCONFIG SET timeout 5\r\nACL SETUSER eve >hush\r\n");
  client.answer(client.forwarded().at(0).slot, "-ERR no\r\n");
  std::string all;
  for (const std::string& line : lines) {
    CHECK(line.starts_with("{\"time\":\"2023-11-14T22:13:20.123456Z\",\"event\":\""));
    CHECK(line.ends_with("}"));
    all += line + "\n";
  }
  CHECK(all.find("\"event\":\"login\",\"user\":\"bob\"") != std::string::npos);
  CHECK(all.find("\"reason\":\"command\",\"context\":\"toplevel\",\"object\":\"get\"") !=
        std::string::npos);
  CHECK(all.find("\"command\":\"config|set\",\"args\":[\"SET\",\"timeout\",\"5\"]") !=
        std::string::npos);
  CHECK(all.find("\"command\":\"config|set\",\"outcome\":\"ok\"") != std::string::npos);
  CHECK(all.find("\"command\":\"acl|setuser\",\"outcome\":\"ERR no\"") != std::string::npos);
  CHECK(all.find("hush") == std::string::npos);
  CHECK(all.find("pw") == std::string::npos);
}

TEST_CASE("ACL GENPASS gives so many bits as hexadecimal digits") {
  TestNode node;
  node.context.random_bytes = [](size_t bytes) { return std::string(bytes, '\xa5'); };
  TestClient client(node);
  CHECK(client.send("ACL GENPASS\r\n").starts_with("$64\r\na5a5"));
  CHECK(client.send("ACL GENPASS 5\r\n") == "$2\r\na5\r\n");
  CHECK(client.send("ACL GENPASS 9\r\n") == "$3\r\na5a\r\n");
  CHECK(client.send("ACL GENPASS 0\r\n").starts_with("-ERR ACL GENPASS argument must be"));
}

TEST_CASE("ACL LOAD sends the users of the file, SAVE writes those of the cluster") {
  TestNode node;
  TestClient client(node);
  CHECK(client.send("ACL LOAD\r\n").starts_with("-ERR This Redis instance is not configured"));
  node.options.aclfile = "/f";
  node.context.read_acl_file = []() -> Result<std::string> {
    return std::string("user bob on >pw +get ~a\n");
  };
  std::string saved;
  node.context.admin.save_acl_file = [&saved](std::string text, const AdminDone& done) {
    saved = std::move(text);
    done({});
  };
  client.send("ACL LOAD\r\n");
  const Request request = client.forwarded().at(0);
  const PackedCommand command = client.unpacked(request);
  CHECK(command.args.size() == 3);
  CHECK(command.args[0] == "kiwi.users");
  CHECK(client.bytes_of(request).find("pw") == std::string_view::npos);
  client.answer(request.slot, "+OK\r\n");
  node.options.raft_max_entry_size = 1024;
  node.context.read_acl_file = []() -> Result<std::string> {
    return "user bob on ~" + std::string(1024, 'a') + "\n";
  };
  CHECK(client.send("ACL LOAD\r\n") == "-ERR the users of the file have no room\r\n");
  node.context.read_acl_file = []() -> Result<std::string> { return std::string("nonsense\n"); };
  CHECK(client.send("ACL LOAD\r\n").starts_with("-ERR /f:1 should start with user keyword"));
  client.send("ACL SAVE\r\n");
  CHECK(saved == "user default on nopass ~* &* +@all\n");
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
