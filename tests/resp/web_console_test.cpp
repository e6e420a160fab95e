// The console's side of the node: logins, what locked and unlocked ones may do, what a page of
// somebody else may not.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/parser.hpp"
#include "resp/web/assets.hpp"
#include "resp/web/console_rules.hpp"
#include "tests/resp/console_world.hpp"
#include "tests/resp/said_users.hpp"

namespace kiwi::resp::web {
namespace {

TEST_SUITE("console") {
  TEST_CASE("on this machine a node without a password lets in, from elsewhere it does not") {
    World world;
    CHECK(world.status(Method::kGet, "/api/state") == 401);
    WebRequest far = world.request(Method::kPost, "/api/login", body_of({"default", ""}));
    far.loopback = false;
    CHECK(world.ask(far).status == 403);
    CHECK(world.log_in().status == 200);
    CHECK(world.said.empty());
    CHECK(world.set_cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"));
    CHECK(world.status(Method::kGet, "/api/state") == 200);
    CHECK(world.status(Method::kGet, "/api/session") == 200);
  }

  TEST_CASE("a password is asked of the node itself, and guessing has an end") {
    World world;
    world.node.options.requirepass = "secret";
    world.reply = "-WRONGPASS no\r\n";
    for (size_t i = 0; i < Console::kFailures; ++i) {
      CHECK(world.log_in("wrong").status == 401);
    }
    CHECK(world.said.back() == body_of({"AUTH", "default", "wrong"}));
    CHECK(world.lines == 0);
    world.reply = "+OK\r\n";
    CHECK(world.log_in("secret").status == 429);
    WebRequest other = world.request(Method::kPost, "/api/login", body_of({"default", "secret"}));
    other.address = "::1";
    CHECK(world.ask(other).status == 200);  // who guesses keeps nobody else out
    world.now_ms += Console::kFailuresMs + 1;
    CHECK(world.log_in("secret").status == 200);
    CHECK(world.lines == 2);
    world.full = true;
    CHECK(world.log_in("secret").status == 503);
  }

  TEST_CASE("what another site's page makes a browser send is refused") {
    World world;
    world.log_in();
    CHECK(world.command({"GET", "k"}) == 200);
    const auto altered = [&world](auto change) {
      WebRequest request = world.request(Method::kPost, "/api/command?db=0", body_of({"GET", "k"}));
      change(request);
      return world.ask(request).status;
    };
    CHECK(altered([](WebRequest& r) { r.origin = "http://evil.example"; }) == 403);
    CHECK(altered([](WebRequest& r) { r.origin = ""; }) == 403);
    CHECK(altered([](WebRequest& r) { r.origin = "null"; }) == 403);
    CHECK(altered([](WebRequest& r) { r.origin = "http://localhost:7380"; }) == 403);
    CHECK(altered([](WebRequest& r) { r.token = ""; }) == 403);
    CHECK(altered([](WebRequest& r) { r.token[0] = 'f'; }) == 403);
    CHECK(altered([](WebRequest& r) { r.cookie = ""; }) == 401);
    CHECK(altered([&world](WebRequest& r) { r.cookie = "xkiwi_7379=" + world.cookie; }) == 401);
    CHECK(altered([](WebRequest& r) { r.method = Method::kGet; }) == 404);
    CHECK(altered([](WebRequest& r) { r.method = Method::kOther; }) == 405);
    CHECK(altered([](WebRequest&) {}) == 200);
  }

  TEST_CASE("a login only looks until changes are unlocked, and not for long then") {
    World world;
    world.log_in();
    CHECK(world.command({"SET", "k", "v"}) == 423);
    CHECK(world.command({"CONFIG", "SET", "timeout", "1"}) == 423);
    CHECK(world.status(Method::kPost, "/api/drain") == 423);
    CHECK_FALSE(world.drained);
    CHECK(world.status(Method::kPost, "/api/unlock", body_of({""})) == 200);
    CHECK(world.command({"SET", "k", "v"}) == 200);
    CHECK(world.said.back() == body_of({"SET", "k", "v"}));
    CHECK(world.status(Method::kPost, "/api/drain") == 200);
    CHECK(world.drained);
    CHECK(world.command({"SUBSCRIBE", "c"}) == 422);
    world.now_ms += Console::kUnlockedMs;
    CHECK(world.command({"SET", "k", "v"}) == 423);
    CHECK(world.status(Method::kPost, "/api/unlock", body_of({""})) == 200);
    CHECK(world.status(Method::kDelete, "/api/unlock") == 200);
    CHECK(world.command({"SET", "k", "v"}) == 423);
  }

  TEST_CASE("only who may say RAFT.DRAIN drains") {
    World world;
    acl::User user = acl::User::unrestricted();
    REQUIRE_FALSE(user.set("-raft.drain", {}));
    acl::Rights own;
    own.emplace("default", user);
    world.node.context.accounts.set_own(std::move(own));
    world.log_in();
    CHECK(world.status(Method::kPost, "/api/unlock", body_of({""})) == 200);
    CHECK(world.status(Method::kPost, "/api/drain") == 403);
    CHECK_FALSE(world.drained);
  }

  TEST_CASE("with a password, only that unlocks") {
    World world;
    world.node.options.requirepass = "secret";
    world.reply = "+OK\r\n";
    CHECK(world.log_in("secret").status == 200);
    world.reply = "-WRONGPASS no\r\n";
    CHECK(world.status(Method::kPost, "/api/unlock", body_of({"wrong"})) == 401);
    world.reply = "$-1\r\n";
    CHECK(world.command({"SET", "k", "v"}) == 423);
    world.reply = "+OK\r\n";
    CHECK(world.status(Method::kPost, "/api/unlock", body_of({"secret"})) == 200);
    CHECK(world.said.back() == body_of({"AUTH", "default", "secret"}));
  }

  TEST_CASE("logins end: idle, old, too many, with their connection, by hand") {
    World world;
    world.log_in();
    world.now_ms += Console::kIdleMs;
    CHECK(world.command({"GET", "k"}) == 200);
    // A page before which nobody sits asks on.
    world.now_ms += Console::kIdleMs;
    CHECK(world.status(Method::kGet, "/api/state") == 200);
    CHECK(world.command({"SLOWLOG", "GET"}, "0&watch") == 200);
    world.now_ms += 1;
    CHECK(world.status(Method::kGet, "/api/state") == 401);
    CHECK(world.lines == 0);
    world.log_in();
    for (int64_t slept = 0; slept <= Console::kLifeMs; slept += Console::kIdleMs) {
      world.status(Method::kGet, "/api/session");
      world.now_ms += Console::kIdleMs;
    }
    CHECK(world.status(Method::kGet, "/api/state") == 401);
    for (size_t i = 0; i < Console::kLogins + 5; ++i) {
      world.log_in();
      ++world.now_ms;
    }
    CHECK(world.console->logins() == Console::kLogins);
    CHECK(world.lines == Console::kLogins);
    world.reply = "";
    CHECK(world.command({"GET", "k"}) == 502);
    CHECK(world.status(Method::kGet, "/api/state") == 401);
    world.log_in();
    CHECK(world.status(Method::kDelete, "/api/login") == 200);
    CHECK(world.status(Method::kGet, "/api/state") == 401);
    world.now_ms += Console::kIdleMs + 1;
    world.console->tick();
    CHECK(world.console->logins() == 0);
    CHECK(world.lines == 0);
  }

  TEST_CASE("commands that wait have a bound, and are answered when their reply comes") {
    World world;
    world.log_in();
    world.holds = true;
    for (size_t i = 0; i < Console::kAsked; ++i) {
      CHECK(world.command({"GET", "k"}) == 0);
    }
    CHECK(world.command({"GET", "k"}) == 429);
    CHECK(world.held.size() == 1);  // one at a time
    world.held[0](":1\r\n");
    CHECK(world.held.size() == 2);
    CHECK(world.command({"GET", "k"}) == 0);
    CHECK(world.command({"GET", "k"}) == 429);
  }

  TEST_CASE("a command runs in its own database or not at all") {
    World world;
    world.log_in();
    world.status(Method::kPost, "/api/unlock", body_of({""}));
    world.holds = true;
    CHECK(world.command({"SET", "k", "1"}, "3") == 0);
    CHECK(world.command({"SET", "k", "2"}, "0") == 0);
    CHECK(world.said == std::vector<std::string>{body_of({"SELECT", "3"})});
    world.held[0]("+OK\r\n");
    world.held[1]("+OK\r\n");
    world.held[2]("+OK\r\n");
    CHECK(world.said ==
          std::vector<std::string>{body_of({"SELECT", "3"}), body_of({"SET", "k", "1"}),
                                   body_of({"SELECT", "0"}), body_of({"SET", "k", "2"})});
    world.held[3]("+OK\r\n");
    world.holds = false;
    world.said.clear();
    world.selected = "-NOPERM no\r\n";
    const WebAnswer answer =
        world.ask(world.request(Method::kPost, "/api/command?db=3", body_of({"DEL", "k"})));
    CHECK(answer.body == "{\"reply\":{\"error\":\"NOPERM no\"}}");
    CHECK(world.said == std::vector<std::string>{body_of({"SELECT", "3"})});
    CHECK(world.command({"GET", "k"}) == 200);  // where it is already
    CHECK(world.said.back() == body_of({"GET", "k"}));
  }

  TEST_CASE("a connection that ends answers all that was asked") {
    World world;
    world.log_in();
    world.holds = true;
    std::vector<unsigned> answers;
    for (size_t i = 0; i < 3; ++i) {
      world.console->handle(
          world.request(Method::kPost, "/api/command?db=1", body_of({"GET", "k"})),
          [&answers](const WebAnswer& told) { answers.push_back(told.status); });
    }
    for (size_t i = 0; i < world.held.size(); ++i) {
      std::exchange(world.held[i], {})("");
    }
    CHECK(answers == std::vector<unsigned>{502, 502, 502});
    world.held.clear();
    CHECK(world.console->logins() == 0);
    CHECK(world.lines == 0);
  }

  TEST_CASE("a login may what its user may") {
    World world;
    acl::User narrow;
    for (const char* rule : {"on", ">secret", "+get", "~k"}) {
      REQUIRE_FALSE(narrow.set(rule, {}));
    }
    acl::User wide = narrow;
    for (const char* rule : {"+info", "+raft.drain"}) {
      REQUIRE_FALSE(wide.set(rule, {}));
    }
    world.node.options.requirepass = "secret";
    world.node.context.accounts.set_own({{"narrow", narrow}, {"wide", wide}});
    world.reply = "+OK\r\n";
    for (const bool may : {false, true}) {
      CHECK(world.log_in("secret", may ? "wide" : "narrow").status == 200);
      CHECK(world.status(Method::kGet, "/api/state") == (may ? 200 : 403));
      CHECK(world.status(Method::kPost, "/api/unlock", body_of({"secret"})) == 200);
      CHECK(world.status(Method::kPost, "/api/drain") == (may ? 200 : 403));
      CHECK(world.drained == may);
    }
  }

  TEST_CASE("a later user of the same name is not the one who logged in") {
    World world;
    const std::vector<std::string> rules{"on", ">secret", "+info", "+raft.drain"};
    apply(world.node, {{"default", acl::kDefaultId, {"on", ">other"}}, {"ann", 3, rules}});
    world.reply = "+OK\r\n";
    CHECK(world.log_in("secret", "ann").status == 200);
    CHECK(world.status(Method::kPost, "/api/unlock", body_of({"secret"})) == 200);
    CHECK(world.status(Method::kGet, "/api/state") == 200);
    apply(world.node, {{"default", acl::kDefaultId, {"on", ">other"}}}, 3);
    CHECK(world.status(Method::kGet, "/api/state") == 403);
    apply(world.node, {{"default", acl::kDefaultId, {"on", ">other"}}, {"ann", 4, rules}}, 4);
    CHECK(world.status(Method::kGet, "/api/state") == 403);
    CHECK(world.status(Method::kPost, "/api/drain") == 403);
    CHECK_FALSE(world.drained);
    CHECK(world.log_in("secret", "ann").status == 200);
    CHECK(world.status(Method::kGet, "/api/state") == 200);
  }

  TEST_CASE("a login of this node's own user holds when the cluster takes that user in") {
    World world;
    acl::User user;
    for (const char* rule : {"on", ">secret", "+info"}) {
      REQUIRE_FALSE(user.set(rule, {}));
    }
    world.node.context.accounts.set_own({{"ann", user}});
    world.reply = "+OK\r\n";
    CHECK(world.log_in("secret", "ann").status == 200);
    apply(world.node,
          {{"default", acl::kDefaultId, {"on"}}, {"ann", 3, {"on", ">secret", "+info"}}});
    CHECK(world.status(Method::kGet, "/api/state") == 200);
  }

  TEST_CASE("the audit log tells of drains, of those that were refused, too") {
    World world;
    std::vector<std::string> lines;
    world.node.context.trail = [&lines](std::string line) { lines.push_back(std::move(line)); };
    world.log_in();
    CHECK(world.status(Method::kPost, "/api/unlock", body_of({""})) == 200);
    CHECK(world.status(Method::kPost, "/api/drain") == 200);
    CHECK(world.status(Method::kDelete, "/api/drain") == 200);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] ==
          "{\"time\":\"2023-11-14T22:13:20.123456Z\",\"event\":\"command\",\"user\":\"default\","
          "\"address\":\"127.0.0.1\",\"connection\":0,\"command\":\"raft.drain\","
          "\"args\":[\"http\",\"on\"]}");
    CHECK(lines[1].ends_with("\"args\":[\"http\",\"off\"]}"));
    audit_drain(world.node.context, {true, true, "ann", "::1"});
    CHECK(lines.back().find("\"event\":\"refused\",\"user\":\"ann\"") != std::string::npos);
    CHECK(lines.back().ends_with("\"object\":\"raft.drain\"}"));
  }

