// JSON as lua-cjson 2.1.0 reads it: the same tokens, the same leniency in numbers, the same errors.
// For cjson.cpp only.
#pragma once

#include <cctype>
#include <cstdlib>
#include <cstring>

#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

inline constexpr int kJsonDepth = 1000;  // whatever a script allows: the recursion is C++

struct JsonOptions {
  enum Switch : int { kOff = 0, kOn = 1, kNull = 2 };
  int sparse_convert = kOff;
  int sparse_ratio = 2;
  int sparse_safe = 10;
  int encode_depth = 1000;
  int decode_depth = 1000;
  int precision = 14;
  int keep_buffer = kOn;
  int encode_invalid = kOff;
  int decode_invalid = kOn;
};

class JsonReader {
 public:
  // Text of a Lua string: a NUL stands behind it.
  JsonReader(lua_State* L, const JsonOptions& options, std::string_view text)
      : L_(L), options_(options), begin_(text.data()), at_(text.data()), text_(L) {
    if (text.size() >= 2 && (text[0] == '\0' || text[1] == '\0')) {
      luaL_error(L_, "JSON parser does not support UTF-16 or UTF-32");
    }
  }

  // Pushes the value.
  void read_all() {
    next();
    read_value();
    next();
    if (token_ != Token::kEnd) {
      fail("the end");
    }
  }

 private:
  enum class Token : unsigned char {
    kObjectBegin,
    kObjectEnd,
    kArrayBegin,
    kArrayEnd,
    kString,
    kNumber,
    kBoolean,
    kNull,
    kColon,
    kComma,
    kEnd,
    kError,
  };

  void error(const char* what) {
    token_ = Token::kError;
    error_ = what;
    place_ = at_ - begin_;
  }

  [[noreturn]] void fail(const char* expected) {
    constexpr const char* kNames[] = {"T_OBJ_BEGIN", "T_OBJ_END", "T_ARR_BEGIN", "T_ARR_END",
                                      "T_STRING",    "T_NUMBER",  "T_BOOLEAN",   "T_NULL",
                                      "T_COLON",     "T_COMMA",   "T_END"};
    const char* found = token_ == Token::kError ? error_ : kNames[static_cast<int>(token_)];
    luaL_error(L_, "Expected %s but found %s at character %d", expected, found,
               static_cast<int>(place_ + 1));
    std::terminate();
  }

  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  bool begins(const char* word) const { return std::strncmp(at_, word, std::strlen(word)) == 0; }

  void next() {
    constexpr uint64_t kStepsPerToken = 10;
    const char* from = at_;
    while (is_space(*at_)) {
      ++at_;
    }
    charge(L_, kStepsPerToken + static_cast<uint64_t>(at_ - from));
    place_ = at_ - begin_;
    switch (*at_) {
      case '{':
        return single(Token::kObjectBegin);
      case '}':
        return single(Token::kObjectEnd);
      case '[':
        return single(Token::kArrayBegin);
      case ']':
        return single(Token::kArrayEnd);
      case ':':
        return single(Token::kColon);
      case ',':
        return single(Token::kComma);
      case '\0':
        token_ = Token::kEnd;
        return;
      case '"':
        return next_string();
      default:
        return next_word();
    }
  }

  void single(Token token) {
    token_ = token;
    ++at_;
  }

  void next_word() {
    const char c = *at_;
    if (c == '-' || (c >= '0' && c <= '9')) {
      if (options_.decode_invalid == JsonOptions::kOff && is_invalid_number()) {
        return error("invalid number");
      }
      return next_number();
    }
    if (begins("true") || begins("false")) {
      token_ = Token::kBoolean;
      boolean_ = c == 't';
      at_ += boolean_ ? 4 : 5;
      return;
    }
    if (begins("null")) {
      token_ = Token::kNull;
      at_ += 4;
      return;
    }
    const bool may_be_number = std::strchr("+iInN", c) != nullptr;
    if (may_be_number && options_.decode_invalid != JsonOptions::kOff && is_invalid_number()) {
      return next_number();
    }
    error("invalid token");
  }

  // What JSON does not have as a number: a sign +, leading zeros, hexadecimal digits, no number.
  bool is_invalid_number() const {
    const char* p = at_;
    if (*p == '+') {
      return true;
    }
    if (*p == '-') {
      ++p;
    }
    if (*p == '0') {
      return (p[1] | 0x20) == 'x' || (p[1] >= '0' && p[1] <= '9');
    }
    if (*p <= '9') {
      return false;
    }
    auto is = [p](const char* word) {
      for (size_t i = 0; word[i] != '\0'; ++i) {
        if ((p[i] | 0x20) != word[i]) {
          return false;
        }
      }
      return true;
    };
    return is("inf") || is("nan");
  }

  void next_number() {
    char* end = nullptr;
    number_ = std::strtod(at_, &end);
    if (end == at_) {
      return error("invalid number");
    }
    charge(L_, static_cast<uint64_t>(end - at_));
    at_ = end;
    token_ = Token::kNumber;
  }

