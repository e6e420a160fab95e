// The globals and math.* where Lua's own would differ between nodes, cost more than they
// count, or not know locked tables. The rest stays Lua's.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "resp/lua/layouts.hpp"
#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr uint64_t kStepsPerCoroutine = 1000;
constexpr uint64_t kCodeStepsPerByte = 10;
constexpr uint64_t kCodeSquaresPerStep = 50;
constexpr uint64_t kHeapBytesPerStep = 16;
constexpr uint64_t kStepsPerThrow = 400;  // about a microsecond

// Lua's own does not know locked tables.
int next(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  see_through(L, 1);
  if (lua_next(L, 1) != 0) {
    return 2;
  }
  lua_pushnil(L);
  return 1;
}

int pairs(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushvalue(L, lua_upvalueindex(1));  // next
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

int raw_get(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  see_through(L, 1);
  lua_rawget(L, 1);
  return 1;
}

int raw_set(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  luaL_checkany(L, 3);
  lua_settop(L, 3);
  refuse_locked(L, 1);
  lua_rawset(L, 1);
  return 1;
}

int get_metatable(lua_State* L) {
  luaL_checkany(L, 1);
  if (lua_type(L, 1) == LUA_TSTRING) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, kStringMeta);
    return 1;
  }
  if (is_locked(L, 1) || lua_getmetatable(L, 1) == 0) {
    lua_pushnil(L);
    return 1;
  }
  luaL_getmetafield(L, 1, "__metatable");
  return 1;  // that field, or the metatable
}

