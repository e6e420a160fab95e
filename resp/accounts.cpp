#include "resp/accounts.hpp"

#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

Accounts::Accounts(const config::Options& options) : options_(options) {}

void Accounts::set_own(acl::Rights own) {
  own_ = std::move(own);
  join();
}

void Accounts::set_state(Users users, bool seeded) {
  CHECK_INVARIANT(users != nullptr);
  state_ = std::move(users);
  seeded_ = seeded;
  join();
}

// A password that was given to the options meanwhile counts at once.
const Accounts::Users& Accounts::current() {
  if (!seeded_ && password_ != options_.requirepass) {
    join();
  }
  return current_;
}

bool Accounts::login_wanted() {
  const acl::User& rights = users().default_user()->rights;
  return !rights.on() || !rights.needs_no_password();
}

acl::Rights Accounts::rights() const {
  acl::Rights rights = own_;
  const auto [user, is_new] = rights.emplace(acl::kDefaultName, acl::User::unrestricted());
  // Who names the default user with passwords means those, as in Redis; who names it without one
  // and gives requirepass does not mean it to be open.
  if (!options_.requirepass.empty() && user->second.passwords().empty()) {
    for (const std::string& rule : {std::string("resetpass"), ">" + options_.requirepass}) {
      const auto error = user->second.set(rule, {});
      CHECK_INVARIANT(!error);
    }
  }
  return rights;
}

void Accounts::join() {
  password_ = options_.requirepass;
  if (seeded_ || !says_something()) {
    current_ = state_;
    return;
  }
  acl::Users::ByName all = state_->by_name();
  uint64_t id = kOwnIds;
  for (auto& [name, user] : rights()) {
    const bool is_default = name == acl::kDefaultName;
    if (is_default || !all.contains(name)) {
      all[name] = std::make_shared<const acl::NamedUser>(
          acl::NamedUser{name, is_default ? acl::kDefaultId : id++, user});
    }
  }
  current_ = std::make_shared<const acl::Users>(std::move(all), state_->version());
}

std::vector<std::string> Accounts::ignored() const {
  std::vector<std::string> names;
  if (!says_something()) {
    return names;
  }
  for (const auto& [name, user] : rights()) {
    const acl::Users::Ptr has = state_->named(name);
    if (has == nullptr || has->rights.describe() != user.describe()) {
      names.push_back(name);
    }
  }
  return names;
}

std::vector<std::string> Accounts::to_seed() const {
  std::vector<std::string> words;
  if (seeded_ || !says_something()) {
    return words;
  }
  for (const auto& [name, user] : rights()) {
    words.push_back(name);
    user.encode(words.emplace_back());
  }
  return words;
}

}  // namespace kiwi::resp
