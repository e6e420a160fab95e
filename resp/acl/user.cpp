#include "resp/acl/user.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/sha256.hpp"
#include "config/options_table.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::acl {

namespace {

constexpr size_t kHashDigits = 64;

constexpr uint8_t kOn = 1;
constexpr uint8_t kNoPassword = 2;
constexpr uint8_t kSanitize = 4;
constexpr uint8_t kSkipSanitize = 8;

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Takes the same time wherever the first difference is.
bool same_hash(std::string_view a, std::string_view b) {
  CHECK_INVARIANT(a.size() == kHashDigits && b.size() == kHashDigits);
  unsigned different = 0;
  for (size_t i = 0; i < kHashDigits; ++i) {
    different |= static_cast<unsigned char>(a[i] ^ b[i]);
  }
  return different == 0;
}

}  // namespace

User User::unrestricted() {
  User user;
  for (std::string_view rule : {"+@all", "~*", "&*", "on", "nopass"}) {
    const auto error = user.set(rule, {});
    CHECK_INVARIANT(!error);
  }
  return user;
}

// ---------------------------------------------------------------- rules

std::optional<RuleError> User::set(std::string_view rule, const RuleContext& context) {
  if (rule.empty() || set_flag(rule, context)) {
    return std::nullopt;
  }
  switch (rule[0]) {
    case '>':
    case '#':
    case '<':
    case '!':
      return set_password(rule[0], rule.substr(1));
    case '(':
      if (rule.back() == ')') {
        return add_selector(rule, context);
      }
      break;
    default:
      break;
  }
  return selectors_.front().set(rule, context);
}

// False: it is another rule.
bool User::set_flag(std::string_view rule, const RuleContext& context) {
  if (same_word(rule, "on") || same_word(rule, "off")) {
    on_ = rule.size() == 2;
  } else if (same_word(rule, "skip-sanitize-payload")) {
    sanitize_ = Sanitize::kSkip;
  } else if (same_word(rule, "sanitize-payload")) {
    sanitize_ = Sanitize::kYes;
  } else if (same_word(rule, "nopass")) {
    no_password_ = true;
    passwords_.clear();
  } else if (same_word(rule, "resetpass")) {
    no_password_ = false;
    passwords_.clear();
  } else if (same_word(rule, "clearselectors")) {
    selectors_.resize(1);
  } else if (same_word(rule, "reset")) {
    *this = User(context);
    sanitize_ = Sanitize::kYes;
  } else {
    return false;
  }
  return true;
}

std::optional<RuleError> User::set_password(char sign, std::string_view rest) {
  const bool plain = sign == '>' || sign == '<';
  if (!plain && !is_hash(rest)) {
    return RuleError::kBadHash;
  }
  std::string hash = plain ? sha256_hex(rest) : std::string(rest);
  const auto known = std::ranges::find(passwords_, hash);
  if (sign == '<' || sign == '!') {
    if (known == passwords_.end()) {
      return RuleError::kNoSuchPassword;
    }
    passwords_.erase(known);
    return std::nullopt;
  }
  if (known == passwords_.end()) {
    passwords_.push_back(std::move(hash));
  }
  no_password_ = false;
  return std::nullopt;
}

std::optional<RuleError> User::add_selector(std::string_view rules, const RuleContext& context) {
  CHECK_INVARIANT(rules.size() >= 2);
  Selector selector(context);
  const auto words = config::split_line(rules.substr(1, rules.size() - 2));
  for (const std::string& word : words.value_or(std::vector<std::string>())) {
    const auto error =
        word.empty() ? std::optional(RuleError::kSyntax) : selector.set(word, context);
    if (error) {
      return error;
    }
  }
  selectors_.push_back(std::move(selector));
  return std::nullopt;
}

// ---------------------------------------------------------------- logging in

bool User::accepts(std::string_view password) const { return accepts_hash(sha256_hex(password)); }

bool User::accepts_hash(std::string_view hex) const {
  return on_ && (no_password_ || std::ranges::any_of(passwords_, [&](const std::string& mine) {
                   return same_hash(mine, hex);
                 }));
}

// ---------------------------------------------------------------- texts

std::vector<std::string_view> User::flags() const {
  std::vector<std::string_view> flags{on_ ? "on" : "off"};
  if (no_password_) {
    flags.push_back("nopass");
  }
  if (sanitize_ != Sanitize::kUnsaid) {
    flags.push_back(sanitize_ == Sanitize::kSkip ? "skip-sanitize-payload" : "sanitize-payload");
  }
  return flags;
}

std::string User::describe() const {
  std::string out;
  for (std::string_view flag : flags()) {
    out.append(flag).append(" ");
  }
  for (const std::string& hash : passwords_) {
    out += "#" + hash + " ";
  }
  out += selectors_.front().describe();
  for (size_t i = 1; i < selectors_.size(); ++i) {
    out += " (" + selectors_[i].describe() + ")";
  }
  return out;
}

std::optional<std::vector<std::string>> merged_rules(std::span<const std::string_view> words,
                                                     size_t& open) {
  std::vector<std::string> rules;
  bool inside = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word.starts_with('(') && !word.ends_with(')')) {
      if (inside) {
        rules.pop_back();  // as in Redis, the one before is forgotten
      }
      rules.emplace_back(word);
      inside = true;
      open = i;
    } else if (inside) {
      rules.back().append(" ").append(word);
      inside = !word.ends_with(')');
    } else {
      rules.emplace_back(word);
    }
  }
  return inside ? std::nullopt : std::optional(std::move(rules));
}

std::string without_password(std::string_view rule) {
  if (rule.starts_with('>')) {
    return "#" + sha256_hex(rule.substr(1));
  }
  if (rule.starts_with('<')) {
    return "!" + sha256_hex(rule.substr(1));
  }
  return std::string(rule);
}

// ---------------------------------------------------------------- the record

void User::encode(std::string& out) const {
  CHECK_INVARIANT(!selectors_.empty());
  put_u8(out, static_cast<uint8_t>((on_ ? kOn : 0) | (no_password_ ? kNoPassword : 0) |
                                   (sanitize_ == Sanitize::kYes ? kSanitize : 0) |
                                   (sanitize_ == Sanitize::kSkip ? kSkipSanitize : 0)));
  put_varint(out, passwords_.size());
  for (const std::string& hash : passwords_) {
    put_sized(out, hash);
  }
  put_varint(out, selectors_.size());
  for (const Selector& selector : selectors_) {
    selector.encode(out);
  }
}

std::optional<User> User::decode(std::string_view bytes) {
  ByteReader in(bytes);
  User user;
  const auto flags = in.le<uint8_t>();
  user.on_ = (flags & kOn) != 0;
  user.no_password_ = (flags & kNoPassword) != 0;
  user.sanitize_ = (flags & kSanitize) != 0       ? Sanitize::kYes
                   : (flags & kSkipSanitize) != 0 ? Sanitize::kSkip
                                                  : Sanitize::kUnsaid;
  for (uint64_t count = in.varint(); in.ok() && count > 0; --count) {
    const std::string_view hash = in.sized();
    if (!is_hash(hash)) {
      return std::nullopt;
    }
    user.passwords_.emplace_back(hash);
  }
  user.selectors_.clear();
  for (uint64_t count = in.varint(); in.ok() && count > 0; --count) {
    std::optional<Selector> selector = Selector::decode(in);
    if (!selector) {
      return std::nullopt;
    }
    user.selectors_.push_back(std::move(*selector));
  }
  return in.done() && !user.selectors_.empty() ? std::optional(std::move(user)) : std::nullopt;
}

}  // namespace kiwi::resp::acl
