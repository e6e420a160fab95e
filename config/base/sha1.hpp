// SHA-1 as Redis names scripts by it. A name for a text, not a protection.
#pragma once

#include <string>
#include <string_view>

namespace kiwi {

std::string sha1(std::string_view bytes);      // 20 bytes
std::string sha1_hex(std::string_view bytes);  // the same in 40 lower-case digits

}  // namespace kiwi