  static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
      return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  }
  // Four digits; -1: there are not so many.
  static int code_unit(const char* p) {
    int value = 0;
    for (int i = 0; i < 4; ++i) {
      const int digit = hex_digit(p[i]);
      if (digit < 0) {
        return -1;
      }
      value = value * 16 + digit;
    }
    return value;
  }

  // At \uXXXX, which it passes. False: it is none.
  bool read_code_point() {
    constexpr int kEscape = 6;
    int code = code_unit(at_ + 2);
    int size = kEscape;
    if (code < 0) {
      return false;
    }
    if ((code & 0xf800) == 0xd800) {
      if ((code & 0x400) != 0 || at_[kEscape] != '\\' || at_[kEscape + 1] != 'u') {
        return false;
      }
      const int low = code_unit(at_ + kEscape + 2);
      if (low < 0 || (low & 0xfc00) != 0xdc00) {
        return false;
      }
      code = ((code & 0x3ff) << 10 | (low & 0x3ff)) + 0x10000;
      size = 2 * kEscape;
    }
    append_utf8(code);
    at_ += size;
    return true;
  }

  void append_utf8(int code) {
    std::string& out = text_.text();
    auto tail = [&](int shift) { out.push_back(static_cast<char>(0x80 | (code >> shift & 0x3f))); };
    if (code <= 0x7f) {
      out.push_back(static_cast<char>(code));
    } else if (code <= 0x7ff) {
      out.push_back(static_cast<char>(0xc0 | code >> 6));
      tail(0);
    } else if (code <= 0xffff) {
      out.push_back(static_cast<char>(0xe0 | code >> 12));
      tail(6);
      tail(0);
    } else {
      out.push_back(static_cast<char>(0xf0 | code >> 18));
      tail(12);
      tail(6);
      tail(0);
    }
  }

  static char unescaped(char c) {
    switch (c) {
      case '"':
      case '\\':
      case '/':
        return c;
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      default:
        return '\0';
    }
  }

  void next_string() {
    ++at_;
    text_.text().clear();
    for (;;) {
      const char* from = at_;
      while (*at_ != '"' && *at_ != '\\' && *at_ != '\0') {
        ++at_;
      }
      text_.append({from, static_cast<size_t>(at_ - from)});
      if (*at_ == '"') {
        ++at_;
        token_ = Token::kString;
        return;
      }
      if (*at_ == '\0') {
        return error("unexpected end of string");
      }
      if (at_[1] == 'u') {
        if (!read_code_point()) {
          return error("invalid unicode escape code");
        }
        continue;
      }
      const char c = unescaped(at_[1]);
      if (c == '\0') {
        return error("invalid escape code");
      }
      text_.append(c);
      at_ += 2;
    }
  }

  void descend(int slots) {
    ++depth_;
    if (depth_ > options_.decode_depth || depth_ > kJsonDepth || lua_checkstack(L_, slots) == 0) {
      luaL_error(L_, "Found too many nested data structures (%d) at character %d", depth_,
                 static_cast<int>(at_ - begin_));
    }
  }

  void read_value() {
    switch (token_) {
      case Token::kString:
        return text_.push();
      case Token::kNumber:
        return lua_pushnumber(L_, number_);
      case Token::kBoolean:
        return lua_pushboolean(L_, boolean_ ? 1 : 0);
      case Token::kNull:
        return lua_pushlightuserdata(L_, nullptr);
      case Token::kObjectBegin:
        return read_object();
      case Token::kArrayBegin:
        return read_array();
      default:
        fail("value");
    }
  }

  void read_object() {
    descend(4);
    lua_newtable(L_);
    next();
    if (token_ != Token::kObjectEnd) {
      for (;;) {
        if (token_ != Token::kString) {
          fail("object key string");
        }
        text_.push();
        next();
        if (token_ != Token::kColon) {
          fail("colon");
        }
        next();
        read_value();
        lua_rawset(L_, -3);
        next();
        if (token_ == Token::kObjectEnd) {
          break;
        }
        if (token_ != Token::kComma) {
          fail("comma or object end");
        }
        next();
      }
    }
    --depth_;
  }

  void read_array() {
    descend(3);
    lua_newtable(L_);
    next();
    if (token_ != Token::kArrayEnd) {
      for (int i = 1;; ++i) {
        read_value();
        lua_rawseti(L_, -2, i);
        next();
        if (token_ == Token::kArrayEnd) {
          break;
        }
        if (token_ != Token::kComma) {
          fail("comma or array end");
        }
        next();
      }
    }
    --depth_;
  }

  lua_State* L_;
  const JsonOptions& options_;
  const char* begin_;
  const char* at_;
  TextBuffer text_;  // of the last string
  Token token_ = Token::kEnd;
  const char* error_ = "";
  ptrdiff_t place_ = 0;  // where the token begins
  bool boolean_ = false;
  double number_ = 0;
  int depth_ = 0;
};

}  // namespace kiwi::resp::lua
