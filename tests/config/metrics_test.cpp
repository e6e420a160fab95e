#include "config/metrics.hpp"

#include <set>

#include <doctest/doctest.h>

namespace kiwi::config {
namespace {

TEST_SUITE("config") {
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
