// The audit log: who logged in, what was refused, which commands of operators were said and what
// became of them, one line of JSON each (SERVICES 5.6). No password and no value of a key stands in
// one. Plain; the lines go where the shell says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "resp/acl/denial_log.hpp"
#include "resp/command.hpp"

namespace kiwi::resp::acl {

// Who did it, and when.
struct Doer {
  int64_t wall_us = 0;  // since the epoch
  std::string_view user;
  std::string_view address;
  uint64_t connection = 0;
};

std::string login_line(const Doer& by);
std::string refusal_line(const Doer& by, const Denial& denial);
std::string command_line(const Doer& by, const CommandSpec& row, Args args);
// `error`: the reply, if it was one.
std::string outcome_line(const Doer& by, const CommandSpec& row, std::string_view error);

}  // namespace kiwi::resp::acl
