#include "rocks/log_recovery.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/random.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <rocksdb/env.h>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "rocks/files.hpp"
#include "rocks/rocksdb_support.hpp"
#include "rocks/wal_scan.hpp"

namespace kiwi::rocks {

namespace {

namespace fs = std::filesystem;

constexpr const char* kMarkFile = "WAL-MARK";

Error io_error(const std::string& what, const std::string& path) {
  return {Errc::kIo, "cannot " + what + " " + path + ": " + std::strerror(errno)};
}

// RocksDB's own lock, held while we look: a running process appends to what we would cut.
class DirectoryLock {
 public:
  static Result<std::unique_ptr<DirectoryLock>> take(const std::string& path) {
    std::unique_ptr<DirectoryLock> lock(new DirectoryLock());
    rocksdb::Status status = rocksdb::Env::Default()->LockFile(path + "/LOCK", &lock->file_);
    if (!status.ok()) {
      return open_error(path, status);
    }
    return lock;
  }
  ~DirectoryLock() {
    if (file_ != nullptr) {
      rocksdb::Env::Default()->UnlockFile(file_);
    }
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  DirectoryLock() = default;
  rocksdb::FileLock* file_ = nullptr;
};

// A file read block by block. What cannot be read is an error to be asked for afterwards.
class WalFileSource final : public WalSource {
 public:
  explicit WalFileSource(const std::string& path)
      : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), buffer_(kWalBlock, '\0') {
    struct stat about {};
    if (fd_ < 0 || ::fstat(fd_, &about) != 0) {
      failed_ = io_error("read", path_);
      return;
    }
    size_ = static_cast<uint64_t>(about.st_size);
  }
  ~WalFileSource() override {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }

  uint64_t size() const override { return size_; }
  std::string_view block(uint64_t number) override {
    if (number != number_ && !failed_) {
      number_ = number;
      have_ = read(number * kWalBlock);
    }
    return {buffer_.data(), failed_ ? 0 : have_};
  }
  const std::optional<Error>& failed() const { return failed_; }

 private:
  size_t read(uint64_t offset) {
    size_t have = 0;
    while (have < buffer_.size()) {
      const ssize_t got = ::pread(fd_, buffer_.data() + have, buffer_.size() - have,
                                  static_cast<off_t>(offset + have));
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got < 0) {
        failed_ = Error{Errc::kIo, "cannot read the log file " + path_ + " at byte " +
                                       std::to_string(offset + have) + ": " + std::strerror(errno) +
                                       "; if the disk is broken, replace this node, its peers "
                                       "hold its data"};
        return 0;
      }
      if (got == 0) {
        break;
      }
      have += static_cast<size_t>(got);
    }
    return have;
  }

