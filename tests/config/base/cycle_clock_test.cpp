#include "config/base/cycle_clock.hpp"

#include <cstdint>
#include <ctime>

#include <doctest/doctest.h>

namespace kiwi {

namespace {

int64_t kernel_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// How long two milliseconds of the kernel's are, by the clock. Readings of the kernel's on both
// sides bound what an interruption of this test can do to it.
void check_rate(const CycleClock& clock) {
  for (int attempt = 0;; ++attempt) {
    const int64_t before = kernel_ns();
    const int64_t from = clock.now_ns();
    const int64_t between = kernel_ns();
    int64_t at = between;
    while (at - between < 2'000'000) {
      at = kernel_ns();
    }
    const int64_t to = clock.now_ns();
    const int64_t after = kernel_ns();
    // Interrupted at one of its ends: nothing can be said.
    if ((between - before > 20'000 || after - at > 20'000) && attempt < 1000) {
      continue;
    }
    CHECK(to - from > (at - between) * 99 / 100);
    CHECK(to - from < (after - before) * 101 / 100);
    return;
  }
}

}  // namespace

TEST_CASE("the cycle clock goes as the kernel's does, calibrated or not") {
  check_rate(CycleClock());
  check_rate(CycleClock::calibrated());
}

TEST_CASE("the cycle clock of a test stands where the test says") {
  int64_t at_ns = 5;
  const CycleClock clock = CycleClock::fixed(&at_ns);
  const CycleClock copy = clock;
  CHECK(clock.now_ns() == 5);
  at_ns = 7;
  CHECK(clock.now_ns() == 7);
  CHECK(copy.now_ns() == 7);
}

}  // namespace kiwi
