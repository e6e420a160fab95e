#include "resp/commands/blocking.hpp"

#include <cmath>

#include "resp/numbers.hpp"

namespace kiwi::resp {

std::string_view read_timeout(std::string_view text, int64_t& milliseconds) {
  const auto seconds = parse_long_double(text);
  if (!seconds) {
    return "ERR timeout is not a float or out of range";
  }
  constexpr long double kTooMany = 9223372036854775808.0L;  // 2^63
  const long double rounded = std::ceil(*seconds * 1000);
  // What does not fit became negative in Redis.
  if (rounded >= kTooMany || rounded < 0) {
    return "ERR timeout is negative";
  }
  milliseconds = static_cast<int64_t>(rounded);
  return {};
}

}  // namespace kiwi::resp
