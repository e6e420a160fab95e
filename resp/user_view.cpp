#include "resp/user_view.hpp"

#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

static_assert(UserRecords::kDefault == acl::kDefaultName &&
                  UserRecords::kDefaultId == acl::kDefaultId,
              "one user is the same to both");

void UserView::refresh() {
  acl::Users::ByName fresh;
  for (const auto& [name, record] : records_->by_name()) {
    const auto before = made_of_.find(name);
    if (before != made_of_.end() && before->second == record) {
      fresh.emplace_hint(fresh.end(), name, users_->named(name));
      continue;
    }
    std::optional<acl::User> rights = acl::User::decode(record->rights);
    if (!rights) {
      fatal("the rights of a user in the state database are corrupt; replace this node's data");
    }
    fresh.emplace_hint(fresh.end(), name,
                       std::make_shared<const acl::NamedUser>(
                           acl::NamedUser{name, record->id, std::move(*rights)}));
  }
  made_of_ = records_->by_name();
  users_ = std::make_shared<const acl::Users>(std::move(fresh), records_->version());
  seen_ = records_->changes();
}

}  // namespace kiwi::resp
