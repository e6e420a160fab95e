// The users of the state, as tests of sessions say them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/acl/users.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {

struct Said {
  std::string name;
  uint64_t id = 0;
  std::vector<std::string> rules;
};

// The users of the state as applied on this node.
inline void apply(TestNode& node, const std::vector<Said>& users, uint64_t version = 2) {
  acl::Users::ByName all;
  for (const Said& said : users) {
    acl::User user;
    for (const std::string& rule : said.rules) {
      REQUIRE_FALSE(user.set(rule, {}));
    }
    all[said.name] =
        std::make_shared<const acl::NamedUser>(acl::NamedUser{said.name, said.id, user});
  }
  const bool seeded = all.contains("default");
  node.context.take_users(std::make_shared<const acl::Users>(std::move(all), version), seeded);
}

inline const std::vector<std::string> kFree{"on", "nopass", "+@all", "~*", "&*"};

inline constexpr const char* kNoGet =
    "-NOPERM this user has no permissions to run the 'get' command\r\n";
inline constexpr const char* kNoKey =
    "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n";
inline constexpr const char* kNoChannel =
    "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n";

}  // namespace kiwi::resp
