// What a replica sees of the batches that RAFT.TRACE follows (resp/batch_trace.hpp): when the log
// is given an entry, has it on disk, and when it is committed. Plain class of RaftReplica, on the
// raft loop; off it costs a branch.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "raft/types.hpp"
#include "resp/batch_trace.hpp"

namespace kiwi::actors {

class ReplicaTrace {
 public:
  // Beyond it stamps are lost until they are taken.
  static constexpr size_t kStamps = 4096;

  // nullptr: nothing is traced.
  explicit ReplicaTrace(const std::atomic<uint64_t>* every) : every_(every) {}

  bool on() const { return every_ != nullptr && every_->load(std::memory_order_relaxed) != 0; }

  void appended(const std::vector<raft::Entry>& entries, int64_t now_us) {
    if (entries.empty()) {
      return;
    }
    // What stood in their place is gone.
    while (!writing_.empty() && writing_.back().index >= entries.front().index) {
      writing_.pop_back();
    }
    add(entries, resp::TraceStage::kAppended, now_us);
  }
  void durable(LogIndex last, int64_t now_us) {
    while (!writing_.empty() && writing_.front().index <= last) {
      resp::TraceStamp stamp = writing_.front();
      writing_.pop_front();
      stamp.stage = resp::TraceStage::kDurable;
      stamp.at_us = now_us;
      add(stamp);
    }
  }
  void committed(const std::vector<raft::Entry>& entries, int64_t now_us) {
    add(entries, resp::TraceStage::kCommitted, now_us);
  }
  std::vector<resp::TraceStamp> take() { return std::exchange(stamps_, {}); }

 private:
  void add(const std::vector<raft::Entry>& entries, resp::TraceStage stage, int64_t now_us) {
    const uint64_t every = every_ == nullptr ? 0 : every_->load(std::memory_order_relaxed);
    if (every == 0) {
      return;
    }
    for (const raft::Entry& entry : entries) {
      if (entry.kind != raft::EntryKind::kBatch || entry.number.sequence % every != 0) {
        continue;
      }
      const resp::TraceStamp stamp{{entry.number.node, entry.number.epoch, entry.number.sequence},
                                   stage,
                                   now_us,
                                   entry.index,
                                   entry.term};
      if (stage == resp::TraceStage::kAppended && writing_.size() < kStamps) {
        writing_.push_back(stamp);
      }
      add(stamp);
    }
  }
  void add(const resp::TraceStamp& stamp) {
    if (stamps_.size() < kStamps) {
      stamps_.push_back(stamp);
    }
    CHECK_INVARIANT(stamps_.size() <= kStamps);
  }

  const std::atomic<uint64_t>* every_;
  std::deque<resp::TraceStamp> writing_;  // appended, not durable; by index
  std::vector<resp::TraceStamp> stamps_;
};

}  // namespace kiwi::actors
