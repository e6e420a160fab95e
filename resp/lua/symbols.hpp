// What the Lua library calls instead of its own, or the C library's, functions (CMakeLists.txt
// leaves those out or renames them; tables.cpp has the tables). They have the same bits on every
// processor, and cost steps where they take long.
#pragma once

#include <cstdint>

#include "resp/lua/arena.hpp"

namespace kiwi::resp::lua {

// While it lives, the functions of this thread count for the script of that arena. One at a time:
// their callers inside Lua have no state to pass.
class MeterOfThread {
 public:
  explicit MeterOfThread(ArenaHeader& arena);
  ~MeterOfThread();
  MeterOfThread(const MeterOfThread&) = delete;
  MeterOfThread& operator=(const MeterOfThread&) = delete;
};

// Nothing counts from here on until resume_thread(): the host works, which may rest, and may end on
// another thread.
ArenaHeader* pause_thread();
void resume_thread(ArenaHeader* arena);

extern constinit thread_local ArenaHeader* arena_of_thread;
bool rest_thread(ArenaHeader& arena);

// From inside of Lua, where nothing may be raised. The host may rest here. False: the run is over,
// and what is computed does not matter any more.
inline bool charge_thread(uint64_t steps) {
  ArenaHeader* arena = arena_of_thread;
  if (arena == nullptr) {
    return true;
  }
  if (!arena->meter.charge(steps)) {
    return false;
  }
  return !arena->meter.wants_rest() || rest_thread(*arena);
}

// Of each chunk; nothing is collected until it is compiled.
void begin_compiling();

// For long chains far more: what is built into one costs by its square elsewhere, too.
inline uint64_t steps_of_links(uint64_t links) { return links > 16 ? 8 * links : 1 + 2 * links; }

}  // namespace kiwi::resp::lua
