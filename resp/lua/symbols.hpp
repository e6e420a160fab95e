// What the Lua library calls instead of the C library's functions: CMakeLists.txt renames its
// symbols. They have the same bits on every processor, and cost steps where they take long.
#pragma once

#include "resp/lua/arena.hpp"

namespace kiwi::resp::lua {

// While it lives, the renamed functions of this thread count for that meter. One at a time: their
// callers inside Lua have no state to pass.
class MeterOfThread {
 public:
  explicit MeterOfThread(Meter& meter);
  ~MeterOfThread();
  MeterOfThread(const MeterOfThread&) = delete;
  MeterOfThread& operator=(const MeterOfThread&) = delete;
};

}  // namespace kiwi::resp::lua
