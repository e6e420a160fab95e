#include "resp/acl/users.hpp"

#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp::acl {

Users::Users() : Users(ByName(), 0) {}

Users::Users(ByName users, uint64_t version) : by_name_(std::move(users)), version_(version) {
  Ptr& by_name = by_name_[std::string(kDefaultName)];
  if (by_name == nullptr) {
    by_name = std::make_shared<const NamedUser>(
        NamedUser{std::string(kDefaultName), kDefaultId, User::unrestricted()});
  }
  default_ = by_name;
  CHECK_INVARIANT(default_->is_default());
  default_is_free_ = default_->is_free();
  for (const auto& [name, user] : by_name_) {
    const bool is_new = by_id_.emplace(user->id, user).second;
    CHECK_INVARIANT(is_new && user->name == name);
  }
}

Users::Ptr Users::named(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

Users::Ptr Users::with_id(uint64_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

}  // namespace kiwi::resp::acl
