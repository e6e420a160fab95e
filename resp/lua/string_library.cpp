// string.* where Lua's own takes longer than the memory it takes says. Patterns: patterns.cpp.
#include <cstring>

#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr size_t kBytesPerStep = 4;

uint64_t of_text(lua_State* L) { return lua_objlen(L, 1) / kBytesPerStep + 1; }
uint64_t of_arguments(lua_State* L) { return static_cast<uint64_t>(lua_gettop(L)) + 1; }
// string.format(): goes along each text byte by byte.
uint64_t of_texts(lua_State* L) {
  size_t bytes = 0;
  for (int i = 1; i <= lua_gettop(L); ++i) {
    bytes += lua_type(L, i) == LUA_TSTRING ? lua_objlen(L, i) : 0;
  }
  return of_arguments(L) + bytes / 2;
}
// string.byte(s, i, j): at most as many results as the stack holds.
uint64_t of_bytes(lua_State* L) {
  return lua_gettop(L) > 2 ? static_cast<uint64_t>(LUAI_MAXCSTACK) / kBytesPerStep : 1;
}

// No longer than the arena could hold, found before it is built.
int repeat(lua_State* L) {
  const std::string_view text = check_text(L, 1);
  const int count = luaL_checkint(L, 2);
  if (count <= 0 || text.empty()) {
    lua_pushliteral(L, "");
    return 1;
  }
  if (text.size() > Arena::kBytes / static_cast<size_t>(count)) {
    arena_of_state(L).meter.stop = Stop::kMemory;
    stop_run(L);
  }
  constexpr size_t kPiece = size_t{64} << 10;  // Lua copies byte by byte
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (int i = 0; i < count; ++i) {
    for (size_t at = 0; at < text.size(); at += kPiece) {
      const std::string_view piece = text.substr(at, kPiece);
      charge(L, 1 + piece.size() / kBytesPerStep);
      luaL_addlstring(&buffer, piece.data(), piece.size());
    }
  }
  luaL_pushresult(&buffer);
  return 1;
}

}  // namespace

void open_strings(lua_State* L) {
  lua_getglobal(L, "string");
  set_function(L, "rep", repeat);
  charge_for<of_text>(L, "lower");
  charge_for<of_text>(L, "upper");
  charge_for<of_text>(L, "reverse");
  charge_for<of_bytes>(L, "byte");
  charge_for<of_arguments>(L, "char");
  charge_for<of_texts>(L, "format");
  // Compiled code is never read again, so it is not written either.
  lua_pushnil(L);
  lua_setfield(L, -2, "dump");
  lua_pop(L, 1);
}

}  // namespace kiwi::resp::lua
