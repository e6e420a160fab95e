#include "rocks/room.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <thread>
#include <utility>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/file_system.h>
#include <rocksdb/listener.h>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "rocks/failed_reads.hpp"
#include "rocks/file_removal.hpp"
#include "rocks/room_retry.hpp"

namespace kiwi::rocks {

namespace {

using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr auto kPoll = std::chrono::milliseconds(50);
// What is left alone by whoever can wait, for those who cannot: steps of what is under way, the
// log's small records, RocksDB's words about its files.
constexpr uint64_t kLeftByRecords = 256 << 10;
constexpr uint64_t kLeftByFiles = 4 << 20;
static_assert(kLeftByRecords < kLeftByFiles, "small records go on when files wait");
constexpr uint64_t kForName = 4096;   // in a directory, at most
constexpr uint64_t kPutOffSaid = 60;  // one of so many; RocksDB tries once a second

// What this thread does for a database: a compaction's files lie between its two events, on one
// thread. Their failure is none (OnBackgroundError); all other tables are there to stay.
enum class Doing : uint8_t { kOther, kCompaction, kCompactionPutOff };
thread_local Doing doing = Doing::kOther;

uint64_t size_of(const std::vector<std::string>& files) {
  uint64_t bytes = 0;
  for (const std::string& file : files) {
    struct stat about {};
    bytes += ::stat(file.c_str(), &about) == 0 ? static_cast<uint64_t>(about.st_size) : 0;
  }
  return bytes;
}

class RecordFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  RecordFile(std::unique_ptr<FSWritableFile>&& file, std::shared_ptr<Room> room, std::string path)
      : FSWritableFileOwnerWrapper(std::move(file)),
        room_(std::move(room)),
        path_(std::move(path)) {}

  IOStatus Append(const rocksdb::Slice& data,
                  const IOOptions& options,
                  IODebugContext* debug) override {
    room_->wait_for(data.size() + kLeftByRecords, "writing to " + path_);
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  IOStatus Append(const rocksdb::Slice& data,
                  const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    room_->wait_for(data.size() + kLeftByRecords, "writing to " + path_);
    return FSWritableFileOwnerWrapper::Append(data, options, verification, debug);
  }

 private:
  std::shared_ptr<Room> room_;
  std::string path_;
};

// Of a flush: without its file the memtable can never go.
class TableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  TableFile(std::unique_ptr<FSWritableFile>&& file, std::shared_ptr<Room> room, std::string path)
      : FSWritableFileOwnerWrapper(std::move(file)),
        room_(std::move(room)),
        path_(std::move(path)) {}

  IOStatus Append(const rocksdb::Slice& data,
                  const IOOptions& options,
                  IODebugContext* debug) override {
    return append(data.size(), [&] { return PositionedAppend(data, length_, options, debug); });
  }
  IOStatus Append(const rocksdb::Slice& data,
                  const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    return append(data.size(),
                  [&] { return PositionedAppend(data, length_, options, verification, debug); });
  }

 private:
  // By position: what a failed attempt wrote is written over.
  template <class Attempt>
  IOStatus append(uint64_t bytes, const Attempt& attempt) {
    IOStatus result = retry_for_room(*room_, bytes, "writing to", path_, attempt);
    length_ += result.ok() ? bytes : 0;
    return result;
  }

  std::shared_ptr<Room> room_;
  std::string path_;
  uint64_t length_ = 0;
};

class RoomFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit RoomFileSystem(std::shared_ptr<Room> room)
      : FileSystemWrapper(make_removal_file_system()), room_(std::move(room)) {}

  const char* Name() const override { return "kiwi.RoomFileSystem"; }

