// Lua 5.1.5's tables (ltable.c), written anew so that each walk inside of them is counted: the same
// places, sizes and order, to the bit. CMakeLists.txt leaves Lua's own out of the archive.
//
// Lua hashes numbers and strings by functions that anybody can compute, and decides by the keys how
// large the array is. So a script, or whoever chooses a script's words, can make one instruction
// walk over millions of places: a chain, the length of a table that has gaps, a rehash that ends
// with the sizes it began with.
#include <algorithm>
#include <climits>

#include "resp/lua/table_places.hpp"

namespace lua = kiwi::resp::lua;
using namespace kiwi::resp::lua;

// Lua's own, with the names that they have inside of it.
void* luaM_realloc_(lua_State* L, void* block, size_t old_bytes, size_t new_bytes);
void luaC_link(lua_State* L, GCObject* object, unsigned char type);
void luaC_barrierback(lua_State* L, Table* table);
[[noreturn]] void luaD_throw(lua_State* L, int status);

// What Lua calls.
const lua_TValue* luaH_getstr(Table* table, TString* key);
const lua_TValue* luaH_get(Table* table, const lua_TValue* key);
lua_TValue* luaH_set(lua_State* L, Table* table, const lua_TValue* key);
lua_TValue* luaH_setnum(lua_State* L, Table* table, int key);
lua_TValue* luaH_setstr(lua_State* L, Table* table, TString* key);
Table* luaH_new(lua_State* L, int array_size, int nodes);
void luaH_resizearray(lua_State* L, Table* table, int array_size);
void luaH_free(lua_State* L, Table* table);

