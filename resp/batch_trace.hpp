// RAFT.TRACE: where every n-th batch spends its time, stage by stage. The node of a batch's clients
// sees all stages, the other members those of their logs; all of them know a batch by its number,
// so that their rings can be laid side by side. Off it costs a branch a turn.
//
// Plain class in NodeContext, on the client loop, but for every(), which the raft loop reads; what
// that loop saw comes as stamps. Times are monotonic microseconds of this machine.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "config/base/ids.hpp"
#include "resp/request.hpp"

namespace kiwi::resp {

enum class TraceStage : uint8_t {
  kArrived,     // the oldest of its commands
  kHandedOver,  // to Raft, for the first time
  kAppended,    // the log of this node was given it
  kDurable,     // and has it on disk
  kCommitted,   // as this node knows
  kApplied,     // it is in the state, and its replies are on their way
  kAnswered,    // the router knows that
};
inline constexpr size_t kTraceStages = static_cast<size_t>(TraceStage::kAnswered) + 1;
std::string_view name_of(TraceStage stage);

struct TraceKey {
  NodeId node;  // whose clients'
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  bool operator==(const TraceKey&) const = default;
};

struct TraceStamp {
  TraceKey batch;
  TraceStage stage = TraceStage::kAppended;
  int64_t at_us = 0;
  LogIndex index;
  Term term;
};

class BatchTrace {
 public:
  static constexpr size_t kBatches = 1024;

  struct Batch {
    TraceKey key;
    std::array<int64_t, kTraceStages> at_us{};  // 0: not seen
    uint64_t commands = 0;                      // of the node's own
    uint64_t bytes = 0;
    LogIndex index;
    Term term;
    NodeId leader;  // as known when it was committed
  };

  // Every so many batches of each node, by their number; 0: none.
  void set_every(uint64_t n) { every_.store(n, std::memory_order_relaxed); }
  const std::atomic<uint64_t>& every() const { return every_; }
  bool wants(uint64_t sequence) const {
    const uint64_t n = every_.load(std::memory_order_relaxed);
    return n != 0 && sequence % n == 0;
  }

  // A batch of this node is handed over, maybe again.
  void handed_over(
      const TraceKey& key, int64_t arrived_us, int64_t now_us, uint64_t commands, uint64_t bytes);
  // Of this node's, those that are in the ring.
  void settled(const std::vector<Settled>& batches, TraceStage stage, int64_t now_us);
  void take(const TraceStamp& stamp, NodeId leader);

  const std::deque<Batch>& newest_first() const { return batches_; }
  void clear() { batches_.clear(); }

 private:
  Batch* find(const TraceKey& key);
  Batch& add(const TraceKey& key);

  std::atomic<uint64_t> every_{0};
  TraceKey own_;  // this node's, without a sequence
  std::deque<Batch> batches_;
};

}  // namespace kiwi::resp
