// One set of rights of a user: commands, keys, channels. Rules build it one by one, as in Redis
// 7.0. What it keeps of rules about commands is their texts in order, so that builds with other
// tables read the same record; which commands that means is this build's to say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/bytes.hpp"
#include "resp/acl/command_set.hpp"
#include "resp/acl/rule_error.hpp"

namespace kiwi::resp::acl {

enum Access : uint8_t { kReads = 1, kWrites = 2 };

struct KeyPattern {
  std::string glob;
  uint8_t access = kReads | kWrites;
  bool operator==(const KeyPattern&) const = default;
};

class Selector {
 public:
  Selector() = default;
  explicit Selector(const RuleContext& context) : all_channels_(context.all_channels) {}

  // One rule; the error: it is none, and nothing changed.
  std::optional<RuleError> set(std::string_view rule, const RuleContext& context);

  const CommandSet& commands() const { return commands_; }
  bool all_keys() const { return all_keys_; }
  bool all_channels() const { return all_channels_; }
  const std::vector<KeyPattern>& keys() const { return keys_; }
  const std::vector<std::string>& channels() const { return channels_; }
  bool has_all() const { return all_keys_ && all_channels_ && commands_.has_all(); }

  bool may_use_key(std::string_view name, uint8_t access) const;
  bool may_use_any_key(uint8_t access) const;
  // `literal`: the name is a pattern itself, and has to be one of these.
  bool may_use_channel(std::string_view name, bool literal) const;

  std::string key_rules() const;      // "~* %R~a"
  std::string channel_rules() const;  // "&a &b"
  std::string describe() const;       // all of it, as ACL LIST shows it

  // ON DISK: flags:1 (1 all keys, 2 all channels), keys: (access:1 glob)*, channels, rules; each
  // list by its length, texts by theirs.
  void encode(std::string& out) const;
  static std::optional<Selector> decode(ByteReader& in);

 private:
  std::optional<RuleError> add_key(std::string_view rule);
  std::optional<RuleError> add_channel(std::string_view rule);
  std::optional<RuleError> set_command(std::string_view rule, const RuleContext& context);
  void keep_rule(std::string text);
  void replay(std::string_view rule);

  CommandSet commands_;
  bool all_keys_ = false;
  bool all_channels_ = false;
  std::vector<KeyPattern> keys_;
  std::vector<std::string> channels_;
  std::vector<std::string> rules_;  // about commands: the first is +@all, or none is
};

}  // namespace kiwi::resp::acl
