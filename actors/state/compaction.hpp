// When the log is cut, and how much of it stays. Plain class; owned by Node, client loop.
#pragma once

#include <cstdint>

#include "config/base/ids.hpp"

namespace kiwi::actors {

struct CompactionLimits {
  uint64_t entries = 0;        // raft.snapshot-entries
  uint64_t keep_entries = 0;   // raft.log-keep-entries
  uint64_t log_bytes = 0;      // raft.log-max-file-size
  uint64_t laggard_bytes = 0;  // raft.log-laggard-max-bytes
};

// What the log is now.
struct LogSize {
  LogIndex first;
  LogIndex last;
  LogIndex snapshot;  // of the last cut
  LogIndex applied;
  uint64_t disk_bytes = 0;
  uint64_t entry_bytes = 0;  // usual size of one of the last entries; 0 = not known
};

class CompactionPolicy {
 public:
  // Once a second or so; true: flush the state and cut. cut_done() follows.
  bool due(const CompactionLimits& limits, const LogSize& log, int64_t now_ms);
  void cut_done(int64_t now_ms);
  // The state was written up to `flushed` for reasons of its own: true if it is worth to cut the
  // log behind that. What is cut soon is still in memory and never written a second time.
  bool due_behind(const CompactionLimits& limits, const LogSize& log, LogIndex flushed) const;
  bool running() const { return running_; }

  // How many entries stay behind a cut: raft.log-keep-entries, but not more than an eighth of
  // raft.log-max-file-size. Whatever stays is written a second time, from RocksDB's memtable.
  static uint64_t kept_entries(const CompactionLimits& limits, const LogSize& log);
  // raft.log-laggard-max-bytes in entries of the size that they have now.
  static uint64_t laggard_entries(const CompactionLimits& limits, const LogSize& log);

 private:
  bool running_ = false;
  int64_t next_by_size_ms_ = 0;
};

}  // namespace kiwi::actors
