// The counters behind INFO and /metrics, one field per row of metrics.def. ClientMetrics belongs to
// the client loop alone. RaftMetrics is written by the raft loop and read by the client loop, hence
// relaxed atomics. Whoever composes a node owns one of each and hands out references.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "config/base/check.hpp"

namespace kiwi::config {

// Where the buckets of a histogram of durations end, in microseconds: 10 us to 10 s. What is longer
// has a bucket of its own.
inline constexpr std::array<uint64_t, 19> kDurationEndsUs = {
    10,     25,     50,      100,     250,     500,       1'000,     2'500,     5'000,     10'000,
    25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};

struct DurationCounts {
  std::array<uint64_t, kDurationEndsUs.size() + 1> counts{};  // of each bucket alone
  uint64_t total_us = 0;

  static size_t bucket_of(uint64_t us) {
    const auto* const end = std::ranges::lower_bound(kDurationEndsUs, us);
    const auto bucket = static_cast<size_t>(end - kDurationEndsUs.begin());
    CHECK_INVARIANT(bucket <= kDurationEndsUs.size());
    return bucket;
  }
  void add(uint64_t us) {
    ++counts[bucket_of(us)];
    total_us += us;
  }
};

struct ClientMetrics {
#define CLIENT_METRIC(field, section, info_name, type, unit, series, doc) uint64_t field = 0;
#define RAFT_METRIC(field, section, info_name, type, unit, series, doc)
#define CLIENT_DURATIONS(field, series, doc) DurationCounts field;
#define RAFT_DURATIONS(field, series, doc)
#include "config/metrics.def"
#undef CLIENT_METRIC
#undef RAFT_METRIC
#undef CLIENT_DURATIONS
#undef RAFT_DURATIONS

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

class RaftDurations {
 public:
  void add(uint64_t us) {
    counts_[DurationCounts::bucket_of(us)].add();
    total_us_.add(us);
  }
  // Another thread may count meanwhile: the sum may be a little ahead of the buckets, or behind.
  DurationCounts get() const {
    DurationCounts out;
    for (size_t i = 0; i < counts_.size(); ++i) {
      out.counts[i] = counts_[i].get();
    }
    out.total_us = total_us_.get();
    return out;
  }

 private:
  std::array<RaftCounter, kDurationEndsUs.size() + 1> counts_;
  RaftCounter total_us_;
};

struct RaftMetrics {
#define CLIENT_METRIC(field, section, info_name, type, unit, series, doc)
#define RAFT_METRIC(field, section, info_name, type, unit, series, doc) RaftCounter field;
#define CLIENT_DURATIONS(field, series, doc)
#define RAFT_DURATIONS(field, series, doc) RaftDurations field;
#include "config/metrics.def"
#undef CLIENT_METRIC
#undef RAFT_METRIC
#undef CLIENT_DURATIONS
#undef RAFT_DURATIONS
};

enum class MetricType : uint8_t { kCounter, kGauge };
enum class MetricUnit : uint8_t { kPlain, kMicroseconds };

struct MetricValue {
  std::string_view section;
  std::string_view name;
  uint64_t value = 0;
  MetricType type = MetricType::kCounter;
  MetricUnit unit = MetricUnit::kPlain;
  std::string_view series;
  std::string_view doc;
};
struct DurationsValue {
  std::string_view series;
  std::string_view doc;
  DurationCounts counts;
};

// Every metric in the table's order.
std::vector<MetricValue> metric_values(const ClientMetrics& client, const RaftMetrics& raft);
std::vector<DurationsValue> duration_values(const ClientMetrics& client, const RaftMetrics& raft);

}  // namespace kiwi::config
