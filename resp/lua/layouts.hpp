// Lua 5.1.5's own structures on x86-64, as far as what stands for its functions needs them
// (symbols.cpp, tables.cpp). Global names: they are part of the names of those functions.
#pragma once

#include <cstddef>
#include <cstdint>

struct lua_State;
union GCObject;

struct lua_TValue {
  union {
    void* pointer;
    double number;
    int boolean;
  } value;
  int type;
};
struct TString {
  void* next;
  unsigned char kind, marked, reserved;
  unsigned hash;
  size_t size;  // its bytes follow
};
struct LuaNode {
  lua_TValue value;
  struct {
    decltype(lua_TValue::value) value;
    int type;
    LuaNode* next;
  } key;
};
struct Table {
  void* next;
  unsigned char kind, marked, flags, node_bits;
  Table* metatable;
  lua_TValue* array;
  LuaNode* nodes;
  LuaNode* last_free;
  void* gray;
  int array_size;
};
struct LuaStrings {  // the begin of global_State
  TString** chains;
  unsigned used;
  int size;
};
static_assert(sizeof(lua_TValue) == 16 && sizeof(LuaNode) == 40 && sizeof(Table) == 64);
static_assert(offsetof(TString, hash) == 12 && sizeof(TString) == 24);
static_assert(offsetof(Table, nodes) == 32 && offsetof(Table, array_size) == 56);

namespace kiwi::resp::lua {

// Not LUA_TNIL ...: these stand where lua.h is not included.
enum LuaType : int {
  kNil = 0,
  kBoolean = 1,
  kLightUserdata = 2,
  kNumber = 3,
  kString = 4,    // from here on the collector looks at it
  kDeadKey = 11,  // of a node whose key was collected
};
inline constexpr size_t kGlobalStateAt = 32;    // in lua_State
inline constexpr size_t kThresholdAt = 112;     // in global_State: where the collector goes on
inline constexpr int kErrorMemory = 4;          // LUA_ERRMEM
inline constexpr unsigned char kWhiteBits = 3;  // of `marked`
inline constexpr unsigned char kBlackBit = 4;

}  // namespace kiwi::resp::lua
