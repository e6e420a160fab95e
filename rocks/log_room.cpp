#include "rocks/log_room.hpp"

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

namespace kiwi::rocks {

namespace {

class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::shared_ptr<LogRoom> room) : room_(std::move(room)) {}

  void OnFlushCompleted(rocksdb::DB* database, const rocksdb::FlushJobInfo&) override {
    room_->measure(*database);
  }
  void OnCompactionCompleted(rocksdb::DB* database, const rocksdb::CompactionJobInfo&) override {
    room_->measure(*database);
  }

 private:
  std::shared_ptr<LogRoom> room_;
};

}  // namespace

void LogRoom::measure(rocksdb::DB& database) {
  in_memtables = memtable_bytes(database);
  uint64_t bytes = 0;
  // Four files of level 0 and all below it, at most: files that hold nothing but what was cut go
  // without one.
  if (database.GetIntProperty(rocksdb::DB::Properties::kLiveSstFilesSize, &bytes)) {
    compaction = bytes;
  }
}

std::shared_ptr<rocksdb::EventListener> make_log_room_listener(std::shared_ptr<LogRoom> room) {
  return std::make_shared<Listener>(std::move(room));
}

}  // namespace kiwi::rocks