  TEST_CASE("protected mode holds for the console") {
    World world;
    acl::User other;
    for (const char* rule : {"on", ">secret", "+@all", "~*"}) {
      REQUIRE_FALSE(other.set(rule, {}));
    }
    world.node.context.accounts.set_own({{"other", other}});
    world.reply = "+OK\r\n";
    WebRequest far = world.request(Method::kPost, "/api/login", body_of({"other", "secret"}));
    far.loopback = false;
    far.address = "192.0.2.7";
    CHECK(world.ask(far).status == 403);
    world.node.options.protected_mode = false;
    CHECK(world.ask(far).status == 200);
  }

  TEST_CASE("commands with other names here are what they were") {
    World world;
    world.node.context.renames = Renames({{"flushall", "wipe"}, {"get", ""}, {"monitor", "spy"}});
    world.log_in();
    CHECK(world.command({"WIPE"}) == 423);
    CHECK(world.command({"SPY"}) == 422);
    CHECK(world.command({"GET", "k"}) == 200);  // the node says that there is none
    CHECK(world.said == std::vector<std::string>{body_of({"GET", "k"})});
  }

  TEST_CASE("bodies that are no command, and databases that are none, are refused") {
    World world;
    world.log_in();
    for (const char* bad : {"", "GET k\r\n", "*0\r\n", "*1\r\n$3\r\nGET", "*-1\r\n", "*1\r\n:1\r\n",
                            "*1\r\n$4\r\nPING\r\nx", "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n"}) {
      CHECK_MESSAGE(world.status(Method::kPost, "/api/command?db=0", bad) == 400, bad);
    }
    for (const char* target : {"/api/command?db=-1", "/api/command?db=16", "/api/command?db=x",
                               "/api/command?db=1&x=2"}) {
      CHECK_MESSAGE(world.status(Method::kPost, target, body_of({"PING"})) == 400, target);
    }
    CHECK(world.said.empty());
    CHECK(world.status(Method::kPost, "/api/other") == 404);
  }

