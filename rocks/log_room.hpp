// What the log's database will yet take of the disk (F60), as it was measured last and written
// since. Counted by RocksLog, measured on RocksDB's threads; read by any.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "rocks/room.hpp"

namespace rocksdb {
class DB;
class EventListener;
}  // namespace rocksdb

namespace kiwi::rocks {

struct LogRoom {
  LogRoom(std::string path, std::function<uint64_t()> free)
      : disk(std::move(path), std::move(free)) {}

  // A flush writes what memtables hold and was not cut, beside the write-ahead log that it then
  // lets go.
  uint64_t flush_bytes() const { return std::min(in_memtables.load(), kept.load()); }
  uint64_t owed() const { return flush_bytes() + compaction.load(); }
  void measure(rocksdb::DB& database);
  // After each write and each cut. An entry_bytes of 0: nobody knows yet.
  void written(uint64_t bytes, uint64_t entries, uint64_t entry_bytes) {
    in_memtables += bytes;
    kept = entry_bytes == 0 ? UINT64_MAX : entries * entry_bytes + bytes;
  }

  Room disk;
  std::atomic<uint64_t> in_memtables{0};
  std::atomic<uint64_t> kept{UINT64_MAX};  // about the bytes of all entries that are not cut
  std::atomic<uint64_t> compaction{0};
};

// Measures after each flush and each compaction.
std::shared_ptr<rocksdb::EventListener> make_log_room_listener(std::shared_ptr<LogRoom> room);

}  // namespace kiwi::rocks
