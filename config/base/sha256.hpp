// SHA-256, by which passwords are kept. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace kiwi {

std::string sha256(std::string_view bytes);      // 32 bytes
std::string sha256_hex(std::string_view bytes);  // the same in 64 lower-case digits

}  // namespace kiwi
