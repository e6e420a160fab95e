// Places in the registry of a script's state, and what its parts agree on beside runtime.hpp.
#pragma once

#include "resp/lua/runtime.hpp"

namespace kiwi::resp::lua {

enum RegistryPlace : int {
  kLockedTables = 1,  // metatable of a locked table -> the table behind it
  kGlobals = 2,       // the table behind _G
  kCode = 3,          // the compiled script
  kFunctions = 4,     // of a library: name -> function
  kErrorHandler = 5,  // __redis__err__handler
  kRedisTable = 6,    // `redis` of what runs
  kRedisOfLoad = 7,   // `redis` while a library is loaded
  kStringMeta = 8,    // what getmetatable("") answers
  kKeptTexts = 9,     // of errors in errors, which must not need memory
};

inline constexpr const char* kReadOnlyTable = "Attempt to modify a readonly table";
void refuse_locked(lua_State* L, int index);  // raises it
inline constexpr int kInstructionsPerHook = 1000;
void count_hook(lua_State* L, lua_Debug* where);

// Lua's tables are those of tables.cpp, and as they are laid out there.
bool tables_are_counted(lua_State* L);

// The same function, after the steps that Cost says.
template <uint64_t (*Cost)(lua_State*)>
int charged(lua_State* L) {
  charge(L, Cost(L));
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}
// Of the table on top.
template <uint64_t (*Cost)(lua_State*)>
void charge_for(lua_State* L, const char* name) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, charged<Cost>, 1);
  lua_setfield(L, -2, name);
}

}  // namespace kiwi::resp::lua
