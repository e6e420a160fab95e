// Who there is, as a node knows it: the users of the state as applied here. Until the state has the
// user `default`, this node's options speak for those that it lacks: requirepass, lines `user`, or
// the ACL file. Part of NodeContext; client loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "resp/acl/file.hpp"
#include "resp/acl/users.hpp"

namespace kiwi::resp {

class Accounts {
 public:
  using Users = std::shared_ptr<const acl::Users>;

  explicit Accounts(const config::Options& options);

  // Of lines, or of the ACL file, as they were when the node started.
  void set_own(acl::Rights own);
  // Of the state. `seeded`: it has the user `default`, so nobody else is asked any more.
  void set_state(Users users, bool seeded);

  const acl::Users& users() { return *current(); }
  const Users& current();
  bool login_wanted();  // the default user has a password, or is off
  // Of the state: by which a session checks.
  uint64_t version() const { return state_->version(); }
  bool seeded() const { return seeded_; }
  // What this node's options say of users that the state does not know: (name, record)*; empty:
  // nothing.
  std::vector<std::string> to_seed() const;
  // Users of whom the options say something else than the state.
  std::vector<std::string> ignored() const;
  bool says_something() const { return !own_.empty() || !options_.requirepass.empty(); }

  // Users that only this node knows have numbers from here on, which no log entry holds.
  static constexpr uint64_t kOwnIds = uint64_t{1} << 63;
  static bool is_own(uint64_t id) { return id >= kOwnIds; }

 private:
  acl::Rights rights() const;  // what the options say
  void join();

  const config::Options& options_;
  acl::Rights own_;
  Users state_ = std::make_shared<const acl::Users>();
  bool seeded_ = false;
  Users current_ = state_;
  std::string password_;  // that current_ was made with
};

}  // namespace kiwi::resp
