#include "rocks/rocksdb_support.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <rocksdb/listener.h>
#include <rocksdb/status.h>

#include "config/base/open_files.hpp"
#include "rocks/background.hpp"

namespace kiwi::rocks {

namespace {

// RocksDB has no status of its own for a held lock: it is an I/O error that says so.
bool is_locked(const rocksdb::Status& status) {
  std::string text = status.ToString();
  return status.IsIOError() && (text.find("lock file") != std::string::npos ||
                                text.find("lock hold by current process") != std::string::npos);
}

class ThreadListener final : public rocksdb::EventListener {
 public:
  void OnTableFileCreationStarted(const rocksdb::TableFileCreationBriefInfo& info) override {
    using rocksdb::TableFileCreationReason;
    if (info.reason == TableFileCreationReason::kFlush ||
        info.reason == TableFileCreationReason::kCompaction) {
      work_in_background();
    }
  }
};

}  // namespace

std::shared_ptr<rocksdb::EventListener> make_thread_listener() {
  return std::make_shared<ThreadListener>();
}

void fatal_status(std::string_view what, const std::string& path, const rocksdb::Status& status) {
  fatal(std::string(what) + " failed in " + path + ": " + status.ToString());
}

Error open_error(const std::string& path, const rocksdb::Status& status) {
  if (is_locked(status)) {
    return {Errc::kConflict, "the data directory " + path +
                                 " is in use by another process: stop that one or choose another "
                                 "directory"};
  }
  if (status.IsCorruption()) {
    return {Errc::kCorrupt, "the data in " + path + " is damaged (" + status.ToString() +
                                "): replace this node, its peers hold its data"};
  }
  Error error{Errc::kIo, "cannot open the data directory " + path + ": " + status.ToString()};
  if (error.text.find(std::strerror(EMFILE)) != std::string::npos) {
    error.text += "; this process may have " + std::to_string(open_files_limit()) +
                  " of them: raise ulimit -n";
  }
  return error;
}

Error status_error(std::string_view what, const std::string& path, const rocksdb::Status& status) {
  return {status.IsCorruption() ? Errc::kCorrupt : Errc::kIo,
          std::string(what) + " failed in " + path + ": " + status.ToString()};
}

Result<void> make_directory(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code failed;
  std::vector<fs::path> made;
  for (fs::path at = fs::absolute(path);
       !failed && !fs::exists(at, failed) && at.has_relative_path(); at = at.parent_path()) {
    made.push_back(at);
  }
  if (!failed) {
    fs::create_directories(path, failed);
  }
  if (failed) {
    return Error{Errc::kIo, "cannot create the directory " + path + ": " + failed.message()};
  }
  for (const fs::path& at : made) {
    int fd = ::open(at.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && ::fsync(fd) == 0;
    int error = errno;
    if (fd >= 0) {
      ::close(fd);
    }
    if (!good) {
      return Error{Errc::kIo, "cannot sync the directory " + at.parent_path().string() + ": " +
                                  std::strerror(error)};
    }
  }
  return {};
}

}  // namespace kiwi::rocks
