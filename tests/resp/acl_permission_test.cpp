// May a user do this (resp/acl/permission.hpp)? Answers of ACL DRYRUN of a redis-server 7.0.15.
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "resp/acl/denial_log.hpp"
#include "resp/acl/file.hpp"
#include "resp/acl/permission.hpp"

namespace kiwi::resp::acl {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    words.push_back(key_text::take(line, " "));
  }
  return words;
}

User user_of(const std::vector<std::string>& rules) {
  User user;
  for (const std::string& rule : rules) {
    REQUIRE_FALSE(user.set(rule, {}));
  }
  return user;
}

// "", or what stands in the way: "command", "key b", "channel c".
std::string refused(const User& user, std::string_view line) {
  const auto words = words_of(line);
  const Resolved found = resolve_command(words, kAnyVersion);
  REQUIRE(found.row != nullptr);
  const Verdict verdict = check(user, *found.row, words);
  switch (verdict.denied) {
    case Denied::kNothing:
      return "";
    case Denied::kCommand:
      return "command";
    case Denied::kKey:
      return "key " + std::string(words[verdict.position]);
    default:
      return "channel " + std::string(words[verdict.position]);
  }
}

TEST_SUITE_BEGIN("acl permission");

TEST_CASE("a command inside another one must be allowed, too") {
  const User user = user_of({"~a*", "&c", "+kiwi.fence", "+get", "+publish"});
  CHECK(refused(user, "kiwi.fence get a") == "");
  CHECK(refused(user, "kiwi.fence set a 1") == "command");
  CHECK(refused(user, "kiwi.fence get b") == "key b");
  CHECK(refused(user, "kiwi.fence publish c x") == "");
  CHECK(refused(user, "kiwi.fence publish d x") == "channel d");
  CHECK(refused(user_of({"~a*", "+get"}), "kiwi.fence get a") == "command");
}

TEST_CASE("commands and sub-commands") {
  const User user = user_of({"allkeys", "+get", "+config|get", "+select|1", "+raft.node|add"});
  CHECK(refused(user, "get a") == "");
  CHECK(refused(user, "GET a") == "");
  CHECK(refused(user, "set a 1") == "command");
  CHECK(refused(user, "config get port") == "");
  CHECK(refused(user, "config set port 1") == "command");
  CHECK(refused(user, "select 1") == "");
  CHECK(refused(user, "select 2") == "command");
  CHECK(refused(user, "raft.node ADD 2 a:1") == "");
  CHECK(refused(user, "raft.node REMOVE 2") == "command");
  CHECK(refused(user, "auth a b") == "");  // before a login all may
  CHECK(refused(user, "hello") == "");
}

TEST_CASE("keys by what is done to them") {
  const User user = user_of({"+@all", "%R~r*", "%W~w*", "~b*"});
  CHECK(refused(user, "get r1") == "");
  CHECK(refused(user, "get w1") == "key w1");
  CHECK(refused(user, "set w1 x") == "");
  CHECK(refused(user, "set r1 x") == "key r1");
  CHECK(refused(user, "set w1 x get") == "key w1");
  CHECK(refused(user, "set b1 x get") == "");
  CHECK(refused(user, "copy r1 w1") == "");
  CHECK(refused(user, "copy w1 r1") == "key w1");
  CHECK(refused(user, "mset w1 1 b1 2 c 3") == "key c");
  CHECK(refused(user, "exists x") == "key x");
  CHECK(refused(user, "dbsize") == "");
  CHECK(refused(user, "eval script 1 x") == "key x");
  CHECK(refused(user, "eval script 1 b1") == "");
}

TEST_CASE("channels: names are matched, patterns are compared") {
  const User user = user_of({"+@all", "allkeys", "&news.*", "&a"});
  CHECK(refused(user, "subscribe news.1 a") == "");
  CHECK(refused(user, "subscribe news.1 b") == "channel b");
  CHECK(refused(user, "psubscribe news.*") == "");
  CHECK(refused(user, "psubscribe news.1") == "channel news.1");
  CHECK(refused(user, "publish news.1 x") == "");
  CHECK(refused(user, "publish b a") == "channel b");
  CHECK(refused(user, "spublish b a") == "channel b");
  CHECK(refused(user, "ssubscribe a") == "");
  CHECK(refused(user, "unsubscribe b") == "");
  CHECK(refused(user, "pubsub channels") == "");
}

TEST_CASE("one selector must allow all of it; the reason is the nearest miss") {
  const User user = user_of({"+get", "~a", "(+set ~b)", "(+mget ~b ~c)"});
  CHECK(refused(user, "get a") == "");
  CHECK(refused(user, "set b 1") == "");
  CHECK(refused(user, "get b") == "key b");
  CHECK(refused(user, "set a 1") == "key a");
  CHECK(refused(user, "del a") == "command");
  CHECK(refused(user, "mget b c d") == "key d");
}

TEST_CASE("keys that a command finds by itself need the right to read all") {
  const std::vector<std::string_view> sort = words_of("sort a by w_*");
  const CommandSpec& row = *find_command("sort");
  CHECK(may_read_any_key(user_of({"+sort", "allkeys"}), row, sort));
  CHECK(may_read_any_key(user_of({"+sort", "%R~*", "~a"}), row, sort));
  CHECK_FALSE(may_read_any_key(user_of({"+sort", "~a", "%W~*"}), row, sort));
  CHECK_FALSE(may_read_any_key(user_of({"+sort", "~a", "(%R~*)"}), row, sort));
}

