// How many syncs of the log there were and how long they took. Counted by whoever syncs, read by
// INFO; any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace kiwi::rocks {

struct SyncCounts {
  void count(std::chrono::steady_clock::duration took) {
    const auto us =
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    ++syncs;
    microseconds += us;
    uint64_t longest = microseconds_max.load();
    while (longest < us && !microseconds_max.compare_exchange_weak(longest, us)) {
    }
  }

  std::atomic<uint64_t> syncs{0};
  std::atomic<uint64_t> microseconds{0};
  std::atomic<uint64_t> microseconds_max{0};
};

}  // namespace kiwi::rocks
