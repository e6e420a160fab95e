// The write-ahead log's files: how much of them is on disk, and blocks that exist before they are
// written. A thread of its own fills each file with kWalRoom a few MiB ahead of the writer. A sync
// then has no new size and no new blocks to record, which makes it a third cheaper and keeps its
// tail short.
//
// What a crash leaves is a log that ends in such bytes, which log_recovery.cpp cuts off. Before a
// new file is made, the one before it is cut to its length and synced.
//
// The RocksDB type stays inside; RocksLog gives this to its database. Any thread.
#pragma once

#include <memory>

#include <rocksdb/env.h>

#include "rocks/wal_note.hpp"

namespace kiwi::rocks {

class Room;
class WalFileSystem;

class WalFiles {
 public:
  // No room ahead where hardly anything is synced. A write that finds no room on the disk
  // waits for it: nothing is said to be written before.
  WalFiles(bool room_ahead, std::shared_ptr<Room> room);
  ~WalFiles();
  WalFiles(const WalFiles&) = delete;
  WalFiles& operator=(const WalFiles&) = delete;

  // Differs from that of room.hpp in *.log files alone. The database that uses it goes before.
  rocksdb::Env* env() { return env_.get(); }
  WalSynced synced() const;
  // Lives while a write that is not synced is being made, on the thread that writes: a sync by
  // another one covers a part of its record at most, and synced() does not count that.
  class Unsynced {
   public:
    explicit Unsynced(WalFiles* files);  // null: the write is synced
    ~Unsynced();
    Unsynced(const Unsynced&) = delete;
    Unsynced& operator=(const Unsynced&) = delete;

   private:
    WalFiles* files_;
  };

 private:
  std::shared_ptr<WalFileSystem> files_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace kiwi::rocks
