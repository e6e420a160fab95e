// Lua 5.1's patterns, each step counted, so that none runs longer than the budget, and with a bound
// on depth. For patterns.cpp only.
#pragma once

#include <cctype>
#include <cstddef>
#include <cstring>

#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

inline constexpr uint64_t kStepsPerMatch = 20;
inline constexpr int kDepth = 1000;
inline constexpr int kUnfinished = -1;
inline constexpr int kPosition = -2;
inline constexpr char kEscape = '%';
inline constexpr std::string_view kSpecials = "^$*+?.([%-";

inline int byte_of(const char* at) { return static_cast<unsigned char>(*at); }

inline bool in_class(int c, int class_letter) {
  bool in = false;
  switch (std::tolower(class_letter)) {
    case 'a':
      in = std::isalpha(c) != 0;
      break;
    case 'c':
      in = std::iscntrl(c) != 0;
      break;
    case 'd':
      in = std::isdigit(c) != 0;
      break;
    case 'l':
      in = std::islower(c) != 0;
      break;
    case 'p':
      in = std::ispunct(c) != 0;
      break;
    case 's':
      in = std::isspace(c) != 0;
      break;
    case 'u':
      in = std::isupper(c) != 0;
      break;
    case 'w':
      in = std::isalnum(c) != 0;
      break;
    case 'x':
      in = std::isxdigit(c) != 0;
      break;
    case 'z':
      in = c == 0;
      break;
    default:
      return class_letter == c;
  }
  return in != (std::isupper(class_letter) != 0);
}

class Matcher {
 public:
  Matcher(lua_State* L, std::string_view text, std::string_view pattern)
      : L_(L),
        begin_(text.data()),
        end_(text.data() + text.size()),
        pattern_end_(pattern.data() + pattern.size()) {}

  void reset() { level_ = depth_ = 0; }
  int level() const { return level_; }

  // The end of the match that begins at s, or nullptr.
  const char* match(const char* s, const char* p) {
    if (++depth_ > kDepth) {
      luaL_error(L_, "pattern too complex");
    }
    const char* result = step(s, p);
    --depth_;
    return result;
  }

  // Pushes the captures; without any the whole match, if there is one.
  int push_captures(const char* s, const char* e) {
    const int count = level_ == 0 && s != nullptr ? 1 : level_;
    luaL_checkstack(L_, count, "too many captures");
    for (int i = 0; i < count; ++i) {
      push_capture(i, s, e);
    }
    return count;
  }

  void push_capture(int i, const char* s, const char* e) {
    if (i >= level_) {
      if (i != 0) {
        luaL_error(L_, "invalid capture index");
      }
      lua_pushlstring(L_, s, static_cast<size_t>(e - s));
      return;
    }
    const Capture& capture = captures_[i];
    if (capture.size == kUnfinished) {
      luaL_error(L_, "unfinished capture");
    }
    if (capture.size == kPosition) {
      lua_pushinteger(L_, capture.start - begin_ + 1);
    } else {
      lua_pushlstring(L_, capture.start, static_cast<size_t>(capture.size));
    }
  }

 private:
  struct Capture {
    const char* start = nullptr;
    ptrdiff_t size = 0;
  };

  bool at_end(const char* p) const { return p >= pattern_end_; }

  const char* step(const char* s, const char* p) {
    for (;;) {
      charge(L_, kStepsPerMatch);
      if (at_end(p)) {
        return s;
      }
      if (*p == '(') {
        return p + 1 < pattern_end_ && p[1] == ')' ? open(s, p + 2, kPosition)
                                                   : open(s, p + 1, kUnfinished);
      }
      if (*p == ')') {
        return close(s, p + 1);
      }
      if (*p == '$' && p + 1 == pattern_end_) {
        return s == end_ ? s : nullptr;
      }
      if (*p == kEscape && p + 1 < pattern_end_) {
        if (p[1] == 'b') {
          s = balance(s, p + 2);
          if (s == nullptr) {
            return nullptr;
          }
          p += 4;
          continue;
        }
        if (p[1] == 'f') {
          p += 2;
          if (!frontier(s, p)) {
            return nullptr;
          }
          continue;
        }
        if (std::isdigit(byte_of(p + 1)) != 0) {
          s = back_reference(s, byte_of(p + 1));
          if (s == nullptr) {
            return nullptr;
          }
          p += 2;
          continue;
        }
      }
      const char* next = class_end(p);
      const bool fits = s < end_ && single(byte_of(s), p, next);
      const char repetition = next < pattern_end_ ? *next : '\0';
      if (repetition == '?') {
        if (fits) {
          if (const char* result = match(s + 1, next + 1)) {
            return result;
          }
        }
        p = next + 1;
        continue;
      }
      if (repetition == '*') {
        return most(s, p, next);
      }
      if (repetition == '+') {
        return fits ? most(s + 1, p, next) : nullptr;
      }
      if (repetition == '-') {
        return least(s, p, next);
      }
      if (!fits) {
        return nullptr;
      }
      ++s;
      p = next;
    }
  }

