// Rules of users (resp/acl/): what they make of a user, how it is described, and its record. The
// texts are those of a redis-server 7.0.15.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "config/base/sha256.hpp"
#include "resp/acl/user.hpp"
#include "resp/acl/users.hpp"
#include "resp/command_docs.hpp"

namespace kiwi::resp::acl {
namespace {

std::optional<RuleError> apply(User& user, const std::vector<std::string>& rules) {
  for (const std::string& rule : rules) {
    if (const auto error = user.set(rule, {})) {
      return error;
    }
  }
  return std::nullopt;
}

User user_of(const std::vector<std::string>& rules) {
  User user;
  REQUIRE_FALSE(apply(user, rules));
  return user;
}

std::string described(const std::vector<std::string>& rules) { return user_of(rules).describe(); }

User read_again(const User& user) {
  std::string record;
  user.encode(record);
  std::optional<User> read = User::decode(record);
  REQUIRE(read);
  std::string again;
  read->encode(again);
  CHECK(again == record);
  return *read;
}

TEST_SUITE_BEGIN("acl rules");

TEST_CASE("a new user is off and may do nothing") {
  const User user;
  CHECK(user.describe() == "off resetchannels -@all");
  CHECK_FALSE(user.may_do_everything());
  CHECK_FALSE(user.accepts(""));
}

TEST_CASE("the user whom nobody set may do everything without a password") {
  const User user = User::unrestricted();
  CHECK(user.describe() == "on nopass ~* &* +@all");
  CHECK(user.may_do_everything());
  CHECK(user.accepts("whatever"));
}

TEST_CASE("passwords are kept as hashes, each once, and taken away again") {
  const std::string hash = sha256_hex("secret");
  CHECK(hash == "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b");
  User user = user_of({"on", ">secret", "#" + hash});
  CHECK(user.passwords() == std::vector<std::string>{hash});
  CHECK(user.accepts("secret"));
  CHECK_FALSE(user.accepts("Secret"));
  CHECK(user.set("<other", {}) == RuleError::kNoSuchPassword);
  CHECK_FALSE(user.set("<secret", {}));
  CHECK_FALSE(user.accepts("secret"));
  CHECK(user.set("#2BB8", {}) == RuleError::kBadHash);
  CHECK(user.set("!" + std::string(64, 'A'), {}) == RuleError::kBadHash);
}

TEST_CASE("nopass takes the passwords away, and a password takes nopass away") {
  User user = user_of({"on", ">a", "nopass"});
  CHECK(user.passwords().empty());
  CHECK(user.accepts("anything"));
  CHECK_FALSE(apply(user, {">a"}));
  CHECK_FALSE(user.accepts("anything"));
  CHECK_FALSE(apply(user, {"off"}));
  CHECK_FALSE(user.accepts("a"));
}

TEST_CASE("what is sent of a rule holds no password") {
  CHECK(without_password(">secret") == "#" + sha256_hex("secret"));
  CHECK(without_password("<secret") == "!" + sha256_hex("secret"));
  CHECK(without_password("+get") == "+get");
  CHECK(without_password("") == "");
}

TEST_CASE("key patterns: both kinds of access, each pattern once") {
  CHECK(described({"~a", "%R~b", "%w~c", "%RW~d"}) == "off ~a %R~b %W~c ~d resetchannels -@all");
  CHECK(described({"%R~a", "%W~a"}) == "off ~a resetchannels -@all");
  CHECK(described({"~a", "resetkeys", "~b"}) == "off ~b resetchannels -@all");
  User user = user_of({"allkeys"});
  CHECK(user.set("~a", {}) == RuleError::kKeysAfterAll);
  CHECK(user.set("%RR~a", {}) == RuleError::kKeysAfterAll);
  User none;
  CHECK(none.set("%RR~a", {}) == RuleError::kSyntax);
  CHECK(none.set("%X~a", {}) == RuleError::kSyntax);
  CHECK(none.set("%~a", {}) == RuleError::kSyntax);
  CHECK(none.set("~a b", {}) == RuleError::kSyntax);
}

TEST_CASE("channels") {
  CHECK(described({"&a", "&b*", "&a"}) == "off resetchannels &a &b* -@all");
  CHECK(described({"&a", "allchannels"}) == "off &* -@all");
  User user = user_of({"&*"});
  CHECK(user.set("&a", {}) == RuleError::kChannelsAfterAll);
  RuleContext open;
  open.all_channels = true;
  CHECK(User(open).describe() == "off &* -@all");
  User reset = user_of({"+get", "on"});
  CHECK_FALSE(reset.set("reset", open));
  CHECK(reset.describe() == "off sanitize-payload &* -@all");
}

TEST_CASE("commands, sub-commands and categories") {
  CHECK(described({"+@all"}) == "off resetchannels +@all");
  CHECK(described({"+@all", "-get"}) == "off resetchannels +@all -get");
  CHECK(described({"+get", "+SET"}) == "off resetchannels -@all +get +set");
  CHECK(described({"+@all", "-@dangerous"}) == "off resetchannels +@all -@dangerous");
  CHECK(described({"+config|get"}) == "off resetchannels -@all +config|get");
  CHECK(described({"+@hash", "-@hash"}) == "off resetchannels -@all");
  User user;
  CHECK(user.set("+nothing", {}) == RuleError::kUnknownCommand);
  CHECK(user.set("+config|nothing", {}) == RuleError::kUnknownCommand);
  CHECK(user.set("-get|a", {}) == RuleError::kUnknownCommand);
  CHECK(user.set("+@nothing", {}) == RuleError::kUnknownCommand);
  CHECK(user.set("+config|get|a", {}) == RuleError::kFirstWordOfSubcommand);
  CHECK(user.set("+select|", {}) == RuleError::kSyntax);
  CHECK(user.set("nothing", {}) == RuleError::kSyntax);
  CHECK(user.set("+kiwi.expire", {}) == RuleError::kUnknownCommand);
}

TEST_CASE("first words of commands without sub-commands, RAFT.NODE among them") {
  CHECK(described({"+select|0", "+select|1", "+select|0"}) ==
        "off resetchannels -@all +select|0 +select|1");
  CHECK(described({"+select|0", "+select"}) == "off resetchannels -@all +select");
  CHECK(described({"+select|0", "-select"}) == "off resetchannels -@all");
  CHECK(described({"+raft.node|add"}) == "off resetchannels -@all +raft.node|add");
}

TEST_CASE("selectors") {
  CHECK(described({"on", "(+get ~a)", "(%R~b +set)"}) ==
        "on resetchannels -@all (~a resetchannels -@all +get) (%R~b resetchannels -@all +set)");
  CHECK(described({"(+get)", "clearselectors"}) == "off resetchannels -@all");
  User user;
  CHECK(user.set("(+nothing)", {}) == RuleError::kUnknownCommand);
  CHECK(user.set("(>a)", {}) == RuleError::kSyntax);
  CHECK(user.set("(on)", {}) == RuleError::kSyntax);
  CHECK(user.selectors().size() == 1);
}

TEST_CASE("selectors may stand in several words") {
  const std::vector<std::string_view> words{"on", "(+get", "~a)", "+set"};
  size_t open = 0;
  CHECK(merged_rules(words, open) == std::vector<std::string>{"on", "(+get ~a)", "+set"});
  const std::vector<std::string_view> broken{"on", "(+get", "~a"};
  CHECK_FALSE(merged_rules(broken, open));
  CHECK(open == 1);
}

TEST_CASE("commands of a later cluster version are unknown") {
  for (const CommandSpec& row : all_commands()) {
    if (row.cluster_version > 1 && !row.is_internal()) {
      RuleContext early;
      early.cluster_version = row.cluster_version - 1;
      User user;
      CHECK(user.set("+" + std::string(row.name), early) == RuleError::kUnknownCommand);
    }
  }
  const RuleContext first{.cluster_version = 1};
  User user;
  CHECK_FALSE(user.set("+get", first));
}

TEST_CASE("a user who was described can be set by the description") {
  const User user =
      user_of({"on", ">a", "%R~k*", "&c", "+@read", "-get", "+select|1", "(+@all -@dangerous ~b)"});
  std::string words = user.describe();
  std::vector<std::string> rules{"reset"};
  size_t at = 0;
  for (size_t depth = 0, begin = 0; at <= words.size(); ++at) {
    const char c = at < words.size() ? words[at] : ' ';
    depth += c == '(' ? 1 : 0;
    depth -= c == ')' ? 1 : 0;
    if (c == ' ' && depth == 0) {
      rules.push_back(words.substr(begin, at - begin));
      begin = at + 1;
    }
  }
  User again = user_of(rules);
  CHECK(again.describe().substr(again.describe().find('#')) == words.substr(words.find('#')));
}

// Rules that are dropped from the record, since later ones say the same, must change nothing.
TEST_CASE("a user who was read from its record may do the same, whatever the rules were") {
  Prng random(20);
  std::vector<std::string> choices{
      "+@all",       "-@all",   "+select|0",     "+select|1",      "-select", "+config|get",
      "-config|get", "-config", "+config",       "+raft.node|add", "~a*",     "%R~b",
      "resetkeys",   "&c",      "resetchannels", "allkeys"};
  for (std::string_view name : acl_names()) {
    choices.push_back("+@" + std::string(name));
    choices.push_back("-@" + std::string(name));
  }
  for (const CommandSpec& row : all_commands()) {
    if (!row.is_internal() && random.next() % 4 == 0) {
      choices.push_back("+" + std::string(row.name));
      choices.push_back("-" + std::string(row.name));
    }
  }
  for (int round = 0; round < 300; ++round) {
    User user;
    for (uint64_t rules = random.next() % 30; rules > 0; --rules) {
      user.set(choices[random.next() % choices.size()],
               {});  // some are errors, which change nothing
    }
    const User read = read_again(user);
    CHECK(read.describe() == user.describe());
  }
}

TEST_CASE("records that are no records are refused") {
  std::string record;
  user_of({"on", ">a", "~k", "&c", "+get", "(+set)"}).encode(record);
  for (size_t size = 0; size < record.size(); ++size) {
    CHECK_FALSE(User::decode(std::string_view(record).substr(0, size)));
  }
  CHECK_FALSE(User::decode(record + "x"));
}

// ON DISK.
TEST_CASE("golden bytes of a record") {
  std::string record;
  user_of({"on", "nopass", "%R~k", "&c", "+@read", "-get"}).encode(record);
  const std::string golden(
      "\x03\x00\x01\x00\x01\x01\x01k\x01\x01"
      "c\x02\x06+@read\x04-get",
      24);
  CHECK(record == golden);
}

TEST_CASE("users are found by name and by number, and one is always there") {
  const Users nobody;
  REQUIRE(nobody.named("default"));
  CHECK(nobody.default_is_free());
  CHECK(nobody.version() == 0);
  Users::ByName some;
  some["bob"] = std::make_shared<const NamedUser>(NamedUser{"bob", 7, user_of({"on", "+get"})});
  const Users users(some, 3);
  CHECK(users.with_id(7) == users.named("bob"));
  CHECK(users.with_id(8) == nullptr);
  CHECK(users.by_name().size() == 2);
  CHECK_FALSE(users.named("bob")->is_free());
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::acl
