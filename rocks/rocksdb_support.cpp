#include "rocks/rocksdb_support.hpp"

#include <filesystem>
#include <system_error>

#include <rocksdb/status.h>

namespace kiwi::rocks {

namespace {

// RocksDB has no status of its own for a held lock: it is an I/O error that says so.
bool is_locked(const rocksdb::Status& status) {
  std::string text = status.ToString();
  return status.IsIOError() && (text.find("lock file") != std::string::npos ||
                                text.find("lock hold by current process") != std::string::npos);
}

}  // namespace

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
  return {Errc::kIo, "cannot open the data directory " + path + ": " + status.ToString()};
}

Error status_error(std::string_view what, const std::string& path, const rocksdb::Status& status) {
  return {status.IsCorruption() ? Errc::kCorrupt : Errc::kIo,
          std::string(what) + " failed in " + path + ": " + status.ToString()};
}

Result<void> make_directory(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) {
    return Error{Errc::kIo, "cannot create the directory " + path + ": " + failed.message()};
  }
  return {};
}

}  // namespace kiwi::rocks
