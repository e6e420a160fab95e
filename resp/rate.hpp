// How much of something comes a second, from a counter that is looked at ten times a second: the
// mean of the last 1.6 seconds, as in Redis. A plain value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "config/base/check.hpp"

namespace kiwi::resp {

class Rate {
 public:
  void sample(uint64_t total, int64_t now_us) {
    if (count_ != 0 && (total < newest().total || now_us < newest().at_us)) {
      count_ = 0;  // CONFIG RESETSTAT: what was is no measure any more
    }
    samples_[next_] = {total, now_us};
    next_ = (next_ + 1) % kSamples;
    count_ += count_ < kSamples ? 1 : 0;
  }

  double per_second() const {
    if (count_ < 2) {
      return 0;
    }
    const Sample& first = samples_[(next_ + kSamples - count_) % kSamples];
    const Sample& last = newest();
    CHECK_INVARIANT(last.total >= first.total && last.at_us >= first.at_us);
    return last.at_us == first.at_us ? 0
                                     : static_cast<double>(last.total - first.total) * 1e6 /
                                           static_cast<double>(last.at_us - first.at_us);
  }

 private:
  static constexpr size_t kSamples = 17;  // the ends of 16 intervals

  struct Sample {
    uint64_t total = 0;
    int64_t at_us = 0;
  };
  const Sample& newest() const { return samples_[(next_ + kSamples - 1) % kSamples]; }

  std::array<Sample, kSamples> samples_{};
  size_t next_ = 0;
  size_t count_ = 0;
};

}  // namespace kiwi::resp
