// What a router tells of itself, and whether the node serves at all. Plain values; client loop.
#pragma once

#include <cstdint>

namespace kiwi::resp {

// Which answers are possible at all; the node tells.
enum class Service : uint8_t {
  kUninitialized,  // NOCLUSTER
  kLoading,        // LOADING: first catch-up after start (F22, F39)
  kUp,
  kRemoved,  // F25
};

// What a router has under way at the end of a turn, for who decides whether the sockets are looked
// at before that is over.
struct Flight {
  // Own writes are on their way and nothing else is: no read, nothing that waits for a leader, and
  // no pipelines. What is read now would wait until they are over.
  bool writes_only = false;
  bool gathers = false;  // clients that were just answered should ask again at once
  uint64_t oldest = 0;   // batches [oldest, next) are under way
  uint64_t next = 0;
};

// The slowest of a while, from the arrival of the first of those who shared the way.
struct RouterDelays {
  int64_t commit_ms = 0;      // to the writes' place in the state
  int64_t read_round_ms = 0;  // to the reads' index
};

struct RouterStatus {
  uint64_t pending_batches = 0;
  uint64_t pending_bytes = 0;
  uint64_t waiting_reads = 0;
  uint64_t deferred_requests = 0;        // that wait for earlier ones of their connection
  uint64_t deferred_capacity_bytes = 0;  // what is kept for them
  uint64_t waiting_bytes = 0;            // of requests that were not handed over yet
  uint64_t resends = 0;
  uint64_t timeouts = 0;
  uint64_t proposals = 0;          // batches handed over
  uint64_t proposed_commands = 0;  // in them, reads between the writes included
  uint64_t read_rounds = 0;
  uint64_t cluster_down = 0;      // commands answered so
  uint64_t proxied = 0;           // batches handed over while another node led
  uint64_t throttled_writes = 0;  // commands that waited since a state lags behind (set_pressure())
  uint32_t pressure = 0;
};

}  // namespace kiwi::resp
