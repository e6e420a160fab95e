// A user: may it log in, by which passwords, and what its connections may do. A value that rules
// build one by one, as in Redis 7.0. Passwords are kept as SHA-256 only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resp/acl/selector.hpp"

namespace kiwi::resp::acl {

// Who is not named otherwise. Its number is never given to another user.
inline constexpr std::string_view kDefaultName = "default";
inline constexpr uint64_t kDefaultId = 1;
inline constexpr uint64_t kFirstId = 2;  // of the others

class User {
 public:
  // New: off, without any right.
  explicit User(const RuleContext& context = {}) : selectors_{Selector(context)} {}
  // Whom nobody ever set: on, without a password, with every right.
  static User unrestricted();

  std::optional<RuleError> set(std::string_view rule, const RuleContext& context);

  bool on() const { return on_; }
  bool needs_no_password() const { return no_password_; }
  bool accepts(std::string_view password) const;  // on, and one of its passwords
  bool accepts_hash(std::string_view hex) const;  // the same of its SHA-256
  // Nothing that it asks has to be looked at.
  bool may_do_everything() const { return selectors_.front().has_all(); }
  const std::vector<Selector>& selectors() const { return selectors_; }  // the first is its root
  const std::vector<std::string>& passwords() const { return passwords_; }

  std::vector<std::string_view> flags() const;  // in Redis' order
  std::string describe() const;                 // all of it, as ACL LIST shows it behind the name

  // ON DISK: flags:1 (1 on, 2 no password, 4 sanitize-payload, 8 skip-sanitize-payload), passwords
  // (hex), selectors, each list by its length.
  void encode(std::string& out) const;
  static std::optional<User> decode(std::string_view bytes);

 private:
  enum class Sanitize : uint8_t { kUnsaid, kYes, kSkip };

  bool set_flag(std::string_view rule, const RuleContext& context);
  std::optional<RuleError> set_password(char sign, std::string_view rest);
  std::optional<RuleError> add_selector(std::string_view rules, const RuleContext& context);

  bool on_ = false;
  bool no_password_ = false;
  Sanitize sanitize_ = Sanitize::kUnsaid;  // shown, and without a meaning: payloads are always read
  std::vector<std::string> passwords_;
  std::vector<Selector> selectors_;
};

// A selector may stand in several words: "(+get", "~a)". nullopt: one is not closed, and `open` is
// the word that opens it.
std::optional<std::vector<std::string>> merged_rules(std::span<const std::string_view> words,
                                                     size_t& open);

// The rule as it may be kept and sent: a password becomes its hash.
std::string without_password(std::string_view rule);

}  // namespace kiwi::resp::acl
