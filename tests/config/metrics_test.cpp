#include "config/metrics.hpp"

#include <set>

#include <doctest/doctest.h>

namespace kiwi::config {
namespace {

TEST_SUITE("config") {
  TEST_CASE("a series is named by its row, in base units, and a counter says that it is one") {
    ClientMetrics client;
    RaftMetrics raft;
    std::set<std::string_view> names;
    for (const MetricValue& metric : metric_values(client, raft)) {
      CHECK_MESSAGE(names.insert(metric.series).second, metric.series);
      CHECK_MESSAGE(metric.series.starts_with("kiwi_"), metric.series);
      const bool counts = metric.type == MetricType::kCounter;
      CHECK_MESSAGE(metric.series.ends_with("_total") == counts, metric.series);
      const bool in_seconds = metric.series.find("_seconds") != std::string_view::npos;
      CHECK_MESSAGE(in_seconds == (metric.unit == MetricUnit::kMicroseconds), metric.series);
      CHECK_MESSAGE(!metric.doc.empty(), metric.series);
    }
    for (const DurationsValue& durations : duration_values(client, raft)) {
      CHECK_MESSAGE(names.insert(durations.series).second, durations.series);
      CHECK_MESSAGE(durations.series.ends_with("_seconds"), durations.series);
    }
  }

  TEST_CASE("a duration is in the first bucket that does not end before it") {
    static_assert(kDurationEndsUs.front() == 10 && kDurationEndsUs.back() == 10'000'000);
    CHECK(DurationCounts::bucket_of(0) == 0);
    CHECK(DurationCounts::bucket_of(10) == 0);
    CHECK(DurationCounts::bucket_of(11) == 1);
    CHECK(DurationCounts::bucket_of(10'000'000) == kDurationEndsUs.size() - 1);
    CHECK(DurationCounts::bucket_of(10'000'001) == kDurationEndsUs.size());
    RaftDurations durations;
    durations.add(25);
    durations.add(26);
    durations.add(UINT32_MAX);
    const DurationCounts counts = durations.get();
    CHECK(counts.counts[1] == 1);
    CHECK(counts.counts[2] == 1);
    CHECK(counts.counts.back() == 1);
    CHECK(counts.total_us == 51 + uint64_t{UINT32_MAX});
  }

  TEST_CASE("every metric shows the counter of its own row") {
    ClientMetrics client;
    RaftMetrics raft;
    client.keyspace_hits = 3;
    raft.fsync_count.add();
    raft.fsync_count.add(4);
    raft.fsync_max_microseconds.raise_to(9);
    raft.fsync_max_microseconds.raise_to(2);
    std::set<std::string_view> names;
    for (const MetricValue& metric : metric_values(client, raft)) {
      CHECK_MESSAGE(names.insert(metric.name).second, metric.name);
      uint64_t expected = metric.name == "keyspace_hits"                 ? 3
                          : metric.name == "raft_fsync_count"            ? 5
                          : metric.name == "raft_fsync_max_microseconds" ? 9
                                                                         : 0;
      CHECK_MESSAGE(metric.value == expected, metric.name);
      bool raft_section = metric.section.starts_with("raft_");
      CHECK_MESSAGE(raft_section == metric.name.starts_with("raft_"), metric.name);
    }
    client.reset();
    CHECK(client.keyspace_hits == 0);
  }
}

}  // namespace
}  // namespace kiwi::config
