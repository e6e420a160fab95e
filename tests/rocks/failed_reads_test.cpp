// A state file that cannot be read, or not rightly, ends the process, wherever an iterator meets
// it.
#include "rocks/failed_reads.hpp"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <rocksdb/db.h>

#include "rocks/state_database.hpp"
#include "tests/rocks/keyspace_suite.hpp"
#include "tests/rocks/support.hpp"
#include "tests/rocks/table_fixture.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

namespace {

std::string name_of(const std::string& first, int number) {
  return first + std::to_string(10'000 + number);
}

void commit(Keyspace& keyspace, uint64_t index) {
  put_applied(keyspace, index);
  keyspace.commit(LogIndex{index});
  keyspace.flush();
}

void check_that_two_lie_in_the_last_level(const std::string& path) {
  auto database =
      StateDatabase::open(table_options(path, 1 << 20), StateDatabase::Writes::kIngests);
  REQUIRE(database.has_value());
  rocksdb::ColumnFamilyMetaData elements;
  (*database)->db().GetColumnFamilyMetaData((*database)->handle(Family::kElement), &elements);
  REQUIRE(elements.file_count == 2);
  REQUIRE(elements.levels.back().files.size() == 2);
}

// Two files of the last level: the first ends in a range tombstone, behind which RocksDB steps into
// the second. The name of the second.
std::string make_two_files(const std::string& path) {
  auto keyspace = open_table(path, 1 << 20);
  const auto put_all = [&](const std::string& first) {
    for (int i = 0; i < 1000; ++i) {
      keyspace->put(Family::kElement, name_of(first, i), "value-" + name_of(first, i));
    }
  };
  put_all("a");
  keyspace->erase_range(Family::kElement, "c", "d");
  commit(*keyspace, 1);
  put_all("k");
  commit(*keyspace, 2);
  keyspace.reset();
  check_that_two_lie_in_the_last_level(path);
  std::string second;
  for (const std::string& file : files_with_suffix(path, ".sst")) {
    if (read_file(path + "/" + file).find("value-k10500") != std::string::npos) {
      REQUIRE(second.empty());
      second = file;
    }
  }
  REQUIRE(!second.empty());
  return second;
}

void turn_bit(const std::string& path, size_t at) {
  std::string bytes = read_file(path);
  REQUIRE(bytes.size() > at);
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  write_file(path, bytes);
}

void check_that_scans_stop(const std::string& path, const std::string& file, bool unreadable) {
  for (const char* engine : {"plain", "table"}) {
    for (const char* way : {"forth", "back"}) {
      CAPTURE(engine);
      CAPTURE(way);
      std::vector<std::string> arguments = {path, engine, way};
      if (unreadable) {
        arguments.push_back(file);
      }
      const ChildEnd end = spawn_child("keyspace-scan", arguments);
      INFO(end.errors);
      CHECK(end.exited);
      CHECK(end.status == 70);
      CHECK(end.errors.find(file) != std::string::npos);
    }
  }
}

}  // namespace

TEST_CASE("failed reads: a file behind a range tombstone that cannot be read ends the node [F34]") {
  TempDirectory directory;
  const std::string path = directory.path("state");
  const std::string second = make_two_files(path);
  CHECK(spawn_child("keyspace-scan", {path, "table", "forth"}).status == 0);
  check_that_scans_stop(path, second, true);
}

TEST_CASE("failed reads: rot in a block behind a range tombstone ends the node [F34]") {
  TempDirectory directory;
  const std::string path = directory.path("state");
  const std::string second = make_two_files(path);
  const std::string bytes = read_file(path + "/" + second);
  SUBCASE("in its first block") { turn_bit(path + "/" + second, 100); }
  SUBCASE("in its last block") { turn_bit(path + "/" + second, bytes.find("value-k10990")); }
  check_that_scans_stop(path, second, false);
}

// Else a healthy node would end.
TEST_CASE("failed reads: whatever is read of healthy files, nothing counts as lost [F34]") {
  TempDirectory directory;
  const int64_t before = blocks_lost();
  auto keyspace = open_table(directory.path("state"), 64 << 10);
  Prng random(5);
  for (uint64_t index = 1; index <= 60; ++index) {
    for (int i = 0; i < 60; ++i) {
      keyspace->put(Family::kElement, name_of("k", static_cast<int>(random.below(3000))),
                    std::string(random.below(2000), 'v'));
    }
    const int from = static_cast<int>(random.below(3000));
    keyspace->erase_range(Family::kElement, name_of("k", from), name_of("k", from + 100));
    commit(*keyspace, index);
    (void)keyspace->get(Family::kElement, name_of("k", static_cast<int>(random.below(4000))));
    for (auto cursor = keyspace->cursor(Family::kElement, name_of("k", from), ""); cursor->valid();
         cursor->next()) {
    }
    auto view = keyspace->view();
    for (auto cursor = view->reverse_cursor(Family::kElement, "", ""); cursor->valid();
         cursor->next()) {
    }
  }
  CHECK(blocks_lost() == before);
  keyspace->compact();  // by this thread; its reads leave nothing in the cache
  const int64_t compacted = blocks_lost();
  for (auto cursor = keyspace->cursor(Family::kElement, "", ""); cursor->valid(); cursor->next()) {
  }
  CHECK(blocks_lost() == compacted);
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
