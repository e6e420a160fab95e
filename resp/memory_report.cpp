#include "resp/memory_report.hpp"

#include <algorithm>

#include "config/base/check.hpp"
#include "resp/node_context.hpp"

namespace kiwi::resp {

namespace {

uint64_t less(uint64_t whole, uint64_t part) { return whole - std::min(whole, part); }

uint64_t mapped_bytes(const NodeStatus& status) {
  return status.keyspace.mapped_bytes + status.scripts.arena_bytes;
}

// An allocator that says nothing of pages holds what the process holds.
void fill_in(ProcessUsage& usage) {
  if (usage.heap_resident_bytes == 0) {
    usage.heap_resident_bytes = usage.resident_bytes;
  }
  if (usage.heap_active_bytes == 0) {
    usage.heap_active_bytes = usage.heap_resident_bytes;
  }
}

uint64_t known_parts(const MemoryReport& report) {
  return report.clients + report.tracking + report.writes + report.window + report.links +
         report.log_store + report.block_cache + report.memtables + report.scripts;
}

}  // namespace

MemoryReport read_memory(NodeContext& node) {
  const NodeStatus& status = node.status;
  MemoryReport report;
  report.process = node.process_usage();
  fill_in(report.process);
  report.mapped = mapped_bytes(status);
  report.used = report.process.heap_bytes + report.mapped;
  node.peak_bytes = std::max(node.peak_bytes, report.used);
  report.peak = node.peak_bytes;
  report.clients = node.client_memory.used();
  report.tracking = node.tracking.memory_bytes();
  report.writes = status.router.pending_bytes + status.router.waiting_bytes +
                  status.router.deferred_capacity_bytes;
  report.window = status.log_window_bytes;
  report.links = node.raft_metrics.peer_queued_bytes.get();
  report.log_store = status.log_memory_bytes;
  report.block_cache = status.keyspace.block_cache_bytes;
  report.memtables = status.keyspace.memtable_bytes;
  report.scripts = status.scripts.arena_bytes + status.scripts.image_bytes;
  report.table = less(status.keyspace.memory_bytes, report.block_cache + report.memtables);
  report.startup = node.startup_bytes;
  // Parts are counted by their own rules, and at other moments than the whole.
  report.overhead = std::min(report.used, report.startup + known_parts(report));
  report.dataset = report.used - report.overhead;
  for (const DatabaseSize& database : status.databases) {
    report.keys += database.keys;
  }
  CHECK_INVARIANT(report.peak >= report.used);
  return report;
}

void note_startup_memory(NodeContext& node) {
  CHECK_INVARIANT(node.startup_bytes == 0);
  node.refresh_status();
  const MemoryReport now = read_memory(node);
  node.startup_bytes = less(now.used, known_parts(now) + now.table);
}

void note_peak_memory(NodeContext& node) {
  node.peak_bytes = std::max(node.peak_bytes, node.heap_bytes() + mapped_bytes(node.status));
}

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double MemoryReport::dataset_percent() const { return 100 * ratio(dataset, less(used, startup)); }

double MemoryReport::peak_percent() const { return 100 * ratio(used, peak); }

uint64_t MemoryReport::bytes_per_key() const { return keys == 0 ? 0 : less(used, startup) / keys; }

}  // namespace kiwi::resp
