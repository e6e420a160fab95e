#include "resp/lua/symbols.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include "config/base/check.hpp"
#include "config/base/portable_math.hpp"

namespace kiwi::resp::lua {

namespace {

constinit thread_local Meter* meter_of_thread = nullptr;

constexpr uint64_t kSlowMath = 400;  // about a microsecond of binary128
constexpr size_t kComparedPerStep = 16;
constexpr const char* kSpaces = " \t\n\v\f\r";

// False: the run is over, and what is computed does not matter any more.
bool charge_thread(uint64_t steps) {
  return meter_of_thread == nullptr || meter_of_thread->charge(steps);
}

double slow(double (*function)(double), double argument) {
  return charge_thread(kSlowMath) ? function(argument) : 0;
}

double slow(double (*function)(double, double), double first, double second) {
  return charge_thread(kSlowMath) ? function(first, second) : 0;
}

void charge_number(const char* text, const char* end) {
  const size_t before = end == text ? std::strspn(text, kSpaces) : static_cast<size_t>(end - text);
  charge_thread(before + std::strspn(end, kSpaces));
}

}  // namespace

// What C++ throws inside of Lua is an error that the script can catch, and go on otherwise than on
// other nodes. So while a script runs there is no bad_alloc.
void end_without_memory() {
  if (meter_of_thread != nullptr) {
    fatal("out of memory while a script runs: give this node more memory");
  }
  throw std::bad_alloc();
}

MeterOfThread::MeterOfThread(Meter& meter) {
  static const bool installed = (std::set_new_handler(end_without_memory), true);
  CHECK_INVARIANT(installed);
  CHECK_INVARIANT(meter_of_thread == nullptr);
  meter_of_thread = &meter;
}

MeterOfThread::~MeterOfThread() { meter_of_thread = nullptr; }

}  // namespace kiwi::resp::lua

using kiwi::resp::lua::charge_number;
using kiwi::resp::lua::charge_thread;
using kiwi::resp::lua::slow;
namespace portable = kiwi::portable;

// ---------------------------------------------------------------- tables and strings

// Lua 5.1.5 hashes numbers and strings by functions that anybody can compute, so that a script, or
// whoever chooses a script's words, can put any number of keys into one chain: a lookup that is one
// instruction then takes milliseconds. These stand for Lua's own (CMakeLists.txt makes those weak)
// and count the links they walk. The layouts are those of 5.1.5 on x86-64.

struct lua_State;
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
static_assert(sizeof(lua_TValue) == 16 && sizeof(LuaNode) == 40);
static_assert(offsetof(TString, hash) == 12 && sizeof(TString) == 24);
static_assert(offsetof(Table, nodes) == 32 && offsetof(Table, array_size) == 56);

extern const lua_TValue luaO_nilobject_;
int luaO_rawequalObj(const lua_TValue* a, const lua_TValue* b);

namespace {

enum LuaType { kNil = 0, kBoolean = 1, kLightUserdata = 2, kNumber = 3, kString = 4 };

// Far more for long chains: what is built into one costs by its square elsewhere, too.
uint64_t steps_of(uint64_t links) { return links > 16 ? 8 * links : 1 + 2 * links; }

// The value of the key that `is` finds in the chain. Once the run is over a long chain holds
// nothing.
template <class Is>
const lua_TValue* find_in_chain(const LuaNode* node, Is is) {
  constexpr uint64_t kBetweenLooks = 1024;
  const lua_TValue* found = &luaO_nilobject_;
  uint64_t links = 0;
  for (; node != nullptr; node = node->key.next) {
    if (is(*node)) {
      found = &node->value;
      break;
    }
    if (++links == kBetweenLooks) {
      if (!charge_thread(steps_of(links))) {
        return found;
      }
      links = 0;
    }
  }
  charge_thread(steps_of(links));
  return found;
}

const LuaNode* place_of_bits(const Table* table, unsigned bits) {  // a power of two of places
  return table->nodes + (bits & ((1u << table->node_bits) - 1));
}
const LuaNode* place_of_rest(const Table* table, unsigned bits) {
  return table->nodes + bits % (((1u << table->node_bits) - 1) | 1u);
}
const LuaNode* place_of_number(const Table* table, double number) {
  if (number == 0) {
    return table->nodes;
  }
  unsigned words[2];
  static_assert(sizeof(words) == sizeof(number));
  std::memcpy(words, &number, sizeof(words));
  return place_of_rest(table, words[0] + words[1]);
}

}  // namespace

const lua_TValue* luaH_getnum(Table* table, int key) {
  if (static_cast<unsigned>(key) - 1u < static_cast<unsigned>(table->array_size)) {
    return &table->array[key - 1];
  }
  const double number = key;
  return find_in_chain(place_of_number(table, number), [number](const LuaNode& node) {
    return node.key.type == kNumber && node.key.value.number == number;
  });
}

