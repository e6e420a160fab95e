// What the console lets a command do. It is no wall against somebody who has the password, who may
// open a client of his own; it keeps a person who only looks from changing anything, and keeps a
// console's connection in the state that the console counts on.
#pragma once

#include <cstdint>
#include <string_view>

#include "resp/acl/users.hpp"
#include "resp/command.hpp"
#include "resp/node_context.hpp"

namespace kiwi::resp::web {

enum class ConsoleRule : uint8_t {
  kLooks,    // always allowed
  kChanges,  // data, options, members, other clients: once changes are unlocked
  kNever,    // blocks, subscribes, or changes what the connection is
};

// argv is not empty. What is no command, or has too few words, the node itself refuses: kLooks.
ConsoleRule console_rule(Args argv, uint32_t cluster_version);

// Who asks for it over HTTP says no command: may that user say RAFT.DRAIN?
bool may_drain(const acl::Users& users, std::string_view user);

// For the audit log, if there is one: what was asked over HTTP and is no command of a connection.
// Client loop.
struct DrainAsked {
  bool on = true;         // false: taken back
  bool refused = false;   // for want of rights
  std::string_view user;  // as it was said; empty: nobody was named
  std::string_view address;
};
void audit_drain(const NodeContext& node, const DrainAsked& asked);

}  // namespace kiwi::resp::web
