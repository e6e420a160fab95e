// Room on the disk that a database lies on (F60). What cannot be finished without it is not begun,
// and who has to wait says so once and is counted: a full disk is no reason to end. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace rocksdb {
class DB;
class EventListener;
class FileSystem;
class Status;
}  // namespace rocksdb

namespace kiwi::rocks {

// Free for this process on the file system of `path`; UINT64_MAX if nobody knows.
uint64_t free_bytes(const std::string& path);

// A full disk, or a quota that is used up, which RocksDB knows as any other error.
bool lacks_room(const rocksdb::Status& failed);

class Room {
 public:
  // `free` stands for the disk in tests. With `no_room` nobody ever waits; it is called instead.
  explicit Room(std::string path,
                std::function<uint64_t()> free = nullptr,
                std::function<void()> no_room = nullptr)
      : path_(std::move(path)),
        free_(std::move(free)),
        no_room_(std::move(no_room)),
        ended_(no_room_ != nullptr) {}

  uint64_t free() const { return free_ ? free_() : free_bytes(path_); }
  const std::string& path() const { return path_; }

  // Returns when so many bytes are free, or when nobody may wait any more.
  void wait_for(uint64_t bytes, const std::string& what);
  void end_waits() { ended_ = true; }
  bool ended() const { return ended_; }
  // Failed for lack of room although it does without: nobody needs what was to be written.
  bool forgives(const rocksdb::Status& failed) const;

  // For those who wait in their own way: from begin to end.
  void begin_wait(uint64_t bytes, const std::string& what);
  void end_wait(const std::string& what);

  uint64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }  // now
  uint64_t compactions_put_off() const { return put_off_.load(std::memory_order_relaxed); }
  void put_off_compaction(uint64_t bytes);

 private:
  const std::string path_;
  const std::function<uint64_t()> free_;
  const std::function<void()> no_room_;
  std::atomic<uint64_t> waiting_{0};
  std::atomic<uint64_t> put_off_{0};
  std::atomic<bool> ended_;
};

// The file system of a database's Env: as make_removal_file_system(), but a read that fails ends
// the process (failed_reads.hpp), and the little that RocksDB writes about its files (MANIFEST,
// CURRENT) and the files of a flush wait for room, for an error there ends the database, and a
// compaction that the listener found to have none fails before it writes anything.
std::shared_ptr<rocksdb::FileSystem> make_room_file_system(std::shared_ptr<Room> room);
// A flush of memtables waits for the room that it may take, a compaction is put off until its
// outputs fit beside its inputs: RocksDB tries again every second.
using FlushBytes = std::function<uint64_t(rocksdb::DB&)>;
std::shared_ptr<rocksdb::EventListener> make_room_listener(std::shared_ptr<Room> room,
                                                           FlushBytes flush_bytes);
uint64_t memtable_bytes(rocksdb::DB& database);  // of all families

}  // namespace kiwi::rocks
