// The command table (resp/command.hpp).
#include <set>
#include <string>

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
    CHECK((row.route == Route::kLocal) == (row.local != nullptr));
    CHECK((row.route == Route::kLocal) == (row.data == nullptr));
    CHECK((row.first_key == 0) == (row.key_step == 0));
    CHECK(((row.acl_categories & kAclFast) != 0) != ((row.acl_categories & kAclSlow) != 0));
    if (row.route == Route::kRead) {
      CHECK((row.acl_categories & kAclRead) != 0);
    }
    if (row.route == Route::kWrite) {
      CHECK((row.acl_categories & kAclWrite) != 0);
    }
  }
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
