#include "resp/once_reply.hpp"

#include <cstddef>

#include "config/base/check.hpp"
#include "config/base/decimal.hpp"

namespace kiwi::resp {

namespace {

constexpr std::string_view kEnd = "\r\n";
constexpr std::string_view kText = "txt:";  // what a verbatim string begins with

void bulk(std::string& out, std::string_view text) {
  out.push_back('$');
  out.append(std::to_string(text.size()));
  out.append(kEnd);
  out.append(text);
  out.append(kEnd);
}

}  // namespace

// Aggregates need no stack: only their first lines change.
std::string reply_in(int protocol, int kept_in, std::string_view bytes, bool block) {
  if (protocol == kept_in || kept_in == 2) {
    return std::string(bytes);
  }
  CHECK_INVARIANT(protocol == 2 && kept_in == 3);
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    const size_t end = bytes.find(kEnd, at);
    CHECK_INVARIANT(end != std::string_view::npos && end > at);
    const char type = bytes[at];
    const std::string_view line = bytes.substr(at + 1, end - at - 1);
    const bool whole = at == 0;
    at = end + kEnd.size();
    switch (type) {
      case '_':
        out.append(whole && block ? "*-1\r\n" : "$-1\r\n");
        break;
      case ',':
      case '(':
        bulk(out, line);
        break;
      case '#':
        out.append(line == "t" ? ":1\r\n" : ":0\r\n");
        break;
      case '$':
      case '=': {
        const auto size = static_cast<size_t>(parse_decimal(line).value_or(-1));
        CHECK_INVARIANT(size <= bytes.size() - at - kEnd.size());
        std::string_view text = bytes.substr(at, size);
        at += size + kEnd.size();
        if (type == '=') {
          CHECK_INVARIANT(text.starts_with(kText));
          text.remove_prefix(kText.size());
        }
        bulk(out, text);
        break;
      }
      case '~':
      case '>':
        out.append("*").append(line).append(kEnd);
        break;
      default:
        out.push_back(type);
        out.append(line).append(kEnd);
        break;
    }
  }
  return out;
}

}  // namespace kiwi::resp