TEST_CASE("every command of the table can be allowed alone, and is refused without a rule") {
  for (const CommandSpec& row : all_commands()) {
    if (row.is_internal()) {
      continue;
    }
    User user;
    const std::vector<std::string_view> argv{"x"};
    CHECK(check(user, row, argv).denied ==
          ((row.flags & kNoAuth) != 0 ? Denied::kNothing : Denied::kCommand));
    REQUIRE_FALSE(user.set("+" + std::string(row.name), {}));
    CHECK(user.selectors().front().commands().may_run(row, argv));
    User of_category = user_of({"-@all"});
    for (std::string_view name : {"+@fast", "+@slow"}) {
      REQUIRE_FALSE(of_category.set(name, {}));
    }
    CHECK(of_category.selectors().front().commands().may_run(row, argv));
  }
}

// ---------------------------------------------------------------- ACL LOG

Denial denial(std::string object, int64_t at_ms) {
  Denial denial;
  denial.object = std::move(object);
  denial.user = "bob";
  denial.at_ms = at_ms;
  return denial;
}

TEST_CASE("refusals that are alike count as one, within a minute") {
  DenialLog log;
  log.add(denial("get", 0), 128);
  log.add(denial("set", 1), 128);
  log.add(denial("get", 60'000), 128);
  REQUIRE(log.newest_first().size() == 2);
  CHECK(log.newest_first().front().object == "get");
  CHECK(log.newest_first().front().count == 2);
  log.add(denial("get", 120'001), 128);
  CHECK(log.newest_first().size() == 3);
  log.add(denial("del", 120'001), 2);
  CHECK(log.newest_first().size() == 2);
  log.clear();
  CHECK(log.bytes() == 0);
}

TEST_CASE("what the log keeps is bounded in bytes") {
  DenialLog log;
  for (int i = 0; i < 20'000; ++i) {
    log.add(denial(std::string(100'000, 'k') + std::to_string(i), i), 1'000'000);
  }
  CHECK(log.newest_first().front().object.size() == DenialLog::kObjectBytes);
  CHECK(log.bytes() <= DenialLog::kBytes + 2 * DenialLog::kObjectBytes);
  Denial long_names = denial("auth", 0);  // who logs in says any name
  long_names.user = long_names.client = std::string(100'000, 'n');
  log.add(long_names, 1);
  CHECK(log.bytes() <= 3 * DenialLog::kObjectBytes);
}

// ---------------------------------------------------------------- files

TEST_CASE("an ACL file is read as it was written") {
  const auto rights =
      parse_file("user bob on >x ~a +get (+set ~b)\n\n user default off\n", "f", {});
  REQUIRE(rights);
  Users::ByName named;
  uint64_t id = kFirstId;
  for (const auto& [name, user] : *rights) {
    const uint64_t number = name == kDefaultName ? kDefaultId : id++;
    named[name] = std::make_shared<const NamedUser>(NamedUser{name, number, user});
  }
  const std::string text = file_text(Users(named, 1));
  CHECK(text.starts_with(
      "user bob on #2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 "
      "~a resetchannels -@all +get (~b resetchannels -@all +set)\n"));
  const auto again = parse_file(text, "f", {});
  REQUIRE(again);
  CHECK(again->at("bob").describe() == rights->at("bob").describe());
}

TEST_CASE("an ACL file with errors is refused with all of them") {
  const auto rights = parse_file("user bob +nothing\nbob\nuser eve on\nuser eve off\n", "/f", {});
  REQUIRE_FALSE(rights);
  CHECK(rights.error().text ==
        "/f:1: Error in applying operation '+nothing': Unknown command or category name in ACL. "
        "/f:2 should start with user keyword followed by the username. "
        "WARNING: Duplicate user 'eve' found on line 4. "
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
}

TEST_CASE(
    "of what is no name of a command an ACL file's error says no word, for it may be secret") {
  const auto rights = parse_file("user bob p4ss (~a +p4ss2) -nope\nuser eve (>p4ss3)\n", "/f", {});
  REQUIRE_FALSE(rights);
  CHECK(rights.error().text.starts_with(
      "/f:1: Syntax error. /f:1: Error in applying operation '(~a +p4ss2)': Unknown command or "
      "category name in ACL. /f:1: Error in applying operation '-nope': Unknown command or "
      "category name in ACL. /f:2: Syntax error. WARNING: "));
  CHECK(rights.error().text.find("p4ss3") == std::string::npos);
  const auto lines = parse_lines({{"bob", "<p4ss"}}, {});
  REQUIRE_FALSE(lines);
  CHECK(lines.error().text.find("p4ss") == std::string::npos);
}

TEST_CASE("lines of a configuration file") {
  const auto rights = parse_lines({{"bob", "on", "(+get", "~a)"}, {"eve"}}, {});
  REQUIRE(rights);
  CHECK(rights->at("bob").describe() == "on resetchannels -@all (~a resetchannels -@all +get)");
  CHECK_FALSE(parse_lines({{"bob"}, {"bob"}}, {}));
  CHECK_FALSE(parse_lines({{"bob", "+nothing"}}, {}));
  CHECK_FALSE(parse_lines({{"bob", "(+get"}}, {}));
  CHECK_FALSE(parse_lines({{"a b"}}, {}));
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::acl
