// When batches of this node's clients were handed over to Raft, until they are settled: how long
// they took. A batch that is sent again keeps its first time. Plain class inside the CommandRouter
// shell; client loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "config/base/check.hpp"

namespace kiwi::actors {

class CommitClock {
 public:
  // More than a router has on their way; beyond it the oldest are forgotten.
  static constexpr size_t kBatches = 4096;

  // Sequences rise, but for those that are sent again.
  void handed_over(uint64_t sequence, int64_t now_us) {
    if (sequence <= last_) {
      return;
    }
    last_ = sequence;
    waiting_.push_back({sequence, now_us});
    if (waiting_.size() > kBatches) {
      waiting_.pop_front();
    }
    CHECK_INVARIANT(waiting_.size() <= kBatches);
  }
  // In their order. Nothing: it was not seen to go.
  std::optional<int64_t> settled(uint64_t sequence, int64_t now_us) {
    while (!waiting_.empty() && waiting_.front().sequence < sequence) {
      waiting_.pop_front();  // given up
    }
    if (waiting_.empty() || waiting_.front().sequence != sequence) {
      return std::nullopt;
    }
    const int64_t took_us = now_us - waiting_.front().at_us;
    waiting_.pop_front();
    return took_us < 0 ? 0 : took_us;
  }

 private:
  struct Handed {
    uint64_t sequence = 0;
    int64_t at_us = 0;
  };
  uint64_t last_ = 0;
  std::deque<Handed> waiting_;
};

}  // namespace kiwi::actors
