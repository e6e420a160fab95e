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

// When the next bytes may be written: as late as those before them say, each of which take their
// time at the rate. Who slept too long catches up, with so many bytes at most.
class WritePace {
 public:
  using Clock = std::chrono::steady_clock;
  WritePace(uint64_t bytes_per_second, uint64_t catch_up_bytes)
      : bytes_per_second_(bytes_per_second), lag_max_(time_of(catch_up_bytes)) {}

  // The caller may write so many bytes then (now, if that is past).
  Clock::time_point next(uint64_t bytes, Clock::time_point now);

 private:
  Clock::duration time_of(uint64_t bytes) const;

  uint64_t bytes_per_second_;
  Clock::duration lag_max_;
  Clock::time_point next_;
};

// RocksDB's own limiter hands out the bytes of 100 ms at once, so a compaction keeps a processor
// for a large part of that, and clients of nodes that share it wait. (With a period of 1 ms
// RocksDB 7.8.3 waits in Request() for ever.) Here a request is one step of at most `step_bytes`,
// behind which it rests. Busy processors keep it waiting for a tick or two, which costs no rate.
std::shared_ptr<rocksdb::RateLimiter> make_write_pace(uint64_t bytes_per_second,
                                                      uint64_t step_bytes);

}  // namespace kiwi::rocks