  IOStatus NewRandomAccessFile(const std::string& path,
                               const rocksdb::FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext* debug) override {
    IOStatus opened = FileSystemWrapper::NewRandomAccessFile(path, options, result, debug);
    if (opened.ok()) {
      *result = stop_when_reads_fail(std::move(*result), path);
    }
    return opened;
  }
  IOStatus NewWritableFile(const std::string& path,
                           const rocksdb::FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result,
                           IODebugContext* debug) override {
    const std::string name = path.substr(path.rfind('/') + 1);
    const bool table = name.ends_with(".sst");
    if (table && doing == Doing::kCompactionPutOff) {
      return IOStatus::NoSpace("no room for a compaction", path);
    }
    const bool record = name.starts_with("MANIFEST-") || name.ends_with(".dbtmp");
    const auto make = [&] {
      return FileSystemWrapper::NewWritableFile(path, options, result, debug);
    };
    if (!record && (!table || doing == Doing::kCompaction)) {
      return make();
    }
    IOStatus made = retry_for_room(*room_, kForName, "creating", path, make);
    if (made.ok() && record) {
      *result = std::make_unique<RecordFile>(std::move(*result), room_, path);
    } else if (made.ok()) {
      *result = std::make_unique<TableFile>(std::move(*result), room_, path);
    }
    return made;
  }

 private:
  std::shared_ptr<Room> room_;
};

class RoomListener final : public rocksdb::EventListener {
 public:
  RoomListener(std::shared_ptr<Room> room, FlushBytes flush_bytes)
      : room_(std::move(room)), flush_bytes_(std::move(flush_bytes)) {}

  void OnFlushBegin(rocksdb::DB* database, const rocksdb::FlushJobInfo&) override {
    doing = Doing::kOther;
    room_->wait_for(flush_bytes_(*database) + kLeftByFiles, "a flush in " + room_->path());
  }
  void OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo& job) override {
    const uint64_t bytes = size_of(job.input_files) + kLeftByFiles;
    const bool fits = room_->free() >= bytes;
    doing = fits ? Doing::kCompaction : Doing::kCompactionPutOff;
    if (!fits) {
      room_->put_off_compaction(bytes);
    }
  }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override {
    doing = Doing::kOther;
  }
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    if (reason == rocksdb::BackgroundErrorReason::kCompaction && lacks_room(*status)) {
      doing = Doing::kOther;
      *status = rocksdb::Status::OK();  // its inputs are still there
    }
  }

 private:
  std::shared_ptr<Room> room_;
  FlushBytes flush_bytes_;
};

}  // namespace

uint64_t free_bytes(const std::string& path) {
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0) {
    return UINT64_MAX;
  }
  return static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
}

bool lacks_room(const rocksdb::Status& failed) {
  return failed.IsNoSpace() ||
         (failed.IsIOError() && failed.ToString().find(std::strerror(EDQUOT)) != std::string::npos);
}

void Room::begin_wait(uint64_t bytes, const std::string& what) {
  ++waiting_;
  log_warning("the disk is full: " + what + " waits until " + std::to_string(bytes) +
              " bytes are free (" + std::to_string(free()) +
              " are); make room, it goes on by itself");
}

void Room::end_wait(const std::string& what) {
  CHECK_INVARIANT(waiting_ != 0);
  --waiting_;
  log_notice("there is room on the disk again: " + what + " goes on");
}

bool Room::forgives(const rocksdb::Status& failed) const {
  if (!ended_ || !lacks_room(failed)) {
    return false;
  }
  if (no_room_) {
    no_room_();
  }
  return true;
}

void Room::wait_for(uint64_t bytes, const std::string& what) {
  if (ended_ || free() >= bytes) {
    return;
  }
  begin_wait(bytes, what);
  while (free() < bytes && !ended_) {
    std::this_thread::sleep_for(kPoll);
  }
  end_wait(what);
}

void Room::put_off_compaction(uint64_t bytes) {
  if (put_off_.fetch_add(1) % kPutOffSaid == 0) {
    log_warning("the disk is nearly full: a compaction in " + path_ + " is put off until " +
                std::to_string(bytes) + " bytes are free");
  }
}

std::shared_ptr<rocksdb::FileSystem> make_room_file_system(std::shared_ptr<Room> room) {
  return std::make_shared<RoomFileSystem>(std::move(room));
}

std::shared_ptr<rocksdb::EventListener> make_room_listener(std::shared_ptr<Room> room,
                                                           FlushBytes flush_bytes) {
  return std::make_shared<RoomListener>(std::move(room), std::move(flush_bytes));
}

uint64_t memtable_bytes(rocksdb::DB& database) {
  uint64_t bytes = 0;
  database.GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &bytes);
  return bytes;
}

}  // namespace kiwi::rocks
