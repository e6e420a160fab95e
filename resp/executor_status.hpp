// What an executor counts and tells of its databases, for INFO. Plain values; any thread.
#pragma once

#include <cstdint>

namespace kiwi::resp {

// What commands met in the keyspace.
struct CommandStats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t expired = 0;
  uint64_t expired_fields = 0;
};

struct ExecutorCounters {
  uint64_t keyspace_hits = 0, keyspace_misses = 0, expired_keys = 0, commands = 0;
  uint64_t expired_fields = 0;
};

// Clients in blocking commands, and the serves that were asked for them.
struct WaiterStatus {
  uint64_t waiting = 0;
  uint64_t in_flight = 0;
  uint64_t serves = 0;    // since the start
  uint64_t in_vain = 0;   // of them, those that found nothing
  uint64_t timeouts = 0;  // waits
};

// INFO keyspace: logical database, keys, keys with TTL.
struct DatabaseSize {
  uint32_t database = 0;
  uint64_t keys = 0;
  uint64_t keys_with_ttl = 0;
};

}  // namespace kiwi::resp
