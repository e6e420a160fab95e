// What both RocksDB databases of a node share: turning a rocksdb::Status into our errors. Shows no
// RocksDB header; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "config/base/result.hpp"

namespace rocksdb {
class EventListener;
class Status;
}  // namespace rocksdb

namespace kiwi::rocks {

// Stops the process: "<what> failed in <path>: <status>".
[[noreturn]] void fatal_status(std::string_view what,
                               const std::string& path,
                               const rocksdb::Status& status);

// For open(): kConflict if another process holds the directory, kCorrupt, or kIo; one sentence that
// names the file and says what to do.
Error open_error(const std::string& path, const rocksdb::Status& status);

// For a failed read or write of an open database.
Error status_error(std::string_view what, const std::string& path, const rocksdb::Status& status);

// Lets RocksDB's threads work in the background (background.hpp). They are the process's, shared by
// its databases, and at hand only when they report something.
std::shared_ptr<rocksdb::EventListener> make_thread_listener();

// mkdir -p; durable when it returns.
Result<void> make_directory(const std::string& path);

}  // namespace kiwi::rocks
