#include "resp/lua/runtime.hpp"

#include <cstdio>

#include "resp/lua/registry.hpp"

// Lua's own: to the nearest protected call.
[[noreturn]] void luaD_throw(lua_State* L, int status);

namespace kiwi::resp::lua {

// Past the handler of an xpcall(): inside of count_hook() no hook is called, so that nothing would
// end a handler that does not end by itself.
void stop_run(lua_State* L) {
  // From here on each instruction of this thread ends whatever caught the last error.
  lua_sethook(L, count_hook, LUA_MASKCOUNT, 1);
  lua_pushliteral(L, "script stopped");
  luaD_throw(L, LUA_ERRRUN);
}

void rest(lua_State* L) {
  Meter& meter = arena_of_state(L).meter;
  meter.rested = meter.steps;
  if (Host* host = run_of(L).host) {
    guarded(L, [host] { host->rest(); });
  }
}

void count_hook(lua_State* L, lua_Debug*) { charge(L, kInstructionsPerHook); }

void raise_text(lua_State* L, const char* text) {
  luaL_error(L, "%s", text);
  std::terminate();
}

void TextBuffer::append(std::string_view text) {
  constexpr size_t kBytesPerStep = 16;
  charge(L_, 1 + text.size() / kBytesPerStep);
  if (text.size() > Arena::kBytes - text_.size()) {
    arena_of_state(L_).meter.stop = Stop::kMemory;
    stop_run(L_);
  }
  text_.append(text);
}

int64_t to_integer(lua_Number number) {
  constexpr double kBeyond = 9223372036854775808.0;  // 2^63
  if (!(number >= -kBeyond && number < kBeyond)) {
    return INT64_MIN;
  }
  return static_cast<int64_t>(number);
}

void push_tostring(lua_State* L, int index) {
  if (luaL_callmeta(L, index, "__tostring") != 0) {
    return;
  }
  switch (lua_type(L, index)) {
    case LUA_TNUMBER:
    case LUA_TSTRING:
      lua_pushvalue(L, index);
      lua_tostring(L, -1);
      return;
    case LUA_TBOOLEAN:
      lua_pushstring(L, lua_toboolean(L, index) != 0 ? "true" : "false");
      return;
    case LUA_TNIL:
      lua_pushliteral(L, "nil");
      return;
    default:
      lua_pushfstring(L, "%s: %p", luaL_typename(L, index), lua_topointer(L, index));
  }
}

// ---------------------------------------------------------------- locked tables

namespace {

int refuse_change(lua_State* L) { return luaL_error(L, kReadOnlyTable); }

int refuse_unknown(lua_State* L) {
  const int type = lua_type(L, 2);
  if (type != LUA_TSTRING && type != LUA_TNUMBER) {
    return luaL_error(L, "Second argument to luaRedis_index must be a string or number");
  }
  return luaL_error(L, "Script attempted to access nonexistent global variable '%s'",
                    lua_tostring(L, 2));
}

// Pushes the table behind the locked one at `index`, or nothing.
bool push_locked(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TTABLE || lua_getmetatable(L, index) == 0) {
    return false;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, kLockedTables);
  lua_insert(L, -2);
  lua_rawget(L, -2);  // by the metatable
  lua_remove(L, -2);
  if (lua_istable(L, -1)) {
    return true;
  }
  lua_pop(L, 1);
  return false;
}

}  // namespace

bool is_locked(lua_State* L, int index) {
  if (!push_locked(L, index)) {
    return false;
  }
  lua_pop(L, 1);
  return true;
}

void refuse_locked(lua_State* L, int index) {
  if (is_locked(L, index)) {
    lua_pushstring(L, kReadOnlyTable);
    raise(L);
  }
}

void see_through(lua_State* L, int index) {
  if (push_locked(L, index)) {
    lua_replace(L, index);
  }
}

void lock(lua_State* L, bool strict) {
  const int table = lua_gettop(L);
  if (strict) {
    lua_createtable(L, 0, 1);
    set_function(L, "__index", refuse_unknown);
    lua_setmetatable(L, table);
  }
  lua_newtable(L);  // what scripts get
  lua_createtable(L, 0, 2);
  lua_pushvalue(L, table);
  lua_setfield(L, -2, "__index");
  set_function(L, "__newindex", refuse_change);
  lua_rawgeti(L, LUA_REGISTRYINDEX, kLockedTables);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, table);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  lua_setmetatable(L, -2);
  lua_replace(L, table);
  lua_settop(L, table);
}

}  // namespace kiwi::resp::lua
