// string.find, match, gmatch and gsub: Lua 5.1's patterns, each step counted, so that none runs longer
// than the budget, and with a bound on depth.
#include <cctype>
#include <cstring>

#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr uint64_t kStepsPerMatch = 20;
constexpr int kDepth = 1000;
constexpr int kUnfinished = -1;
constexpr int kPosition = -2;
constexpr char kEscape = '%';
constexpr std::string_view kSpecials = "^$*+?.([%-";

int byte_of(const char* at) { return static_cast<unsigned char>(*at); }

bool in_class(int c, int class_letter) {
  bool in = false;
  switch (std::tolower(class_letter)) {
    case 'a': in = std::isalpha(c) != 0; break;
    case 'c': in = std::iscntrl(c) != 0; break;
    case 'd': in = std::isdigit(c) != 0; break;
    case 'l': in = std::islower(c) != 0; break;
    case 'p': in = std::ispunct(c) != 0; break;
    case 's': in = std::isspace(c) != 0; break;
    case 'u': in = std::isupper(c) != 0; break;
    case 'w': in = std::isalnum(c) != 0; break;
    case 'x': in = std::isxdigit(c) != 0; break;
    case 'z': in = c == 0; break;
    default: return class_letter == c;
  }
  return in != (std::isupper(class_letter) != 0);
}

class Matcher {
 public:
  Matcher(lua_State* L, std::string_view text, std::string_view pattern)
      : L_(L), begin_(text.data()), end_(text.data() + text.size()),
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

// ---------------------------------------------------------------- find and match

const char* find_plain(lua_State* L, std::string_view text, size_t from, std::string_view wanted) {
  if (wanted.empty()) {
    return text.data() + from;
  }
  const char* at = text.data() + from;
  const char* end = text.data() + text.size();
  while (static_cast<size_t>(end - at) >= wanted.size()) {
    const size_t starts = static_cast<size_t>(end - at) - wanted.size() + 1;
    const char* first = static_cast<const char*>(std::memchr(at, wanted[0], starts));
    charge(L, (first == nullptr ? starts : static_cast<size_t>(first - at)) / 16 + 1 +
                  wanted.size() / 16);
    if (first == nullptr) {
      return nullptr;
    }
    if (std::memcmp(first, wanted.data(), wanted.size()) == 0) {
      return first;
    }
    at = first + 1;
  }
  return nullptr;
}

int find_or_match(lua_State* L, bool find) {
  const std::string_view text = check_text(L, 1);
  const std::string_view pattern = check_text(L, 2);
  const int64_t size = static_cast<int64_t>(text.size());
  int64_t from = luaL_optinteger(L, 3, 1);
  from = from < 0 ? from + size + 1 : from;
  from = from < 1 ? 0 : from - 1;
  from = from > size ? size : from;
  if (find && (lua_toboolean(L, 4) != 0 ||
               pattern.find_first_of(kSpecials) == std::string_view::npos)) {
    const char* found = find_plain(L, text, static_cast<size_t>(from), pattern);
    if (found == nullptr) {
      lua_pushnil(L);
      return 1;
    }
    lua_pushinteger(L, found - text.data() + 1);
    lua_pushinteger(L, found - text.data() + static_cast<ptrdiff_t>(pattern.size()));
    return 2;
  }
  const bool anchored = !pattern.empty() && pattern.front() == '^';
  Matcher matcher(L, text, pattern);
  const char* end = text.data() + text.size();
  for (const char* s = text.data() + from; s <= end; ++s) {
    matcher.reset();
    const char* e = matcher.match(s, pattern.data() + (anchored ? 1 : 0));
    if (e != nullptr) {
      if (!find) {
        return matcher.push_captures(s, e);
      }
      lua_pushinteger(L, s - text.data() + 1);
      lua_pushinteger(L, e - text.data());
      return matcher.push_captures(nullptr, nullptr) + 2;
    }
    if (anchored) {
      break;
    }
  }
  lua_pushnil(L);
  return 1;
}

int find(lua_State* L) { return find_or_match(L, true); }
int match(lua_State* L) { return find_or_match(L, false); }

int next_match(lua_State* L) {
  const std::string_view text = text_at(L, lua_upvalueindex(1));
  const std::string_view pattern = text_at(L, lua_upvalueindex(2));
  const char* end = text.data() + text.size();
  Matcher matcher(L, text, pattern);
  for (const char* s = text.data() + lua_tointeger(L, lua_upvalueindex(3)); s <= end; ++s) {
    matcher.reset();
    if (const char* e = matcher.match(s, pattern.data())) {
      lua_pushinteger(L, e - text.data() + (e == s ? 1 : 0));
      lua_replace(L, lua_upvalueindex(3));
      return matcher.push_captures(s, e);
    }
  }
  return 0;
}

int global_match(lua_State* L) {
  check_text(L, 1);
  check_text(L, 2);
  lua_settop(L, 2);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_match, 3);
  return 1;
}

