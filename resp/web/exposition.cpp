#include "resp/web/exposition.hpp"

#include <array>
#include <charconv>
#include <cstddef>

#include "config/base/check.hpp"
#include "config/base/utf8.hpp"

namespace kiwi::resp::web {

namespace {

constexpr double kUsPerSecond = 1e6;
constexpr std::array<std::string_view, 3> kTypes = {"counter", "gauge", "histogram"};
// Where buckets end, as text: what a double would print is not always what was meant.
constexpr std::array<std::string_view, config::kDurationEndsUs.size()> kEnds = {
    "1e-05", "2.5e-05", "5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01",
    "0.025", "0.05",    "0.1",   "0.25",   "0.5",     "1.0",    "2.5",   "5.0",    "10.0"};

template <class Number>
void append_number(std::string& out, Number value) {
  std::array<char, 40> text{};
  const auto [end, failed] = std::to_chars(text.data(), text.data() + text.size(), value);
  CHECK_INVARIANT(failed == std::errc());
  out.append(text.data(), end);
}

bool is_name(std::string_view name) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  return !name.empty() && (name[0] < '0' || name[0] > '9') &&
         name.find_first_not_of(kLetters) == std::string_view::npos;
}

}  // namespace

std::string label_text(std::string_view bytes) {
  std::string out = valid_utf8(bytes);
  for (char& c : out) {
    c = (static_cast<uint8_t>(c) < 0x20 && c != '\n') || c == 0x7f ? '?' : c;
  }
  return out;
}

std::string label_value(std::string_view bytes) {
  std::string out;
  for (const char c : label_text(bytes)) {
    if (c == '\\' || c == '"') {
      out += '\\';
    }
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  CHECK_INVARIANT(is_name(name) && name != name_);
  CHECK_INVARIANT(help.find_first_of("\n\\") == std::string_view::npos);
  // A counter's name says that it is one.
  CHECK_INVARIANT((type == Type::kCounter) == name.ends_with("_total"));
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text_.append("# TYPE ").append(name).append(" ");
  text_.append(kTypes.at(static_cast<size_t>(type))).append("\n");
}

void Exposition::begin(std::string_view suffix, Labels labels, std::string_view le) {
  CHECK_INVARIANT(!name_.empty());
  text_.append(name_).append(suffix);
  char before = '{';
  for (const auto& [name, value] : labels) {
    CHECK_INVARIANT(is_name(name) && name != "le");
    text_ += before;
    text_.append(name).append("=\"").append(label_value(value)).append("\"");
    before = ',';
  }
  if (!le.empty()) {
    text_ += before;
    text_.append("le=\"").append(le).append("\"");
    before = ',';
  }
  text_ += before == '{' ? " " : "} ";
}

void Exposition::sample(Labels labels, double value) {
  begin({}, labels);
  append_number(text_, value);
  text_ += '\n';
}

void Exposition::sample(Labels labels, uint64_t value) {
  begin({}, labels);
  append_number(text_, value);
  text_ += '\n';
}

void Exposition::histogram(Labels labels, const config::DurationCounts& counts) {
  uint64_t below = 0;
  for (size_t i = 0; i < kEnds.size(); ++i) {
    below += counts.counts[i];
    begin("_bucket", labels, kEnds[i]);
    append_number(text_, below);
    text_ += '\n';
  }
  below += counts.counts.back();
  begin("_bucket", labels, "+Inf");
  append_number(text_, below);
  text_ += '\n';
  begin("_sum", labels);
  append_number(text_, static_cast<double>(counts.total_us) / kUsPerSecond);
  text_ += '\n';
  begin("_count", labels);
  append_number(text_, below);
  text_ += '\n';
}

}  // namespace kiwi::resp::web