int set_metatable(lua_State* L) {
  const int type = lua_type(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argcheck(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
  refuse_locked(L, 1);
  if (luaL_getmetafield(L, 1, "__metatable") != 0) {
    return luaL_error(L, "cannot change a protected metatable");
  }
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 1;
}

// As Redis' own: what redis.call() raised arrives as its text.
int protected_call(lua_State* L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  if (lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0) != 0) {
    charge(L, kStepsPerThrow);  // raises if the run is over
    lua_remove(L, 1);
    if (lua_istable(L, -1)) {
      lua_getfield(L, -1, "err");
      if (lua_isstring(L, -1) != 0) {
        lua_replace(L, -2);
      } else {
        lua_pop(L, 1);
      }
    }
    lua_pushboolean(L, 0);
    lua_insert(L, 1);
  }
  return lua_gettop(L);
}

// What changes the collector's pace is answered and changes nothing: one that never pauses, or is
// begun anew at each allocation, looks at the whole memory for a step or two.
int collect_garbage(lua_State* L) {
  constexpr const char* kNames[] = {"stop", "restart",  "collect",    "count",
                                    "step", "setpause", "setstepmul", nullptr};
  constexpr int kWhat[] = {LUA_GCSTOP, LUA_GCRESTART,  LUA_GCCOLLECT,   LUA_GCCOUNT,
                           LUA_GCSTEP, LUA_GCSETPAUSE, LUA_GCSETSTEPMUL};
  const int what = kWhat[luaL_checkoption(L, 1, "collect", kNames)];
  const int argument = luaL_optint(L, 2, 0);
  const uint64_t heap = static_cast<uint64_t>(lua_gc(L, LUA_GCCOUNT, 0)) * 1024;
  switch (what) {
    case LUA_GCSTOP:
    case LUA_GCRESTART:
      lua_pushnumber(L, 0);
      return 1;
    case LUA_GCSETPAUSE:
    case LUA_GCSETSTEPMUL: {
      const int before = lua_gc(L, what, argument);
      lua_gc(L, what, before);
      lua_pushnumber(L, before);
      return 1;
    }
    case LUA_GCCOUNT: {
      const int bytes = lua_gc(L, LUA_GCCOUNTB, 0);
      lua_pushnumber(L,
                     static_cast<lua_Number>(heap) / 1024 + static_cast<lua_Number>(bytes) / 1024);
      return 1;
    }
    case LUA_GCSTEP:
      charge(L, heap / kHeapBytesPerStep + 1);
      lua_pushboolean(L, lua_gc(L, what, argument));
      return 1;
    default:
      charge(L, heap / kHeapBytesPerStep + 1);
      lua_pushnumber(L, lua_gc(L, what, argument));
      return 1;
  }
}

// ---------------------------------------------------------------- code as text

// A collection while a chunk is parsed could free its name. Not LUA_GCRESTART afterwards, which
// begins one at once, each time.
class NoCollection {
 public:
  explicit NoCollection(lua_State* L) {
    char* global = nullptr;
    std::memcpy(&global, reinterpret_cast<char*>(L) + kGlobalStateAt, sizeof(global));
    threshold_ = global + kThresholdAt;
    std::memcpy(&before_, threshold_, sizeof(before_));
    lua_gc(L, LUA_GCSTOP, 0);
  }
  ~NoCollection() { std::memcpy(threshold_, &before_, sizeof(before_)); }
  NoCollection(const NoCollection&) = delete;
  NoCollection& operator=(const NoCollection&) = delete;

 private:
  char* threshold_ = nullptr;
  size_t before_ = 0;
};

int compile(lua_State* L, std::string_view code, const char* chunk) {
  if (code.size() > kCodeBytes) {
    lua_pushnil(L);
    lua_pushliteral(L, "the chunk is too long");
    return 2;
  }
  // Jumps that are joined (a and a and ...) take quadratic time.
  charge(L, code.size() * kCodeStepsPerByte + code.size() * code.size() / kCodeSquaresPerStep);
  if (!code.empty() && code.front() == LUA_SIGNATURE[0]) {
    lua_pushnil(L);
    lua_pushliteral(L, "only text is compiled");
    return 2;
  }
  int status = 0;
  {
    const NoCollection pause(L);
    begin_compiling();
    status = luaL_loadbuffer(L, code.data(), code.size(), chunk);
  }
  charge(L, 1);
  if (status == 0) {
    return 1;
  }
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

int load_string(lua_State* L) {
  const std::string_view code = check_text(L, 1);
  return compile(L, code, luaL_optstring(L, 2, code.data()));
}

// The parts are put together first, so that no code of the script runs while a chunk is parsed.
int load(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  const char* chunk = luaL_optstring(L, 2, "=(load)");
  lua_settop(L, 2);
  lua_pushliteral(L, "");  // 3: so far
  for (;;) {
    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
      break;
    }
    if (lua_type(L, -1) != LUA_TSTRING) {
      lua_pushnil(L);
      lua_pushliteral(L, "reader function must return a string");
      return 2;
    }
    if (lua_objlen(L, -1) == 0) {
      break;
    }
    lua_concat(L, 2);
  }
  lua_settop(L, 3);
  return compile(L, text_at(L, 3), chunk);
}

int unpack(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const int64_t from = luaL_optint(L, 2, 1);
  const int64_t to =
      lua_isnoneornil(L, 3) ? static_cast<int64_t>(lua_objlen(L, 1)) : luaL_checkint(L, 3);
  if (from > to) {
    return 0;
  }
  const int64_t count = to - from + 1;
  if (count >= LUAI_MAXCSTACK || lua_checkstack(L, static_cast<int>(count)) == 0) {
    return luaL_error(L, "too many results to unpack");
  }
  charge(L, static_cast<uint64_t>(count));
  for (int64_t i = from; i <= to; ++i) {
    lua_rawgeti(L, 1, static_cast<int>(i));
  }
  return static_cast<int>(count);
}

uint64_t of_arguments(lua_State* L) { return static_cast<uint64_t>(lua_gettop(L)); }
uint64_t of_coroutine(lua_State*) { return kStepsPerCoroutine; }
uint64_t of_protected(lua_State*) { return kStepsPerThrow; }
// error(text, level) looks for the line by walking so many calls.
uint64_t of_level(lua_State* L) {
  const int64_t level = lua_isnumber(L, 2) != 0 ? to_integer(lua_tonumber(L, 2)) : 1;
  return static_cast<uint64_t>(std::clamp<int64_t>(level, 0, LUAI_MAXCALLS));
}

// ---------------------------------------------------------------- math.*

// drand48 and its 31 bits as Redis has them; 0 at each run.
int32_t draw(Run& run) {
  constexpr uint64_t kMask = (uint64_t{1} << 48) - 1;
  run.random = (run.random * 0x5DEECE66DULL + 0xB) & kMask;
  return static_cast<int32_t>(run.random >> 17);
}

constexpr uint64_t seeded(uint32_t seed) { return (uint64_t{seed} << 16) + 0x330E; }

int random(lua_State* L) {
  constexpr double kMax = 2147483647;  // REDIS_LRAND48_MAX
  const double drawn = static_cast<double>(draw(run_of(L)) % 2147483647) / kMax;
  switch (lua_gettop(L)) {
    case 0:
      lua_pushnumber(L, drawn);
      return 1;
    case 1: {
      const int upper = luaL_checkint(L, 1);
      luaL_argcheck(L, upper >= 1, 1, "interval is empty");
      lua_pushnumber(L, std::floor(drawn * upper) + 1);
      return 1;
    }
    case 2: {
      const int lower = luaL_checkint(L, 1);
      const int upper = luaL_checkint(L, 2);
      luaL_argcheck(L, lower <= upper, 2, "interval is empty");
      lua_pushnumber(L, std::floor(drawn * (static_cast<double>(upper) - lower + 1)) + lower);
      return 1;
    }
    default:
      return luaL_error(L, "wrong number of arguments");
  }
}

int random_seed(lua_State* L) {
  run_of(L).random = seeded(static_cast<uint32_t>(to_integer(luaL_checknumber(L, 1))));
  return 0;
}

}  // namespace

void open_base(lua_State* L) {
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  constexpr luaL_Reg kOwn[] = {{"next", next},
                               {"rawget", raw_get},
                               {"rawset", raw_set},
                               {"getmetatable", get_metatable},
                               {"setmetatable", set_metatable},
                               {"pcall", protected_call},
                               {"collectgarbage", collect_garbage},
                               {"loadstring", load_string},
                               {"load", load},
                               {"unpack", unpack}};
  for (const luaL_Reg& function : kOwn) {
    set_function(L, function.name, function.func);
  }
  lua_getfield(L, -1, "next");
  lua_pushcclosure(L, pairs, 1);
  lua_setfield(L, -2, "pairs");
  charge_for<of_arguments>(L, "select");
  charge_for<of_level>(L, "error");
  charge_for<of_protected>(L, "xpcall");
  lua_getfield(L, -1, "coroutine");
  charge_for<of_coroutine>(L, "create");
  charge_for<of_coroutine>(L, "wrap");
  charge_for<of_coroutine>(L, "resume");
  lua_pop(L, 2);
}

void open_math(lua_State* L) {
  lua_getglobal(L, "math");
  set_function(L, "random", random);
  set_function(L, "randomseed", random_seed);
  lua_pop(L, 1);
}

}  // namespace kiwi::resp::lua
