// Who there is, for this node: the users that its options name, until the cluster has some, and
// those of the state; the seed of the first, the way back in for who is locked out, the ACL file
// and the audit log. Thin; on the client loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/node/audit_file.hpp"
#include "actors/node/node_parts.hpp"
#include "config/base/result.hpp"

namespace kiwi::actors {

class UsersShell {
 public:
  explicit UsersShell(NodeParts& node);

  Result<void> open();  // before the first client; an error: the options are wrong
  void fill();          // what the context lends to sessions
  void users_applied();
  void options_changed();
  void timer();

 private:
  bool may_ask_login();
  void seed(int64_t now_ms);
  void reset_default_user(int64_t now_ms);
  void propose(const std::vector<std::string>& words) const;
  Result<std::string> read_acl_file() const;
  void save_acl_file(std::string text, resp::AdminDone done);

  NodeParts& node_;
  AuditFile audit_;
  int64_t serves_since_ms_ = -1;
  int64_t next_seed_ms_ = 0;
  int seeds_ = 0;  // that were proposed
  int64_t next_reset_ms_ = 0;
  bool reset_done_ = false;
  bool said_ignored_ = false;
  int64_t asks_since_ms_ = 0;  // logins that asked the cluster in this second
  int asks_ = 0;
};

}  // namespace kiwi::actors
