// What the memory of a node is used for, in the words of Redis: INFO memory, MEMORY STATS and
// MEMORY DOCTOR tell the same figures. Measured when it is asked for; client loop only.
//
// `used` is what the allocator handed out, and the pages that the node maps by itself: slots of the
// table, the arena of scripts. `overhead` is what the node knows to serve something else than to
// hold data; the rest is the data.
#pragma once

#include <cstdint>

#include "resp/process_usage.hpp"

namespace kiwi::resp {

struct NodeContext;

struct MemoryReport {
  ProcessUsage process;  // with an allocator that does not say more, its figures are filled in
  uint64_t used = 0;
  uint64_t peak = 0;       // of `used`, looked at once a second
  uint64_t startup = 0;    // before there were clients, data and caches
  uint64_t overhead = 0;   // startup, and what follows but for the table
  uint64_t dataset = 0;    // the rest of `used`
  uint64_t clients = 0;    // their buffers, what they asked and was not answered
  uint64_t tracking = 0;   // keys that clients cache
  uint64_t writes = 0;     // in the router: waiting, and under way
  uint64_t window = 0;     // entries of the log that followers may still need
  uint64_t links = 0;      // that wait to be sent to other nodes
  uint64_t log_store = 0;  // memtables and cached blocks of the log
  uint64_t block_cache = 0;
  uint64_t memtables = 0;
  uint64_t scripts = 0;  // the arena and compiled images
  uint64_t mapped = 0;   // of `used`, not of the allocator
  uint64_t table = 0;    // records and their indexes: the data as far as it is known
  uint64_t keys = 0;

  double dataset_percent() const;  // of what is used beyond `startup`
  double peak_percent() const;
  uint64_t bytes_per_key() const;
};

// After refresh_status().
MemoryReport read_memory(NodeContext& node);
// Once, when the node is open and serves nobody yet.
void note_startup_memory(NodeContext& node);
// Now and then.
void note_peak_memory(NodeContext& node);

// 0 if there is no whole.
double ratio(uint64_t part, uint64_t whole);

}  // namespace kiwi::resp
