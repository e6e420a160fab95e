#include "resp/reply.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace kiwi::resp {

namespace {

constexpr size_t kFrame = 32;  // the most that type, a number and line ends take

void append_number(std::string& out, int64_t value) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, end);
}

// A type byte, a decimal number and the line end: ":1\r\n", "*2\r\n", "$5\r\n".
void append_header(std::string& out, char type, int64_t value) {
  char line[24];
  line[0] = type;
  char* end = std::to_chars(line + 1, line + sizeof(line) - 2, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(line, end);
}

void append_line(std::string& out, char type, std::string_view text) {
  out.push_back(type);
  out.append(text);
  out.append("\r\n");
}

void append_bulk(std::string& out, std::string_view bytes) {
  append_header(out, '$', static_cast<int64_t>(bytes.size()));
  out.append(bytes);
  out.append("\r\n");
}

}  // namespace

// Always false.
bool ReplyWriter::overflow() {
  if (beyond_ == Beyond::kThrow) {
    throw ReplyTooLarge();
  }
  lost_ = true;
  out_ = nullptr;
  return false;
}

void ReplyWriter::simple(std::string_view text) {
  if (fits(text.size() + kFrame)) {
    append_line(*out_, '+', text);
  }
}

void ReplyWriter::error(std::string_view text) {
  if (!fits(text.size() + kFrame)) {
    return;
  }
  size_t begin = out_->size();
  append_line(*out_, '-', text);
  // Texts quote what clients sent: a line end inside would end the reply early.
  for (size_t i = begin; i + 2 < out_->size(); ++i) {
    char& c = (*out_)[i];
    if (c == '\r' || c == '\n') {
      c = ' ';
    }
  }
}

void ReplyWriter::integer(int64_t value) {
  if (fits(kFrame)) {
    append_header(*out_, ':', value);
  }
}

void ReplyWriter::bulk(std::string_view bytes) {
  if (fits(bytes.size() + kFrame)) {
    append_bulk(*out_, bytes);
  }
}

void ReplyWriter::null() { raw(version_ == 2 ? "$-1\r\n" : "_\r\n"); }

void ReplyWriter::null_array() { raw(version_ == 2 ? "*-1\r\n" : "_\r\n"); }

void ReplyWriter::array(size_t elements) {
  if (fits(kFrame)) {
    append_header(*out_, '*', static_cast<int64_t>(elements));
  }
}

void ReplyWriter::map(size_t pairs) {
  if (fits(kFrame)) {
    bool resp2 = version_ == 2;
    append_header(*out_, resp2 ? '*' : '%', static_cast<int64_t>(resp2 ? 2 * pairs : pairs));
  }
}

void ReplyWriter::set(size_t elements) {
  if (fits(kFrame)) {
    append_header(*out_, version_ == 2 ? '*' : '~', static_cast<int64_t>(elements));
  }
}

void ReplyWriter::push(size_t elements) {
  if (fits(kFrame)) {
    append_header(*out_, version_ == 2 ? '*' : '>', static_cast<int64_t>(elements));
  }
}

void ReplyWriter::boolean(bool value) {
  if (version_ == 2) {
    integer(value ? 1 : 0);
  } else {
    raw(value ? "#t\r\n" : "#f\r\n");
  }
}

// Redis 7.0 prints seventeen significant digits; the C library's result is correctly rounded and
// so the same everywhere.
void ReplyWriter::number(double value) {
  if (!fits(2 * kFrame)) {
    return;
  }
  char digits[40];
  std::string_view text;
  if (std::isinf(value)) {
    text = value > 0 ? "inf" : "-inf";
  } else {
    int size = std::snprintf(digits, sizeof(digits), "%.17g", value);
    text = std::string_view(digits, static_cast<size_t>(size));
  }
  if (version_ == 2) {
    append_bulk(*out_, text);
  } else {
    append_line(*out_, ',', text);
  }
}

void ReplyWriter::verbatim(std::string_view bytes) {
  if (!fits(bytes.size() + kFrame)) {
    return;
  }
  if (version_ == 2) {
    append_bulk(*out_, bytes);
    return;
  }
  out_->push_back('=');
  append_number(*out_, static_cast<int64_t>(bytes.size()) + 4);
  out_->append("\r\ntxt:");
  out_->append(bytes);
  out_->append("\r\n");
}

void ReplyWriter::raw(std::string_view encoded) {
  if (fits(encoded.size())) {
    out_->append(encoded);
  }
}

void ReplyWriter::insert(size_t where, std::string_view encoded) {
  if (fits(encoded.size())) {
    out_->insert(where, encoded);
  }
}

}  // namespace kiwi::resp
