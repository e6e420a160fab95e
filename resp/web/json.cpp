#include "resp/web/json.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "config/base/check.hpp"
#include "config/base/json_text.hpp"
#include "config/base/utf8.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp::web {

namespace {

constexpr size_t kDepthMax = 32;
constexpr int64_t kExactMax = int64_t{1} << 53;

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t size = utf8_character(bytes);
    if (size == 0) {
      return false;
    }
    bytes.remove_prefix(size);
  }
  return true;
}

void append_bytes(std::string& out, std::string_view bytes) {
  if (is_utf8(bytes)) {
    return append_json_string(out, bytes);
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "{\"hex\":\"";
  for (const char c : bytes) {
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  out += "\"}";
}

// Takes one reply off the front of `rest`; false: there is none.
class Translator {
 public:
  explicit Translator(std::string_view rest) : rest_(rest) {}

  bool value(size_t depth) {
    std::string_view line;
    if (depth > kDepthMax || !take_line(line) || line.empty()) {
      return false;
    }
    const char kind = line[0];
    line.remove_prefix(1);
    switch (kind) {
      case '+':
        append_bytes(out_, line);
        return true;
      case '-':
        out_ += "{\"error\":";
        append_json_string(out_, line);
        out_ += '}';
        return true;
      case ':':
        return integer(line);
      case '$':
        return bulk(line);
      case '*':
        return array(line, depth);
      default:
        return false;
    }
  }
  bool at_end() const { return rest_.empty(); }
  std::string take() { return std::move(out_); }

 private:
  bool take_line(std::string_view& line) {
    const size_t end = rest_.find("\r\n");
    if (end == std::string_view::npos) {
      return false;
    }
    line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    return true;
  }
  bool integer(std::string_view line) {
    const std::optional<int64_t> number = parse_integer(line);
    if (!number) {
      return false;
    }
    const bool exact = *number <= kExactMax && *number >= -kExactMax;
    out_ += exact ? std::string(line) : "{\"integer\":\"" + std::string(line) + "\"}";
    return true;
  }
  bool bulk(std::string_view line) {
    const std::optional<int64_t> size = parse_integer(line);
    if (size && *size == -1) {
      out_ += "null";
      return true;
    }
    if (!size || *size < 0 || rest_.size() < static_cast<size_t>(*size) + 2) {
      return false;
    }
    append_bytes(out_, rest_.substr(0, static_cast<size_t>(*size)));
    rest_.remove_prefix(static_cast<size_t>(*size) + 2);
    return true;
  }
  bool array(std::string_view line, size_t depth) {
    const std::optional<int64_t> count = parse_integer(line);
    if (count && *count == -1) {
      out_ += "null";
      return true;
    }
    if (!count || *count < 0) {
      return false;
    }
    out_ += '[';
    for (int64_t i = 0; i < *count; ++i) {
      out_ += i == 0 ? "" : ",";
      if (!value(depth + 1)) {
        return false;
      }
    }
    out_ += ']';
    return true;
  }

  std::string_view rest_;
  std::string out_;
};

}  // namespace

JsonObject& JsonObject::add(std::string_view name, std::string_view text) {
  std::string value;
  append_json_string(value, text);
  return add_raw(name, value);
}

JsonObject& JsonObject::add(std::string_view name, double value) {
  std::array<char, 40> text{};
  const double told = std::isfinite(value) ? value : 0;
  const auto [end, failed] = std::to_chars(text.data(), text.data() + text.size(), told);
  CHECK_INVARIANT(failed == std::errc());
  return add_raw(name, std::string_view(text.data(), static_cast<size_t>(end - text.data())));
}

JsonObject& JsonObject::add_raw(std::string_view name, std::string_view json) {
  CHECK_INVARIANT(!json.empty());
  text_ += text_.size() == 1 ? "" : ",";
  append_json_string(text_, name);
  text_ += ':';
  text_ += json;
  return *this;
}

std::string JsonObject::take() {
  text_ += '}';
  return std::move(text_);
}

JsonArray& JsonArray::add_raw(std::string_view json) {
  text_ += text_.size() == 1 ? "" : ",";
  text_ += json;
  return *this;
}

std::string JsonArray::take() {
  text_ += ']';
  return std::move(text_);
}

std::optional<std::string> json_of_reply(std::string_view reply) {
  Translator translator(reply);
  if (!translator.value(0) || !translator.at_end()) {
    return std::nullopt;
  }
  return translator.take();
}

}  // namespace kiwi::resp::web
