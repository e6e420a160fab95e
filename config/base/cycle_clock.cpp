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

struct Both {
  int64_t ns = 0;
  uint64_t cycles = 0;
};

// Of several readings the one that took least: this thread may lose its processor between the two.
Both read_both(int64_t (*kernel_ns)()) {
  constexpr int kTries = 32;
  Both best;
  uint64_t narrowest = UINT64_MAX;
  for (int i = 0; i < kTries; ++i) {
    const uint64_t before = cycles();
    const int64_t ns = kernel_ns();
    const uint64_t width = cycles() - before;
    if (width < narrowest) {
      narrowest = width;
      best = {ns, before + width / 2};
    }
  }
  return best;
}

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
  const Both from = read_both(kernel_ns);
  while (kernel_ns() - from.ns < kCalibrationNs) {
  }
  const Both to = read_both(kernel_ns);
  CHECK_INVARIANT(to.ns > from.ns);
  if (to.cycles <= from.cycles) {
    return clock;
  }
  clock.began_ = from.cycles;
  clock.per_cycle_ = (static_cast<uint64_t>(to.ns - from.ns) << 32) / (to.cycles - from.cycles);
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
