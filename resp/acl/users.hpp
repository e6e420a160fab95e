// All users at one moment, by name and by number: what is asked who may do what. It never changes:
// whoever changes users makes another one, which shares those that stayed. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "resp/acl/user.hpp"

namespace kiwi::resp::acl {

struct NamedUser {
  std::string name;
  uint64_t id = 0;  // never given to two users of a cluster
  User rights;

  bool is_default() const { return id == kDefaultId; }
  // The default user without any bound: nothing it asks is looked at, and nobody says its number.
  bool is_free() const { return is_default() && rights.may_do_everything(); }
};

class Users {
 public:
  using Ptr = std::shared_ptr<const NamedUser>;
  using ByName = std::map<std::string, Ptr, std::less<>>;

  Users();  // nobody but the default user, whom nobody ever set
  // `version` counts the changes that led here. Without a default user there is that of nobody.
  Users(ByName users, uint64_t version);

  const ByName& by_name() const { return by_name_; }  // the default user, too
  Ptr named(std::string_view name) const;             // nullptr: there is none
  Ptr with_id(uint64_t id) const;
  const Ptr& default_user() const { return default_; }
  bool default_is_free() const { return default_is_free_; }
  uint64_t version() const { return version_; }

 private:
  ByName by_name_;
  std::unordered_map<uint64_t, Ptr> by_id_;
  Ptr default_;
  bool default_is_free_ = true;
  uint64_t version_ = 0;
};

}  // namespace kiwi::resp::acl
