// The command table (resp/command.hpp).
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/command.hpp"

namespace kiwi::resp {
namespace {

TEST_CASE("a command is found by its name in any case, and by nothing else") {
  const CommandSpec* get = find_command("get");
  REQUIRE(get != nullptr);
  CHECK(get->name == "get");
  CHECK(find_command("GET") == get);
  CHECK(find_command("gEt") == get);
  for (const char* name :
       {"", "ge", "gett", "get ", "g\0t", "get|x", "config|get", "@GET", "[get"}) {
    CAPTURE(name);
    CHECK(find_command(name) == nullptr);
  }
  CHECK(find_command(std::string(100000, 'x')) == nullptr);
}

TEST_CASE("every row is found under its name and holds together") {
  std::set<std::string_view> names;
  for (const CommandSpec& row : all_commands()) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    bool sub_command = row.name.find('|') != std::string_view::npos;
    CHECK((find_command(row.name) == &row) == !sub_command);
    CHECK(row.arity != 0);
    const bool here = row.route == Route::kLocal || row.route == Route::kAdmin;
    CHECK(here == (row.local != nullptr));
    CHECK(here == (row.data == nullptr));
    CHECK((row.first_key == 0) == (row.key_step == 0));
    if (row.route == Route::kAdmin) {
      CHECK((row.flags & kNoMulti) != 0);  // a block has no place for an answer that comes later
    }
    CHECK((row.route_of == nullptr || row.route == Route::kWrite));
    CHECK((row.cost == nullptr || row.is_data()));
    CHECK(((row.flags & kBlocking) != 0) == (row.waiting != nullptr));
    CHECK(row.cluster_version >= 1);
    // SERVICES: who may do what. What nobody else than an operator may do says so.
    if (row.name.starts_with("raft.") || row.is_internal()) {
      CHECK((row.acl_categories & (kAclAdmin | kAclDangerous)) == (kAclAdmin | kAclDangerous));
    }
    for (std::string_view fact : {"\nsummary ", "\nsince ", "\ngroup "}) {
      CHECK(row.text.find(fact) != std::string_view::npos);
    }
    CHECK(((row.acl_categories & kAclFast) != 0) != ((row.acl_categories & kAclSlow) != 0));
    // What a script may do is asked for each of its commands; libraries are written, as in Redis.
    const bool scripting = (row.acl_categories & kAclScripting) != 0;
    if (row.route == Route::kRead) {
      CHECK(((row.acl_categories & kAclRead) != 0) == (!scripting && (row.flags & kNeutral) == 0));
    }
    if (row.route == Route::kWrite) {  // messages are no data
      const bool data = !scripting || row.name.starts_with("function|");
      CHECK(((row.acl_categories & kAclWrite) != 0) ==
            (row.role != SessionRole::kPublish && data && (row.flags & kNeutral) == 0));
    }
  }
}

TEST_CASE("what the session does beside running a command is a role in its row") {
  std::set<std::string_view> special;
  for (const CommandSpec& row : all_commands()) {
    if (row.role != SessionRole::kNone) {
      special.insert(row.name);
    }
  }
  CHECK(special ==
        std::set<std::string_view>{
            "acl|load",        "acl|log",        "acl|save",       "client|kill",    "client|pause",
            "client|tracking", "client|unblock", "client|unpause", "config|rewrite", "config|set",
            "debug",           "exec",           "kiwi.fault",     "kiwi.once",      "kiwi.read",
            "kiwi.seq",        "monitor",        "select",         "raft",           "publish",
            "spublish",        "subscribe",      "psubscribe",     "ssubscribe",     "unsubscribe",
            "punsubscribe",    "sunsubscribe",   "wait",           "waitaof"});
}

TEST_CASE("rows say what COMMAND INFO of Redis 7.0 says") {
  const CommandSpec* set = find_command("set");
  CHECK(set->arity == -3);
  CHECK(set->route == Route::kWrite);
  CHECK(set->flags == kDenyOom);
  CHECK(set->acl_categories == (kAclWrite | kAclString | kAclSlow));
  const CommandSpec* mset = find_command("mset");
  CHECK(mset->first_key == 1);
  CHECK(mset->last_key == -1);
  CHECK(mset->key_step == 2);
  const CommandSpec* flushall = find_command("flushall");
  CHECK(flushall->acl_categories == (kAclKeyspace | kAclWrite | kAclSlow | kAclDangerous));
}

TEST_CASE("a row of a later cluster version is unknown until the cluster has it") {
  const std::vector<std::string_view> get{"GET", "k"};
  CHECK(resolve_command(get, 1).row == find_command("get"));
  CHECK(resolve_command(get, 0).row == nullptr);  // every row came with version 1
  const std::vector<std::string_view> sub{"CONFIG", "GET", "x"};
  CHECK(resolve_command(sub, 1).row->name == "config|get");
  const std::vector<std::string_view> later{"kiwi.test.later", "k"};
  CHECK(resolve_command(later, 1).row == nullptr);
  CHECK(resolve_command(later, 2).row == find_command("kiwi.test.later"));
}

TEST_CASE("a command that only reads with some arguments is routed by them") {
  const CommandSpec& row = *find_command("kiwi.test.store");
  const std::vector<std::string_view> reads{"kiwi.test.store", "k"};
  const std::vector<std::string_view> writes{"kiwi.test.store", "k", "STORE", "other"};
  CHECK(route_of(row, reads) == Route::kRead);
  CHECK(route_of(row, writes) == Route::kWrite);
  CHECK(route_of(*find_command("get"), reads) == Route::kRead);
}

// A read without a cost may be executed where entries are applied: behind a write of its client,
// many at a time, and never put aside.
TEST_CASE("a read that is not fast has a cost, or stands here because it looks at few records") {
  std::set<std::string_view> without;
  for (const CommandSpec& row : all_commands()) {
    if (row.route == Route::kRead && row.cost == nullptr && (row.flags & kFast) == 0) {
      without.insert(row.name);
    }
  }
  CHECK(without == std::set<std::string_view>{"acl|dryrun",          // one user, its own words
                                              "acl|getuser",         // one user
                                              "acl|list",            // of users, who are bounded
                                              "acl|users",           // the same
                                              "function|stats",      // one record
                                              "geodist",             // two members
                                              "kiwi.producer|get",   // one record
                                              "kiwi.producer|list",  // a page, bounded
                                              "kiwi.settled",        // nothing
                                              "lindex",              // one element
                                              "object|encoding",     // one key
                                              "object|freq",         // one key
                                              "object|idletime",     // one key
                                              "object|refcount",     // one key
                                              "getrange",  // what the reply holds, as with GET
                                              "substr"});  // the same
}

TEST_CASE("sub-commands are found through their container") {
  const CommandSpec* config = find_command("config");
  REQUIRE(config != nullptr);
  const CommandSpec* get = find_subcommand(*config, "GET");
  REQUIRE(get != nullptr);
  CHECK(get->name == "config|get");
  CHECK(find_subcommand(*config, "") == nullptr);
  CHECK(find_subcommand(*config, "nothing") == nullptr);
  CHECK(find_subcommand(*find_command("get"), "get") == nullptr);
}

}  // namespace
}  // namespace kiwi::resp
