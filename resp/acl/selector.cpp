#include "resp/acl/selector.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/glob.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::acl {

namespace {

constexpr uint8_t kAllKeys = 1;
constexpr uint8_t kAllChannels = 2;
constexpr uint8_t kBoth = kReads | kWrites;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower_case);
  return out;
}

std::string_view access_sign(uint8_t access) {
  switch (access) {
    case kReads:
      return "%R~";
    case kWrites:
      return "%W~";
    default:
      CHECK_INVARIANT(access == kBoth);
      return "~";
  }
}

}  // namespace

std::string_view text_of(RuleError error) {
  switch (error) {
    case RuleError::kUnknownCommand:
      return "Unknown command or category name in ACL";
    case RuleError::kSyntax:
      return "Syntax error";
    case RuleError::kKeysAfterAll:
      return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does "
             "not have any effect. Try 'resetkeys' to start with an empty list of patterns";
    case RuleError::kChannelsAfterAll:
      return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and "
             "does not have any effect. Try 'resetchannels' to start with an empty list of "
             "channels";
    case RuleError::kNoSuchPassword:
      return "The password you are trying to remove from the user does not exist";
    case RuleError::kBadHash:
      return "The password hash must be exactly 64 characters and contain only lowercase "
             "hexadecimal characters";
    case RuleError::kFirstWordOfSubcommand:
      return "Allowing first-arg of a subcommand is not supported";
    case RuleError::kDuplicateUser:
      return "Duplicate user found. A user can only be defined once in config files";
  }
  CHECK_INVARIANT(false);
  return {};
}

bool has_blanks(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return c == ' ' || c == '\0' || (c >= '\t' && c <= '\r'); });
}

// ---------------------------------------------------------------- rules

std::optional<RuleError> Selector::set(std::string_view rule, const RuleContext& context) {
  CHECK_INVARIANT(!rule.empty());
  if (same_word(rule, "allkeys") || rule == "~*") {
    all_keys_ = true;
    keys_.clear();
  } else if (same_word(rule, "resetkeys")) {
    all_keys_ = false;
    keys_.clear();
  } else if (same_word(rule, "allchannels") || rule == "&*") {
    all_channels_ = true;
    channels_.clear();
  } else if (same_word(rule, "resetchannels")) {
    all_channels_ = false;
    channels_.clear();
  } else if (same_word(rule, "allcommands") || same_word(rule, "+@all")) {
    commands_.allow_all();
    rules_ = {"+@all"};
  } else if (same_word(rule, "nocommands") || same_word(rule, "-@all")) {
    commands_.deny_all();
    rules_.clear();
  } else if (rule[0] == '~' || rule[0] == '%') {
    return add_key(rule);
  } else if (rule[0] == '&') {
    return add_channel(rule.substr(1));
  } else if (rule[0] == '+' || rule[0] == '-') {
    return set_command(rule, context);
  } else {
    return RuleError::kSyntax;
  }
  return std::nullopt;
}

std::optional<RuleError> Selector::add_key(std::string_view rule) {
  if (all_keys_) {
    return RuleError::kKeysAfterAll;
  }
  uint8_t access = rule[0] == '~' ? kBoth : 0;
  size_t at = 1;
  for (bool more = rule[0] == '%'; more && at < rule.size(); ++at) {
    const char c = lower_case(rule[at]);
    const uint8_t said = c == 'r' ? kReads : c == 'w' ? kWrites : 0;
    more = c != '~';
    if (more && (said == 0 || (access & said) != 0)) {
      return RuleError::kSyntax;
    }
    access = static_cast<uint8_t>(access | said);
  }
  const std::string_view glob = rule.substr(at);
  if (access == 0 || has_blanks(glob)) {
    return RuleError::kSyntax;
  }
  const auto known =
      std::ranges::find_if(keys_, [&](const KeyPattern& key) { return key.glob == glob; });
  if (known == keys_.end()) {
    keys_.push_back({std::string(glob), access});
  } else {
    known->access = static_cast<uint8_t>(known->access | access);
  }
  return std::nullopt;
}

