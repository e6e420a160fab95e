// Redis' glob patterns (KEYS, SCAN MATCH, CONFIG GET): * ? [a-c] [^x] and \ to take the next
// character as it is. Bytes, not characters of a text encoding.
#pragma once

#include <string_view>

namespace kiwi {

// Linear in |pattern| * |text| at worst, whatever the pattern: a client cannot make it explode.
bool glob_match(std::string_view pattern, std::string_view text, bool ignore_case = false);

}  // namespace kiwi
