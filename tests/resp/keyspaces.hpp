// The keyspaces that command tests run on: in memory, and both engines on RocksDB in a directory
// that goes with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <unistd.h>
#include <utility>

#include "config/base/check.hpp"
#include "rocks/keyspace.hpp"
#include "tests/support/memory_keyspace.hpp"

namespace kiwi::resp {

class InMemory {
 public:
  static inline const char* const kName = "memory";
  rocks::Keyspace& keyspace() { return keyspace_; }
  void reopen() {
    keyspace_.flush();
    keyspace_.crash();
  }

 private:
  rocks::MemoryKeyspace keyspace_;
};

using OpenKeyspace = Result<std::unique_ptr<rocks::Keyspace>> (*)(const rocks::KeyspaceOptions&);

template <OpenKeyspace kOpen>
class OnRocksWith {
 public:
  static inline const char* const kName =
      kOpen == &rocks::open_table_keyspace ? "table engine" : "plain engine";
  // `free` stands for the disk.
  explicit OnRocksWith(std::function<uint64_t()> free = nullptr) : free_(std::move(free)) {
    std::string pattern = (std::filesystem::temp_directory_path() / "kiwi-command-XXXXXX").string();
    CHECK_INVARIANT(::mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    open();
  }
  ~OnRocksWith() {
    keyspace_.reset();
    std::filesystem::remove_all(directory_);
  }
  rocks::Keyspace& keyspace() { return *keyspace_; }
  // Another object on what is committed: whatever was in memory comes from files.
  void reopen() {
    keyspace_->flush();
    keyspace_.reset();
    open();
  }

 private:
  void open() {
    rocks::KeyspaceOptions options;
    options.path = directory_ + "/state";
    options.block_cache_bytes = 1 << 20;
    options.write_buffer_bytes = 64 << 10;  // so that flushes happen within a test
    options.metadata_cache_bytes = 16 << 10;
    options.table_bytes = 64 << 10;
    options.table_erased_at_once = 2;
    options.free_bytes = free_;
    auto opened = kOpen(options);
    CHECK_INVARIANT(opened.has_value());
    keyspace_ = std::move(opened.value());
  }

  const std::function<uint64_t()> free_;
  std::string directory_;
  std::unique_ptr<rocks::Keyspace> keyspace_;
};

using OnRocks = OnRocksWith<&rocks::open_plain_keyspace>;
using OnTable = OnRocksWith<&rocks::open_table_keyspace>;

// KIWI_ROUNDS multiplies what random tests do, for long runs.
inline int rounds(int usual) {
  const char* factor = std::getenv("KIWI_ROUNDS");
  return factor == nullptr ? usual : usual * std::atoi(factor);
}
// A part of it on a disk, which is slow and whose engines have tests of their own.
template <class On>
int rounds_on(int usual, int part = 2) {
  return rounds(std::is_same_v<On, InMemory> ? usual : usual / part);
}

}  // namespace kiwi::resp
