#include "resp/lua/symbols.hpp"

#include <algorithm>
#include <climits>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <new>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/portable_math.hpp"
#include "resp/lua/layouts.hpp"
#include "resp/lua/runtime.hpp"

namespace kiwi::resp::lua {

constinit thread_local ArenaHeader* arena_of_thread = nullptr;

namespace {

constexpr uint64_t kSlowMath = 400;  // about a microsecond of binary128
constexpr uint64_t kNumberAsText = 100;
constexpr uint64_t kTextAsNumber = 40;
constexpr size_t kComparedPerStep = 16;
constexpr const char* kSpaces = " \t\n\v\f\r";

double slow(double (*function)(double), double argument) {
  return charge_thread(kSlowMath) ? function(argument) : 0;
}

double slow(double (*function)(double, double), double first, double second) {
  return charge_thread(kSlowMath) ? function(first, second) : 0;
}

void charge_number(const char* text, const char* end) {
  const size_t before = end == text ? std::strspn(text, kSpaces) : static_cast<size_t>(end - text);
  charge_thread(kTextAsNumber + before + std::strspn(end, kSpaces));
}

}  // namespace

// What C++ throws inside of Lua is an error that the script can catch, and go on otherwise than on
// other nodes. So while a script runs there is no bad_alloc; while its host works there is.
void end_without_memory() {
  if (arena_of_thread != nullptr) {
    fatal("out of memory while a script runs: give this node more memory");
  }
  throw std::bad_alloc();
}

MeterOfThread::MeterOfThread(ArenaHeader& arena) {
  static const bool installed = (std::set_new_handler(end_without_memory), true);
  CHECK_INVARIANT(installed);
  CHECK_INVARIANT(arena_of_thread == nullptr);
  arena_of_thread = &arena;
}

MeterOfThread::~MeterOfThread() { arena_of_thread = nullptr; }

ArenaHeader* pause_thread() { return std::exchange(arena_of_thread, nullptr); }
void resume_thread(ArenaHeader* arena) { arena_of_thread = arena; }

// Nothing is thrown here: Lua's own functions are in the middle of their work.
bool rest_thread(ArenaHeader& arena) {
  arena.meter.rested = arena.meter.steps;
  Run& run = *static_cast<Run*>(arena.run);
  if (run.host == nullptr) {
    return true;
  }
  ArenaHeader* const paused = pause_thread();
  try {
    run.host->rest();
  } catch (...) {
    run.thrown = std::current_exception();
    arena.meter.stop = Stop::kHost;
  }
  resume_thread(paused);
  return arena.meter.stop == Stop::kNone;
}

}  // namespace kiwi::resp::lua

using kiwi::resp::lua::charge_number;
using kiwi::resp::lua::charge_thread;
using kiwi::resp::lua::slow;
namespace lua = kiwi::resp::lua;
namespace portable = kiwi::portable;

// ---------------------------------------------------------------- code

struct LexState;
struct Proto {  // their begins
  void* next;
  unsigned char kind, marked;
  lua_TValue* constants;
  unsigned* code;
};
struct FuncState {
  Proto* function;
  Table* constants;
  FuncState* outer;
  LexState* lexer;
};
static_assert(offsetof(Proto, code) == 24 && offsetof(FuncState, lexer) == 24);
void luaX_syntaxerror(LexState* lexer, const char* text);

namespace {

constexpr int kNoJump = -1;
constexpr unsigned kJumpBits = 14;        // of an instruction, below where it jumps to
constexpr int kJumpBias = (1 << 17) - 1;  // MAXARG_sBx

// Function and first jump of a long list -> a jump near its end. Valid while one chunk is compiled:
// nothing is collected meanwhile, and no place of code begins a second list.
thread_local std::map<std::pair<const Proto*, int>, int> list_ends;

int next_jump(const unsigned* code, int at) {
  const int offset = static_cast<int>(code[at] >> kJumpBits) - kJumpBias;
  return offset == kNoJump ? kNoJump : at + 1 + offset;
}

}  // namespace

void kiwi::resp::lua::begin_compiling() { list_ends.clear(); }

// Lua's own walks the whole list for each jump that is added (a and a and ...): in quadratic time,
// before any step is counted. This one remembers where long ones ended; the code is the same.
void luaK_concat(FuncState* state, int* list, int more) {
  constexpr int kShort = 16;
  if (more == kNoJump) {
    return;
  }
  if (*list == kNoJump) {
    *list = more;
    return;
  }
  unsigned* const code = state->function->code;
  int last = *list;
  int walked = 0;
  for (int next = next_jump(code, last); next != kNoJump; next = next_jump(code, last)) {
    last = next;
    if (++walked == kShort) {
      int& end = list_ends.try_emplace({state->function, *list}, last).first->second;
      last = std::exchange(end, more);
    }
  }
  const int offset = more - (last + 1);
  if (std::abs(offset) > kJumpBias) {
    luaX_syntaxerror(state->lexer, "control structure too long");
  }
  constexpr unsigned kOther = (1u << kJumpBits) - 1;
  code[last] = (code[last] & kOther) | (static_cast<unsigned>(offset + kJumpBias) << kJumpBits);
}

// ---------------------------------------------------------------- strings

extern "C" {

// The linker's names (--wrap): luaS_newlstr(lua_State*, const char*, size_t) looks for a string
// that is there already, in a chain of those that hash alike: by a function that anybody can
// compute.
TString* __real__Z12luaS_newlstrP9lua_StatePKcm(lua_State* L, const char* text, size_t size);
TString* __wrap__Z12luaS_newlstrP9lua_StatePKcm(lua_State* L, const char* text, size_t size) {
  const LuaStrings* strings = nullptr;
  std::memcpy(&strings, reinterpret_cast<const char*>(L) + lua::kGlobalStateAt, sizeof(strings));
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
    compared += string->size == size ? size / lua::kComparedPerStep : 0;
  }
  charge_thread(lua::steps_of_links(links) + compared);
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
  if (!charge_thread(1 + std::strlen(a) / lua::kComparedPerStep)) {
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

// Lua's numbers as texts, %g, and what string.format() makes. `room` is always that of an array.
int kiwi_lua_sprintf(char* text, int, size_t room, const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  const int size = std::vsnprintf(text, std::min<size_t>(room, INT_MAX), format, arguments);
  va_end(arguments);
  CHECK_INVARIANT(size >= 0 && static_cast<size_t>(size) < room);
  charge_thread(lua::kNumberAsText + static_cast<size_t>(size));
  return size;
}

}  // extern "C"
