// The table adaptor under the conformance suite: with tables so small that every few commits
// freeze, flush and evict, and one that is never full.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "rocks/keyspace.hpp"
#include "tests/rocks/keyspace_suite.hpp"
#include "tests/rocks/plain_fixture.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

inline KeyspaceOptions table_options(const std::string& path, uint64_t table_bytes) {
  KeyspaceOptions options = small_options(path);
  options.table_bytes = table_bytes;
  options.table_erased_at_once = table_bytes < (1 << 20) ? 2 : options.table_erased_at_once;
  return options;
}

inline std::unique_ptr<Keyspace> open_table(const std::string& path, uint64_t table_bytes) {
  auto opened = open_table_keyspace(table_options(path, table_bytes));
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

template <uint64_t kTableBytes>
class TableFixtureWith {
 public:
  TableFixtureWith() { open(); }
  Keyspace& keyspace() { return *keyspace_; }
  // Epochs that were not ingested yet go with the object, as in a crash.
  void crash() {
    keyspace_.reset();
    open();
  }
  void compact() { keyspace_->compact(); }
  std::string path(std::string_view name) const { return directory_.path(name); }

 private:
  void open() { keyspace_ = open_table(directory_.path("state"), kTableBytes); }

  TempDirectory directory_;
  std::unique_ptr<Keyspace> keyspace_;
};

using TableFixture = TableFixtureWith<(64 << 20)>;
using TinyTableFixture = TableFixtureWith<(64 << 10)>;
using MinuteTableFixture = TableFixtureWith<(4 << 10)>;

// Every restart is one with the other engine: both read the same files.
class AlternatingFixture {
 public:
  AlternatingFixture() { open(); }
  Keyspace& keyspace() { return *keyspace_; }
  void crash() {
    keyspace_.reset();
    table_ = !table_;
    open();
  }
  void compact() { keyspace_->compact(); }

 private:
  void open() {
    const std::string path = directory_.path("state");
    if (table_) {
      keyspace_ = open_table(path, 64 << 10);
      return;
    }
    auto opened = open_plain_keyspace(small_options(path));
    REQUIRE(opened.has_value());
    keyspace_ = std::move(*opened);
  }

  TempDirectory directory_;
  bool table_ = true;
  std::unique_ptr<Keyspace> keyspace_;
};

}  // namespace kiwi::rocks::test