// ---------------------------------------------------------------- gsub

void add_text(lua_State* L, Matcher& matcher, luaL_Buffer* buffer, const char* s, const char* e) {
  const std::string_view news = text_at(L, 3);
  charge(L, news.size() / 4 + 1);
  for (size_t i = 0; i < news.size(); ++i) {
    if (news[i] != kEscape) {
      luaL_addchar(buffer, news[i]);
      continue;
    }
    ++i;  // a zero stands behind the last byte
    const char c = i < news.size() ? news[i] : '\0';
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) {
      luaL_addchar(buffer, c);
    } else if (c == '0') {
      luaL_addlstring(buffer, s, static_cast<size_t>(e - s));
    } else {
      matcher.push_capture(c - '1', s, e);
      luaL_addvalue(buffer);
    }
  }
}

void add_value(lua_State* L, Matcher& matcher, luaL_Buffer* buffer, const char* s, const char* e) {
  switch (lua_type(L, 3)) {
    case LUA_TFUNCTION:
      lua_pushvalue(L, 3);
      lua_call(L, matcher.push_captures(s, e), 1);
      break;
    case LUA_TTABLE:
      matcher.push_capture(0, s, e);
      lua_gettable(L, 3);
      break;
    default:
      return add_text(L, matcher, buffer, s, e);
  }
  if (lua_toboolean(L, -1) == 0) {
    lua_pop(L, 1);
    lua_pushlstring(L, s, static_cast<size_t>(e - s));
  } else if (lua_isstring(L, -1) == 0) {
    luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  }
  luaL_addvalue(buffer);
}

int global_substitute(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  std::string_view pattern = check_text(L, 2);
  const int type = lua_type(L, 3);
  luaL_argcheck(L,
                type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                    type == LUA_TTABLE,
                3, "string/function/table expected");
  const int64_t most = luaL_optinteger(L, 4, static_cast<lua_Integer>(text.size() + 1));
  const bool anchored = !pattern.empty() && pattern.front() == '^';
  pattern.remove_prefix(anchored ? 1 : 0);
  Matcher matcher(L, text, pattern);
  const char* s = text.data();
  const char* end = s + text.size();
  int64_t count = 0;
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  while (count < most) {
    matcher.reset();
    const char* e = matcher.match(s, pattern.data());
    if (e != nullptr) {
      ++count;
      add_value(L, matcher, &buffer, s, e);
    }
    if (e != nullptr && e > s) {
      s = e;
    } else if (s < end) {
      luaL_addchar(&buffer, *s);
      ++s;
    } else {
      break;
    }
    if (anchored) {
      break;
    }
  }
  luaL_addlstring(&buffer, s, static_cast<size_t>(end - s));
  luaL_pushresult(&buffer);
  lua_pushinteger(L, count);
  return 2;
}

}  // namespace

void open_patterns(lua_State* L) {
  lua_getglobal(L, "string");
  set_function(L, "find", find);
  set_function(L, "match", match);
  set_function(L, "gmatch", global_match);
  set_function(L, "gfind", global_match);
  set_function(L, "gsub", global_substitute);
  lua_pop(L, 1);
}

}  // namespace kiwi::resp::lua
