#include "config/base/utf8.hpp"

#include <cstddef>
#include <cstdint>

#include "config/base/check.hpp"

namespace kiwi {

size_t utf8_character(std::string_view bytes) {
  if (bytes.empty()) {
    return 0;
  }
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) {
    return 1;
  }
  const size_t size = first >= 0xc2 && first <= 0xdf   ? 2
                      : first >= 0xe0 && first <= 0xef ? 3
                      : first >= 0xf0 && first <= 0xf4 ? 4
                                                       : 0;
  if (size == 0 || bytes.size() < size) {
    return 0;
  }
  for (size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  const uint8_t second = at(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool too_large = first == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_large ? 0 : size;
}

std::string valid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t size = utf8_character(bytes);
    CHECK_INVARIANT(size <= 4 && size <= bytes.size());
    if (size == 0) {
      out += "\xef\xbf\xbd";
      bytes.remove_prefix(1);
    } else {
      out += bytes.substr(0, size);
      bytes.remove_prefix(size);
    }
  }
  return out;
}

}  // namespace kiwi
