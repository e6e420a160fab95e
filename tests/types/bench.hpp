// What benches of this folder have in common: the thread's processor time, and keyspaces with sizes
// as a server has them.
#pragma once

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>

#include "config/base/check.hpp"
#include "tests/resp/keyspaces.hpp"

namespace kiwi::resp::types_test {

inline double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// With sizes as a server has them.
template <OpenKeyspace kOpen>
class AsServed {
 public:
  static inline const char* const kName = OnRocksWith<kOpen>::kName;
  AsServed() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kiwi-bench-XXXXXX").string();
    CHECK_INVARIANT(::mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    rocks::KeyspaceOptions options;
    options.path = directory_ + "/state";
    auto opened = kOpen(options);
    CHECK_INVARIANT(opened.has_value());
    keyspace_ = std::move(opened.value());
  }
  ~AsServed() {
    keyspace_.reset();
    std::filesystem::remove_all(directory_);
  }
  AsServed(const AsServed&) = delete;
  AsServed& operator=(const AsServed&) = delete;
  rocks::Keyspace& keyspace() { return *keyspace_; }
  void reopen() {}

 private:
  std::string directory_;
  std::unique_ptr<rocks::Keyspace> keyspace_;
};

}  // namespace kiwi::resp::types_test
