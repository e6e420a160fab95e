#include <atomic>
#include <cstdlib>

#include <doctest/doctest.h>

#include "tests/rocks/checkpoint_suite.hpp"
#include "tests/rocks/keyspace_spill_suite.hpp"
#include "tests/rocks/keyspace_suite.hpp"
#include "tests/rocks/keyspace_undo_suite.hpp"
#include "tests/rocks/plain_fixture.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

TEST_CASE(
    "plain keyspace: random operations leave what the model holds, also after crashes [F13]") {
  for (uint64_t seed = 1; seed <= rounds(8); ++seed) {
    run_keyspace_random<PlainFixture>(seed, 1500);
  }
}

TEST_CASE("plain keyspace: the same with no cache, and with one that is always full") {
  for (uint64_t seed = 101; seed <= 100 + rounds(4); ++seed) {
    run_keyspace_random<UncachedFixture>(seed, 1500);
    run_keyspace_random<TinyCacheFixture>(seed, 1500);
  }
}

TEST_CASE("plain keyspace: writes after a range erase of the same turn survive it [F10]") {
  keyspace_range_then_put_in_one_turn<PlainFixture>();
}

TEST_CASE("plain keyspace: what a range erase dropped is gone for every later get [F10]") {
  keyspace_range_erase_is_seen_by_gets<PlainFixture>();
}

TEST_CASE("plain keyspace: the flushed index is what files hold, not memory [F13]") {
  keyspace_flushed_index_skips_memory<PlainFixture>();
}

TEST_CASE("plain keyspace: compaction between apply and crash does not change the replay [F7]") {
  keyspace_compaction_before_crash_and_replay<PlainFixture>();
}

TEST_CASE("plain keyspace: a long read sees its view across erase and compaction [F7]") {
  keyspace_view_outlives_erase_and_compaction<PlainFixture>();
}

TEST_CASE(
    "plain keyspace: what nothing names yet goes below the turn, between any two files [F61]") {
  keyspace_spills_between_files<PlainFixture>();
}

TEST_CASE("plain keyspace: undo takes back the command and nothing else [F30]") {
  keyspace_undo_takes_back_one_command<PlainFixture>();
  keyspace_undo_nests<PlainFixture>();
  keyspace_undo_nests<UncachedFixture>();
}

TEST_CASE("plain keyspace: a checkpoint made while apply goes on is one commit, in files [F13]") {
  keyspace_checkpoint_is_one_commit<PlainFixture>();
}

TEST_CASE("plain keyspace: a flush in the background says what files hold then [F13]") {
  keyspace_flush_async_reports_what_files_hold<PlainFixture>();
}

TEST_CASE(
    "plain keyspace: a child that dies anywhere leaves exactly the state at its index [F13]") {
  TempDirectory directory;
  uint64_t reached = 0;
  for (uint64_t round = 1; round <= rounds(8); ++round) {
    ChildEnd end = spawn_child("keyspace", {directory.path("state"), std::to_string(round)});
    INFO("round ", round, ": ", end.errors);
    REQUIRE(end.exited);
    REQUIRE(end.status == 0);
    KeyspaceOptions options = small_options(directory.path("state"));
    Result<std::unique_ptr<Keyspace>> keyspace = open_plain_keyspace(options);
    REQUIRE(keyspace.has_value());
    uint64_t applied = (*keyspace)->flushed_index().value;
    REQUIRE(applied >= reached);
    reached = applied;
    check_all(**keyspace, child_model(applied));
  }
  CHECK(reached > 0);
}

TEST_CASE("plain keyspace: after a power loss it holds exactly the state at its index [F13]") {
  TempDirectory directory;
  auto opened = open_plain_keyspace(small_options(directory.path("state")));
  REQUIRE(opened.has_value());
  Keyspace& keyspace = **opened;
  Model model;
  for (uint64_t index = 1; index <= 6000; ++index) {
    child_apply(index, model, &keyspace);
    if (index % 10 == 0) {
      put_applied(keyspace, index);
      keyspace.commit(LogIndex{index});
    }
    if (index % 1500 == 0) {
      keyspace.flush();
    }
    if (index % 500 == 0) {
      uint64_t flushed = keyspace.flushed_index().value;
      copy_directory_after_power_loss(directory.path("state"), directory.path("lost"));
      auto lost = open_plain_keyspace(small_options(directory.path("lost")));
      REQUIRE(lost.has_value());
      uint64_t applied = (*lost)->flushed_index().value;
      REQUIRE(applied >= flushed);
      REQUIRE(applied >= index / 1500 * 1500);
      check_all(**lost, child_model(applied));
    }
  }
}