  const char* class_end(const char* p) {
    const char* begin = p;
    const char c = *p++;
    if (c == kEscape) {
      if (at_end(p)) {
        luaL_error(L_, "malformed pattern (ends with '%%')");
      }
      return p + 1;
    }
    if (c == '[') {
      if (!at_end(p) && *p == '^') {
        ++p;
      }
      do {
        if (at_end(p)) {
          luaL_error(L_, "malformed pattern (missing ']')");
        }
        if (*p++ == kEscape && !at_end(p)) {
          ++p;
        }
      } while (at_end(p) || *p != ']');
      charge(L_, static_cast<uint64_t>(p - begin));
      return p + 1;
    }
    return p;
  }

  // `last` is the ']'.
  bool in_set(int c, const char* p, const char* last) const {
    bool in = true;
    if (p[1] == '^') {
      in = false;
      ++p;
    }
    while (++p < last) {
      if (*p == kEscape) {
        if (in_class(c, byte_of(++p))) {
          return in;
        }
      } else if (p[1] == '-' && p + 2 < last) {
        p += 2;
        if (byte_of(p - 2) <= c && c <= byte_of(p)) {
          return in;
        }
      } else if (byte_of(p) == c) {
        return in;
      }
    }
    return !in;
  }

  bool single(int c, const char* p, const char* next) const {
    switch (*p) {
      case '.':
        return true;
      case kEscape:
        return in_class(c, byte_of(p + 1));
      case '[':
        charge(L_, static_cast<uint64_t>(next - p));
        return in_set(c, p, next - 1);
      default:
        return byte_of(p) == c;
    }
  }

  const char* balance(const char* s, const char* p) {
    if (p + 1 >= pattern_end_) {
      luaL_error(L_, "unbalanced pattern");
    }
    if (s >= end_ || *s != *p) {
      return nullptr;
    }
    int depth = 1;
    for (const char* at = s + 1; at < end_; ++at) {
      charge(L_, 1);
      if (*at == p[1]) {
        if (--depth == 0) {
          return at + 1;
        }
      } else if (*at == *p) {
        ++depth;
      }
    }
    return nullptr;
  }

  bool frontier(const char* s, const char*& p) {
    if (at_end(p) || *p != '[') {
      luaL_error(L_, "missing '[' after '%%f' in pattern");
    }
    const char* next = class_end(p);
    charge(L_, 2 * static_cast<uint64_t>(next - p));
    const int before = s == begin_ ? 0 : byte_of(s - 1);
    const int here = s < end_ ? byte_of(s) : 0;
    const bool is = !in_set(before, p, next - 1) && in_set(here, p, next - 1);
    p = next;
    return is;
  }

  const char* back_reference(const char* s, int digit) {
    const int i = digit - '1';
    if (i < 0 || i >= level_ || captures_[i].size == kUnfinished) {
      luaL_error(L_, "invalid capture index");
    }
    if (captures_[i].size < 0) {
      return nullptr;  // a position has no bytes to find again
    }
    const size_t size = static_cast<size_t>(captures_[i].size);
    charge(L_, size / 16);
    return static_cast<size_t>(end_ - s) >= size && std::memcmp(captures_[i].start, s, size) == 0
               ? s + size
               : nullptr;
  }

  const char* most(const char* s, const char* p, const char* next) {
    ptrdiff_t count = 0;
    while (s + count < end_ && single(byte_of(s + count), p, next)) {
      charge(L_, 1);
      ++count;
    }
    for (; count >= 0; --count) {
      if (const char* result = match(s + count, next + 1)) {
        return result;
      }
    }
    return nullptr;
  }

  const char* least(const char* s, const char* p, const char* next) {
    for (;; ++s) {
      if (const char* result = match(s, next + 1)) {
        return result;
      }
      if (s >= end_ || !single(byte_of(s), p, next)) {
        return nullptr;
      }
    }
  }

  const char* open(const char* s, const char* p, int what) {
    if (level_ >= LUA_MAXCAPTURES) {
      luaL_error(L_, "too many captures");
    }
    captures_[level_++] = {s, what};
    const char* result = match(s, p);
    if (result == nullptr) {
      --level_;
    }
    return result;
  }

  const char* close(const char* s, const char* p) {
    int i = level_ - 1;
    while (i >= 0 && captures_[i].size != kUnfinished) {
      --i;
    }
    if (i < 0) {
      luaL_error(L_, "invalid pattern capture");
    }
    captures_[i].size = s - captures_[i].start;
    const char* result = match(s, p);
    if (result == nullptr) {
      captures_[i].size = kUnfinished;
    }
    return result;
  }

  lua_State* L_;
  const char* begin_;
  const char* end_;
  const char* pattern_end_;
  int level_ = 0;
  int depth_ = 0;
  Capture captures_[LUA_MAXCAPTURES];
};

}  // namespace kiwi::resp::lua
