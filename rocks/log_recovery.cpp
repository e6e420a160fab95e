#include "rocks/log_recovery.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <rocksdb/env.h>

#include "base/log.hpp"
#include "rocks/rocksdb_support.hpp"
#include "rocks/wal_scan.hpp"

namespace kiwi::rocks {

namespace {

namespace fs = std::filesystem;

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

// A file's bytes, mapped: a log may be as large as the memory we want to leave to others.
class MappedFile {
 public:
  static Result<std::unique_ptr<MappedFile>> open(const std::string& path) {
    std::unique_ptr<MappedFile> file(new MappedFile());
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (fd < 0 || ::fstat(fd, &about) != 0) {
      Error error = io_error("read", path);
      if (fd >= 0) {
        ::close(fd);
      }
      return error;
    }
    file->size_ = static_cast<size_t>(about.st_size);
    if (file->size_ != 0) {
      file->data_ = ::mmap(nullptr, file->size_, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    ::close(fd);
    if (file->data_ == MAP_FAILED) {
      return io_error("read", path);
    }
    return file;
  }
  ~MappedFile() {
    if (data_ != nullptr && data_ != MAP_FAILED) {
      ::munmap(data_, size_);
    }
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile() = default;
  void* data_ = nullptr;
  size_t size_ = 0;
};

// Write-ahead logs in the order they were written. Names are numbers of at least six digits.
Result<std::vector<std::string>> log_files(const std::string& path) {
  std::vector<std::pair<unsigned long long, std::string>> found;
  std::error_code failed;
  for (fs::directory_iterator it(path, failed), end; !failed && it != end; it.increment(failed)) {
    std::string stem = it->path().stem().string();
    if (it->path().extension() == ".log" && !stem.empty() &&
        stem.find_first_not_of("0123456789") == std::string::npos) {
      found.emplace_back(std::stoull(stem), it->path().string());
    }
  }
  if (failed) {
    return Error{Errc::kIo, "cannot read the directory " + path + ": " + failed.message()};
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> paths;
  for (auto& [number, name] : found) {
    paths.push_back(std::move(name));
  }
  return paths;
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

}  // namespace

Result<void> recover_log_directory(const std::string& path) {
  auto lock = DirectoryLock::take(path);
  if (!lock) {
    return lock.error();
  }
  auto files = log_files(path);
  if (!files) {
    return files.error();
  }
  if (Result<void> whole = check_nothing_is_missing(path, !files->empty()); !whole) {
    return whole;
  }
  std::string torn;  // or with room at its end: only the last file with anything in it may be so
  uint64_t torn_offset = 0;
  for (const std::string& name : *files) {
    auto file = MappedFile::open(name);
    if (!file) {
      return file.error();
    }
    std::string_view bytes = (*file)->bytes();
    if (!torn.empty() && !bytes.empty()) {
      return damaged(torn, torn_offset);  // a later file was begun: that tail had been synced
    }
    WalScan scan = scan_wal(bytes);
    if (scan.verdict == WalVerdict::kDamaged) {
      return damaged(name, scan.offset);
    }
    if (scan.verdict == WalVerdict::kTorn) {
      log_notice("the log file " + name + " ends in a record that was never finished, at byte " +
                 std::to_string(scan.offset) + ": cut off");
    }
    if (scan.offset < bytes.size()) {
      torn = name;
      torn_offset = scan.offset;
    }
  }
  if (torn.empty()) {
    return {};
  }
  return cut_off(torn, torn_offset);
}

}  // namespace kiwi::rocks
