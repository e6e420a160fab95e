// The users of a state as values that can be asked (acl/users.hpp), made of their records when
// those changed. Users whose records stayed are shared with the ones before. Part of a Context, on
// the executor's thread; what it gives is read anywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "resp/acl/users.hpp"
#include "resp/types/user_records.hpp"

namespace kiwi::resp {

class UserView {
 public:
  explicit UserView(const UserRecords& records) : records_(&records) {}

  using Ptr = std::shared_ptr<const acl::Users>;
  const Ptr& get() {
    if (records_ != nullptr && seen_ != records_->changes()) {
      refresh();
    }
    return users_;
  }
  // From now on these: of a view of the state, whose records are not loaded.
  void stay(Ptr users) {
    users_ = std::move(users);
    records_ = nullptr;
  }

 private:
  void refresh();

  const UserRecords* records_;
  std::optional<uint64_t> seen_;
  UserRecords::ByName made_of_;
  Ptr users_ = std::make_shared<const acl::Users>();
};

}  // namespace kiwi::resp
