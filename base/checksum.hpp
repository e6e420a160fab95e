// The one checksum of everything Kiwi stores or sends (XXH3, 64 bits).
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi {

uint64_t checksum64(std::string_view bytes, uint64_t seed = 0);

}  // namespace kiwi
