// Where the parts of a table's keys lie (tables.cpp, table_walks.cpp): as in Lua 5.1.5's ltable.c.
#pragma once

#include <bit>
#include <climits>
#include <cstdint>
#include <cstring>

#include "resp/lua/layouts.hpp"
#include "resp/lua/symbols.hpp"

// Lua's own.
extern const lua_TValue luaO_nilobject_;
int luaO_rawequalObj(const lua_TValue* a, const lua_TValue* b);
void luaG_runerror(lua_State* L, const char* format, ...);

const lua_TValue* luaH_getnum(Table* table, int key);

namespace kiwi::resp::lua {

// Those of all tables without nodes. Nobody writes them.
LuaNode* no_nodes();

inline int node_count(const Table* table) { return 1 << table->node_bits; }
inline bool is_nil(const lua_TValue& value) { return value.type == kNil; }
inline bool is_collected(int type) { return type >= kString; }
inline int bits_of(int size) { return std::bit_width(static_cast<unsigned>(size) - 1); }

inline lua_TValue key_of(const LuaNode& node) { return {node.key.value, node.key.type}; }
inline lua_TValue number_value(double number) {
  lua_TValue value;
  value.value.number = number;
  value.type = kNumber;
  return value;
}
// Lua copies the value and the type, and leaves what lies behind them as it is.
inline void copy_value(lua_TValue& to, const lua_TValue& from) {
  to.value = from.value;
  to.type = from.type;
}
inline void set_nil(lua_TValue& value) { value.type = kNil; }

inline bool as_int(double number, int& integer) {
  if (!(number >= INT_MIN && number <= INT_MAX)) {
    return false;
  }
  integer = static_cast<int>(number);
  return static_cast<double>(integer) == number;
}

// Of a key that may stand in the array; else -1.
inline int array_index(const lua_TValue& key) {
  int index = 0;
  return key.type == kNumber && as_int(key.value.number, index) ? index : -1;
}

// ---------------------------------------------------------------- places of nodes

inline LuaNode* place_of_bits(const Table* table, unsigned bits) {
  return table->nodes + (bits & (static_cast<unsigned>(node_count(table)) - 1));
}

inline LuaNode* place_of_rest(const Table* table, unsigned bits) {
  return table->nodes + bits % ((static_cast<unsigned>(node_count(table)) - 1) | 1u);
}

inline LuaNode* place_of_number(const Table* table, double number) {
  if (number == 0) {  // and -0
    return table->nodes;
  }
  unsigned words[2];
  static_assert(sizeof(words) == sizeof(number));
  std::memcpy(words, &number, sizeof(words));
  return place_of_rest(table, words[0] + words[1]);
}

// Where the key's chain begins.
inline LuaNode* main_place(const Table* table, const lua_TValue& key) {
  switch (key.type) {
    case kNumber:
      return place_of_number(table, key.value.number);
    case kString:
      return place_of_bits(table, static_cast<const TString*>(key.value.pointer)->hash);
    case kBoolean:
      return place_of_bits(table, static_cast<unsigned>(key.value.boolean));
    default:
      return place_of_rest(table,
                           static_cast<unsigned>(reinterpret_cast<uintptr_t>(key.value.pointer)));
  }
}

// The node of the chain that `is` finds, or nullptr.
template <class Is>
const LuaNode* find_in_chain(const LuaNode* node, Is is) {
  uint64_t links = 0;
  while (node != nullptr && !is(*node)) {
    node = node->key.next;
    ++links;
  }
  charge_thread(steps_of_links(links));
  return node;
}

inline const lua_TValue* value_of(const LuaNode* node) {
  return node != nullptr ? &node->value : &luaO_nilobject_;
}

}  // namespace kiwi::resp::lua
