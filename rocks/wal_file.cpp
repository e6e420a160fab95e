#include "rocks/wal_file.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <utility>

#include <rocksdb/file_system.h>

#include "config/base/check.hpp"
#include "rocks/room.hpp"
#include "rocks/room_retry.hpp"
#include "rocks/wal_format.hpp"

namespace kiwi::rocks {

namespace {

using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr uint64_t kAhead = 4 << 20;          // in front of the writer at most
constexpr uint64_t kRefill = 2 << 20;         // below it more are written
constexpr size_t kPiece = size_t{256} << 10;  // the writer waits for no more than one
static_assert(kRefill < kAhead && kAhead % kPiece == 0 && kPiece % kWalSector == 0);
// A sync of a longer file is dearer by its new length and blocks, as much as by 64 to 128 KiB of
// room. Where syncs are larger, room only doubles what the disk has to take.
constexpr uint64_t kLongSync = 64 << 10;
constexpr uint64_t kForName = 4096;  // in a directory, at most

IOStatus io_error(const char* what, const std::string& path) {
  std::string text = std::string(what) + " " + path;
  return errno == ENOSPC || errno == EDQUOT ? IOStatus::NoSpace(text, std::strerror(errno))
                                            : IOStatus::IOError(text, std::strerror(errno));
}

bool write_at(int fd, std::string_view bytes, uint64_t offset) {
  while (!bytes.empty()) {
    ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return false;
    }
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return true;
}

// How far the files are on disk. RocksDB syncs them in the order they were written.
class SyncedPosition {
 public:
  void reach(const WalSynced& synced) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (synced.end >= synced_.end) {
      synced_ = synced;
    }
  }
  WalSynced get() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return synced_;
  }
  std::atomic<bool> in_record{false};  // of a write that is not synced; set under a file's mutex

 private:
  mutable std::mutex mutex_;
  WalSynced synced_;
};

// The number in "<directory>/000012.log".
uint64_t number_of(const std::string& path) {
  return std::strtoull(path.c_str() + path.find_last_of('/') + 1, nullptr, 10);
}

// What writer and filler share of one file. The filler has a descriptor of its own: the kernel
// tells an error of writing back once per descriptor, and the writer's sync must be told.
class SharedFile {
 public:
  SharedFile(
      std::string path, int fd, int filler_fd, SyncedPosition& position, std::shared_ptr<Room> room)
      : path_(std::move(path)),
        number_(number_of(path_)),
        position_(position),
        room_(std::move(room)),
        fd_(fd),
        filler_fd_(filler_fd) {}
  ~SharedFile() {
    (void)close();
    if (filler_fd_ >= 0) {
      ::close(filler_fd_);
    }
  }
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;

  // Without room on the disk it is tried again, at the same place, until there is some (F60): what
  // was written of it says nothing before length_ moves.
  IOStatus append(std::string_view bytes) {
    return retry_for_room(*room_, bytes.size(), "writing to", path_,
                          [&] { return try_append(bytes); });
  }
  bool wants_room() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return !finished_ && !no_room_ && length_ > 0 && reached_ < length_ + kRefill && !long_syncs();
  }
  IOStatus sync(bool metadata) {
    WalSynced reached;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      CHECK_INVARIANT(synced_ <= length_);
      usual_sync_ = (3 * usual_sync_ + (length_ - synced_)) / 4;
      synced_ = length_;
      reached = {{number_, position_.in_record ? whole_ : length_}, filled_};
    }
    if ((metadata ? ::fsync(fd_) : ::fdatasync(fd_)) != 0) {
      return io_error("syncing", path_);
    }
    position_.reach(reached);
    return IOStatus::OK();
  }
  void begin_record() {
    std::lock_guard<std::mutex> lock(mutex_);
    whole_ = length_;
    position_.in_record = true;
  }
  uint64_t length() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return length_;
  }
  IOStatus truncate(uint64_t length) {
    std::lock_guard<std::mutex> lock(mutex_);
    finished_ = true;
    length_ = length;
    synced_ = std::min(synced_, length);
    return ::ftruncate(fd_, static_cast<off_t>(length)) == 0 ? IOStatus::OK()
                                                             : io_error("cutting", path_);
  }
  // No more room, and none behind the last record, on disk.
  IOStatus finish() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (finished_ || fd_ < 0) {
      return IOStatus::OK();
    }
    finished_ = true;
    if (reached_ <= length_) {
      return IOStatus::OK();
    }
    if (::ftruncate(fd_, static_cast<off_t>(length_)) != 0 || ::fsync(fd_) != 0) {
      return io_error("cutting", path_);
    }
    position_.reach({{number_, length_}, length_});
    return IOStatus::OK();
  }
  IOStatus close() {
    if (fd_ < 0) {
      return IOStatus::OK();
    }
    IOStatus result = finish();
    std::lock_guard<std::mutex> lock(mutex_);
    if (::close(fd_) != 0 && result.ok()) {
      result = io_error("closing", path_);
    }
    fd_ = -1;
    return result;
  }

  // The filler's thread. Failures are left to the writer to meet: it writes there next.
  void fill() {
    static const std::string room(kPiece, kWalRoom);
    for (bool more = true; more;) {
      uint64_t from = 0;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (finished_) {
          return;
        }
        from = std::max(reached_, length_);
        reached_ = from + kPiece;  // a part of it, if it fails: finish() cuts that off
        if (!write_at(filler_fd_, room, from)) {
          no_room_ = true;
          return;
        }
        CHECK_INVARIANT(reached_ >= length_ && reached_ > filled_);
        filled_ = reached_;
        more = reached_ < length_ + kAhead && !long_syncs();
      }
      // On disk before a sync of the writer has to wait for them, and one piece at a time: all of
      // it at once would hold up everybody's syncs.
      (void)::sync_file_range(filler_fd_, static_cast<off_t>(from), kPiece,
                              SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    }
  }

 private:
  IOStatus try_append(std::string_view bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!write_at(fd_, bytes, length_)) {
      const IOStatus failed = io_error("writing to", path_);
      reached_ =
          std::max(reached_, length_ + bytes.size());  // a part of it: finish() cuts that off
      return failed;
    }
    length_ += bytes.size();
    return IOStatus::OK();
  }
  bool long_syncs() const { return usual_sync_ >= kLongSync; }

  const std::string path_;
  const uint64_t number_;
  SyncedPosition& position_;
  const std::shared_ptr<Room> room_;
  mutable std::mutex mutex_;
  int fd_;
  const int filler_fd_;
  uint64_t length_ = 0;      // of the records
  uint64_t whole_ = 0;       // of those before the one that is in_record
  uint64_t reached_ = 0;     // what lies between length_ and this is no record
  uint64_t filled_ = 0;      // up to here there are records and kWalRoom only
  uint64_t synced_ = 0;      // of length_, when the last sync began
  uint64_t usual_sync_ = 0;  // bytes a sync, the last ones count most
  bool finished_ = false;
  bool no_room_ = false;  // on the disk, for more ahead
};

