// Bytes that clients chose, as an operator can read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kiwi::resp {

// In quotes, with \xNN where it is not plain ASCII; cut where it is long.
inline std::string printable(std::string_view bytes) {
  constexpr size_t kLongest = 100;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : bytes.substr(0, kLongest)) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 0xf]};
    } else {
      out.push_back(c);
    }
  }
  return out + (bytes.size() > kLongest ? "\"..." : "\"");
}

}  // namespace kiwi::resp
