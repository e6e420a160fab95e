// Room on the disk: what waits for it, what is put off, what is owed.
#include "rocks/room.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "rocks/rocks_log.hpp"
#include "tests/rocks/keyspace_suite.hpp"
#include "tests/rocks/log_storage_suite.hpp"
#include "tests/rocks/support.hpp"
#include "tests/rocks/table_fixture.hpp"
#include "tests/rocks/wal_support.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

namespace {

constexpr uint64_t kMuch = uint64_t{1} << 40;
constexpr uint64_t kTable = 64 << 20;

template <class Holds>
bool soon(const Holds& holds) {
  for (int i = 0; i < 2000; ++i) {
    if (holds()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

raft::PersistRequest entries_of(uint64_t from, uint64_t count, size_t bytes) {
  raft::PersistRequest request;
  for (uint64_t index = from; index < from + count; ++index) {
    request.entries.push_back(
        make_entry(index, 1, std::string(bytes, static_cast<char>('a' + index % 26))));
  }
  return request;
}

// Makes the log flush what it has in memory, and begin another file.
void cut_at(RocksLog& log, uint64_t index) {
  raft::SnapshotMeta meta;
  meta.index = LogIndex{index};
  meta.term = Term{1};
  REQUIRE(log.cut(meta, LogIndex{index + 1}).has_value());
}

struct DiskAgain {
  ~DiskAgain() { fill_disk(""); }
};

void commit_kilobytes(Keyspace& keyspace, uint64_t index, int count) {
  for (int i = 0; i < count; ++i) {
    keyspace.put(Family::kMeta, "k" + std::to_string(i) + "." + std::to_string(index),
                 std::string(1024, static_cast<char>('a' + index % 26)));
  }
  put_applied(keyspace, index);
  keyspace.commit(LogIndex{index});
}

}  // namespace

TEST_CASE("a flush waits for room on the disk, says so, and goes on by itself [F60]") {
  for (const bool table : {true, false}) {
    TempDirectory directory;
    std::atomic<uint64_t> free{kMuch};
    KeyspaceOptions options = table_options(directory.path("state"), kTable);
    options.write_buffer_bytes = 16 << 20;
    options.free_bytes = [&free] { return free.load(); };
    std::atomic<uint64_t> flushed{0};
    {
      auto opened = table ? open_table_keyspace(options) : open_plain_keyspace(options);
      REQUIRE(opened.has_value());
      Keyspace& keyspace = **opened;
      free = 1 << 20;
      commit_kilobytes(keyspace, 1, 2000);
      CHECK(keyspace.owed_bytes() >= 2000 * 1024);
      keyspace.flush_async([&](LogIndex index) { flushed = index.value; });
      CHECK(soon([&] { return keyspace.usage().waits_for_room == 1; }));
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      CHECK(flushed == 0);
      CHECK(keyspace.get(Family::kMeta, "k7.1").has_value());
      commit_kilobytes(keyspace, 2, 10);  // apply goes on
      free = kMuch;
      CHECK(soon([&] { return flushed > 0; }));
      CHECK(keyspace.usage().waits_for_room == 0);
      keyspace.flush();
    }
    auto again = table ? open_table_keyspace(options) : open_plain_keyspace(options);
    REQUIRE(again.has_value());
    CHECK((*again)->flushed_index() == LogIndex{2});
    CHECK((*again)->get(Family::kMeta, "k1999.1").has_value());
    CHECK((*again)->get(Family::kMeta, "k9.2").has_value());
  }
}

TEST_CASE("a compaction that does not fit beside its inputs is put off, and done later [F60]") {
  TempDirectory directory;
  std::atomic<uint64_t> free{kMuch};
  KeyspaceOptions options = table_options(directory.path("state"), kTable);
  options.free_bytes = [&free] { return free.load(); };
  auto opened = open_table_keyspace(options);
  REQUIRE(opened.has_value());
  Keyspace& keyspace = **opened;
  free = 6 << 20;  // a flush of 1 MiB fits, a compaction of four of them does not
  for (uint64_t index = 1; index <= 6; ++index) {
    commit_kilobytes(keyspace, index, 700);
    keyspace.flush();
  }
  CHECK(soon([&] { return keyspace.usage().compactions_put_off > 0; }));
  CHECK(keyspace.usage().level0_files >= 4);
  CHECK(keyspace.owed_bytes() >= 4 * 700 * 1024);
  free = kMuch;
  CHECK(soon([&] { return keyspace.usage().level0_files < 4; }));
  for (uint64_t index = 1; index <= 6; ++index) {
    CHECK(keyspace.get(Family::kMeta, "k699." + std::to_string(index)).has_value());
  }
}

TEST_CASE("the log says what its memtables will take of the disk [F60]") {
  TempDirectory directory;
  auto opened = open_rocks_log({.path = directory.path("log"), .fsync = false, .free_bytes = {}});
  REQUIRE(opened.has_value());
  RocksLog& log = **opened;
  CHECK(log.stats().owed_bytes < 1 << 20);
  raft::PersistRequest request;
  for (uint64_t index = 1; index <= 100; ++index) {
    raft::Entry entry;
    entry.index = LogIndex{index};
    entry.term = Term{1};
    entry.kind = raft::EntryKind::kBatch;
    entry.payload = SharedBytes(std::string(64 << 10, 'x'));
    request.entries.push_back(std::move(entry));
  }
  REQUIRE(log.persist(request).has_value());
  const uint64_t owed = log.stats().owed_bytes;
  CHECK(owed >= uint64_t{100} * (64 << 10));
  CHECK(owed < uint64_t{2} * 100 * (64 << 10));
  raft::SnapshotMeta meta;
  meta.index = LogIndex{99};
  meta.term = Term{1};
  REQUIRE(log.cut(meta, LogIndex{100}).has_value());
  CHECK(soon([&] { return log.stats().owed_bytes < 1 << 20; }));  // what was cut is owed no more
}

TEST_CASE(
    "the disk is full in the middle of a flush of the log: it goes on when there is room [F60]") {
  for (const uint64_t writes : {0, 1, 2}) {
    INFO("writes that find room: ", writes);
    const int error = writes == 1 ? EDQUOT : ENOSPC;  // of the disk, of this user
    const DiskAgain again;
    TempDirectory directory;
    {
      auto opened =
          open_rocks_log({.path = directory.path("log"), .fsync = true, .free_bytes = {}});
      REQUIRE(opened.has_value());
      RocksLog& log = **opened;
      REQUIRE(log.persist(entries_of(1, 160, 64 << 10)).has_value());
      fill_disk(".sst", writes, /*creates=*/true, error);
      cut_at(log, 120);
      REQUIRE(soon([] { return full_disk_refused() > 2; }));
      for (uint64_t index = 161; index <= 170; ++index) {
        const Result<void> written = log.persist(entries_of(index, 1, 100));
        REQUIRE_MESSAGE(written.has_value(), (written ? "" : written.error().text));
      }
      CHECK(log.stats().waits_for_room == 1);
      fill_disk("");
      CHECK(soon([&] { return log.stats().waits_for_room == 0; }));
      CHECK(soon([&] { return !files_with_suffix(directory.path("log"), ".sst").empty(); }));
      REQUIRE(log.persist(entries_of(171, 1, 100)).has_value());
    }
    auto opened = open_rocks_log({.path = directory.path("log"), .fsync = true, .free_bytes = {}});
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
    CHECK(all_entries(**opened).size() == 51);
  }
}

TEST_CASE(
    "the disk is full when the log's flush never ends: the log closes, nothing is lost [F60]") {
  const DiskAgain again;
  TempDirectory directory;
  {
    auto opened = open_rocks_log({.path = directory.path("log"), .fsync = true, .free_bytes = {}});
    REQUIRE(opened.has_value());
    REQUIRE((*opened)->persist(entries_of(1, 160, 64 << 10)).has_value());
    fill_disk(".sst", 1);
    cut_at(**opened, 120);
    REQUIRE(soon([] { return full_disk_refused() > 0; }));
  }
  fill_disk("");
  auto opened = open_rocks_log({.path = directory.path("log"), .fsync = true, .free_bytes = {}});
  REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
  CHECK(all_entries(**opened).size() == 40);
}

TEST_CASE("the disk is full when the log begins another file: it waits for room [F60]") {
  const DiskAgain again;
  TempDirectory directory;
  auto opened = open_rocks_log({.path = directory.path("log"), .fsync = true, .free_bytes = {}});
  REQUIRE(opened.has_value());
  RocksLog& log = **opened;
  REQUIRE(log.persist(entries_of(1, 160, 64 << 10)).has_value());
  fill_disk(".log", UINT64_MAX, /*creates=*/false);
  std::thread room([] {
    soon([] { return full_disk_refused() > 2; });
    fill_disk("");
  });
  const std::string before = newest_wal(directory.path("log"));
  cut_at(log, 120);
  room.join();
  CHECK(newest_wal(directory.path("log")) != before);
  const Result<void> written = log.persist(entries_of(161, 1, 100));
  CHECK_MESSAGE(written.has_value(), (written ? "" : written.error().text));
}

TEST_CASE("a state that is given up ends within a second, whatever waits for room [F60]") {
  for (const bool table : {true, false}) {
    INFO("table: ", table);
    TempDirectory directory;
    std::atomic<uint64_t> free{kMuch};
    KeyspaceOptions options = table_options(directory.path("state"), kTable);
    options.write_buffer_bytes = 16 << 20;
    options.free_bytes = [&free] { return free.load(); };
    auto opened = table ? open_table_keyspace(options) : open_plain_keyspace(options);
    REQUIRE(opened.has_value());
    Keyspace& keyspace = **opened;
    commit_kilobytes(keyspace, 1, 100);
    keyspace.flush();
    free = 1 << 20;
    commit_kilobytes(keyspace, 2, 2000);
    std::atomic<uint64_t> flushed{0};
    std::atomic<int> views{0};
    std::atomic<int> copies{0};
    keyspace.flush_async([&](LogIndex index) { flushed = index.value; });
    REQUIRE(soon([&] { return keyspace.usage().waits_for_room == 1; }));
    if (table) {
      keyspace.view_async([&](std::unique_ptr<Reader> view) { views += view ? 100 : 1; });
      commit_kilobytes(keyspace, 3, 10);
      keyspace.checkpoint(directory.path("copy"),
                          [&](const Result<LogIndex>& made) { copies += made ? 100 : 1; });
    }
    const auto began = std::chrono::steady_clock::now();
    std::thread room([&] {  // for a state that is not given up
      soon([&] { return flushed != 0; });
      free = kMuch;
    });
    keyspace.give_up();
    opened->reset();
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(1));
    CHECK(flushed >= 1);
    CHECK(views == (table ? 1 : 0));
    CHECK(copies == (table ? 1 : 0));
    room.join();
  }
}

TEST_CASE("what was being built gives its room back at the next open, without a compaction [F60]") {
  TempDirectory directory;
  std::atomic<uint64_t> free{kMuch};
  KeyspaceOptions options = table_options(directory.path("state"), kTable);
  options.free_bytes = [&free] { return free.load(); };
  {
    auto opened = open_table_keyspace(options);
    REQUIRE(opened.has_value());
    Keyspace& keyspace = **opened;
    keyspace.put(Family::kElement, "5.0", "named");
    keyspace.put(Family::kElement, "4.0", "named");
    put_applied(keyspace, 1);
    keyspace.commit(LogIndex{1});
    keyspace.flush();
    std::mt19937_64 random(7);  // what can be compressed takes no room
    for (int piece = 0; piece < 8; ++piece) {
      std::vector<Writer::Record> records;
      for (int i = 0; i < 1000; ++i) {
        std::string value;
        while (value.size() < 1000) {
          const uint64_t bits = random();
          value.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
        }
        records.push_back(
            {Family::kElement, "5.1." + std::to_string(100'000 + 1000 * piece + i), value});
      }
      keyspace.spill(records);
      keyspace.flush();
    }
    CHECK(keyspace.usage().disk_bytes > 7'000'000);
  }
  free = 1 << 20;  // enough for words about files
  auto opened = open_table_keyspace(options);
  REQUIRE(opened.has_value());
  Keyspace& keyspace = **opened;
  CHECK(keyspace.usage().disk_bytes > 7'000'000);
  keyspace.drop_spilled(Family::kElement, "5.1", "5.2");
  CHECK(keyspace.usage().disk_bytes < 2'000'000);
  CHECK_FALSE(keyspace.cursor(Family::kElement, "5.1", "5.2")->valid());
  CHECK(keyspace.get(Family::kElement, "5.0") == "named");
  CHECK(keyspace.get(Family::kElement, "4.0") == "named");
  free = kMuch;
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
