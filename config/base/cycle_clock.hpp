// What short work is timed by: nanoseconds of the processor's cycle counter, which costs a third of
// asking the kernel. Only differences mean anything, and only on one thread; they are right to
// about a tenth of a percent. Copyable.
#pragma once

#include <cstdint>

namespace kiwi {

class CycleClock {
 public:
  // Asks the kernel until it is calibrated.
  CycleClock() = default;
  // Compares the counter with the kernel's clock for two milliseconds. Where the counter does not
  // run evenly on all processors, the kernel is asked for ever.
  static CycleClock calibrated();
  // For tests: what stands there.
  static CycleClock fixed(const int64_t* at_ns);

  int64_t now_ns() const {
    if (per_cycle_ != 0) [[likely]] {
      return from_cycles();
    }
    return fixed_ns_ != nullptr ? *fixed_ns_ : kernel_ns();
  }

 private:
  int64_t from_cycles() const;
  static int64_t kernel_ns();

  uint64_t began_ = 0;      // the counter then
  uint64_t per_cycle_ = 0;  // nanoseconds, times 2^32; 0: not calibrated
  const int64_t* fixed_ns_ = nullptr;
};

}  // namespace kiwi