std::optional<RuleError> Selector::add_channel(std::string_view glob) {
  if (all_channels_) {
    return RuleError::kChannelsAfterAll;
  }
  if (has_blanks(glob)) {
    return RuleError::kSyntax;
  }
  if (std::ranges::find(channels_, glob) == channels_.end()) {
    channels_.emplace_back(glob);
  }
  return std::nullopt;
}

std::optional<RuleError> Selector::set_command(std::string_view rule, const RuleContext& context) {
  const bool allow = rule[0] == '+';
  const std::string_view name = rule.substr(1);
  if (name.starts_with('@')) {
    const uint32_t category = category_named(name.substr(1));
    if (category == 0) {
      return RuleError::kUnknownCommand;
    }
    commands_.change_category(category, allow);
    keep_rule(lower(rule));
    return std::nullopt;
  }
  const size_t bar = name.rfind('|');
  if (!allow || bar == std::string_view::npos) {
    const CommandSpec* row = command_named(name, context.cluster_version);
    if (row == nullptr) {
      return RuleError::kUnknownCommand;
    }
    commands_.change(*row, allow);
    keep_rule(lower(rule));
    return std::nullopt;
  }
  const CommandSpec* row = command_named(name.substr(0, bar), context.cluster_version);
  if (row == nullptr) {
    return RuleError::kUnknownCommand;
  }
  if (row->is_subcommand()) {
    return RuleError::kFirstWordOfSubcommand;
  }
  if (bar + 1 == name.size()) {
    return RuleError::kSyntax;
  }
  if ((row->flags & kContainer) == 0) {
    commands_.allow_first_word(*row, name.substr(bar + 1));
    keep_rule("+" + std::string(row->name) + std::string(name.substr(bar)));
    return std::nullopt;
  }
  const CommandSpec* sub = command_named(name, context.cluster_version);
  if (sub == nullptr) {
    return RuleError::kUnknownCommand;
  }
  commands_.change(*sub, true);
  keep_rule(lower(rule));
  return std::nullopt;
}

// What it says again, of a category or a command and its sub-commands, is said by it alone: later
// rules decide about everything that earlier ones did. So there are never more rules than there are
// commands, categories and first words. Looks at texts only: builds with other tables keep the
// same.
void Selector::keep_rule(std::string text) {
  const std::string_view of = std::string_view(text).substr(1);
  const std::string_view command = of.substr(0, of.find('|'));
  // The last rules may be first words of one command, whose order is shown: one of them again
  // changes nothing.
  for (auto last = rules_.rbegin(); last != rules_.rend(); ++last) {
    const std::string_view rule = *last;
    if (of.size() == command.size() || rule[0] != '+' || text[0] != '+' ||
        rule.substr(1, command.size() + 1) != of.substr(0, command.size() + 1)) {
      break;
    }
    if (rule == text) {
      return;
    }
  }
  std::erase_if(rules_, [&](const std::string& rule) {
    const std::string_view earlier = std::string_view(rule).substr(1);
    const bool below = of.size() < earlier.size() && of[0] != '@' && earlier[of.size()] == '|';
    return earlier.starts_with(of) && (earlier.size() == of.size() || below) && earlier != "@all";
  });
  rules_.push_back(std::move(text));
}

// ---------------------------------------------------------------- rights

namespace {

// As in Redis 7.0, where no pattern but the empty one takes the empty name: not even * does.
bool takes(std::string_view glob, std::string_view name) {
  return name.empty() ? glob.empty() : glob_match(glob, name);
}

}  // namespace

bool Selector::may_use_key(std::string_view name, uint8_t access) const {
  return all_keys_ || std::ranges::any_of(keys_, [&](const KeyPattern& key) {
           return (key.access & access) == access && takes(key.glob, name);
         });
}

