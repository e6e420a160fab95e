// The clock that intervals are measured by. Any thread.
#pragma once

#include <cstdint>

namespace kiwi {

// Microseconds since the machine started, suspended time too (F20).
int64_t boot_clock_us();

}  // namespace kiwi
