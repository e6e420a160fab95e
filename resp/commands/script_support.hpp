// What EVAL and FCALL share.
#pragma once

#include <string>
#include <string_view>

#include "resp/context.hpp"
#include "resp/lua/machine.hpp"

namespace kiwi::resp::commands {

inline constexpr std::string_view kWritesInReadOnly =
    "ERR Can not execute a script with write flag using *_ro command.";

// What compiling takes at the most, counted by whoever runs a text or loads it. Each time: whether
// it was compiled before differs from node to node. May rest before.
void count_compiling(Context& context, std::string_view code);

// Runs it with the cluster's budget of steps and writes its reply. Throws Undone if it wanted more
// than that, or more memory than there is; TooManySteps if it is a read that is too long for its
// turn.
void run_script(Context& context, lua::Call& call, bool read_only, ReplyWriter& reply);

std::string sha1_hex_of(std::string_view sha1);  // of its 20 bytes

}  // namespace kiwi::resp::commands
