// The counters behind INFO, one field per row of metrics.def. ClientMetrics belongs to the client
// loop alone. RaftMetrics is written by the raft loop and read by the client loop (INFO), hence
// relaxed atomics. Whoever composes a node owns one of each and hands out references.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

namespace kiwi::config {

struct ClientMetrics {
#define CLIENT_METRIC(field, section, info_name, doc) uint64_t field = 0;
#define RAFT_METRIC(field, section, info_name, doc)
#include "config/metrics.def"
#undef CLIENT_METRIC
#undef RAFT_METRIC

  void reset() { *this = ClientMetrics{}; }  // CONFIG RESETSTAT
};

// One writer, so an increment needs no locked instruction.
class RaftCounter {
 public:
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(uint64_t n = 1) { set(get() + n); }
  void raise_to(uint64_t value) {
    if (value > get()) {
      set(value);
    }
  }

 private:
  std::atomic<uint64_t> value_{0};
};

struct RaftMetrics {
#define CLIENT_METRIC(field, section, info_name, doc)
#define RAFT_METRIC(field, section, info_name, doc) RaftCounter field;
#include "config/metrics.def"
#undef CLIENT_METRIC
#undef RAFT_METRIC
};

struct MetricValue {
  std::string_view section;
  std::string_view name;
  uint64_t value = 0;
};

// Every metric in the table's order.
std::vector<MetricValue> metric_values(const ClientMetrics& client, const RaftMetrics& raft);

}  // namespace kiwi::config
