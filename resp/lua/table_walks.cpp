// Walks over tables: next(), and the length of one that may have gaps (tables.cpp).
#include <climits>

#include "resp/lua/registry.hpp"
#include "resp/lua/table_places.hpp"

using namespace kiwi::resp::lua;

// What Lua calls.
int luaH_next(lua_State* L, Table* table, lua_TValue* key);
int luaH_getn(Table* table);

namespace {

constexpr uint64_t kPlacesPerStep = 4;  // that a walk passes because they hold nothing
constexpr unsigned kBetweenCharges = 1024;

// The place behind that of the key: first the array, then the nodes.
int place_behind(lua_State* L, const Table* table, const lua_TValue& key) {
  if (is_nil(key)) {
    return 0;
  }
  const int index = array_index(key);
  if (index > 0 && index <= table->array_size) {
    return index;
  }
  const LuaNode* node = find_in_chain(main_place(table, key), [&key](const LuaNode& one) {
    const lua_TValue of_node = key_of(one);
    return luaO_rawequalObj(&of_node, &key) != 0 ||
           (of_node.type == kDeadKey && is_collected(key.type) &&
            of_node.value.pointer == key.value.pointer);
  });
  if (node == nullptr) {
    luaG_runerror(L, "invalid key to 'next'");
    return 0;  // not reached
  }
  return static_cast<int>(node - table->nodes) + table->array_size + 1;
}

// For a table whose array is full, or that has none: `last` is 0 or the last index of it.
int length_beyond(Table* table, unsigned last) {
  constexpr unsigned kIntMax = INT_MAX - 2;
  const auto has = [table](unsigned index) {
    return !is_nil(*luaH_getnum(table, static_cast<int>(index)));
  };
  unsigned there = last;
  unsigned missing = last + 1;
  while (has(missing)) {
    there = missing;
    missing *= 2;
    if (missing > kIntMax) {  // made to be found: one by one
      unsigned index = 1;
      while (has(index)) {
        if (index % kBetweenCharges == 0 && !charge_thread(kBetweenCharges)) {
          break;
        }
        ++index;
      }
      return static_cast<int>(index - 1);
    }
  }
  while (missing - there > 1) {
    const unsigned middle = there + (missing - there) / 2;
    (has(middle) ? there : missing) = middle;
  }
  return static_cast<int>(there);
}

}  // namespace

int luaH_next(lua_State* L, Table* table, lua_TValue* key) {
  const int end = table->array_size + node_count(table);
  uint64_t passed = 0;
  for (int i = place_behind(L, table, *key); i < end; ++i) {
    if (i < table->array_size) {
      if (const lua_TValue& value = table->array[i]; !is_nil(value)) {
        copy_value(key[0], number_value(i + 1));
        copy_value(key[1], value);
        charge_thread(1 + passed / kPlacesPerStep);
        return 1;
      }
    } else if (const LuaNode& node = table->nodes[i - table->array_size]; !is_nil(node.value)) {
      copy_value(key[0], key_of(node));
      copy_value(key[1], node.value);
      charge_thread(1 + passed / kPlacesPerStep);
      return 1;
    }
    if (++passed == kBetweenCharges) {
      if (!charge_thread(kBetweenCharges / kPlacesPerStep)) {
        return 0;
      }
      passed = 0;
    }
  }
  charge_thread(1 + passed / kPlacesPerStep);
  return 0;
}

int luaH_getn(Table* table) {
  const auto size = static_cast<unsigned>(table->array_size);
  if (size > 0 && is_nil(table->array[size - 1])) {
    unsigned there = 0;
    unsigned missing = size;
    while (missing - there > 1) {
      const unsigned middle = there + (missing - there) / 2;
      (is_nil(table->array[middle - 1]) ? missing : there) = middle;
    }
    return static_cast<int>(there);
  }
  return table->nodes == no_nodes() ? table->array_size : length_beyond(table, size);
}

namespace kiwi::resp::lua {

// Also what makes the linker take these two files before it looks for Lua's own.
bool tables_are_counted(lua_State* L) {
  constexpr int kArray = 3;
  constexpr int kNodes = 4;
  lua_createtable(L, kArray, kNodes);
  const auto* table = static_cast<const Table*>(lua_topointer(L, -1));
  bool ours = table->array_size == kArray && node_count(table) == kNodes &&
              table->last_free == table->nodes + kNodes;
  lua_newtable(L);
  table = static_cast<const Table*>(lua_topointer(L, -1));
  ours = ours && table->array_size == 0 && table->nodes == no_nodes();
  lua_pop(L, 2);
  return ours;
}

}  // namespace kiwi::resp::lua
