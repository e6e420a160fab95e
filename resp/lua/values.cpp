// Replies as a script's values, and a script's values as replies (Redis 7.0, script_lua.c). Fields
// are read and written raw: no metamethod of a script runs here.
#include <algorithm>
#include <string>

#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr uint64_t kStepsPerValue = 20;
constexpr size_t kBytesPerStep = 16;
// Of a value that is written as a reply. Redis ends where Lua's stack does, at about 8,000.
constexpr int kReplyDepth = 1000;

void push_field(lua_State* L, const char* name, std::string_view value) {
  lua_pushstring(L, name);
  push(L, value);
  lua_rawset(L, -3);
}

void push_items(lua_State* L, const std::vector<ReplyValue>& items) {
  lua_createtable(L, static_cast<int>(items.size()), 0);
  for (size_t i = 0; i < items.size(); ++i) {
    push_reply(L, items[i]);
    lua_rawseti(L, -2, static_cast<int>(i + 1));
  }
}

// What is nil as a key of a map or a set is left out: Lua has no such key.
void push_pairs(lua_State* L, const ReplyValue& value) {
  const bool map = value.kind == ReplyValue::Kind::kMap;
  lua_createtable(L, 0, 1);
  lua_pushstring(L, map ? "map" : "set");
  lua_newtable(L);
  for (size_t i = 0; i < value.items.size(); i += map ? 2 : 1) {
    push_reply(L, value.items[i]);
    if (map) {
      push_reply(L, value.items[i + 1]);
    } else {
      lua_pushboolean(L, 1);
    }
    if (lua_isnil(L, -2)) {
      lua_pop(L, 2);
    } else {
      lua_rawset(L, -3);
    }
  }
  lua_rawset(L, -3);
}

void push_verbatim(lua_State* L, std::string_view text) {
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "verbatim_string");
  lua_createtable(L, 0, 2);
  push_field(L, "string", text);
  push_field(L, "format", "txt");
  lua_rawset(L, -3);
}

}  // namespace

void push_error(lua_State* L, std::string_view text) {
  lua_createtable(L, 0, 2);
  push_field(L, "err", text);
  lua_pushliteral(L, "ignore_error_stats_update");
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
}

void push_reply(lua_State* L, const ReplyValue& value) {
  luaL_checkstack(L, 8, "reply");
  charge(L, kStepsPerValue);
  switch (value.kind) {
    case ReplyValue::Kind::kStatus:
      lua_createtable(L, 0, 1);
      return push_field(L, "ok", value.text);
    case ReplyValue::Kind::kError:
      return push_error(L, value.text);
    case ReplyValue::Kind::kInteger:
      return lua_pushnumber(L, static_cast<lua_Number>(value.integer));
    case ReplyValue::Kind::kBulk:
      return push(L, value.text);
    case ReplyValue::Kind::kNull:
    case ReplyValue::Kind::kNullArray:
      if (run_of(L).resp == 2) {
        return lua_pushboolean(L, 0);
      }
      return lua_pushnil(L);
    case ReplyValue::Kind::kArray:
    case ReplyValue::Kind::kPush:
      return push_items(L, value.items);
    case ReplyValue::Kind::kMap:
    case ReplyValue::Kind::kSet:
      return push_pairs(L, value);
    case ReplyValue::Kind::kBoolean:
      return lua_pushboolean(L, value.integer != 0 ? 1 : 0);
    case ReplyValue::Kind::kDouble:
      lua_createtable(L, 0, 1);
      lua_pushliteral(L, "double");
      lua_pushnumber(L, value.real);
      return lua_rawset(L, -3);
    case ReplyValue::Kind::kBigNumber:
      lua_createtable(L, 0, 1);
      return push_field(L, "big_number", value.text);
    case ReplyValue::Kind::kVerbatim:
      return push_verbatim(L, value.text);
  }
}

namespace {

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return line;
}

class ReplyOf {
 public:
  ReplyOf(lua_State* L, ReplyWriter& reply) : L_(L), reply_(reply) {}

