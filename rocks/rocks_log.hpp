// RocksLog: raft::LogStorage on one RocksDB, one column family, one synced WriteBatch per
// persist().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "raft/log_storage.hpp"

namespace kiwi::rocks {

struct RocksLogOptions {
  std::string path;   // directory, created if missing
  bool fsync = true;  // raft.log-fsync; hard states and identity are synced anyway (F16)
  std::function<uint64_t()> free_bytes = nullptr;  // of the disk; empty: it is asked
};

struct RocksLogStats {
  uint64_t syncs = 0;
  uint64_t sync_microseconds = 0;  // total
  uint64_t sync_microseconds_max = 0;
  uint64_t bytes_written = 0;  // payload handed to RocksDB
  uint64_t entry_bytes = 0;    // of one entry, usually; the last ones count most; 0 = none yet
  uint64_t owed_bytes = 0;  // that its memtables and its largest compaction take of the disk (F60)
  uint64_t waits_for_room = 0;  // writes and flushes that wait for room on it now
};

class RocksLog : public raft::LogStorage {
 public:
  virtual RocksLogStats stats() const = 0;    // any thread
  virtual uint64_t memory_bytes() const = 0;  // memtables and cached blocks; any thread
  // Makes everything persisted durable; with fsync it is already. Any thread: the state database
  // calls it before it flushes (KeyspaceOptions::before_flush, F38).
  virtual Result<void> sync() = 0;
};

// Errors: locked by another process (kConflict), torn beyond repair or corrupt (kCorrupt, names the
// file), I/O (kIo). A torn tail is repaired silently, a flipped byte is refused (F16).
Result<std::unique_ptr<RocksLog>> open_rocks_log(const RocksLogOptions& options);

}  // namespace kiwi::rocks
