// Redis' glob patterns (KEYS, SCAN MATCH, CONFIG GET): * ? [a-c] [^x] and \ to take the next
// character as it is. Bytes, not characters of a text encoding.
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi {

// Linear in |pattern| * |text| at worst, whatever the pattern. Both may be long: what would compare
// more than kGlobWork characters, some hundredths of a second, does not match: one command compares
// with hundreds of names (Redis gives up beyond a depth). `work`: how many it were, for who counts.
constexpr uint64_t kGlobWork = uint64_t{1} << 22;
bool glob_match(std::string_view pattern,
                std::string_view text,
                bool ignore_case = false,
                uint64_t* work = nullptr);

}  // namespace kiwi