// One thread for all files of an environment; it works on the newest file only.
class Filler {
 public:
  Filler() : thread_([this] { run(); }) {}
  ~Filler() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;

  void want(const std::shared_ptr<SharedFile>& file) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      wanted_ = file;
    }
    wake_.notify_one();
  }

 private:
  void run() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stop_ || wanted_ != nullptr; });
      if (stop_) {
        return;
      }
      std::shared_ptr<SharedFile> file = std::move(wanted_);
      wanted_ = nullptr;
      lock.unlock();
      if (file->wants_room()) {
        file->fill();
      }
      file = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<SharedFile> wanted_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

class WalFile final : public FSWritableFile {
 public:
  WalFile(std::shared_ptr<SharedFile> file, Filler* filler)
      : file_(std::move(file)), filler_(filler) {}

  using FSWritableFile::Append;
  IOStatus Append(const rocksdb::Slice& data, const IOOptions&, IODebugContext*) override {
    IOStatus result = file_->append({data.data(), data.size()});
    if (result.ok() && filler_ != nullptr && file_->wants_room()) {
      filler_->want(file_);
    }
    return result;
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    return file_->truncate(size);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return file_->close(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return file_->sync(false); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return file_->sync(true); }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return file_->length(); }
  void PrepareWrite(size_t, size_t, const IOOptions&, IODebugContext*) override {}

 private:
  std::shared_ptr<SharedFile> file_;
  Filler* filler_;
};

}  // namespace

class WalFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  WalFileSystem(bool room_ahead, std::shared_ptr<Room> room)
      : FileSystemWrapper(make_room_file_system(room)), room_(std::move(room)) {
    if (room_ahead) {
      filler_ = std::make_unique<Filler>();
    }
  }

  const char* Name() const override { return "kiwi.WalFileSystem"; }
  WalSynced synced() const { return position_.get(); }
  void begin_record() {
    if (const std::shared_ptr<SharedFile> file = newest_.lock()) {
      file->begin_record();
    }
  }
  void end_record() { position_.in_record = false; }

  IOStatus NewWritableFile(const std::string& path,
                           const rocksdb::FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result,
                           IODebugContext* debug) override {
    if (!path.ends_with(".log")) {
      return FileSystemWrapper::NewWritableFile(path, options, result, debug);
    }
    if (std::shared_ptr<SharedFile> before = newest_.lock()) {
      if (IOStatus finished = before->finish(); !finished.ok()) {
        return finished;
      }
    }
    int fd = -1;
    int filler_fd = -1;
    const IOStatus opened = retry_for_room(*room_, kForName, "creating", path,
                                           [&] { return create(path, fd, filler_fd); });
    if (!opened.ok()) {
      return opened;
    }
    auto file = std::make_shared<SharedFile>(path, fd, filler_fd, position_, room_);
    newest_ = file;
    *result = std::make_unique<WalFile>(std::move(file), filler_.get());
    return IOStatus::OK();
  }

 private:
  static IOStatus create(const std::string& path, int& fd, int& filler_fd) {
    fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    filler_fd = fd < 0 ? -1 : ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (filler_fd >= 0) {
      return IOStatus::OK();
    }
    IOStatus failed = io_error("creating", path);
    if (fd >= 0) {
      ::close(fd);
    }
    return failed;
  }

  SyncedPosition position_;
  const std::shared_ptr<Room> room_;
  std::weak_ptr<SharedFile> newest_;  // RocksDB makes one log file at a time
  std::unique_ptr<Filler> filler_;    // null: no room ahead
};

WalFiles::WalFiles(bool room_ahead, std::shared_ptr<Room> room)
    : files_(std::make_shared<WalFileSystem>(room_ahead, std::move(room))),
      env_(rocksdb::NewCompositeEnv(files_)) {}

WalFiles::~WalFiles() = default;

WalSynced WalFiles::synced() const { return files_->synced(); }

WalFiles::Unsynced::Unsynced(WalFiles* files) : files_(files) {
  if (files_ != nullptr) {
    files_->files_->begin_record();
  }
}

WalFiles::Unsynced::~Unsynced() {
  if (files_ != nullptr) {
    files_->files_->end_record();
  }
}

}  // namespace kiwi::rocks
