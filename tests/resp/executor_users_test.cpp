// The users of the state, and what is refused to them where commands are applied (SERVICES 5.2).
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/types/database.hpp"
#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"
#include "tests/resp/origin.hpp"

namespace kiwi::resp {
namespace {

constexpr const char* kNoSet = "-NOPERM this user has no permissions to run the 'set' command\r\n";
constexpr const char* kNoGet = "-NOPERM this user has no permissions to run the 'get' command\r\n";

std::string of_user(uint64_t user, const std::vector<std::string>& argv) {
  std::string out;
  pack_as_user(out, user, packed(argv));
  return out;
}

uint64_t id_of(Node& node, std::string_view name) {
  const acl::Users::Ptr user = node.executor().users()->named(name);
  REQUIRE(user != nullptr);
  return user->id;
}

// A batch whose origin checked it by the users of that version.
std::string write_checked(Node& node, const std::string& command, uint64_t version) {
  auto batch = std::make_shared<PendingBatch>();
  const raft::ProposalNumber number = node.next_number();
  batch->sequence = number.sequence;
  batch->ops.push_back({{1, 0}, RequestKind::kWrite, 2, {}});
  node.executor().expect(batch);
  BatchBuilder builder;
  builder.add(command);
  builder.set_acl_version(version);
  raft::Entry& entry = node.log().add(raft::EntryKind::kBatch, builder.take());
  entry.number = number;
  return Node::bytes_of(node.deliver());
}

std::string read_as(Node& node, uint64_t user, const std::vector<std::string>& argv) {
  return Node::bytes_of(node.read_effects(of_user(user, argv), RequestKind::kRead, node.clock()));
}

struct Running {
  InMemory fixture;
  Node node{fixture.keyspace()};
  Running() { node.start(); }
};

TEST_SUITE_BEGIN("executor users");

TEST_CASE("what a user asks is refused by the users of the state, whatever its origin knew") {
  Running r;
  Node& node = r.node;
  CHECK(node("acl setuser bob on nopass +set +get ~a*") == "+OK\r\n");
  const uint64_t bob = id_of(node, "bob");
  CHECK(bob == acl::kFirstId);
  CHECK(node.write(of_user(bob, {"set", "a1", "1"})) == "+OK\r\n");
  CHECK(node.write(of_user(bob, {"set", "b", "1"})) ==
        "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n");
  CHECK(read_as(node, bob, {"get", "a1"}) == "$1\r\n1\r\n");
  CHECK(node("acl setuser bob -set") == "+OK\r\n");
  CHECK(node.write(of_user(bob, {"set", "a1", "2"})) == kNoSet);
  CHECK(node("get a1") == "$1\r\n1\r\n");
  CHECK(node("acl deluser bob") == ":1\r\n");
  CHECK(node.write(of_user(bob, {"set", "a1", "3"})) == kNoSet);
  CHECK(read_as(node, bob, {"get", "a1"}) == kNoGet);
}

TEST_CASE("a user that is made anew has another number") {
  Running r;
  r.node("acl setuser bob on +set ~*");
  const uint64_t before = id_of(r.node, "bob");
  r.node("acl deluser bob");
  r.node("acl setuser bob on +set ~*");
  CHECK(id_of(r.node, "bob") > before);
  CHECK(r.node.write(of_user(before, {"set", "a", "1"})) == kNoSet);
  CHECK(r.node.write(of_user(id_of(r.node, "bob"), {"set", "a", "1"})) == "+OK\r\n");
}

TEST_CASE("a batch that was checked by the users of now is not looked at again") {
  Running r;
  r.node("acl setuser bob on +get ~*");
  const uint64_t bob = id_of(r.node, "bob");
  const uint64_t now = r.node.executor().users()->version();
  const std::string command = of_user(bob, {"set", "a", "1"});
  CHECK(write_checked(r.node, command, now - 1) == kNoSet);
  CHECK(write_checked(r.node, command, now) == "+OK\r\n");  // its origin's word
  CHECK(write_checked(r.node, command, kUnchecked) == kNoSet);
}

TEST_CASE("a change counts for what stands behind it in the same entry") {
  Running r;
  r.node("acl setuser bob on +set ~*");
  const uint64_t bob = id_of(r.node, "bob");
  BatchBuilder builder;
  builder.set_acl_version(r.node.executor().users()->version());
  for (const std::string& command :
       {of_user(bob, {"set", "a", "1"}), packed({"acl", "deluser", "bob"}),
        of_user(bob, {"set", "b", "1"})}) {
    builder.add(command);
  }
  raft::Entry& entry = r.node.log().add(raft::EntryKind::kBatch, builder.take());
  entry.number = {NodeId{2}, incarnation_of(2), 1, 1};
  r.node.deliver();
  CHECK(r.node("exists a b") == ":1\r\n");
}

TEST_CASE("the default user can be bound, and goes without a number") {
  Running r;
  CHECK(r.node("acl setuser default -set") == "+OK\r\n");
  CHECK(r.node.executor().users_seeded());
  CHECK(r.node("set a 1") == kNoSet);
  CHECK(r.node("get a") == "$-1\r\n");
  // What nodes say themselves is nobody's.
  CHECK(r.node.write(packed({"kiwi.expire", "10"})) == "+OK\r\n");
  CHECK(r.node.write(packed({"kiwi.resetdefault", std::string(64, 'a')})) == "+OK\r\n");
  CHECK(r.node("set a 1") == "+OK\r\n");
  CHECK(r.node("acl list") == "*1\r\n$110\r\nuser default on sanitize-payload #" +
                                  std::string(64, 'a') + " ~* &* +@all\r\n");
}

TEST_CASE("what a session makes of a command is allowed to who may say that") {
  Running r;
  CHECK(r.node("acl setuser default -config|set -debug -raft.upgrade") == "+OK\r\n");
  CHECK(r.node.write(of_user(1, {"kiwi.setting", "lua-steps-max", "2000000"}))
            .starts_with("-NOPERM"));
  CHECK(r.node("acl setuser default +config|set") == "+OK\r\n");
  CHECK(r.node.write(of_user(1, {"kiwi.setting", "lua-steps-max", "2000000"})) == "+OK\r\n");
}

TEST_CASE("commands of a block are refused one by one") {
  Running r;
  r.node("acl setuser bob on +get ~*");
  std::string block;
  const std::vector<std::string> commands{packed({"get", "a"}), packed({"set", "a", "1"})};
  pack_transaction(block, 0, {}, commands);
  std::string of_bob;
  pack_as_user(of_bob, id_of(r.node, "bob"), block);
  CHECK(r.node.write(of_bob) ==
        "*2\r\n$-1\r\n-NOPERM ACLs rules changed between the moment the transaction was "
        "accumulated and the EXEC call. This command is no longer allowed for the following "
        "reason: no permission to execute the command or subcommand\r\n");
  CHECK(r.node("exists a") == ":0\r\n");
}

TEST_CASE("what a command of a block changes counts for those behind it") {
  Running r;
  r.node("acl setuser bob on +@all ~*");
  std::string block;
  const std::vector<std::string> commands{packed({"set", "a", "1"}),
                                          packed({"acl", "setuser", "bob", "-set"}),
                                          packed({"set", "a", "2"})};
  pack_transaction(block, 0, {}, commands);
  std::string of_bob;
  pack_as_user(of_bob, id_of(r.node, "bob"), block);
  const uint64_t now = r.node.executor().users()->version();
  CHECK(write_checked(r.node, of_bob, now)
            .starts_with("*3\r\n+OK\r\n+OK\r\n-NOPERM ACLs rules changed between"));
  CHECK(r.node("get a") == "$1\r\n1\r\n");
}

TEST_CASE("a user who is gone watches nothing") {
  Running r;
  r.node("acl setuser bob on +watch ~*");
  const uint64_t bob = id_of(r.node, "bob");
  const auto watch = [&] {
    return Node::bytes_of(
        r.node.read_effects(of_user(bob, {"watch", "a"}), RequestKind::kWatch, r.node.clock()));
  };
  CHECK(watch() == "+OK\r\n");
  r.node("acl deluser bob");
  CHECK(watch() == "-NOPERM this user has no permissions to run the 'watch' command\r\n");
}

TEST_CASE("what a script calls is looked at for who runs it") {
  Running r;
  r.node("acl setuser bob on +eval +get +publish ~a");
  const uint64_t bob = id_of(r.node, "bob");
  const auto eval = [&](const std::string& script) {
    return write_checked(r.node, of_user(bob, {"eval", script, "0"}),
                         r.node.executor().users()->version());
  };
  CHECK(eval("return redis.call('get','a')") == "$-1\r\n");
  CHECK(eval("return redis.call('get','b')")
            .starts_with("-ERR The user executing the script can't access at least one of the "
                         "keys mentioned in the command arguments"));
  CHECK(eval("return redis.pcall('set','a','1').err")
            .find("The user executing the script can't run this command or subcommand") !=
        std::string::npos);
  CHECK(eval("return redis.call('publish','c','1')")
            .starts_with("-ERR The user executing the script can't publish to the channel"));
  CHECK(eval("return redis.acl_check_cmd('get','a')") == ":1\r\n");
  CHECK(eval("return redis.acl_check_cmd('get','b')") == "$-1\r\n");
  CHECK(r.node("exists a") == ":0\r\n");
}

TEST_CASE("SORT finds keys by itself only for who may read any") {
  Running r;
  r.node("rpush a 1 2");
  r.node("acl setuser bob on +sort_ro ~a");
  const uint64_t bob = id_of(r.node, "bob");
  CHECK(read_as(r.node, bob, {"sort_ro", "a"}) == "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  CHECK(read_as(r.node, bob, {"sort_ro", "a", "by", "w_*"}) ==
        "-ERR BY option of SORT denied due to insufficient ACL permissions.\r\n");
  CHECK(read_as(r.node, bob, {"sort_ro", "a", "by", "nosort", "get", "#"}) ==
        "-ERR GET option of SORT denied due to insufficient ACL permissions.\r\n");
  r.node("acl setuser bob %R~*");
  CHECK(read_as(r.node, bob, {"sort_ro", "a", "by", "w_*"}).starts_with("*2\r\n"));
}

TEST_CASE("who waits is looked at when it is served") {
  Held held;
  Origin& origin = held.origin;
  origin.node("acl setuser bob on +blpop ~q");
  const uint64_t bob = id_of(origin.node, "bob");
  origin.ask(5, of_user(bob, {"blpop", "q", "0"}), RequestKind::kBlocking);
  CHECK(origin.replies[5].empty());
  origin.node("acl setuser bob -blpop");
  origin.elsewhere("rpush q x");
  origin.serve_all();
  CHECK(origin.replies[5] == "-NOPERM this user has no permissions to run the 'blpop' command\r\n");
  CHECK(origin.node("llen q") == ":1\r\n");
  origin.ask(6, of_user(bob, {"blpop", "q", "0"}), RequestKind::kBlocking);
  CHECK(origin.replies[6].starts_with("-NOPERM"));
}

TEST_CASE("users survive a restart, with their numbers and their version") {
  Running r;
  r.node("acl setuser bob on >pw +@read -get ~a (+set ~b)");
  r.node("acl setuser eve on");
  r.node("acl deluser eve");
  const std::string list = r.node("acl list");
  const uint64_t version = r.node.executor().users()->version();
  Node again(r.fixture.keyspace());
  CHECK(again.executor().users()->version() == version);
  CHECK(id_of(again, "bob") == acl::kFirstId);
  CHECK(Node::bytes_of(again.read_effects(packed({"acl", "list"}), RequestKind::kRead)) == list);
}

TEST_CASE("what is undone takes its users along") {
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace);
  database.begin_entry();
  UserRecords& users = database.users();
  REQUIRE(users.put("bob", "1"));
  const uint64_t version = users.version();
  const uint64_t changes = users.changes();
  database.mark();
  REQUIRE(users.put("eve", "2"));
  REQUIRE(users.put("bob", "3"));
  users.erase("bob");
  database.undo();
  CHECK(users.version() == version);
  CHECK(users.changes() != changes);  // who looked meanwhile has to look again
  REQUIRE(users.by_name().size() == 1);
  CHECK(users.find("bob")->rights == "1");
  REQUIRE(users.put("eve", "2"));
  CHECK(users.find("eve")->id == users.find("bob")->id + 1);
}

TEST_CASE("a command that cannot be executed whole changes no user") {
  Running r;
  std::string rights;
  acl::User::unrestricted().encode(rights);
  const uint64_t version = r.node.executor().users()->version();
  CHECK(r.node.write(packed({"kiwi.users", "bob", rights, "a b", rights})) ==
        "-ERR these are no users\r\n");
  CHECK(r.node.write(packed({"acl", "setuser", "bob", "on", "foo"})) ==
        "-ERR Error in ACL SETUSER modifier 'foo': Syntax error\r\n");
  CHECK(r.node.executor().users()->version() == version);
}

TEST_CASE("the first seed counts, and users that were quicker stay") {
  Running r;
  std::string one;
  acl::User().encode(one);
  std::string free;
  acl::User::unrestricted().encode(free);
  r.node("acl setuser bob on +get");
  CHECK_FALSE(r.node.executor().users_seeded());
  CHECK(r.node.write(packed({"kiwi.seedusers", "bob", one, "ann", one, "default", free})) ==
        "+OK\r\n");
  CHECK(r.node.executor().users_seeded());
  CHECK(r.node("acl list") ==
        "*3\r\n$32\r\nuser ann off resetchannels -@all\r\n$36\r\nuser bob on resetchannels -@all "
        "+get\r\n$34\r\nuser default on nopass ~* &* +@all\r\n");
  CHECK(r.node.write(packed({"kiwi.seedusers", "eve", one})) ==
        "-ERR this cluster has users already\r\n");
}

TEST_CASE("a seed that has no room seeds nobody") {
  Running r;
  std::vector<std::string> seed{"kiwi.seedusers"};
  std::string rights;
  acl::User().encode(rights);
  for (size_t i = 0; i < UserRecords::kCount; ++i) {
    seed.push_back("user" + std::to_string(i));
    seed.push_back(rights);
  }
  CHECK(r.node.write(packed(seed)) == "-ERR the users of this node's options have no room\r\n");
  CHECK_FALSE(r.node.executor().users_seeded());
  CHECK(r.node("acl users") == "*1\r\n$7\r\ndefault\r\n");
}

TEST_CASE("a user has so many selectors and such a long name, and no more") {
  Running r;
  CHECK(r.node.write(packed({"acl", "setuser", std::string(4097, 'n'), "on"})) ==
        "-ERR the name of a user has at most 4096 bytes\r\n");
  std::vector<std::string> words{"acl", "setuser", "bob"};
  words.insert(words.end(), 63, "(+get)");
  CHECK(r.node.write(packed(words)) == "+OK\r\n");
  CHECK(r.node.write(packed({"acl", "setuser", "bob", "()"})) ==
        "-ERR a user has at most 63 selectors\r\n");
  CHECK(r.node.write(packed({"acl", "setuser", "bob", "clearselectors", "()"})) == "+OK\r\n");
}

TEST_CASE("ACL LOAD makes exactly these the users, all of them new but the default one") {
  Running r;
  r.node("acl setuser bob on +get");
  const uint64_t bob = id_of(r.node, "bob");
  std::string rights;
  acl::User().encode(rights);
  CHECK(r.node.write(packed({"kiwi.users", "bob", rights, "eve", rights})) == "+OK\r\n");
  CHECK(r.node("acl users") == "*3\r\n$3\r\nbob\r\n$7\r\ndefault\r\n$3\r\neve\r\n");
  CHECK(id_of(r.node, "bob") != bob);
  CHECK(id_of(r.node, "default") == acl::kDefaultId);
}

TEST_CASE("the password of CONFIG SET") {
  Running r;
  const std::string hash(64, '1');
  CHECK(r.node.write(packed({"kiwi.password", hash})) == "+OK\r\n");
  CHECK(r.node.executor().users()->default_user()->rights.accepts_hash(hash));
  CHECK_FALSE(r.node.executor().users()->default_user()->rights.needs_no_password());
  CHECK(r.node.write(packed({"kiwi.password"})) == "+OK\r\n");
  CHECK(r.node.executor().users()->default_user()->rights.needs_no_password());
}

TEST_CASE("there is room for so many users, and no more") {
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace);
  database.begin_entry();
  UserRecords& users = database.users();
  for (size_t i = 0; i < UserRecords::kCount; ++i) {
    REQUIRE(users.put("user" + std::to_string(i), "x"));
  }
  CHECK_FALSE(users.put("one more", "x"));
  CHECK(users.put("user1", "y"));
  CHECK_FALSE(users.put("user1", std::string(UserRecords::kBytes, 'x')));
}

