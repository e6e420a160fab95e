// table.*: what is ours of it. Lua's own moves and compares without counting, and does not know
// locked tables.
#include <algorithm>

#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr uint64_t kStepsPerComparison = 10;

constexpr uint64_t kStepsPerMove = 12;

void move(lua_State* L, int from, int to) {
  charge(L, kStepsPerMove);
  lua_rawgeti(L, 1, from);
  lua_rawseti(L, 1, to);
}

// Lua's own count no move, and positions may be far outside of the table.
int insert(lua_State* L) {
  refuse_locked(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  int64_t end = static_cast<int64_t>(lua_objlen(L, 1)) + 1;
  int64_t place = end;
  switch (lua_gettop(L)) {
    case 2:
      break;
    case 3:
      place = luaL_checkint(L, 2);
      end = std::max(end, place);
      for (int64_t i = end; i > place; --i) {
        move(L, static_cast<int>(i - 1), static_cast<int>(i));
      }
      break;
    default:
      return luaL_error(L, "wrong number of arguments to 'insert'");
  }
  lua_rawseti(L, 1, static_cast<int>(place));
  return 0;
}

int remove(lua_State* L) {
  refuse_locked(L, 1);
  luaL_checktype(L, 1, LUA_TTABLE);
  const int end = static_cast<int>(lua_objlen(L, 1));
  const int place = luaL_optint(L, 2, end);
  if (place < 1 || place > end) {
    return 0;
  }
  lua_rawgeti(L, 1, place);
  for (int i = place; i < end; ++i) {
    move(L, i + 1, i);
  }
  lua_pushnil(L);
  lua_rawseti(L, 1, end);
  return 1;
}

// What is called may be of C, which counts nothing.
int for_each(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  see_through(L, 1);
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 2)) {
    charge(L, kStepsPerMove);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 1);
    if (!lua_isnil(L, -1)) {
      return 1;
    }
  }
  return 0;
}

int for_each_index(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const int count = static_cast<int>(lua_objlen(L, 1));
  luaL_checktype(L, 2, LUA_TFUNCTION);
  for (int i = 1; i <= count; ++i) {
    charge(L, kStepsPerMove);
    lua_pushvalue(L, 2);
    lua_pushinteger(L, i);
    lua_rawgeti(L, 1, i);
    lua_call(L, 2, 1);
    if (!lua_isnil(L, -1)) {
      return 1;
    }
    lua_pop(L, 1);
  }
  return 0;
}

uint64_t of_concat(lua_State* L) {
  if (!lua_istable(L, 1)) {
    return 1;
  }
  const int64_t from = lua_isnumber(L, 3) != 0 ? to_integer(lua_tonumber(L, 3)) : 1;
  const int64_t size = static_cast<int64_t>(lua_objlen(L, 1));
  const int64_t to = lua_isnumber(L, 4) != 0 ? to_integer(lua_tonumber(L, 4)) : size;
  return to > from ? static_cast<uint64_t>(to) - static_cast<uint64_t>(from) : 1;
}

// Lua 5.1's order of comparisons: what is left of equal ones must be as Redis leaves it.
class Sort {
 public:
  explicit Sort(lua_State* L) : L_(L) {}

  void sort(int lower, int upper) {
    while (lower < upper) {
      order(lower, upper);
      if (upper - lower == 1) {
        return;
      }
      int middle = (lower + upper) / 2;
      lua_rawgeti(L_, 1, middle);
      lua_rawgeti(L_, 1, lower);
      if (less(-2, -1)) {
        set(middle, lower);
      } else {
        lua_pop(L_, 1);
        lua_rawgeti(L_, 1, upper);
        if (less(-1, -2)) {
          set(middle, upper);
        } else {
          lua_pop(L_, 2);
        }
      }
      if (upper - lower == 2) {
        return;
      }
      lua_rawgeti(L_, 1, middle);  // the pivot
      lua_pushvalue(L_, -1);
      lua_rawgeti(L_, 1, upper - 1);
      set(middle, upper - 1);
      middle = partition(lower, upper);
      lua_rawgeti(L_, 1, upper - 1);
      lua_rawgeti(L_, 1, middle);
      set(upper - 1, middle);
      if (middle - lower < upper - middle) {
        sort(lower, middle - 1);
        lower = middle + 1;
      } else {
        sort(middle + 1, upper);
        upper = middle - 1;
      }
    }
  }

 private:
  void set(int i, int j) {
    lua_rawseti(L_, 1, i);
    lua_rawseti(L_, 1, j);
  }

  void order(int lower, int upper) {
    lua_rawgeti(L_, 1, lower);
    lua_rawgeti(L_, 1, upper);
    if (less(-1, -2)) {
      set(lower, upper);
    } else {
      lua_pop(L_, 2);
    }
  }

  // The pivot is on top and stands at upper - 1; takes it off the stack.
  int partition(int lower, int upper) {
    int i = lower;
    int j = upper - 1;
    for (;;) {
      while (lua_rawgeti(L_, 1, ++i), less(-1, -2)) {
        if (i > upper) {
          luaL_error(L_, "invalid order function for sorting");
        }
        lua_pop(L_, 1);
      }
      while (lua_rawgeti(L_, 1, --j), less(-3, -1)) {
        if (j < lower) {
          luaL_error(L_, "invalid order function for sorting");
        }
        lua_pop(L_, 1);
      }
      if (j < i) {
        lua_pop(L_, 3);
        return i;
      }
      set(i, j);
    }
  }

  bool less(int a, int b) {
    charge(L_, kStepsPerComparison);
    if (lua_isnil(L_, 2)) {
      return lua_lessthan(L_, a, b) != 0;
    }
    lua_pushvalue(L_, 2);
    lua_pushvalue(L_, a - 1);
    lua_pushvalue(L_, b - 2);
    lua_call(L_, 2, 1);
    const bool result = lua_toboolean(L_, -1) != 0;
    lua_pop(L_, 1);
    return result;
  }

  lua_State* L_;
};

int sort_table(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  refuse_locked(L, 1);
  const int count = static_cast<int>(lua_objlen(L, 1));
  luaL_checkstack(L, 40, "");
  if (!lua_isnoneornil(L, 2)) {
    luaL_checktype(L, 2, LUA_TFUNCTION);
  }
  lua_settop(L, 2);
  Sort(L).sort(1, count);
  return 0;
}

}  // namespace

void open_tables(lua_State* L) {
  lua_getglobal(L, "table");
  set_function(L, "sort", sort_table);
  set_function(L, "insert", insert);
  set_function(L, "remove", remove);
  set_function(L, "foreach", for_each);
  set_function(L, "foreachi", for_each_index);
  charge_for<of_concat>(L, "concat");
  lua_pop(L, 1);
}

}  // namespace kiwi::resp::lua
