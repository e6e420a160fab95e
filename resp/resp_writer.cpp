#include "resp/resp_writer.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "config/base/check.hpp"

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
  static_assert(sizeof(line) >= 1 + std::numeric_limits<int64_t>::digits10 + 2 + 2);
  static_assert(sizeof(line) <= kFrame, "what fits() was asked for");
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

// Whether it may be written all the same.
bool RespWriter::overflow() {
  if (stream_ != nullptr) {
    stream_->let_go(*out_);
    return true;
  }
  if (beyond_ == Beyond::kThrow) {
    throw ReplyTooLarge();
  }
  lost_ = true;
  discards_ = true;
  out_ = nullptr;
  return false;
}

void RespWriter::simple(std::string_view text) {
  if (fits(text.size() + kFrame)) {
    append_line(*out_, '+', text);
  }
}

void RespWriter::error(std::string_view text) {
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

void RespWriter::integer(int64_t value) {
  if (fits(kFrame)) {
    append_header(*out_, ':', value);
  }
}

size_t RespWriter::where() {
  if (out_ == nullptr) {
    return 0;
  }
  return stream_ == nullptr ? out_->size() : stream_->where(*out_);
}

void RespWriter::bulk(std::string_view bytes) {
  if (stream_ != nullptr && bytes.size() > end_) [[unlikely]] {
    bulk_head(bytes.size());
    for (size_t at = 0; at < bytes.size(); at += end_) {
      bulk_part(bytes.substr(at, end_));
    }
    return;
  }
  if (fits(bytes.size() + kFrame)) {
    append_bulk(*out_, bytes);
  }
}

void RespWriter::bulk_head(size_t bytes) {
  CHECK_INVARIANT(parts_left_ == 0 && bytes != 0);
  if (fits(bytes + kFrame)) {
    parts_left_ = bytes;
    // Small replies that follow each other grow the buffer by doubling it.
    if (stream_ == nullptr && out_->capacity() - out_->size() < bytes + kFrame &&
        bytes > out_->size()) {
      out_->reserve(out_->size() + bytes + kFrame);
    }
    append_header(*out_, '$', static_cast<int64_t>(bytes));
  }
}

void RespWriter::bulk_part(std::string_view bytes) {
  if (out_ == nullptr) {
    return;
  }
  CHECK_INVARIANT(bytes.size() <= parts_left_);
  if (stream_ != nullptr && out_->size() >= end_) {
    stream_->let_go(*out_);
  }
  out_->append(bytes);
  parts_left_ -= bytes.size();
  if (parts_left_ == 0) {
    out_->append("\r\n");
  }
}

void RespWriter::null() { raw(version_ == 2 ? "$-1\r\n" : "_\r\n"); }

void RespWriter::null_array() { raw(version_ == 2 ? "*-1\r\n" : "_\r\n"); }

void RespWriter::array(size_t elements) {
  if (fits(kFrame)) {
    append_header(*out_, '*', static_cast<int64_t>(elements));
  }
}

void RespWriter::map(size_t pairs) {
  shaped_ = true;
  if (fits(kFrame)) {
    bool resp2 = version_ == 2;
    append_header(*out_, resp2 ? '*' : '%', static_cast<int64_t>(resp2 ? 2 * pairs : pairs));
  }
}

void RespWriter::set(size_t elements) {
  if (fits(kFrame)) {
    append_header(*out_, version_ == 2 ? '*' : '~', static_cast<int64_t>(elements));
  }
}

void RespWriter::push(size_t elements) {
  if (fits(kFrame)) {
    append_header(*out_, version_ == 2 ? '*' : '>', static_cast<int64_t>(elements));
  }
}

void RespWriter::boolean(bool value) {
  if (version_ == 2) {
    integer(value ? 1 : 0);
  } else {
    raw(value ? "#t\r\n" : "#f\r\n");
  }
}

std::string double_text(double value) {
  if (std::isinf(value)) {
    return value > 0 ? "inf" : "-inf";
  }
  char digits[40];
  int size = std::snprintf(digits, sizeof(digits), "%.17g", value);
  CHECK_INVARIANT(size > 0 && static_cast<size_t>(size) < sizeof(digits));
  return {digits, static_cast<size_t>(size)};
}

void RespWriter::number(double value) {
  if (fits(2 * kFrame)) {
    number_as(value, double_text(value));
  }
}

void RespWriter::number_as(double, std::string_view text) {
  if (!fits(text.size() + kFrame)) {
    return;
  }
  if (version_ == 2) {
    append_bulk(*out_, text);
  } else {
    append_line(*out_, ',', text);
  }
}

void RespWriter::big_number(std::string_view digits) {
  if (!fits(digits.size() + kFrame)) {
    return;
  }
  if (version_ == 2) {
    append_bulk(*out_, digits);
  } else {
    append_line(*out_, '(', digits);
  }
}

void RespWriter::verbatim(std::string_view text) {
  if (!fits(text.size() + kFrame)) {
    return;
  }
  if (version_ == 2) {
    append_bulk(*out_, text);
    return;
  }
  out_->push_back('=');
  append_number(*out_, static_cast<int64_t>(text.size()) + 4);
  out_->append("\r\ntxt:");
  out_->append(text);
  out_->append("\r\n");
}

void RespWriter::take_back(size_t where) {
  if (out_ != nullptr) {
    CHECK_INVARIANT(stream_ == nullptr && where <= out_->size());
    out_->resize(where);
  }
}

void RespWriter::set_room(size_t bytes) {
  beyond_ = Beyond::kThrow;
  end_ = bytes < kAnyRoom - where() ? where() + bytes : kAnyRoom;
}

void RespWriter::raw(std::string_view encoded) {
  if (fits(encoded.size())) {
    out_->append(encoded);
  }
}

void RespWriter::put_first(size_t begin, size_t head) {
  if (stream_ != nullptr) {
    stream_->put_first(*out_, begin, head);
  } else if (out_ != nullptr) {
    CHECK_INVARIANT(begin <= head && head <= out_->size());
    const std::string first = out_->substr(head);
    out_->resize(head);
    out_->insert(begin, first);
  }
}

}  // namespace kiwi::resp
