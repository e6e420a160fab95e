#include "resp/numbers.hpp"

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace kiwi::resp {

IntegerText::IntegerText(int64_t value) {
  auto [end, error] = std::to_chars(digits_, digits_ + sizeof digits_, value);
  size_ = static_cast<size_t>(end - digits_);
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) {
    return std::isnan(value) ? std::nullopt : std::optional(value);
  }
  // A sign, hexadecimal digits, or no number.
  if (text.empty() || std::isspace(static_cast<unsigned char>(text[0]))) {
    return std::nullopt;
  }
  const std::string terminated(text);
  char* stop = nullptr;
  errno = 0;
  value = std::strtod(terminated.c_str(), &stop);
  if (stop != terminated.c_str() + terminated.size() || std::isnan(value)) {
    return std::nullopt;
  }
  if (errno == ERANGE && (std::isinf(value) || value == 0)) {
    return std::nullopt;
  }
  return value;
}

std::optional<long double> parse_long_double(std::string_view text) {
  constexpr size_t kLongest = 5 * 1024;  // as Redis: longer text is no number
  if (text.empty() || text.size() >= kLongest ||
      std::isspace(static_cast<unsigned char>(text[0]))) {
    return std::nullopt;
  }
  std::string terminated(text);
  char* end = nullptr;
  errno = 0;
  long double value = std::strtold(terminated.c_str(), &end);
  if (end != terminated.c_str() + terminated.size() || std::isnan(value)) {
    return std::nullopt;
  }
  if (errno == ERANGE && (std::isinf(value) || std::fpclassify(value) == FP_ZERO)) {
    return std::nullopt;
  }
  return value;
}

std::string fixed_text(double value, int digits) {
  const int size = std::snprintf(nullptr, 0, "%.*f", digits, value);
  std::string text(static_cast<size_t>(size) + 1, '\0');
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  text.resize(static_cast<size_t>(size));
  return text;
}

std::string format_long_double(long double value) {
  int size = std::snprintf(nullptr, 0, "%.17Lf", value);
  std::string text(static_cast<size_t>(size) + 1, '\0');
  std::snprintf(text.data(), text.size(), "%.17Lf", value);
  text.resize(static_cast<size_t>(size));
  if (text.find('.') != std::string::npos) {
    text.resize(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
      text.pop_back();
    }
  }
  return text == "-0" ? "0" : text;
}

}  // namespace kiwi::resp
