// The plain adaptor under the conformance suite, and the deterministic history that crash children
// write (child_roles.cpp) and their parents check.
#pragma once

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "rocks/keyspace.hpp"
#include "tests/rocks/keyspace_suite.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

// Memtables so small that flushes and compactions happen on their own.
inline KeyspaceOptions small_options(const std::string& path) {
  KeyspaceOptions options;
  options.path = path;
  options.block_cache_bytes = 1 << 20;
  options.write_buffer_bytes = 64 << 10;
  options.metadata_cache_bytes = 1 << 20;
  return options;
}

template <uint64_t kCacheBytes>
class PlainFixtureWith {
 public:
  PlainFixtureWith() { open(); }
  Keyspace& keyspace() { return *keyspace_; }
  // With its WAL off and avoid_flush_during_shutdown a closed database has lost its memtables, as
  // after a crash.
  void crash() {
    keyspace_.reset();
    open();
  }
  void compact() { keyspace_->compact(); }
  std::string path(const std::string& name) const { return directory_.path(name); }

 private:
  void open() {
    KeyspaceOptions options = small_options(directory_.path("state"));
    options.metadata_cache_bytes = kCacheBytes;
    auto opened = open_plain_keyspace(options);
    REQUIRE(opened.has_value());
    keyspace_ = std::move(*opened);
  }

  TempDirectory directory_;
  std::unique_ptr<Keyspace> keyspace_;
};

using PlainFixture = PlainFixtureWith<(1 << 20)>;
using UncachedFixture = PlainFixtureWith<0>;
using TinyCacheFixture = PlainFixtureWith<4096>;

// Records of the role "removal": so many, each different in each version.
constexpr uint64_t kLargeRecords = 60;
std::string large_record(uint64_t n, uint64_t version);

// Operation `index` of the crash history on any Keyspace and on the model.
void child_apply(uint64_t index, Model& model, Keyspace* keyspace);
Model child_model(uint64_t applied);

}  // namespace kiwi::rocks::test
