#include "resp/parser.hpp"

#include <algorithm>
#include <cstring>

#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp {

namespace limits = config::limits;

namespace {

constexpr size_t kNone = std::string_view::npos;

// Where a length line ends, searched from `from` on. As in Redis a zero byte hides what follows it,
// so such a line never ends; kNone leaves in `from` where to go on when more is here.
size_t find_line_end(std::string_view bytes, size_t& from) {
  const size_t end = bytes.find('\r', from);
  const size_t zero = bytes.substr(0, end).find('\0', from);
  from = zero != kNone ? zero : end == kNone ? bytes.size() : from;
  return zero != kNone ? kNone : end;
}
// A buffer that held a big command is given back; a small one is kept for the next.
constexpr size_t kKeepBufferBytes = 32 * limits::kKiB;
constexpr size_t kKeepArguments = 1024;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Narrower than is_space(), as in Redis.
bool ends_word(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  char l = static_cast<char>(c | 0x20);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

char escaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

struct Length {
  int64_t value = -1;  // -1: not here
  size_t end = 0;      // of its line, line end included
};

// The usual length line, a few digits and its line end, in one pass; whatever else begins at `at`
// (an unfinished line, a wrong one, a huge number) is left to the thorough way.
Length read_short_length(std::string_view bytes, size_t at) {
  constexpr size_t kDigits = 7;
  int64_t value = 0;
  size_t i = at;
  for (; i < bytes.size() && i < at + kDigits && bytes[i] >= '0' && bytes[i] <= '9'; ++i) {
    value = value * 10 + (bytes[i] - '0');
  }
  bool canonical = i > at && (bytes[at] != '0' || i == at + 1);
  bool ended = i + 1 < bytes.size() && bytes[i] == '\r';
  return canonical && ended ? Length{value, i + 2} : Length{};
}

// One argument of an inline command, Redis' quoting: "..." with escapes, '...' with \' only; a
// closing quote must be followed by a space or the end. Consumes it from `line`; false =
// unbalanced.
bool unquote(std::string_view& line, std::string& out) {
  char quote = 0;
  size_t i = 0;
  for (;; ++i) {
    if (i == line.size()) {
      line = {};
      return quote == 0;
    }
    char c = line[i];
    char next = i + 1 < line.size() ? line[i + 1] : '\0';
    if (quote == '"' && c == '\\' && next == 'x' && i + 3 < line.size() &&
        hex_digit(line[i + 2]) >= 0 && hex_digit(line[i + 3]) >= 0) {
      out.push_back(static_cast<char>(hex_digit(line[i + 2]) * 16 + hex_digit(line[i + 3])));
      i += 3;
    } else if (quote == '"' && c == '\\' && i + 1 < line.size()) {
      out.push_back(escaped(next));
      i += 1;
    } else if (quote == '\'' && c == '\\' && next == '\'') {
      out.push_back('\'');
      i += 1;
    } else if (quote != 0 && c == quote) {
      line.remove_prefix(i + 1);
      return line.empty() || is_space(line.front());
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote == 0 && ends_word(c)) {
      line.remove_prefix(i);
      return true;
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace

std::optional<std::vector<std::string>> split_quoted(std::string_view line) {
  std::vector<std::string> words;
  for (;;) {
    while (!line.empty() && is_space(line.front())) {
      line.remove_prefix(1);
    }
    if (line.empty()) {
      return words;
    }
    if (!unquote(line, words.emplace_back())) {
      return std::nullopt;
    }
  }
}

void RequestParser::feed(std::string_view bytes) {
  CHECK_INVARIANT(!external_);
  CHECK_INVARIANT(begin_ <= buffer_.size());
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
    given_ = bytes;
    external_ = true;
    return;
  }
  if (begin_ >= buffer_.size() / 2) {  // moves at most as much as was consumed: linear in all
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  size_t needed = buffer_.size() + bytes.size();
  if (needed > buffer_.capacity()) {
    // Doubling keeps the copies of a huge argument linear; its announced end caps the last step.
    size_t doubled = std::max(needed, 2 * buffer_.capacity());
    size_t announced = begin_ + size_hint_;
    std::string bigger;  // reserve() on the old one would double it whatever is asked for
    bigger.reserve(announced >= needed ? std::min(doubled, announced) : doubled);
    bigger.append(buffer_);
    buffer_.swap(bigger);
  }
  buffer_.append(bytes);
}

void RequestParser::keep_rest() {
  if (external_) {
    buffer_.assign(given_.substr(begin_));
    given_ = {};
    external_ = false;
    begin_ = 0;
  }
  args_.clear();
  if (args_.capacity() > kKeepArguments) {
    std::vector<std::string_view>().swap(args_);
  }
  if (!unquoted_.empty()) {
    std::vector<std::string>().swap(unquoted_);
    unquoted_bytes_ = 0;
  }
  if (!in_array_ && spans_.capacity() > kKeepArguments) {
    std::vector<Span>().swap(spans_);
  }
  if (begin_ == buffer_.size()) {
    begin_ = 0;
    if (buffer_.capacity() > kKeepBufferBytes) {
      std::string().swap(buffer_);
    } else {
      buffer_.clear();
    }
  }
}

void RequestParser::give_back() {
  std::vector<std::string_view>().swap(args_);
  std::vector<std::string>().swap(unquoted_);
  unquoted_bytes_ = 0;
  if (!in_array_) {
    std::vector<Span>().swap(spans_);
  }
  if (!external_ && begin_ == buffer_.size()) {
    std::string().swap(buffer_);
    begin_ = 0;
  }
}

RequestParser::Event RequestParser::next() {
  if (failed_) {
    return Event::kError;
  }
  args_.clear();
  while (begin_ < input().size()) {
    size_t before = begin_;
    bool array = in_array_ || command_bytes().front() == '*';
    Event event = array ? next_multibulk() : next_inline();
    // An empty line and "*0" are commands without words: skipped in silence, as Redis does.
    if (event != Event::kCommand || !args_.empty()) {
      return event;
    }
    CHECK_INVARIANT(begin_ > before);
  }
  return Event::kNeedMore;
}

RequestParser::Event RequestParser::fail(std::string_view text) {
  error_ = "ERR Protocol error: ";
  error_ += text;
  failed_ = true;
  return Event::kError;
}

void RequestParser::finish(size_t size) {
  begin_ += size;
  CHECK_INVARIANT(begin_ <= input().size());
  in_array_ = false;
  bulk_size_ = -1;
  at_ = 0;
  scanned_ = 0;
  size_hint_ = 0;
}

// ---------------------------------------------------------------- inline commands

RequestParser::Event RequestParser::next_inline() {
  std::string_view bytes = command_bytes();
  size_t newline = bytes.find('\n', scanned_);
  if (newline == kNone) {
    scanned_ = bytes.size();
    return bytes.size() > limits::kInlineBytes ? fail("too big inline request") : Event::kNeedMore;
  }
  std::string_view line = bytes.substr(0, newline);
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  if (!split_inline(line)) {
    return fail("unbalanced quotes in request");
  }
  finish(newline + 1);
  return Event::kCommand;
}

bool RequestParser::split_inline(std::string_view line) {
  line = line.substr(0, line.find('\0'));
  unquoted_.clear();
  unquoted_bytes_ = 0;
  std::vector<std::pair<size_t, size_t>> order;  // (argument, index into unquoted_ + 1)
  while (true) {
    while (!line.empty() && is_space(line.front())) {
      line.remove_prefix(1);
    }
    if (line.empty()) {
      break;
    }
    size_t plain = 0;
    while (plain < line.size() && !ends_word(line[plain]) && line[plain] != '"' &&
           line[plain] != '\'') {
      ++plain;
    }
    if (plain == line.size() || ends_word(line[plain])) {
      args_.push_back(line.substr(0, plain));
      line.remove_prefix(plain);
      continue;
    }
    std::string word;
    if (!unquote(line, word)) {
      args_.clear();
      return false;
    }
    order.emplace_back(args_.size(), unquoted_.size());
    unquoted_bytes_ += word.capacity();
    unquoted_.push_back(std::move(word));
    args_.emplace_back();
  }
  for (auto [argument, index] : order) {  // only now: the vector no longer moves its strings
    args_[argument] = unquoted_[index];
  }
  return true;
}

// ---------------------------------------------------------------- arrays of bulk strings

RequestParser::Event RequestParser::next_multibulk() {
  if (!in_array_) {
    Event event = read_array_length();
    if (event != Event::kCommand || !in_array_) {
      return event;
    }
  }
  while (missing_ > 0) {
    Event event = read_bulk();
    if (event != Event::kCommand) {
      return event;
    }
  }
  std::string_view bytes = command_bytes();
  CHECK_INVARIANT(missing_ == 0 && !spans_.empty());
  args_.reserve(spans_.size());
  for (const Span& span : spans_) {
    args_.push_back(bytes.substr(span.offset, span.size));
  }
  finish(at_);
  return Event::kCommand;
}

// kCommand: the line is read; in_array_ unless it announced nothing.
RequestParser::Event RequestParser::read_array_length() {
  std::string_view bytes = command_bytes();
  Length length = read_short_length(bytes, 1);
  if (length.value < 0) {
    scanned_ = std::max<size_t>(scanned_, 1);
    const size_t end = find_line_end(bytes, scanned_);
    if (end == kNone) {
      return bytes.size() > limits::kInlineBytes ? fail("too big mbulk count string")
                                                 : Event::kNeedMore;
    }
    if (end + 1 >= bytes.size()) {
      return Event::kNeedMore;
    }
    std::optional<int64_t> number = parse_integer(bytes.substr(1, end - 1));
    if (!number) {
      return fail("invalid multibulk length");
    }
    length = {*number, end + 2};
  }
  if (length.value > limits::kMultibulkCount) {
    return fail("invalid multibulk length");
  }
  if (!authenticated_ && length.value > limits::kUnauthenticatedMultibulkCount) {
    return fail("unauthenticated multibulk length");
  }
  if (length.value <= 0) {
    finish(length.end);
    return Event::kCommand;
  }
  in_array_ = true;
  missing_ = length.value;
  at_ = length.end;
  scanned_ = at_;
  spans_.clear();
  return Event::kCommand;
}

// kCommand: bulk_size_ is known and at_ is behind the line.
RequestParser::Event RequestParser::read_bulk_length() {
  std::string_view bytes = command_bytes();
  Length length;
  if (at_ < bytes.size() && bytes[at_] == '$') {
    length = read_short_length(bytes, at_ + 1);
  }
  if (length.value < 0) {
    scanned_ = std::max(scanned_, at_);
    const size_t end = find_line_end(bytes, scanned_);
    if (end == kNone) {
      return bytes.size() - at_ > limits::kInlineBytes ? fail("too big bulk count string")
                                                       : Event::kNeedMore;
    }
    if (end + 1 >= bytes.size()) {
      return Event::kNeedMore;
    }
    if (bytes[at_] != '$') {
      return fail(std::string("expected '$', got '") + bytes[at_] + "'");
    }
    std::optional<int64_t> number = parse_integer(bytes.substr(at_ + 1, end - at_ - 1));
    if (!number || *number < 0) {
      return fail("invalid bulk length");
    }
    length = {*number, end + 2};
  }
  if (length.value > bulk_max_) {
    return fail("invalid bulk length");
  }
  if (!authenticated_ && length.value > static_cast<int64_t>(limits::kUnauthenticatedBulkBytes)) {
    return fail("unauthenticated bulk length");
  }
  bulk_size_ = length.value;
  at_ = length.end;
  return Event::kCommand;
}

RequestParser::Event RequestParser::read_bulk() {
  CHECK_INVARIANT(in_array_ && missing_ > 0);
  if (bulk_size_ < 0) {
    Event event = read_bulk_length();
    if (event != Event::kCommand) {
      return event;
    }
  }
  auto size = static_cast<size_t>(bulk_size_);
  size_hint_ = at_ + size + 2;
  if (command_bytes().size() < size_hint_) {
    return Event::kNeedMore;
  }
  spans_.push_back({at_, size});
  at_ = size_hint_;
  scanned_ = at_;
  bulk_size_ = -1;
  --missing_;
  return Event::kCommand;
}

}  // namespace kiwi::resp
