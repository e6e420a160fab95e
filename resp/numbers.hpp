// Numbers as Redis reads them from a client's bytes. Pure functions.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kiwi::resp {

// The one decimal form of a 64-bit integer: no spaces, no plus sign, no leading zero, no "-0".
inline std::optional<int64_t> parse_integer(std::string_view text) {
  size_t sign = !text.empty() && text.front() == '-' ? 1 : 0;
  if (text.size() <= sign || text.size() > 20) {
    return std::nullopt;
  }
  char first = text[sign];
  if (first < '0' || first > '9' || (first == '0' && text.size() > 1)) {
    return std::nullopt;
  }
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace kiwi::resp