namespace {

constexpr int kBitsMax = 26;  // of a size
constexpr int kArrayMax = 1 << kBitsMax;
constexpr uint64_t kPlacesPerRehash = 2;  // that a rehash looks at for a step

const LuaNode kNoNodes = {};

// ---------------------------------------------------------------- sizes

using Counts = int[kBitsMax + 1];  // [i]: of the integer keys from above 2^(i-1) to 2^i

int count_key(const lua_TValue& key, Counts& counts) {
  const int index = array_index(key);
  if (index <= 0 || index > kArrayMax) {
    return 0;
  }
  ++counts[bits_of(index)];
  return 1;
}

int count_array(const Table* table, Counts& counts) {
  int used = 0;
  int index = 1;
  for (int bits = 0; bits <= kBitsMax && index <= table->array_size; ++bits) {
    const int end = std::min(1 << bits, table->array_size);
    int here = 0;
    for (; index <= end; ++index) {
      here += is_nil(table->array[index - 1]) ? 0 : 1;
    }
    counts[bits] += here;
    used += here;
  }
  return used;
}

int count_nodes(const Table* table, Counts& counts, int& integers) {
  int used = 0;
  for (int i = node_count(table) - 1; i >= 0; --i) {
    const LuaNode& node = table->nodes[i];
    if (!is_nil(node.value)) {
      integers += count_key(key_of(node), counts);
      ++used;
    }
  }
  return used;
}

// The largest size of which more than half is used. `integers` becomes it; answers how many keys
// are in it.
int array_size_for(const Counts& counts, int& integers) {
  int below = 0;
  int inside = 0;
  int size = 0;
  for (int bits = 0, power = 1; power / 2 < integers; ++bits, power *= 2) {
    if (counts[bits] > 0) {
      below += counts[bits];
      if (below > power / 2) {
        size = power;
        inside = below;
      }
    }
    if (below == integers) {
      break;
    }
  }
  integers = size;
  return inside;
}

template <class T>
T* new_block(lua_State* L, T* block, int old_count, int new_count) {
  return static_cast<T*>(luaM_realloc_(L, block, static_cast<size_t>(old_count) * sizeof(T),
                                       static_cast<size_t>(new_count) * sizeof(T)));
}

void set_array(lua_State* L, Table* table, int size) {
  table->array = new_block(L, table->array, table->array_size, size);
  for (int i = table->array_size; i < size; ++i) {
    set_nil(table->array[i]);
  }
  table->array_size = size;
}

void set_nodes(lua_State* L, Table* table, int wanted) {
  int bits = 0;
  int count = 0;
  if (wanted == 0) {
    table->nodes = no_nodes();
  } else {
    bits = bits_of(wanted);
    if (bits > kBitsMax) {
      luaG_runerror(L, "table overflow");
    }
    count = 1 << bits;
    table->nodes = new_block<LuaNode>(L, nullptr, 0, count);
    for (int i = 0; i < count; ++i) {
      LuaNode& node = table->nodes[i];
      node.key.next = nullptr;
      node.key.type = lua::kNil;
      set_nil(node.value);
    }
  }
  table->node_bits = static_cast<unsigned char>(bits);
  table->last_free = table->nodes + count;
}

void resize(lua_State* L, Table* table, int array_size, int nodes_wanted) {
  const int old_array = table->array_size;
  const int old_count = node_count(table);
  LuaNode* const old_nodes = table->nodes;
  if (array_size > old_array) {
    set_array(L, table, array_size);
  }
  set_nodes(L, table, nodes_wanted);
  if (array_size < old_array) {
    table->array_size = array_size;
    for (int i = array_size; i < old_array; ++i) {
      if (!is_nil(table->array[i])) {
        copy_value(*luaH_setnum(L, table, i + 1), table->array[i]);
      }
    }
    table->array = new_block(L, table->array, old_array, array_size);
  }
  for (int i = old_count - 1; i >= 0; --i) {
    const LuaNode& old = old_nodes[i];
    if (!is_nil(old.value)) {
      const lua_TValue key = key_of(old);
      copy_value(*luaH_set(L, table, &key), old.value);
    }
  }
  if (old_nodes != no_nodes()) {
    new_block(L, old_nodes, old_count, 0);
  }
}

// Makes room for one key more.
void rehash(lua_State* L, Table* table, const lua_TValue& key) {
  const auto places =
      static_cast<uint64_t>(table->array_size) + static_cast<uint64_t>(node_count(table));
  if (!charge_thread(places / kPlacesPerRehash)) {
    luaD_throw(L, lua::kErrorMemory);  // as there is none any more, either
  }
  Counts counts = {};
  int integers = count_array(table, counts);
  int used = integers;
  used += count_nodes(table, counts, integers);
  integers += count_key(key, counts);
  ++used;
  const int inside = array_size_for(counts, integers);
  resize(L, table, integers, used - inside);
}

LuaNode* free_place(Table* table) {
  while (table->last_free > table->nodes) {
    --table->last_free;
    if (table->last_free->key.type == lua::kNil) {
      return table->last_free;
    }
  }
  return nullptr;
}

// For a key that is not there. If its place is taken by a node that belongs there, it goes to a
// free place; one that does not belong there goes to the free place itself.
lua_TValue* add_key(lua_State* L, Table* table, const lua_TValue& key) {
  LuaNode* place = main_place(table, key);
  if (!is_nil(place->value) || place == no_nodes()) {
    LuaNode* free = free_place(table);
    if (free == nullptr) {
      rehash(L, table, key);
      return luaH_set(L, table, &key);
    }
    LuaNode* other = main_place(table, key_of(*place));
    if (other != place) {
      uint64_t links = 0;
      for (; other->key.next != place; other = other->key.next) {
        ++links;
      }
      charge_thread(steps_of_links(links));
      other->key.next = free;
      *free = *place;
      place->key.next = nullptr;
      set_nil(place->value);
    } else {
      free->key.next = place->key.next;
      place->key.next = free;
      place = free;
    }
  }
  place->key.value = key.value;
  place->key.type = key.type;
  if (is_collected(key.type) && (table->marked & lua::kBlackBit) != 0) {
    constexpr size_t kMarkedAt = offsetof(Table, marked);  // of every object
    const auto* object = static_cast<const unsigned char*>(key.value.pointer);
    if ((object[kMarkedAt] & lua::kWhiteBits) != 0) {
      luaC_barrierback(L, table);
    }
  }
  return &place->value;
}

// Lua's tables are not const where they are found.
lua_TValue* found_or_null(const lua_TValue* value) {
  return value != &luaO_nilobject_ ? const_cast<lua_TValue*>(value) : nullptr;
}

}  // namespace

