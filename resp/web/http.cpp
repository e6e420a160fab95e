#include "resp/web/http.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "config/base/check.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::web {

namespace {

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Four numbers: browsers take shorter and hexadecimal forms, too, but send what they made of them.
bool is_ipv4(std::string_view text) {
  size_t parts = 0;
  while (parts < 4) {
    const size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (!is_digits(part) || part.size() > 3) {
      return false;
    }
    ++parts;
    if (dot == std::string_view::npos) {
      return parts == 4;
    }
    text.remove_prefix(dot + 1);
  }
  return false;
}

bool is_ipv6(std::string_view text) {
  return text.find(':') != std::string_view::npos &&
         text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  while (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  for (const char c : text) {
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
    if (value < 0) {
      return std::nullopt;
    }
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xff);
    }
  }
  CHECK_INVARIANT(count < 8);
  return out;
}

}  // namespace

std::string host_name(std::string_view host) {
  std::string_view name = host;
  if (name.starts_with('[')) {
    const size_t end = name.find(']');
    if (end == std::string_view::npos) {
      return {};
    }
    const std::string_view port = name.substr(end + 1);
    if (!port.empty() && (port[0] != ':' || !is_digits(port.substr(1)))) {
      return {};
    }
    name = name.substr(1, end - 1);
  } else if (const size_t colon = name.rfind(':');
             colon != std::string_view::npos && name.find(':') == colon) {
    if (!is_digits(name.substr(colon + 1))) {
      return {};
    }
    name = name.substr(0, colon);
  }
  if (name.ends_with('.')) {
    name.remove_suffix(1);
  }
  std::string out(name);
  std::ranges::transform(out, out.begin(), lower_case);
  return out;
}

bool host_is_known(std::string_view host, const std::vector<std::string>& names) {
  const std::string name = host_name(host);
  if (name.empty()) {
    return false;
  }
  if (name == "localhost" || is_ipv4(name) || is_ipv6(name)) {
    return true;
  }
  return std::ranges::any_of(names,
                             [&](const std::string& known) { return host_name(known) == name; });
}

bool basic_credentials(std::string_view authorization, Credentials& out) {
  constexpr std::string_view kBasic = "basic ";
  if (authorization.size() < kBasic.size() ||
      !same_word(authorization.substr(0, kBasic.size()), kBasic)) {
    return false;
  }
  const std::optional<std::string> decoded = from_base64(authorization.substr(kBasic.size()));
  const size_t colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos) {
    return false;
  }
  out.user = decoded->substr(0, colon);
  out.password = decoded->substr(colon + 1);
  return true;
}

bool same_secret(std::string_view given, std::string_view wanted) {
  uint8_t differs = given.size() == wanted.size() ? 0 : 1;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const char c = i < given.size() ? given[i] : '\0';
    differs = static_cast<uint8_t>(differs | (c ^ wanted[i]));
  }
  return differs == 0;
}

}  // namespace kiwi::resp::web
