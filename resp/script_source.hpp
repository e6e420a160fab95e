// What the first line of a script or of a library says (#!lua ...), with Redis 7.0's errors. Pure
// functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "resp/batch.hpp"
#include "resp/command.hpp"
#include "resp/lua/machine.hpp"

namespace kiwi::resp {

// To compile takes time before a step is counted, so a text has a bound, the same on every node.
inline constexpr size_t kScriptBytes = lua::kCodeBytes;

struct ScriptSource {
  std::string_view code;   // from the end of the first line on, if that is one
  uint32_t flags = 0;      // resp/lua/machine.hpp's
  bool has_flags = false;  // there is a first line, so what it does not allow is not allowed
};
// nullopt: `error` says what is wrong.
std::optional<ScriptSource> read_script(std::string_view text, std::string& error);

struct LibrarySource {
  std::string name;
  std::string_view code;  // from the end of the first line on
};
std::optional<LibrarySource> read_library(std::string_view text, std::string& error);

// The words of EVAL script numkeys key... argument...: what stands behind `numkeys`.
struct ScriptWords {
  Args keys;
  Args arguments;
};
// Where numkeys is wrong, the error was answered; `not_a_number` is the one for what is none.
std::optional<ScriptWords> read_script_words(Args args,
                                             std::string_view not_a_number,
                                             ReplyWriter& reply);

}  // namespace kiwi::resp
