// CHECK: an invariant that is always on. A broken one is a programmer error: print and abort.
// fatal(): the environment failed (disk, corrupt state): say one sentence and stop the process.
#pragma once

#include <string_view>

namespace kiwi {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

// Fail-stop (README.md#when-something-fails): logs the reason, flushes the log, ends the process
// with exit status 70 without running destructors, so nothing that may be wrong is written any
// more.
[[noreturn]] void fatal(std::string_view reason);

}  // namespace kiwi

#define CHECK_INVARIANT(condition) \
  (static_cast<bool>(condition) ? void() : ::kiwi::check_failed(#condition, __FILE__, __LINE__))