const lua_TValue* luaH_getstr(Table* table, TString* key) {
  return find_in_chain(place_of_bits(table, key->hash), [key](const LuaNode& node) {
    return node.key.type == kString && node.key.value.pointer == key;
  });
}

const lua_TValue* luaH_get(Table* table, const lua_TValue* key) {
  const LuaNode* place = nullptr;
  switch (key->type) {
    case kNil:
      return &luaO_nilobject_;
    case kString:
      return luaH_getstr(table, static_cast<TString*>(key->value.pointer));
    case kNumber: {
      const double number = key->value.number;
      if (number >= -2147483648.0 && number <= 2147483647.0 &&
          static_cast<double>(static_cast<int>(number)) == number) {
        return luaH_getnum(table, static_cast<int>(number));
      }
      place = place_of_number(table, number);
      break;
    }
    case kBoolean:
      place = place_of_bits(table, static_cast<unsigned>(key->value.boolean));
      break;
    default: {
      const auto address = reinterpret_cast<uintptr_t>(key->value.pointer);
      place = place_of_rest(table, static_cast<unsigned>(address));
    }
  }
  return find_in_chain(place, [key](const LuaNode& node) {
    lua_TValue of_node;
    of_node.value = node.key.value;
    of_node.type = node.key.type;
    return luaO_rawequalObj(&of_node, key) != 0;
  });
}

extern "C" {

// The linker's names (--wrap): luaS_newlstr(lua_State*, const char*, size_t) looks for a string
// that is there already, in a chain of those that hash alike.
TString* __real__Z12luaS_newlstrP9lua_StatePKcm(lua_State* L, const char* text, size_t size);
TString* __wrap__Z12luaS_newlstrP9lua_StatePKcm(lua_State* L, const char* text, size_t size) {
  constexpr size_t kGlobalStateAt = 32;
  const LuaStrings* strings = nullptr;
  std::memcpy(&strings, reinterpret_cast<const char*>(L) + kGlobalStateAt, sizeof(strings));
  unsigned hash = static_cast<unsigned>(size);
  const size_t step = (size >> 5) + 1;
  for (size_t at = size; at >= step; at -= step) {
    hash ^= (hash << 5) + (hash >> 2) + static_cast<unsigned char>(text[at - 1]);
  }
  uint64_t links = 0;
  uint64_t compared = 0;
  const auto* string = strings->chains[hash & static_cast<unsigned>(strings->size - 1)];
  for (; string != nullptr; string = static_cast<const TString*>(string->next)) {
    ++links;
    compared += string->size == size ? size / kiwi::resp::lua::kComparedPerStep : 0;
  }
  charge_thread(steps_of(links) + compared);
  return __real__Z12luaS_newlstrP9lua_StatePKcm(L, text, size);
}

double kiwi_lua_sin(double x) { return slow(portable::sin, x); }
double kiwi_lua_cos(double x) { return slow(portable::cos, x); }
double kiwi_lua_tan(double x) { return slow(portable::tan, x); }
double kiwi_lua_asin(double x) { return slow(portable::asin, x); }
double kiwi_lua_acos(double x) { return slow(portable::acos, x); }
double kiwi_lua_atan(double x) { return slow(portable::atan, x); }
double kiwi_lua_atan2(double y, double x) { return slow(portable::atan2, y, x); }
double kiwi_lua_sinh(double x) { return slow(portable::sinh, x); }
double kiwi_lua_cosh(double x) { return slow(portable::cosh, x); }
double kiwi_lua_tanh(double x) { return slow(portable::tanh, x); }
double kiwi_lua_exp(double x) { return slow(portable::exp, x); }
double kiwi_lua_log(double x) { return slow(portable::log, x); }
double kiwi_lua_log10(double x) { return slow(portable::log10, x); }

double kiwi_lua_pow(double x, double y) {
  if (y == 2) {
    return x * x;  // the usual one; exact but for one rounding, as the other way
  }
  return slow(portable::pow, x, y);
}

// Strings of the C locale, which is the only one a node has.
int kiwi_lua_strcoll(const char* a, const char* b) {
  if (!charge_thread(1 + std::strlen(a) / kiwi::resp::lua::kComparedPerStep)) {
    return 0;
  }
  return std::strcmp(a, b);
}

// Spaces around a number are passed here and by Lua.
double kiwi_lua_strtod(const char* text, char** end) {
  const double number = std::strtod(text, end);
  charge_number(text, *end);
  return number;
}

unsigned long kiwi_lua_strtoul(const char* text, char** end, int base) {
  const unsigned long number = std::strtoul(text, end, base);
  charge_number(text, *end);
  return number;
}

}  // extern "C"