LuaNode* kiwi::resp::lua::no_nodes() { return const_cast<LuaNode*>(&kNoNodes); }

// ---------------------------------------------------------------- looking up

const lua_TValue* luaH_getnum(Table* table, int key) {
  if (static_cast<unsigned>(key) - 1u < static_cast<unsigned>(table->array_size)) {
    return &table->array[key - 1];
  }
  const double number = key;
  return value_of(find_in_chain(place_of_number(table, number), [number](const LuaNode& node) {
    return node.key.type == lua::kNumber && node.key.value.number == number;
  }));
}

const lua_TValue* luaH_getstr(Table* table, TString* key) {
  return value_of(find_in_chain(place_of_bits(table, key->hash), [key](const LuaNode& node) {
    return node.key.type == lua::kString && node.key.value.pointer == key;
  }));
}

const lua_TValue* luaH_get(Table* table, const lua_TValue* key) {
  if (key->type == lua::kNil) {
    return &luaO_nilobject_;
  }
  if (key->type == lua::kString) {
    return luaH_getstr(table, static_cast<TString*>(key->value.pointer));
  }
  if (int integer = 0; key->type == lua::kNumber && as_int(key->value.number, integer)) {
    return luaH_getnum(table, integer);
  }
  return value_of(find_in_chain(main_place(table, *key), [key](const LuaNode& node) {
    const lua_TValue of_node = key_of(node);
    return luaO_rawequalObj(&of_node, key) != 0;
  }));
}

// ---------------------------------------------------------------- changing

lua_TValue* luaH_set(lua_State* L, Table* table, const lua_TValue* key) {
  lua_TValue* const found = found_or_null(luaH_get(table, key));
  table->flags = 0;
  if (found != nullptr) {
    return found;
  }
  if (key->type == lua::kNil) {
    luaG_runerror(L, "table index is nil");
  } else if (key->type == lua::kNumber && key->value.number != key->value.number) {
    luaG_runerror(L, "table index is NaN");
  }
  return add_key(L, table, *key);
}

lua_TValue* luaH_setnum(lua_State* L, Table* table, int key) {
  lua_TValue* const found = found_or_null(luaH_getnum(table, key));
  return found != nullptr ? found : add_key(L, table, number_value(key));
}

lua_TValue* luaH_setstr(lua_State* L, Table* table, TString* key) {
  lua_TValue* const found = found_or_null(luaH_getstr(table, key));
  if (found != nullptr) {
    return found;
  }
  lua_TValue value;
  value.value.pointer = key;
  value.type = lua::kString;
  return add_key(L, table, value);
}

Table* luaH_new(lua_State* L, int array_size, int nodes) {
  auto* table = static_cast<Table*>(luaM_realloc_(L, nullptr, 0, sizeof(Table)));
  constexpr unsigned char kTable = 5;
  luaC_link(L, reinterpret_cast<GCObject*>(table), kTable);
  table->metatable = nullptr;
  table->flags = 0xff;
  // Kept if there is no memory for the others.
  table->array = nullptr;
  table->array_size = 0;
  table->node_bits = 0;
  table->nodes = no_nodes();
  set_array(L, table, array_size);
  set_nodes(L, table, nodes);
  return table;
}

void luaH_resizearray(lua_State* L, Table* table, int array_size) {
  resize(L, table, array_size, table->nodes == no_nodes() ? 0 : node_count(table));
}

void luaH_free(lua_State* L, Table* table) {
  if (table->nodes != no_nodes()) {
    new_block(L, table->nodes, node_count(table), 0);
  }
  new_block(L, table->array, table->array_size, 0);
  luaM_realloc_(L, table, sizeof(Table), 0);
}
