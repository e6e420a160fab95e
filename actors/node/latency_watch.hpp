// What took long on this node, but for commands and turns, for LATENCY (resp::LatencyMonitor). Most
// of it happens elsewhere and leaves its slowest since the last look; here it is looked at ten
// times a second. Plain class; client loop.
#pragma once

#include <cstdint>

#include "resp/latency_monitor.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::actors {

class LatencyWatch {
 public:
  struct Seen {
    int64_t now_ms = 0;  // monotonic
    int64_t commit_ms = 0;
    int64_t read_round_ms = 0;
    uint64_t log_sync_us = 0;
    const rocks::StateStore::Usage* state = nullptr;  // of the files; none: not asked this time
  };

  // look() is called every period_ms by the loop's timer.
  LatencyWatch(resp::LatencyMonitor& monitor, int64_t period_ms)
      : monitor_(monitor), period_ms_(period_ms) {}

  void look(const Seen& seen);
  // A leader is known and serves, or not.
  void leader(bool ready, int64_t now_ms);

 private:
  void look_at_files(const rocks::StateStore::Usage& state);

  resp::LatencyMonitor& monitor_;
  int64_t period_ms_;
  int64_t looked_ms_ = -1;
  int64_t leaderless_since_ms_ = -1;
  bool files_known_ = false;  // what they say grows from here
  uint64_t flushes_ = 0;
  uint64_t flush_us_ = 0;
  uint64_t flush_wait_us_ = 0;
};

}  // namespace kiwi::actors
