// The pace of compactions (rocks/write_pace.hpp): no thread's clock decides anything here.
#include "rocks/write_pace.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

namespace {

using std::chrono::milliseconds;
using Time = WritePace::Clock::time_point;

constexpr uint64_t kStep = 256 << 10;
constexpr uint64_t kRate = 64 << 20;  // a step in 1/256 s
constexpr auto kStepTime = std::chrono::nanoseconds(1'000'000'000 / 256);
const Time kStart{std::chrono::hours(100)};

// Writes one step after the other; each takes so long, and each sleep is so much too long.
std::vector<Time> write_steps(WritePace& pace,
                              size_t count,
                              Time from,
                              WritePace::Clock::duration work,
                              WritePace::Clock::duration overslept) {
  std::vector<Time> begun;
  Time now = from;
  for (size_t i = 0; i < count; ++i) {
    const Time then = pace.next(kStep, now);
    now = then > now ? then + overslept : now;
    begun.push_back(now);
    now += work;
  }
  return begun;
}

}  // namespace

TEST_CASE("write pace: steps come one by one, never several at once") {
  WritePace pace(kRate, kStep);
  const std::vector<Time> begun = write_steps(pace, 100, kStart, milliseconds(1), milliseconds(0));
  for (size_t i = 3; i < begun.size(); ++i) {  // the first may make up for one step
    CHECK(begun[i] - begun[i - 1] == kStepTime);
  }
}

TEST_CASE("write pace: small writes have their part of a step's time") {
  WritePace pace(kRate, kStep);
  pace.next(kStep, kStart);
  const Time first = pace.next(kStep / 4, kStart);
  CHECK(pace.next(kStep / 4, first) - first == kStepTime / 4);
}

TEST_CASE("write pace: sleeps that last too long cost no throughput") {
  WritePace pace(kRate, kStep);
  const std::vector<Time> begun = write_steps(pace, 1000, kStart, milliseconds(1), milliseconds(2));
  CHECK(begun.back() - kStart <= 1000 * kStepTime + milliseconds(2));
}

TEST_CASE("write pace: who paused makes up for one step, not for the pause") {
  WritePace pace(kRate, kStep);
  write_steps(pace, 10, kStart, milliseconds(1), milliseconds(0));
  const Time later = kStart + std::chrono::hours(1);
  const std::vector<Time> begun = write_steps(pace, 10, later, milliseconds(0), milliseconds(0));
  CHECK(begun[1] == later);
  CHECK(begun[2] == later + kStepTime);
  CHECK(begun[9] == later + 8 * kStepTime);
}

TEST_CASE("write pace: who is slower than the pace never waits") {
  WritePace pace(kRate, kStep);
  Time now = kStart;
  for (int i = 0; i < 100; ++i) {
    CHECK(pace.next(kStep, now) <= now);
    now += milliseconds(5);
  }
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
