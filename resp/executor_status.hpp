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

// Tokens of commands that count once, and what came of those that clients of this node repeated.
struct OnceStatus {
  uint64_t records = 0;
  uint64_t bytes = 0;
  uint64_t floor_ms = 0;   // every token up to there is forgotten
  uint64_t oldest_ms = 0;  // 0: none is remembered
  int64_t stamp_ms = 0;    // the cluster's clock, at the last entry applied
  // Since the start.
  uint64_t replays = 0;
  uint64_t done = 0;  // the reply was not kept
  uint64_t expired = 0;
  uint64_t mismatch = 0;
  uint64_t clock = 0;
  uint64_t closed = 0;
  uint64_t gap = 0;
  uint64_t given_back = 0;  // elements whose client was gone

  // For how long a repeated command still gets its reply.
  int64_t span_seconds() const {
    return oldest_ms == 0 ? 0 : (stamp_ms - static_cast<int64_t>(oldest_ms)) / 1000;
  }
};

// INFO keyspace: logical database, keys, keys with TTL.
struct DatabaseSize {
  uint32_t database = 0;
  uint64_t keys = 0;
  uint64_t keys_with_ttl = 0;
  double mean_deadline_ms = 0;  // of those, since the epoch

  // What they have left on average; those that are due and still there count for nothing less.
  uint64_t mean_ttl_ms(int64_t now_ms) const {
    const double left_ms = mean_deadline_ms - static_cast<double>(now_ms);
    return keys_with_ttl == 0 || left_ms <= 0 ? 0 : static_cast<uint64_t>(left_ms);
  }
};

// Scripts and functions: texts are a part of the state, images and the arena are memory of the
// node.
struct ScriptStatus {
  uint64_t scripts = 0;
  uint64_t script_bytes = 0;
  uint64_t libraries = 0;
  uint64_t functions = 0;
  uint64_t library_bytes = 0;
  uint64_t image_bytes = 0;  // of compiled ones
  uint64_t arena_bytes = 0;  // that the last run left, not of the allocator
};

}  // namespace kiwi::resp