TEST_CASE("clients of this node hear of refusals where they were applied, others do not") {
  InMemory fixture;
  std::vector<acl::Refusal> told;
  ExecutorOptions options;
  options.on_refusal = [&told](const acl::Refusal& refusal) { told.push_back(refusal); };
  Node node(fixture.keyspace(), options);
  node.start();
  node("acl setuser bob on +get ~a");
  const uint64_t bob = id_of(node, "bob");
  node.write(of_user(bob, {"set", "a", "1"}));
  read_as(node, bob, {"get", "b"});
  REQUIRE(told.size() == 2);
  CHECK(told[0].connection == 1);
  CHECK(told[0].object == "set");
  CHECK(told[1].denied == acl::Denied::kKey);
  CHECK(told[1].object == "b");
  node.log().batch({NodeId{2}, incarnation_of(2), 1, 1}, {of_user(bob, {"set", "a", "1"})});
  node.deliver();
  CHECK(told.size() == 2);
}

TEST_CASE("nodes with other origins have the same state, refusals included") {
  Running here;
  Running there;
  const std::vector<std::string> commands{
      packed({"acl", "setuser", "bob", "on", "+set", "~a"}), of_user(2, {"set", "a", "1"}),
      of_user(2, {"set", "b", "1"}), packed({"acl", "deluser", "bob"}),
      of_user(2, {"set", "a", "2"})};
  uint64_t sequence = 0;
  for (const std::string& command : commands) {
    here.node.write(command);
    there.node.log().batch({NodeId{1}, incarnation_of(1), 1, ++sequence}, {command});
    there.node.deliver();
  }
  CHECK(here.node.executor().state_checksum() == there.node.executor().state_checksum());
  CHECK(here.node("get a") == "$1\r\n1\r\n");
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp
