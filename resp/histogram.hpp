// How long commands took, in microseconds: log-linear, 32 steps an octave, so that a value is known
// to 3 %. From 0 to an hour; what is longer counts as that. Fixed memory, no lock: one thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "config/base/check.hpp"
#include "config/metrics.hpp"

namespace kiwi::resp {

struct HistogramBuckets {
  static constexpr uint32_t kStepBits = 5;
  static constexpr uint64_t kSteps = uint64_t{1} << kStepBits;

  // The values of the first two octaves have a bucket each.
  static constexpr size_t bucket_of(uint64_t value) {
    const auto width = static_cast<uint32_t>(std::bit_width(value));
    if (width <= kStepBits) {
      return value;
    }
    const uint32_t shift = width - kStepBits - 1;
    return (size_t{shift} << kStepBits) + static_cast<size_t>(value >> shift);
  }
  static constexpr uint64_t last_of(size_t bucket) {
    if (bucket < 2 * kSteps) {
      return bucket;
    }
    const size_t shift = (bucket >> kStepBits) - 1;
    return (((bucket & (kSteps - 1)) + kSteps + 1) << shift) - 1;
  }
};
static_assert(HistogramBuckets::bucket_of(31) + 1 == HistogramBuckets::bucket_of(32));
static_assert(HistogramBuckets::bucket_of(63) + 1 == HistogramBuckets::bucket_of(64));
static_assert(HistogramBuckets::bucket_of(HistogramBuckets::last_of(100)) == 100);
static_assert(HistogramBuckets::bucket_of(HistogramBuckets::last_of(100) + 1) == 101);

class Histogram {
 public:
  static constexpr int64_t kMostUs = int64_t{3600} * 1'000'000;

  void add(int64_t us) {
    const uint64_t value = us <= 0 ? 0 : static_cast<uint64_t>(us < kMostUs ? us : kMostUs);
    ++counts_[Buckets::bucket_of(value)];
    ++total_;
    sum_us_ += value;
  }
  uint64_t total() const { return total_; }
  // The same in fewer buckets.
  config::DurationCounts durations() const;

  // The least value that so many percent of all are not above, as the end of its bucket; 0: there
  // is none.
  double percentile(double percent) const;
  // How many are not above it, as far as whole buckets tell.
  uint64_t not_above(uint64_t us) const;

 private:
  using Buckets = HistogramBuckets;
  static constexpr size_t kBuckets = Buckets::bucket_of(static_cast<uint64_t>(kMostUs)) + 1;

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t total_ = 0;
  uint64_t sum_us_ = 0;
};

}  // namespace kiwi::resp
