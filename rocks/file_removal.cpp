#include "rocks/file_removal.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <fcntl.h>
#include <mutex>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <rocksdb/file_system.h>

#include "config/base/open_files.hpp"

namespace kiwi::rocks {

namespace {

using std::chrono::microseconds;

// Large steps hold up the disk; of small ones there are more, and a few of them are slow whatever
// their size.
constexpr uint64_t kStepBytes = 4 << 20;
// A file is cut at the end of a page: else zeros are written in the rest of it, which a power loss
// may leave in a file that has its name and its length again.
constexpr uint64_t kPage = 4096;
constexpr uint64_t kBytesPerSecondMin = 64 << 20;
constexpr uint64_t kSecondsMax = 2;  // what waits is gone after that, however much it is
// A reader that stays longer ends it all at once with its close.
constexpr auto kReaderPoll = std::chrono::milliseconds(50);
constexpr int kReaderPolls = 20;
// Where so many files in a row are refused nobody is asked any more: this file system, or this
// user, gets no leases, and each file would keep the next ones waiting.
constexpr int kRefusedMax = 3;

// Nobody else has it open. Asked when it has no name any more: then nobody can open it later.
bool is_ours_alone(int fd) {
  struct stat about {};
  // The kernel grants a write lease only to the one descriptor that is left.
  if (::fstat(fd, &about) != 0 || about.st_nlink != 0 || ::fcntl(fd, F_SETLEASE, F_WRLCK) != 0) {
    return false;
  }
  return ::fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
}

// Never destroyed: its thread may run until the process has ended.
class RoomReturner {
 public:
  static RoomReturner& instance() {
    static auto* const made = new RoomReturner();
    return *made;
  }

  // Owns the descriptor of a file without a name.
  void add(int fd, uint64_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      if (files_.size() >= files_max_) {  // it goes at once
        ::close(fd);
        return;
      }
      files_.push_back({fd, bytes});
      waiting_ += bytes;
    }
    changed_.notify_one();
  }
  uint64_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  struct File {
    int fd = -1;
    uint64_t bytes = 0;
  };

  RoomReturner() {
    std::thread([this] { run(); }).detach();
  }

  void run() {
    for (;;) {
      File file;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !files_.empty(); });
        file = files_.front();
        files_.pop_front();
      }
      give_back(file);
    }
  }

  void give_back(File file) {
    bool alone = is_ours_alone(file.fd);
    const int polls_max = refused_ < kRefusedMax ? kReaderPolls : 0;
    for (int polls = 0; !alone && polls < polls_max; ++polls) {
      std::this_thread::sleep_for(kReaderPoll);
      alone = is_ours_alone(file.fd);
    }
    refused_ = alone ? 0 : refused_ + 1;
    while (alone && file.bytes > kStepBytes) {
      const uint64_t left = (file.bytes - kStepBytes) / kPage * kPage;
      if (::ftruncate(file.fd, static_cast<off_t>(left)) != 0) {
        break;
      }
      std::this_thread::sleep_for(given(file.bytes - left));
      file.bytes = left;
    }
    ::close(file.fd);
    std::this_thread::sleep_for(given(file.bytes));
  }

  // Counts what was given back, and says how long to wait after it.
  microseconds given(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const uint64_t rate = std::max(kBytesPerSecondMin, waiting_ / kSecondsMax);
    waiting_ -= bytes;
    return microseconds(std::min<uint64_t>(bytes, kStepBytes) * 1'000'000 / rate);
  }

  const size_t files_max_ = static_cast<size_t>(share_open_files(open_files_limit()).removed);
  int refused_ = 0;  // files in a row
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<File> files_;
  uint64_t waiting_ = 0;  // bytes of files_ and of the file in hand
};

class RemovalFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  // Its thread begins here, and not with a file that a thread in the background removes.
  RemovalFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {
    (void)removed_bytes_waiting();
  }

  const char* Name() const override { return "kiwi.RemovalFileSystem"; }

  rocksdb::IOStatus DeleteFile(const std::string& path,
                               const rocksdb::IOOptions&,
                               rocksdb::IODebugContext*) override {
    const std::error_code failed = remove_file(path);
    if (!failed) {
      return rocksdb::IOStatus::OK();
    }
    return failed == std::errc::no_such_file_or_directory
               ? rocksdb::IOStatus::PathNotFound("removing " + path, failed.message())
               : rocksdb::IOStatus::IOError("removing " + path, failed.message());
  }
};

}  // namespace

std::error_code remove_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (::unlink(path.c_str()) != 0) {
    const std::error_code failed(errno, std::generic_category());
    if (fd >= 0) {
      ::close(fd);
    }
    return failed;
  }
  if (fd < 0) {
    return {};
  }
  struct stat about {};
  if (::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_nlink != 0 ||
      about.st_size <= static_cast<off_t>(kStepBytes)) {
    ::close(fd);
    return {};
  }
  RoomReturner::instance().add(fd, static_cast<uint64_t>(about.st_size));
  return {};
}

uint64_t removed_bytes_waiting() { return RoomReturner::instance().waiting(); }

std::shared_ptr<rocksdb::FileSystem> make_removal_file_system() {
  return std::make_shared<RemovalFileSystem>();
}

}  // namespace kiwi::rocks
