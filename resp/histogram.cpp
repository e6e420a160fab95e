#include "resp/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace kiwi::resp {

double Histogram::percentile(double percent) const {
  CHECK_INVARIANT(percent >= 0 && percent <= 100);
  if (total_ == 0) {
    return 0;
  }
  const auto rank = static_cast<uint64_t>(std::ceil(percent / 100 * static_cast<double>(total_)));
  const uint64_t wanted = std::clamp<uint64_t>(rank, 1, total_);
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen >= wanted) {
      return static_cast<double>(Buckets::last_of(bucket));
    }
  }
  CHECK_INVARIANT(false);  // the buckets have them all
  return 0;
}

uint64_t Histogram::not_above(uint64_t us) const {
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets && Buckets::last_of(bucket) <= us; ++bucket) {
    seen += counts_[bucket];
  }
  CHECK_INVARIANT(seen <= total_);
  return seen;
}

// A bucket that lies across an end counts to the longer ones, as in not_above().
config::DurationCounts Histogram::durations() const {
  config::DurationCounts out;
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets && seen < total_; ++bucket) {
    if (counts_[bucket] != 0) {
      out.counts[config::DurationCounts::bucket_of(Buckets::last_of(bucket))] += counts_[bucket];
      seen += counts_[bucket];
    }
  }
  CHECK_INVARIANT(seen == total_);
  out.total_us = sum_us_;
  return out;
}

}  // namespace kiwi::resp