bool Selector::may_use_any_key(uint8_t access) const {
  return all_keys_ || std::ranges::any_of(keys_, [&](const KeyPattern& key) {
           return (key.access & access) == access && key.glob == "*";
         });
}

bool Selector::may_use_channel(std::string_view name, bool literal) const {
  return all_channels_ || std::ranges::any_of(channels_, [&](const std::string& glob) {
           return literal ? glob == name : takes(glob, name);
         });
}

// ---------------------------------------------------------------- texts

std::string Selector::key_rules() const {
  std::string out = all_keys_ ? "~*" : "";
  for (const KeyPattern& key : keys_) {
    out += out.empty() ? "" : " ";
    out += access_sign(key.access);
    out += key.glob;
  }
  return out;
}

std::string Selector::channel_rules() const {
  std::string out = all_channels_ ? "&*" : "";
  for (const std::string& glob : channels_) {
    out += out.empty() ? "&" : " &";
    out += glob;
  }
  return out;
}

std::string Selector::describe() const {
  std::string out = key_rules();
  out += out.empty() ? "" : " ";
  out += all_channels_ ? "" : "resetchannels ";
  const std::string channels = channel_rules();
  out += channels + (channels.empty() ? "" : " ");
  return out + commands_.describe();
}

// ---------------------------------------------------------------- the record

void Selector::encode(std::string& out) const {
  put_u8(out,
         static_cast<uint8_t>((all_keys_ ? kAllKeys : 0) | (all_channels_ ? kAllChannels : 0)));
  put_varint(out, keys_.size());
  for (const KeyPattern& key : keys_) {
    put_u8(out, key.access);
    put_sized(out, key.glob);
  }
  put_varint(out, channels_.size());
  for (const std::string& glob : channels_) {
    put_sized(out, glob);
  }
  put_varint(out, rules_.size());
  for (const std::string& rule : rules_) {
    put_sized(out, rule);
  }
}

std::optional<Selector> Selector::decode(ByteReader& in) {
  Selector selector;
  const auto flags = in.le<uint8_t>();
  selector.all_keys_ = (flags & kAllKeys) != 0;
  selector.all_channels_ = (flags & kAllChannels) != 0;
  bool good = (flags & ~(kAllKeys | kAllChannels)) == 0;
  for (uint64_t count = in.varint(); in.ok() && count > 0; --count) {
    const auto access = in.le<uint8_t>();
    good = good && access >= kReads && access <= kBoth;
    selector.keys_.push_back({std::string(in.sized()), access});
  }
  for (uint64_t count = in.varint(); in.ok() && count > 0; --count) {
    selector.channels_.emplace_back(in.sized());
  }
  for (uint64_t count = in.varint(); in.ok() && count > 0; --count) {
    const std::string& rule = selector.rules_.emplace_back(in.sized());
    good = good && rule.size() > 1 && (rule[0] == '+' || rule[0] == '-');
    if (good) {
      selector.replay(rule);
    }
  }
  return good && in.ok() ? std::optional(std::move(selector)) : std::nullopt;
}

// What this build does not know gives and takes nothing here.
void Selector::replay(std::string_view rule) {
  const bool allow = rule[0] == '+';
  const std::string_view name = rule.substr(1);
  if (name == "@all") {
    return allow ? commands_.allow_all() : commands_.deny_all();
  }
  if (name.starts_with('@')) {
    return commands_.change_category(category_named(name.substr(1)), allow);
  }
  if (const CommandSpec* row = command_named(name, kAnyVersion)) {
    return commands_.change(*row, allow);
  }
  const size_t bar = name.find('|');
  const CommandSpec* row = command_named(name.substr(0, bar), kAnyVersion);
  if (bar != std::string_view::npos && row != nullptr && (row->flags & kContainer) == 0) {
    commands_.allow_first_word(*row, name.substr(bar + 1));
  }
}

}  // namespace kiwi::resp::acl
