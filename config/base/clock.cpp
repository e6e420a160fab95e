#include "config/base/clock.hpp"

#include <time.h>

namespace kiwi {

int64_t boot_clock_us() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace kiwi
