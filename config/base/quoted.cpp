#include "config/base/quoted.hpp"

namespace kiwi {

namespace {

// What stands behind the backslash; 0: it has no short form.
char short_form(char c) {
  switch (c) {
    case '\\':
    case '"':
      return c;
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\a':
      return 'a';
    case '\b':
      return 'b';
    default:
      return 0;
  }
}

}  // namespace

void append_quoted(std::string& out, std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  out.reserve(out.size() + bytes.size() + 2);
  out.push_back('"');
  for (const char c : bytes) {
    if (const char behind = short_form(c); behind != 0) {
      out.push_back('\\');
      out.push_back(behind);
    } else if (c >= ' ' && c <= '~') {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += "\\x";
      out.push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    }
  }
  out.push_back('"');
}

size_t quoted_size(std::string_view bytes) {
  size_t size = 2;
  for (const char c : bytes) {
    size += short_form(c) != 0 ? 2 : c >= ' ' && c <= '~' ? 1 : 4;
  }
  return size;
}

std::string quoted(std::string_view bytes) {
  std::string out;
  append_quoted(out, bytes);
  return out;
}

}  // namespace kiwi
