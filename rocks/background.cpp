#include "rocks/background.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace kiwi::rocks {

namespace {

constexpr int32_t kNicer = 5;  // than the process
constexpr int32_t kNiceMax = 19;
constexpr uint64_t kSliceNs = 10'000'000;

struct SchedAttributes {  // struct sched_attr, version 0 (sched_setattr(2)); glibc has none
  uint32_t size = 48;
  uint32_t policy = SCHED_BATCH;
  uint64_t flags = 0;
  int32_t nice = kNicer;
  uint32_t priority = 0;
  uint64_t runtime = kSliceNs;  // Linux 6.12: the slice; before: ignored
  uint64_t deadline = 0;
  uint64_t period = 0;
};
static_assert(sizeof(SchedAttributes) == 48);

using Clock = std::chrono::steady_clock;
// Short pieces of work: whoever wakes up meanwhile waits no longer than one of them.
struct Beat {
  std::chrono::microseconds work;
  std::chrono::microseconds rest;
};
constexpr Beat kBeats[] = {{std::chrono::microseconds(1000), std::chrono::microseconds(100)},
                           {std::chrono::microseconds(500), std::chrono::microseconds(500)}};
constexpr uint32_t kCallsPerLook = 16;  // at the clock

struct Breath {
  bool in_background = false;
  uint32_t calls = 0;
  std::atomic<uint64_t>* steps = nullptr;
  Clock::time_point since;
};
thread_local Breath breath;

}  // namespace

void work_in_background() {
  if (std::exchange(breath.in_background, true)) {
    return;
  }
  SchedAttributes wanted;
  wanted.nice = std::min(kNiceMax, ::getpriority(PRIO_PROCESS, 0) + kNicer);
  (void)::syscall(SYS_sched_setattr, 0, &wanted, 0);
}

void count_steps(std::atomic<uint64_t>* steps) { breath.steps = steps; }

void breathe(Pace pace) {
  if (breath.steps != nullptr) {
    breath.steps->fetch_add(1, std::memory_order_relaxed);
  }
  if (!breath.in_background || ++breath.calls % kCallsPerLook != 0) {
    return;
  }
  const Clock::time_point now = Clock::now();
  const Beat& beat = kBeats[static_cast<size_t>(pace)];
  if (now - breath.since < beat.work) {
    return;
  }
  std::this_thread::sleep_for(beat.rest);
  breath.since = Clock::now();
}

}  // namespace kiwi::rocks
