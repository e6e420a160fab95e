// Words of the protocol: keywords in any case, names of clients. Pure functions.
#pragma once

#include <algorithm>
#include <string_view>

namespace kiwi::resp {

constexpr char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// `keyword` is in lower case.
constexpr bool same_word(std::string_view given, std::string_view keyword) {
  return std::equal(given.begin(), given.end(), keyword.begin(), keyword.end(),
                    [](char a, char b) { return lower_case(a) == b; });
}

// A client's word as Redis quotes it in an error: it formats with %s, so a NUL ends it.
constexpr std::string_view quoted_word(std::string_view word) {
  return word.substr(0, word.find('\0'));
}

// Printable, without spaces: CLIENT LIST stays a list of words.
constexpr bool is_client_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}
inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

}  // namespace kiwi::resp
