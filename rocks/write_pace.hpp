// How fast compactions of the state may write: an even pace of small steps, as a RocksDB rate
// limiter. Owned by the options of a StateDatabase; its calls come from RocksDB's threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

namespace rocksdb {
class RateLimiter;
}  // namespace rocksdb

namespace kiwi::rocks {

// When a step may be done: as late as the steps before it say, each of which takes the time that
// its bytes have at the rate. A thread that slept too long catches up with one step at most.
class WritePace {
 public:
  using Clock = std::chrono::steady_clock;
  WritePace(uint64_t bytes_per_second, uint64_t step_bytes)
      : bytes_per_second_(bytes_per_second), lag_max_(time_of(step_bytes)) {}

  // The caller may write so many bytes then (now, if that is past).
  Clock::time_point next(uint64_t bytes, Clock::time_point now);

 private:
  Clock::duration time_of(uint64_t bytes) const;

  uint64_t bytes_per_second_;
  Clock::duration lag_max_;
  Clock::time_point next_;
};

// RocksDB's own limiter hands out what 100 ms have at once: a compaction then kept a processor busy
// for 35 ms without a pause (measured at 64 MiB/s, in memory), and whoever shared it waited. With
// shorter periods RocksDB 7.8.3 waited in Request() for ever.
std::shared_ptr<rocksdb::RateLimiter> make_write_pace(uint64_t bytes_per_second,
                                                      uint64_t step_bytes);

}  // namespace kiwi::rocks
