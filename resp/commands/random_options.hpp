// What HRANDFIELD and ZRANDMEMBER take behind the key.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "resp/command.hpp"

namespace kiwi::resp::commands {

struct RandomOptions {
  int64_t count = 1;   // below 0: so many draws, each of all
  bool pairs = false;  // values or scores, too
};

// KEY [count [word]], `word` asks for pairs. nullopt: an error was answered.
std::optional<RandomOptions> read_random_options(Args args,
                                                 std::string_view word,
                                                 ReplyWriter& reply);

}  // namespace kiwi::resp::commands
