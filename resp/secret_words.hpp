// Which words of a command are secret: passwords, and what goes with them. The one place that
// decides it, for whatever shows commands to people (MONITOR, SLOWLOG). Plain; any thread.
#pragma once

#include <string_view>
#include <vector>

#include "resp/command.hpp"

namespace kiwi::resp {

inline constexpr std::string_view kRedacted = "(redacted)";  // Redis' word, instead of such a word

// One for each word, true: secret. Also of argv that the command refuses: behind a word that is no
// option of it everything is secret, for a password may stand one word off.
std::vector<bool> secret_words(const CommandSpec& row, Args args);

}  // namespace kiwi::resp