  TEST_CASE("of every command it is known whether it only looks") {
    const auto rule = [](const std::vector<std::string>& words) {
      const std::vector<std::string_view> argv(words.begin(), words.end());
      return console_rule(argv, kAnyVersion);
    };
    for (const CommandSpec& row : all_commands()) {
      if (row.is_internal() || row.is_subcommand() || (row.flags & kContainer) != 0) {
        continue;
      }
      const size_t words =
          row.arity < 0 ? static_cast<size_t>(-row.arity) : static_cast<size_t>(row.arity);
      std::vector<std::string> argv(words, "1");
      argv[0] = row.name;
      const ConsoleRule found = rule(argv);
      if (row.is_data() && row.route == Route::kWrite && row.route_of == nullptr) {
        CHECK_MESSAGE(found != ConsoleRule::kLooks, argv[0]);
      }
      if (row.route == Route::kAdmin) {
        CHECK_MESSAGE(found != ConsoleRule::kLooks, argv[0]);
      }
      for (const SessionRole role : {SessionRole::kSubscribe, SessionRole::kPrefix,
                                     SessionRole::kOnce, SessionRole::kReadLevel}) {
        CHECK_MESSAGE((row.role != role || found == ConsoleRule::kNever), argv[0]);
      }
    }
    CHECK(rule({"GET", "k"}) == ConsoleRule::kLooks);
    CHECK(rule({"get", "k"}) == ConsoleRule::kLooks);
    CHECK(rule({"SCAN", "0"}) == ConsoleRule::kLooks);
    CHECK(rule({"EVAL", "return 1", "0"}) == ConsoleRule::kChanges);
    CHECK(rule({"EVAL_RO", "return 1", "0"}) == ConsoleRule::kLooks);
    CHECK(rule({"CONFIG", "GET", "*"}) == ConsoleRule::kLooks);
    CHECK(rule({"CONFIG", "SET", "timeout", "1"}) == ConsoleRule::kChanges);
    CHECK(rule({"CLIENT", "LIST"}) == ConsoleRule::kLooks);
    CHECK(rule({"CLIENT", "KILL", "ID", "1"}) == ConsoleRule::kChanges);
    CHECK(rule({"CLIENT", "REPLY", "OFF"}) == ConsoleRule::kNever);
    CHECK(rule({"SLOWLOG", "GET"}) == ConsoleRule::kLooks);
    CHECK(rule({"SLOWLOG", "RESET"}) == ConsoleRule::kChanges);
    CHECK(rule({"RAFT.NODE", "REMOVE", "2"}) == ConsoleRule::kChanges);
    CHECK(rule({"RAFT.TRACE", "GET"}) == ConsoleRule::kLooks);
    CHECK(rule({"RAFT.TRACE", "ON", "1"}) == ConsoleRule::kChanges);
    CHECK(rule({"RAFT", "SET", "k", "v"}) == ConsoleRule::kNever);
    CHECK(rule({"SHUTDOWN"}) == ConsoleRule::kChanges);
    CHECK(rule({"FLUSHALL"}) == ConsoleRule::kChanges);
    CHECK(rule({"PUBLISH", "c", "m"}) == ConsoleRule::kChanges);
    CHECK(rule({"BLPOP", "k", "0"}) == ConsoleRule::kNever);
    CHECK(rule({"XREAD", "BLOCK", "0", "STREAMS", "k", "$"}) == ConsoleRule::kNever);
    CHECK(rule({"XREAD", "STREAMS", "k", "0"}) == ConsoleRule::kLooks);
    CHECK(rule({"MULTI"}) == ConsoleRule::kNever);
    CHECK(rule({"WAITAOF", "1", "1", "0"}) == ConsoleRule::kNever);
    CHECK(rule({"KIWI.READ", "STALE"}) == ConsoleRule::kNever);
    CHECK(rule({"KIWI.ONCE", "t", "BLPOP", "k", "0"}) == ConsoleRule::kNever);
    CHECK(rule({"KIWI.FENCE", "GET", "k"}) == ConsoleRule::kLooks);
    CHECK(rule({"KIWI.FENCE", "SET", "k", "v"}) == ConsoleRule::kChanges);
    CHECK(rule({"AUTH", "x"}) == ConsoleRule::kNever);
    CHECK(rule({"MONITOR"}) == ConsoleRule::kNever);
    CHECK(rule({"SORT", "k"}) == ConsoleRule::kLooks);
    CHECK(rule({"SORT", "k", "STORE", "d"}) == ConsoleRule::kChanges);
    CHECK(rule({"NOSUCH"}) == ConsoleRule::kLooks);
    CHECK(rule({"SET", "k"}) == ConsoleRule::kLooks);  // the node says what is wrong
  }