  const std::string path_;
  const int fd_;
  std::string buffer_;
  uint64_t size_ = 0;
  uint64_t number_ = UINT64_MAX;
  size_t have_ = 0;
  std::optional<Error> failed_;
};

struct LogFile {
  uint64_t number = 0;
  std::string path;
  uint64_t size = 0;
  WalScan scan;
};

// Write-ahead logs in the order they were written. Names are numbers of at least six digits.
Result<std::vector<LogFile>> log_files(const std::string& path) {
  std::vector<LogFile> found;
  std::error_code failed;
  for (fs::directory_iterator it(path, failed), end; !failed && it != end; it.increment(failed)) {
    std::string stem = it->path().stem().string();
    if (it->path().extension() == ".log" && !stem.empty() &&
        stem.find_first_not_of("0123456789") == std::string::npos) {
      found.push_back({std::stoull(stem), it->path().string(), 0, {}});
    }
  }
  if (failed) {
    return Error{Errc::kIo, "cannot read the directory " + path + ": " + failed.message()};
  }
  std::sort(found.begin(), found.end(),
            [](const LogFile& a, const LogFile& b) { return a.number < b.number; });
  return found;
}

Result<void> cut_off(const std::string& path, uint64_t offset) {
  int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  bool good = fd >= 0 && ::ftruncate(fd, static_cast<off_t>(offset)) == 0 && ::fsync(fd) == 0;
  Result<void> result;
  if (!good) {
    result = io_error("cut the torn tail of", path);
  }
  if (fd >= 0) {
    ::close(fd);
  }
  return result;
}

Error damaged(const std::string& path, uint64_t offset) {
  return {Errc::kCorrupt, "the log file " + path + " is damaged at byte " + std::to_string(offset) +
                              ": entries that were on disk are lost; replace this node, its peers "
                              "hold its data"};
}

Error missing(const std::string& path, const std::string& what) {
  return {Errc::kCorrupt,
          "the log directory " + path + " has lost " + what +
              ": entries that were on disk are gone with it; replace this node, its "
              "peers hold its data"};
}

// RocksDB makes up for a CURRENT that is not there with an empty database, and does not miss its
// newest write-ahead log: it would open, with the same identity, without entries and votes that
// were synced. So we look first. The first manifest of all has number 1 and stands alone for a
// moment when a database is made; every later one is written after the first write-ahead log.
Result<void> check_nothing_is_missing(const std::string& path, bool has_wal) {
  constexpr std::string_view kFirstManifest = "MANIFEST-000001";
  std::string current;
  std::getline(std::ifstream(path + "/CURRENT"), current);
  if (!current.empty()) {
    if (!has_wal && current != kFirstManifest) {
      return missing(path, "its write-ahead log (*.log)");
    }
    return {};
  }
  bool has_data = has_wal;
  std::error_code failed;
  for (fs::directory_iterator it(path, failed), end; !failed && it != end; it.increment(failed)) {
    const std::string name = it->path().filename().string();
    has_data = has_data || it->path().extension() == ".sst" ||
               (name.starts_with("MANIFEST-") && name != kFirstManifest);
  }
  return has_data ? Result<void>(missing(path, "the file CURRENT")) : Result<void>();
}

// The directory's mark; a new one where nothing was written yet.
Result<WalMark> mark_of(const std::string& path, bool has_wal) {
  const std::string name = path + "/" + kMarkFile;
  std::error_code failed;
  const bool exists = fs::exists(name, failed);
  if (!exists && !failed && (has_wal || fs::exists(path + "/CURRENT"))) {
    return missing(path, "the file WAL-MARK");
  }
  if (exists) {
    Result<std::string> bytes = read_whole_file(name);
    if (!bytes) {
      return bytes.error();
    }
    if (const std::optional<WalMark> mark = decode_wal_mark(*bytes)) {
      return *mark;
    }
    return Error{Errc::kCorrupt, "the file " + name +
                                     " is damaged, and without it nobody can tell what the log has "
                                     "lost; replace this node, its peers hold its data"};
  }
  WalMark mark{};
  CHECK_INVARIANT(::getrandom(mark.data(), mark.size(), 0) == static_cast<ssize_t>(mark.size()));
  if (Result<void> written = write_file_durably(name, encode_wal_mark(mark)); !written) {
    return written.error();
  }
  return mark;
}

Result<void> scan_files(std::vector<LogFile>& files, const WalMark& mark) {
  std::map<uint64_t, uint64_t> synced;  // what all notes say of each file
  for (LogFile& file : files) {
    WalFileSource source(file.path);
    file.size = source.size();
    file.scan = scan_wal(source, file.number, mark);
    if (source.failed()) {
      return *source.failed();
    }
    for (const auto& [number, told] : file.scan.told) {
      synced[number] = std::max(synced[number], told.synced);
    }
  }
  for (const LogFile& file : files) {
    const auto about = synced.find(file.number);
    const bool lost_end = about != synced.end() && about->second > file.scan.offset;
    const bool later = !synced.empty() && synced.rbegin()->first > file.number;
    if (file.scan.verdict == WalVerdict::kDamaged || lost_end ||
        (file.scan.verdict == WalVerdict::kTorn && later)) {
      return damaged(file.path, file.scan.offset);
    }
  }
  return {};
}

// Nothing that was synced is lost. What later files hold behind a torn record was not synced either
// (raft.log-fsync no), and is nothing without it. The last file first: a crash in between leaves a
// torn record in front of the rest, as it was.
Result<void> cut_tails(const std::vector<LogFile>& files) {
  const auto torn = std::find_if(files.begin(), files.end(), [](const LogFile& file) {
    return file.scan.verdict == WalVerdict::kTorn;
  });
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    const uint64_t keep = file.base() - 1 > torn ? 0 : file->scan.offset;
    if (keep < file->size) {
      if (Result<void> cut = cut_off(file->path, keep); !cut) {
        return cut;
      }
    }
  }
  if (torn != files.end()) {
    log_notice("the log file " + torn->path + " ends in a write that was never finished, at byte " +
               std::to_string(torn->scan.offset) + ": cut off");
  }
  return {};
}

}  // namespace

Result<WalMark> recover_log_directory(const std::string& path) {
  auto lock = DirectoryLock::take(path);
  if (!lock) {
    return lock.error();
  }
  auto files = log_files(path);
  if (!files) {
    return files.error();
  }
  if (Result<void> whole = check_nothing_is_missing(path, !files->empty()); !whole) {
    return whole.error();
  }
  Result<WalMark> mark = mark_of(path, !files->empty());
  if (!mark) {
    return mark;
  }
  if (Result<void> good = scan_files(*files, *mark); !good) {
    return good.error();
  }
  if (Result<void> cut = cut_tails(*files); !cut) {
    return cut.error();
  }
  return mark;
}

}  // namespace kiwi::rocks
