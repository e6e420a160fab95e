// Bytes as one printable word in double quotes, as Redis writes them (MONITOR, CONFIG REWRITE) and
// reads them again (inline commands, configuration files). Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kiwi {

void append_quoted(std::string& out, std::string_view bytes);
std::string quoted(std::string_view bytes);
size_t quoted_size(std::string_view bytes);  // what that is long

}  // namespace kiwi