  TEST_CASE("the page is in the program, and its files ask for nothing from elsewhere") {
    std::map<std::string_view, std::string_view> files;
    for (const Asset& asset : console_assets()) {
      files[asset.path] = asset.bytes;
    }
    CHECK(files.count("/") == 1);
    CHECK(files.count("/console/main.js") == 1);
    for (const auto& [path, bytes] : files) {
      for (const char* bad : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
                              "eval(", "new Function", "https://", "srcdoc"}) {
        CHECK_MESSAGE(bytes.find(bad) == std::string_view::npos, path, ": ", bad);
      }
    }
    const std::string_view page = files["/"];
    CHECK(page.find("<script>") == std::string_view::npos);
    CHECK(page.find("style=") == std::string_view::npos);
  }

  TEST_CASE("what the page shows of the node is JSON, also of a leader with followers") {
    World world;
    raft::Status& raft = world.node.context.status.raft;
    raft.id = NodeId{1};
    raft.role = raft::Role::kLeader;
    raft.configuration.members.resize(2);
    raft.configuration.members[0].id = NodeId{1};
    raft.configuration.members[1].id = NodeId{2};
    raft.configuration.members[1].client_address = "h\"x:1";
    raft.peers.resize(1);
    raft.peers[0].member.id = NodeId{2};
    raft.peers[0].lag_entries = 4;
    const std::string state = console_state(world.node.context, true);
    CHECK(state.starts_with("{\"now_ms\":"));
    CHECK(state.find("\"address\":\"h\\\"x:1\",\"voter\":false,\"self\":false,\"linked\":false,"
                     "\"lag_entries\":4") != std::string::npos);
    CHECK(state.find("\"drained\":true") != std::string::npos);
    CHECK(std::ranges::count(state, '{') == std::ranges::count(state, '}'));
  }
}

}  // namespace
}  // namespace kiwi::resp::web