TEST_CASE("plain keyspace: the log is made durable before the state is [F38]") {
  TempDirectory directory;
  auto calls = std::make_shared<std::atomic<int>>(0);
  KeyspaceOptions options = small_options(directory.path("state"));
  options.before_flush = [calls] { ++*calls; };
  auto keyspace = open_plain_keyspace(options);
  REQUIRE(keyspace.has_value());
  put_applied(**keyspace, 1);
  (*keyspace)->commit(LogIndex{1});
  CHECK(*calls == 0);
  (*keyspace)->flush();
  CHECK(*calls > 0);
}

TEST_CASE("plain keyspace: RocksDB runs without the options that would break it [F41] [F13]") {
  TempDirectory directory;
  KeyspaceOptions options;
  options.path = directory.path("state");
  REQUIRE(open_plain_keyspace(options).has_value());
  std::string text;
  for (const auto& file : std::filesystem::directory_iterator(directory.path("state"))) {
    if (file.path().filename().string().starts_with("OPTIONS-")) {
      text = read_file(file.path().string());
    }
  }
  REQUIRE(!text.empty());
  for (const char* line : {"unordered_write=false", "enable_pipelined_write=false",
                           "two_write_queues=false", "atomic_flush=true", "paranoid_checks=true",
                           "compaction_filter=nullptr", "compaction_filter_factory=nullptr"}) {
    CHECK_MESSAGE(text.find(line) != std::string::npos, line);
  }
}

TEST_CASE("plain keyspace: a directory that is open elsewhere is refused in one sentence") {
  TempDirectory directory;
  KeyspaceOptions options = small_options(directory.path("state"));
  auto first = open_plain_keyspace(options);
  REQUIRE(first.has_value());
  auto second = open_plain_keyspace(options);
  REQUIRE(!second.has_value());
  CHECK(second.error().code == Errc::kConflict);
  CHECK(second.error().text.find(options.path) != std::string::npos);
}

TEST_CASE("plain keyspace: a damaged file is refused and named, or stops the process") {
  TempDirectory directory;
  std::string path = directory.path("state");
  {
    auto keyspace = open_plain_keyspace(small_options(path));
    REQUIRE(keyspace.has_value());
    for (int i = 0; i < 500; ++i) {
      (*keyspace)->put(Family::kMeta, "key" + std::to_string(i), std::string(50, 'x'));
    }
    put_applied(**keyspace, 1);
    (*keyspace)->commit(LogIndex{1});
    (*keyspace)->flush();
  }
  SUBCASE("a flipped byte in a data block") {
    std::string largest;
    for (const std::string& name : files_with_suffix(path, ".sst")) {
      if (largest.empty() ||
          read_file(path + "/" + name).size() > read_file(path + "/" + largest).size()) {
        largest = name;
      }
    }
    std::string bytes = read_file(path + "/" + largest);
    bytes[100] = static_cast<char>(bytes[100] ^ 1);
    write_file(path + "/" + largest, bytes);
    ChildEnd end = spawn_child("keyspace-scan", {path});
    CHECK(end.exited);
    CHECK(end.status == 70);
    CHECK(end.errors.find(largest) != std::string::npos);
  }
  SUBCASE("a missing file") {
    std::string name = files_with_suffix(path, ".sst").front();
    std::filesystem::remove(path + "/" + name);
    auto keyspace = open_plain_keyspace(small_options(path));
    REQUIRE(!keyspace.has_value());
    INFO(keyspace.error().text);  // RocksDB says .ldb, its other name for the file
    CHECK(keyspace.error().text.find(name.substr(0, name.find('.'))) != std::string::npos);
  }
  SUBCASE("a flipped byte in the manifest") {
    std::string name;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().filename().string().starts_with("MANIFEST")) {
        name = entry.path().filename().string();
      }
    }
    std::string bytes = read_file(path + "/" + name);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_file(path + "/" + name, bytes);
    auto keyspace = open_plain_keyspace(small_options(path));
    REQUIRE(!keyspace.has_value());
    CHECK(keyspace.error().code == Errc::kCorrupt);
  }
}

TEST_CASE("plain keyspace: a failed commit stops the process with the file's name") {
  TempDirectory directory;
  ChildEnd end = spawn_child("keyspace-full", {directory.path("state")});
  CHECK(end.exited);
  CHECK(end.status == 70);
  CHECK(end.errors.find(directory.path("state")) != std::string::npos);
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
