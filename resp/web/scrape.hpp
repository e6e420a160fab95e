// What /metrics tells: copied on the client loop, which is not to wait for texts, and written on
// the HTTP thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/metrics.hpp"
#include "resp/memory_report.hpp"
#include "resp/node_context.hpp"
#include "resp/web/health.hpp"

namespace kiwi::resp::web {

struct Scrape {
  struct Command {
    std::string_view name;  // of the table
    uint64_t calls = 0;
    uint64_t rejected = 0;
    uint64_t failed = 0;
    int64_t executed_ns = 0;
    std::optional<config::DurationCounts> service;
  };

  std::vector<config::MetricValue> metrics;
  std::vector<config::DurationsValue> durations;
  NodeStatus status;
  SaveStatus save;
  MemoryReport memory;
  std::vector<Command> commands;  // that were used
  std::vector<std::pair<std::string, uint64_t>> errors;
  std::string run_id;
  int64_t started_wall_ms = 0;
  uint32_t cluster_version = 0;
  uint64_t clients = 0;
  uint64_t clients_max = 0;
  uint64_t blocked_clients = 0;
  uint64_t channels = 0;
  uint64_t patterns = 0;
  uint64_t shard_channels = 0;
  uint64_t tracking_clients = 0;
  uint64_t tracked_keys = 0;
};

Scrape take_scrape(NodeContext& node);  // client loop

// nullptr: the client loop did not answer; then that is what is told.
std::string write_scrape(const Scrape* scrape, const Vitals& vitals);

}  // namespace kiwi::resp::web
