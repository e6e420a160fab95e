// Back-pressure of the table adaptor: what is committed and not in files, and what compaction owes.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "tests/rocks/keyspace_suite.hpp"
#include "tests/rocks/support.hpp"
#include "tests/rocks/table_fixture.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

namespace {

constexpr uint64_t kTable = 1 << 20;

// Holds up the flusher before each ingest until it is opened.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }
  void open() {
    {
      std::lock_guard lock(mutex_);
      open_ = true;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

void commit_some(Keyspace& keyspace, uint64_t index) {
  for (int i = 0; i < 8; ++i) {
    keyspace.put(Family::kMeta, "k" + std::to_string(index * 8 + static_cast<uint64_t>(i)),
                 std::string(1000, 'v'));
  }
  put_applied(keyspace, index);
  keyspace.commit(LogIndex{index});
}

bool soon(const std::function<bool()>& holds) {
  for (int i = 0; i < 2000; ++i) {
    if (holds()) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace

TEST_CASE("table keyspace: pressure rises step by step before memory is full, then ends") {
  TempDirectory directory;
  Gate gate;
  KeyspaceOptions options = table_options(directory.path("state"), kTable);
  options.before_flush = [&gate] { gate.pass(); };
  auto opened = open_table_keyspace(options);
  REQUIRE(opened.has_value());
  Keyspace& keyspace = **opened;
  uint64_t index = 0;
  uint32_t before = 0;
  int steps = 0;
  CHECK(keyspace.pressure() == 0);
  while (keyspace.pressure() < Keyspace::kPressureFull) {
    REQUIRE(index < 1000);
    commit_some(keyspace, ++index);  // never waits: the pressure was not full
    const uint32_t now = keyspace.pressure();
    CHECK(now >= before);
    steps += now > before ? 1 : 0;
    before = now;
  }
  CHECK(steps > 5);  // of 8 KB each
  const Keyspace::Usage full = keyspace.usage();
  CHECK(full.dirty_bytes > kTable / 2);
  CHECK(full.dirty_bytes < kTable);
  CHECK(full.flushes == 0);
  CHECK(full.pressure == Keyspace::kPressureFull);

  std::atomic<int> told{0};
  keyspace.when_room([&told] { ++told; });
  CHECK(told == 0);
  gate.open();
  CHECK(soon([&] { return told == 1; }));
  CHECK(soon([&] { return keyspace.pressure() == 0; }));
  commit_some(keyspace, ++index);
  keyspace.flush();
  CHECK(keyspace.usage().dirty_bytes == 0);
  CHECK(keyspace.usage().flushes >= 3);
  keyspace.when_room([&told] { ++told; });  // nothing is on its way: at once
  CHECK(told == 2);
}

// Two small epochs that somebody asked for are on their way, and the active one fills up alone.
TEST_CASE("table keyspace: whoever waits for room is not left waiting for a freeze") {
  TempDirectory directory;
  Gate gate;
  KeyspaceOptions options = table_options(directory.path("state"), kTable);
  options.before_flush = [&gate] { gate.pass(); };
  auto opened = open_table_keyspace(options);
  REQUIRE(opened.has_value());
  Keyspace& keyspace = **opened;
  uint64_t index = 0;
  for (int i = 0; i < 2; ++i) {
    commit_some(keyspace, ++index);
    keyspace.flush_async([](LogIndex) {});
  }
  while (keyspace.pressure() < Keyspace::kPressureFull) {
    REQUIRE(index < 1000);
    commit_some(keyspace, ++index);
  }
  gate.open();
  CHECK(soon([&] { return keyspace.pressure() == 0; }));
}

TEST_CASE("table keyspace: pressure rises with level 0, and flushes wait for compaction") {
  TempDirectory directory;
  KeyspaceOptions options = table_options(directory.path("state"), kTable);
  options.level0_files_slow = 1;
  options.level0_files_max = 3;  // RocksDB itself compacts from 4 on: not in here
  auto opened = open_table_keyspace(options);
  REQUIRE(opened.has_value());
  Keyspace& keyspace = **opened;
  const uint32_t expected[] = {0, 0, 450, 900};  // the first files overlap nothing and go deeper
  for (uint64_t index = 1; index <= 4; ++index) {
    commit_some(keyspace, index);
    keyspace.flush();
    CHECK(soon([&] { return keyspace.pressure() == expected[index - 1]; }));
    CHECK(keyspace.usage().level0_files == index - 1);
  }
  commit_some(keyspace, 5);
  std::atomic<bool> done{false};
  keyspace.flush_async([&done](LogIndex) { done = true; });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK_FALSE(done);
  CHECK(keyspace.flushed_index() == LogIndex{4});
  CHECK(keyspace.get(Family::kMeta, "k40").has_value());  // reads go on
  keyspace.compact();
  CHECK(soon([&] { return done.load(); }));
  CHECK(keyspace.flushed_index() == LogIndex{5});
  CHECK(soon([&] { return keyspace.pressure() == 0; }));
  CHECK(keyspace.usage().flush_wait_us > 0);
  CHECK(keyspace.usage().stall_stops == 0);
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
