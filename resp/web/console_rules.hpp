// What the console lets a command do. It is no wall against somebody who has the password, who may
// open a client of his own; it keeps a person who only looks from changing anything, and keeps a
// console's connection in the state that the console counts on. Pure function of the command table.
#pragma once

#include <cstdint>

#include "resp/command.hpp"

namespace kiwi::resp::web {

enum class ConsoleRule : uint8_t {
  kLooks,    // always allowed
  kChanges,  // data, options, members, other clients: once changes are unlocked
  kNever,    // blocks, subscribes, or changes what the connection is
};

// argv is not empty. What is no command, or has too few words, the node itself refuses: kLooks.
ConsoleRule console_rule(Args argv, uint32_t cluster_version);

}  // namespace kiwi::resp::web
