#include "resp/acl/trail.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

#include "config/base/check.hpp"
#include "resp/secret_words.hpp"

namespace kiwi::resp::acl {

namespace {

constexpr size_t kWords = 16;       // of a command
constexpr size_t kWordBytes = 128;  // of each of them, and of an error

// A string of JSON. Bytes that are no text of it are escaped as Latin-1: the line stays readable
// whatever a client says.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, kWordBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void put(std::string& line, std::string_view name, std::string_view value) {
  line += ",\"" + std::string(name) + "\":" + quoted(value);
}

std::string begin(const Doer& by, std::string_view event) {
  const auto seconds = static_cast<std::time_t>(by.wall_us / 1'000'000);
  std::tm parts{};
  const bool known = ::gmtime_r(&seconds, &parts) != nullptr;
  CHECK_INVARIANT(known);
  char text[32];
  const size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  char micros[16];
  std::snprintf(micros, sizeof(micros), ".%06dZ", static_cast<int>(by.wall_us % 1'000'000));
  std::string line = "{\"time\":\"" + std::string(text, size) + micros + "\"";
  put(line, "event", event);
  put(line, "user", by.user);
  put(line, "address", by.address);
  return line + ",\"connection\":" + std::to_string(by.connection);
}

}  // namespace

std::string login_line(const Doer& by) { return begin(by, "login") + "}"; }

std::string refusal_line(const Doer& by, const Denial& denial) {
  std::string line = begin(by, "refused");
  put(line, "reason", denial.reason_name());
  put(line, "context", denial.where_name());
  put(line, "object", denial.object);
  return line + "}";
}

std::string command_line(const Doer& by, const CommandSpec& row, Args args) {
  std::string line = begin(by, "command");
  put(line, "command", row.name);
  const std::vector<bool> secret = secret_words(row, args);
  CHECK_INVARIANT(secret.size() == args.size());
  line += ",\"args\":[";
  const size_t shown = std::min(kWords, args.size());
  for (size_t i = 1; i < shown; ++i) {
    line += (i > 1 ? "," : "") + quoted(secret[i] ? kRedacted : args[i]);
  }
  line += "]";
  if (shown < args.size()) {
    line += ",\"more\":" + std::to_string(args.size() - shown);
  }
  return line + "}";
}

std::string outcome_line(const Doer& by, const CommandSpec& row, std::string_view error) {
  std::string line = begin(by, "outcome");
  put(line, "command", row.name);
  error.remove_prefix(error.starts_with('-') ? 1 : 0);
  put(line, "outcome", error.empty() ? "ok" : error.substr(0, error.find_first_of("\r\n")));
  return line + "}";
}

}  // namespace kiwi::resp::acl
