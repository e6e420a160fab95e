// What the libraries of a script share: the run they work for, its meter, and words for the state.
// The only header that shows Lua; nothing outside this folder includes it.
//
// Nothing that a host throws may pass through Lua, which would take it for an error of the script:
// guarded() keeps it in Run::thrown, ends the script, and the Machine throws it again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <lua5.1/lua.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "resp/lua/arena.hpp"
#include "resp/lua/machine.hpp"
#include "resp/lua/symbols.hpp"
#include "resp/reply.hpp"

namespace kiwi::resp::lua {

struct Run {
  Host* host = nullptr;
  int resp = 2;  // what redis.setresp() said
  std::exception_ptr thrown;
  uint64_t random = 0x330E;                 // drand48's 48 bits, seeded with 0
  std::vector<Function>* loads = nullptr;   // a library is loaded: what it registers
  std::string_view chunk = "@user_script";  // of the code that runs
};

inline ArenaHeader& arena_of_state(lua_State* L) {
  void* arena = nullptr;
  lua_getallocf(L, &arena);
  return *static_cast<ArenaHeader*>(arena);
}
inline Run& run_of(lua_State* L) { return *static_cast<Run*>(arena_of_state(L).run); }

// Ends the run: no pcall() of the script can go on.
[[noreturn]] void stop_run(lua_State* L);
// Asks the host whether to rest; what it throws ends the run.
void rest(lua_State* L);
// Raises once the budget is used up. The host may rest here, for what it has to do beside the
// script: nothing that lives while Lua is called may count on the thread being its own.
inline void charge(lua_State* L, uint64_t steps) {
  Meter& meter = arena_of_state(L).meter;
  if (!meter.charge(steps)) {
    stop_run(L);
  }
  if (meter.wants_rest()) {
    rest(L);
  }
}
// Calls what may throw, and may not touch Lua.
template <class Action>
void guarded(lua_State* L, Action&& action) {
  Run& run = run_of(L);
  bool threw = false;
  ArenaHeader* const paused = pause_thread();
  try {
    action();
  } catch (...) {
    run.thrown = std::current_exception();
    arena_of_state(L).meter.stop = Stop::kHost;
    threw = true;
  }
  resume_thread(paused);
  if (threw) {
    stop_run(L);
  }
}
// lua_error() and luaL_error(), which do not return.
[[noreturn]] inline void raise(lua_State* L) {
  lua_error(L);
  std::terminate();
}
[[noreturn]] void raise_text(lua_State* L, const char* text);  // with the script's line before it

inline void push(lua_State* L, std::string_view text) {
  lua_pushlstring(L, text.data(), text.size());
}
inline std::string_view text_at(lua_State* L, int index) {
  size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}
inline std::string_view check_text(lua_State* L, int argument) {
  size_t size = 0;
  const char* text = luaL_checklstring(L, argument, &size);
  return {text, size};
}
inline void set_function(lua_State* L, const char* name, lua_CFunction function) {
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, name);
}
// What a library function puts together outside of the script's memory: counted, and never more
// than would fit there. Lives in the frame of a C++ function, which errors of Lua unwind.
class TextBuffer {
 public:
  explicit TextBuffer(lua_State* L) : L_(L) {}
  void append(std::string_view text);
  void append(char c) { append(std::string_view(&c, 1)); }
  std::string& text() { return text_; }
  void push() const { lua_pushlstring(L_, text_.data(), text_.size()); }

 private:
  lua_State* L_;
  std::string text_;
};

// A number as an integer, as C on x86-64 does it: toward zero, and -2^63 for what does not fit.
int64_t to_integer(lua_Number number);
// Pushes what tostring() says of it.
void push_tostring(lua_State* L, int index);

// The table behind a locked one, which the index then names; another value stays as it is.
void see_through(lua_State* L, int index);
bool is_locked(lua_State* L, int index);
// The table on top becomes one that may be read and not be changed; `strict`: what it does not have
// may not be read.
void lock(lua_State* L, bool strict);

// ---- the libraries: each pushes its table, or changes the globals
void open_base(lua_State* L);
void open_tables(lua_State* L);    // changes `table`
void open_strings(lua_State* L);   // changes `string`
void open_patterns(lua_State* L);  // the same: find, match, gmatch, gsub
void open_math(lua_State* L);      // changes `math`
void push_bit(lua_State* L);
void push_cjson(lua_State* L);
void push_cmsgpack(lua_State* L);
void push_struct(lua_State* L);
void push_redis(lua_State* L);
// The same for a library that is being loaded: register_function and log.
void push_redis_of_load(lua_State* L);

// ---- values
// Pushes what a script sees of a reply.
void push_reply(lua_State* L, const ReplyValue& value);
// Writes what a client sees of the value at the top, which stays. On every node: it counts steps.
void write_reply(lua_State* L, ReplyWriter& reply);
// Pushes {err = text}, as redis.call() raises it. `text` has its first word.
void push_error(lua_State* L, std::string_view text);

}  // namespace kiwi::resp::lua
