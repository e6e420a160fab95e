// The one decimal form of a 64-bit integer: no spaces, no plus sign, no leading zero, no "-0". What
// Redis takes for an integer in arguments and in values. Pure; any thread.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace kiwi {

inline std::optional<int64_t> parse_decimal(std::string_view text) {
  if (text == "0") {
    return 0;
  }
  const size_t first = !text.empty() && text[0] == '-' ? 1 : 0;
  if (first >= text.size() || text[first] < '1' || text[first] > '9') {
    return std::nullopt;
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace kiwi
