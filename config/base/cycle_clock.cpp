#include "config/base/cycle_clock.hpp"

#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#include "config/base/check.hpp"

namespace kiwi {

namespace {

constexpr int64_t kCalibrationNs = 2'000'000;

#if defined(__x86_64__)

uint64_t cycles() { return __rdtsc(); }

// The same rate on all processors, whatever they are doing.
bool runs_evenly() {
  constexpr unsigned kPower = 0x80000007;
  constexpr unsigned kInvariant = 1u << 8;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(kPower, &a, &b, &c, &d) != 0 && (d & kInvariant) != 0;
}

#else

uint64_t cycles() { return 0; }
bool runs_evenly() { return false; }

#endif

}  // namespace

int64_t CycleClock::kernel_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int64_t CycleClock::from_cycles() const {
  __extension__ using Wide = unsigned __int128;
  // A counter that was set back, by a virtual machine that moved, wraps: whoever takes the
  // difference of two readings has to bear one that is negative or huge.
  return static_cast<int64_t>((static_cast<Wide>(cycles() - began_) * per_cycle_) >> 32);
}

CycleClock CycleClock::calibrated() {
  CycleClock clock;
  if (!runs_evenly()) {
    return clock;
  }
  const int64_t from_ns = kernel_ns();
  const uint64_t from = cycles();
  int64_t to_ns = from_ns;
  while (to_ns - from_ns < kCalibrationNs) {
    to_ns = kernel_ns();
  }
  const uint64_t passed = cycles() - from;
  CHECK_INVARIANT(to_ns > from_ns);
  if (passed == 0) {
    return clock;
  }
  clock.began_ = from;
  clock.per_cycle_ = (static_cast<uint64_t>(to_ns - from_ns) << 32) / passed;
  CHECK_INVARIANT(clock.per_cycle_ != 0);
  return clock;
}

CycleClock CycleClock::fixed(const int64_t* at_ns) {
  CHECK_INVARIANT(at_ns != nullptr);
  CycleClock clock;
  clock.fixed_ns_ = at_ns;
  return clock;
}

}  // namespace kiwi
