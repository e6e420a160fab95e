// How one node of a world differs from the others; drawn once, the same in all its lives.
#pragma once

#include <cstdint>

namespace kiwi::sim {

struct NodeOptions {
  // ---- raft::CoreOptions
  uint32_t heartbeat_ticks = 4;
  uint32_t election_ticks_min = 12;
  uint32_t election_ticks_max = 24;
  bool leases = false;
  uint64_t window_bytes = 4 << 10;
  uint64_t message_bytes_max = 2 << 10;
  uint64_t inflight_bytes_max = 8 << 10;
  uint32_t inflight_messages_max = 2;
  uint64_t uncommitted_bytes_max = 64 << 10;  // tiny: leaders refuse (F3)
  uint64_t apply_inflight_bytes_max = 4 << 20;
  // ---- resp::RouterOptions
  int64_t resend_ms = 300;
  uint64_t batch_commands_max = 4;
  int64_t group_commit_us = 0;
  int64_t read_gather_us = 0;
  // ---- resp::ExecutorOptions
  uint64_t long_read_elements = 0;
  uint64_t reply_bytes_max = 0;  // 0: as in production
  // ---- the disks
  int64_t disk_us = 300;       // a write of the log, about
  uint64_t table_bytes = 0;    // 0: an ordinary map instead of rocks/table/
  int64_t flusher_us_max = 0;  // between two of the flusher's jobs
};

}  // namespace kiwi::sim
