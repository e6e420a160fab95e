#include "config/base/json_text.hpp"

#include <cstddef>
#include <cstdint>

#include "config/base/check.hpp"
#include "config/base/utf8.hpp"

namespace kiwi {

namespace {

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<uint8_t>(c);
  if (byte < 0x20 || c == '<') {
    out += "\\u00";
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  } else {
    out += c;
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  while (!bytes.empty()) {
    const size_t size = utf8_character(bytes);
    CHECK_INVARIANT(size <= bytes.size());
    const std::string_view character = bytes.substr(0, size);
    if (size == 0) {
      out += "\xef\xbf\xbd";
    } else if (size == 1) {
      append_escaped(out, character[0]);
    } else if (character == "\xe2\x80\xa8") {
      out += "\\u2028";
    } else if (character == "\xe2\x80\xa9") {
      out += "\\u2029";
    } else {
      out += character;
    }
    bytes.remove_prefix(size == 0 ? 1 : size);
  }
  out += '"';
}

}  // namespace kiwi
