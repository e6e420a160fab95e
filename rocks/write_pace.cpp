#include "rocks/write_pace.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include <rocksdb/rate_limiter.h>

#include "config/base/check.hpp"

namespace kiwi::rocks {

namespace {

constexpr uint64_t kCatchUpSteps = 4;  // 4 ms, a tick, with what the state asks for

class PaceLimiter final : public rocksdb::RateLimiter {
 public:
  PaceLimiter(uint64_t bytes_per_second, uint64_t step_bytes)
      : bytes_per_second_(bytes_per_second),
        step_bytes_(step_bytes),
        pace_(bytes_per_second, kCatchUpSteps * step_bytes) {
    CHECK_INVARIANT(bytes_per_second != 0 && step_bytes != 0 && step_bytes <= bytes_per_second);
  }

  void Request(const int64_t bytes,
               const rocksdb::Env::IOPriority /*who*/,
               rocksdb::Statistics* /*counts*/) override {
    WritePace::Clock::time_point then;
    {
      std::lock_guard lock(mutex_);
      then = pace_.next(static_cast<uint64_t>(bytes), WritePace::Clock::now());
    }
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    requests_.fetch_add(1, std::memory_order_relaxed);
    std::this_thread::sleep_until(then);
  }
  using rocksdb::RateLimiter::Request;

  void SetBytesPerSecond(int64_t /*rate*/) override {}  // nobody asks for it
  int64_t GetBytesPerSecond() const override { return static_cast<int64_t>(bytes_per_second_); }
  int64_t GetSingleBurstBytes() const override { return static_cast<int64_t>(step_bytes_); }
  int64_t GetTotalBytesThrough(const rocksdb::Env::IOPriority /*who*/) const override {
    return bytes_.load(std::memory_order_relaxed);
  }
  int64_t GetTotalRequests(const rocksdb::Env::IOPriority /*who*/) const override {
    return requests_.load(std::memory_order_relaxed);
  }

 private:
  const uint64_t bytes_per_second_;
  const uint64_t step_bytes_;
  std::mutex mutex_;
  WritePace pace_;
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> requests_{0};
};

}  // namespace

WritePace::Clock::duration WritePace::time_of(uint64_t bytes) const {
  const std::chrono::duration<double> seconds(static_cast<double>(bytes) /
                                              static_cast<double>(bytes_per_second_));
  return std::chrono::duration_cast<Clock::duration>(seconds);
}

WritePace::Clock::time_point WritePace::next(uint64_t bytes, Clock::time_point now) {
  const Clock::time_point then = std::max(next_, now - lag_max_);
  next_ = then + time_of(bytes);
  return then;
}

std::shared_ptr<rocksdb::RateLimiter> make_write_pace(uint64_t bytes_per_second,
                                                      uint64_t step_bytes) {
  return std::make_shared<PaceLimiter>(bytes_per_second, step_bytes);
}

}  // namespace kiwi::rocks
