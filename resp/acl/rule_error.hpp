// Why a rule of a user cannot be taken, and what decides what a rule means beside its text.
#pragma once

#include <cstdint>
#include <string_view>

#include "resp/command.hpp"

namespace kiwi::resp::acl {

enum class RuleError : uint8_t {
  kUnknownCommand,  // or category
  kSyntax,
  kKeysAfterAll,
  kChannelsAfterAll,
  kNoSuchPassword,
  kBadHash,
  kFirstWordOfSubcommand,
  kDuplicateUser,
};

// Redis' words.
std::string_view text_of(RuleError error);

struct RuleContext {
  uint32_t cluster_version = kAnyVersion;  // commands of later ones are unknown
  bool all_channels = false;               // acl-pubsub-default: what is new may use all of them
};

// Blanks and NUL have no place in names and patterns: they are written into lines of words.
bool has_blanks(std::string_view text);

}  // namespace kiwi::resp::acl
