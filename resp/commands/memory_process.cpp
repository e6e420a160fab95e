// MEMORY: what this node does.
#include <algorithm>
#include <optional>
#include <string>

#include "resp/process_usage.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp::commands {

namespace {

double share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

// What Redis has and Kiwi has not (a replication backlog, an AOF buffer, hash tables) is left out.
void memory_stats(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  node.refresh_status();
  const ProcessUsage usage = node.process_usage();
  uint64_t keys = 0;
  for (const DatabaseSize& database : node.status.databases) {
    keys += database.keys;
  }
  const uint64_t dataset = node.status.keyspace.memory_bytes;
  struct Line {
    std::string_view name;
    uint64_t bytes;
  };
  const Line lines[] = {
      {"peak.allocated", usage.peak_resident_bytes},
      {"total.allocated", usage.heap_bytes},
      {"clients.normal", node.client_memory.used()},
      {"raft.log-window", node.status.log_window_bytes},
      {"overhead.total", usage.heap_bytes - std::min(usage.heap_bytes, dataset)},
      {"keys.count", keys},
      {"keys.bytes-per-key", keys == 0 ? 0 : dataset / keys},
      {"dataset.bytes", dataset},
      {"allocator.allocated", usage.heap_bytes},
      {"allocator.active", usage.heap_active_bytes},
      {"allocator.resident", usage.heap_resident_bytes},
  };
  struct Ratio {
    std::string_view name;
    double value;
  };
  const Ratio ratios[] = {
      {"dataset.percentage", 100 * share(dataset, usage.heap_bytes)},
      {"peak.percentage", 100 * share(usage.resident_bytes, usage.peak_resident_bytes)},
      {"fragmentation", share(usage.resident_bytes, usage.heap_bytes)},
  };
  reply.map(std::size(lines) + std::size(ratios));
  for (const Line& line : lines) {
    reply.bulk(line.name);
    reply.integer(static_cast<int64_t>(line.bytes));
  }
  for (const Ratio& ratio : ratios) {
    reply.bulk(ratio.name);
    reply.number(ratio.value);
  }
}

void memory_doctor(Session& session, Args, ReplyWriter& reply) {
  constexpr uint64_t kSmall = 64 << 20;  // resident, below which ratios say nothing
  constexpr double kMuch = 1.4;
  NodeContext& node = session.state().node;
  node.refresh_status();
  const ProcessUsage usage = node.process_usage();
  std::string found;
  if (usage.resident_bytes >= kSmall) {
    if (share(usage.resident_bytes, usage.heap_bytes) > kMuch) {
      found +=
          "The process holds over 1.4 times the memory that it uses. MEMORY PURGE gives free pages "
          "back.\n";
    }
    if (share(usage.peak_resident_bytes, usage.resident_bytes) > kMuch) {
      found += "There were times with over 1.4 times the memory of now.\n";
    }
    if (share(node.client_memory.used(), usage.heap_bytes) > 0.5) {
      found += "Clients' buffers are over half of the memory in use: see CLIENT LIST.\n";
    }
  }
  reply.verbatim(found.empty() ? "No memory problem was found.\n" : found);
}

void memory_purge(Session&, Args, ReplyWriter& reply) {
  purge_heap();
  reply.ok();
}

void memory_malloc_stats(Session&, Args, ReplyWriter& reply) {
  const std::optional<std::string> report = heap_report();
  if (report) {
    reply.verbatim(*report);
  } else {
    reply.bulk("Stats not supported for the current allocator");
  }
}

void memory_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Return memory problems reports.",
      "MALLOC-STATS",
      "    Return internal statistics report from the memory allocator.",
      "PURGE",
      "    Attempt to purge dirty pages for reclamation by the allocator.",
      "STATS",
      "    Return information about the memory usage of the server.",
      "USAGE <key> [SAMPLES <count>]",
      "    Return memory in bytes used by <key> and its value. Nested values are",
      "    sampled up to <count> times (default: 5, 0 means sample all).",
  };
  reply_help(reply, "MEMORY", kLines);
}

}  // namespace kiwi::resp::commands
