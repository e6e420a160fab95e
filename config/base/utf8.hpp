// Text for formats that allow nothing but UTF-8, of any bytes. Pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kiwi {

// How many bytes at its beginning are one well-formed character: no surrogate, nothing longer than
// needed, nothing above U+10FFFF; 0: none.
size_t utf8_character(std::string_view bytes);

// A byte that belongs to no well-formed character becomes U+FFFD.
std::string valid_utf8(std::string_view bytes);

}  // namespace kiwi