  // Of the value on top, which stays.
  void write(int depth) {
    charge(L_, kStepsPerValue);
    if (depth > kReplyDepth || lua_checkstack(L_, 8) == 0) {
      return say([&] { reply_.error("ERR reached lua stack limit"); });
    }
    switch (lua_type(L_, -1)) {
      case LUA_TSTRING: {
        const std::string_view text = text_at(L_, -1);
        charge(L_, text.size() / kBytesPerStep);
        return say([&] { reply_.bulk(text); });
      }
      case LUA_TBOOLEAN:
        return write_boolean(lua_toboolean(L_, -1) != 0);
      case LUA_TNUMBER: {
        const int64_t number = to_integer(lua_tonumber(L_, -1));
        return say([&] { reply_.integer(number); });
      }
      case LUA_TTABLE:
        return write_table(depth);
      default:
        return say([&] { reply_.null(); });
    }
  }

 private:
  template <class Action>
  void say(Action&& action) {
    guarded(L_, std::forward<Action>(action));
  }

  void write_boolean(bool value) {
    if (run_of(L_).resp == 3) {
      say([&] { reply_.boolean(value); });
    } else if (value) {
      say([&] { reply_.integer(1); });
    } else {
      say([&] { reply_.null(); });
    }
  }

  // Pushes the field of the table on top if it has that type; else nothing.
  bool push_if(const char* name, int type) {
    lua_pushstring(L_, name);
    lua_rawget(L_, -2);
    if (lua_type(L_, -1) == type) {
      return true;
    }
    lua_pop(L_, 1);
    return false;
  }

  void write_table(int depth) {
    if (push_if("err", LUA_TSTRING)) {
      const std::string text = one_line(text_at(L_, -1));
      say([&] { reply_.error(text); });
    } else if (push_if("ok", LUA_TSTRING)) {
      const std::string text = one_line(text_at(L_, -1));
      say([&] { reply_.simple(text); });
    } else if (push_if("double", LUA_TNUMBER)) {
      const lua_Number number = lua_tonumber(L_, -1);
      say([&] { reply_.number(number); });
    } else if (push_if("map", LUA_TTABLE)) {
      write_pairs(true, depth);
    } else if (push_if("set", LUA_TTABLE)) {
      write_pairs(false, depth);
    } else if (push_if("big_number", LUA_TSTRING)) {
      const std::string digits = one_line(text_at(L_, -1));
      say([&] { reply_.big_number(digits); });
    } else if (push_if("verbatim_string", LUA_TTABLE)) {
      if (!write_verbatim()) {
        lua_pop(L_, 1);
        return write_items(depth);
      }
    } else {
      return write_items(depth);
    }
    lua_pop(L_, 1);
  }

  bool write_verbatim() {
    if (!push_if("string", LUA_TSTRING)) {
      return false;
    }
    const std::string_view text = text_at(L_, -1);
    charge(L_, text.size() / kBytesPerStep);
    say([&] { reply_.verbatim(text); });
    lua_pop(L_, 1);
    return true;
  }

  void write_pairs(bool map, int depth) {
    see_through(L_, lua_gettop(L_));
    size_t pairs = 0;
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1)) {
      charge(L_, 1);
      ++pairs;
    }
    if (map) {
      say([&] { reply_.map(pairs); });
    } else {
      say([&] { reply_.set(pairs); });
    }
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1)) {
      lua_pushvalue(L_, -2);
      write(depth + 1);
      lua_pop(L_, 1);
      if (map) {
        write(depth + 1);
      }
    }
  }

  // Up to the first nil, as Redis does.
  void write_items(int depth) {
    int count = 0;
    for (;; ++count) {
      charge(L_, 1);
      lua_rawgeti(L_, -1, count + 1);
      const bool end = lua_isnil(L_, -1);
      lua_pop(L_, 1);
      if (end) {
        break;
      }
    }
    say([&] { reply_.array(static_cast<size_t>(count)); });
    for (int i = 1; i <= count; ++i) {
      lua_rawgeti(L_, -1, i);
      write(depth + 1);
      lua_pop(L_, 1);
    }
  }

  lua_State* L_;
  ReplyWriter& reply_;
};

}  // namespace

void write_reply(lua_State* L, ReplyWriter& reply) { ReplyOf(L, reply).write(0); }

}  // namespace kiwi::resp::lua
