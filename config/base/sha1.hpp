// SHA-1 as Redis names scripts by it: 40 lower-case digits. A name for a text, not a protection.
#pragma once

#include <string>
#include <string_view>

namespace kiwi {

std::string sha1_hex(std::string_view bytes);

}  // namespace kiwi
