// string.find, match, gmatch and gsub, on Matcher.
#include <cctype>
#include <cstring>

#include "resp/lua/matcher.hpp"

namespace kiwi::resp::lua {

namespace {

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
  charge(L, pattern.size() / 8);
  if (find &&
      (lua_toboolean(L, 4) != 0 || pattern.find_first_of(kSpecials) == std::string_view::npos)) {
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
  luaL_argcheck(
      L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE,
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
