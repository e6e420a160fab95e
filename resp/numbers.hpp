// Numbers as Redis reads and writes them in values and arguments. Pure functions; the same bytes on
// every node (no locale, no host formatting differences among x86-64 nodes).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/decimal.hpp"

namespace kiwi::resp {

// In the one form that decimal.hpp takes.
inline std::optional<int64_t> parse_integer(std::string_view text) { return parse_decimal(text); }

// The form lives as long as the object.
class IntegerText {
 public:
  explicit IntegerText(int64_t value);
  std::string_view view() const { return {digits_, size_}; }

 private:
  char digits_[20];
  size_t size_ = 0;
};

// Scores and weights: what strtod takes, without spaces; infinities are read, NaN is not, nor what
// is too large or too small for a double.
std::optional<double> parse_double(std::string_view text);

// So many digits behind the point, never an exponent.
std::string fixed_text(double value, int digits);

// INCRBYFLOAT: what strtold takes, without spaces; infinities are read, NaN is not.
std::optional<long double> parse_long_double(std::string_view text);
// 17 digits behind the point, trailing zeros removed, never an exponent.
std::string format_long_double(long double value);

}  // namespace kiwi::resp
