// Strings of JSON. Pure function.
#pragma once

#include <string>
#include <string_view>

namespace kiwi {

// Between quotes, on one line, of any bytes: what is not UTF-8 becomes U+FFFD. What could end a
// script or a line of one (<, U+2028, U+2029) is escaped, too.
void append_json_string(std::string& out, std::string_view bytes);

}  // namespace kiwi
