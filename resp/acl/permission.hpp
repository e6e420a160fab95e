// May a user do this? The one answer, for sessions, for what is applied, for scripts and for ACL
// DRYRUN. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "resp/acl/user.hpp"
#include "resp/command.hpp"

namespace kiwi::resp::acl {

// In the order in which Redis prefers them as the reason.
enum class Denied : uint8_t { kNothing, kCommand, kKey, kLogin, kChannel };

struct Verdict {
  Denied denied = Denied::kNothing;
  size_t position = 0;  // in argv: of the key or channel
  bool allowed() const { return denied == Denied::kNothing; }
};

// One of its selectors must allow all of it. The row was resolved from argv; an internal one is
// allowed to who may say what a session made it of.
Verdict check(const User& user, const CommandSpec& row, Args argv);

// It may do this, and by the same selector read any key there is: for what finds keys by itself.
bool may_read_any_key(const User& user, const CommandSpec& row, Args argv);

bool may_use_channel(const User& user, std::string_view name, bool literal);

// Error texts, with their first words; and what the other places say of it.
std::string refusal_text(Denied denied, const CommandSpec& row);
std::string refusal_in_block(Denied denied);
std::string_view refusal_in_script(Denied denied);

}  // namespace kiwi::resp::acl
