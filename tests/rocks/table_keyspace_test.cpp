#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include <doctest/doctest.h>

#include "tests/rocks/checkpoint_suite.hpp"
#include "tests/rocks/keyspace_spill_suite.hpp"
#include "tests/rocks/keyspace_suite.hpp"
#include "tests/rocks/keyspace_undo_suite.hpp"
#include "tests/rocks/support.hpp"
#include "tests/rocks/table_fixture.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

TEST_CASE(
    "table keyspace: random operations leave what the model holds, also after crashes [F13]") {
  for (uint64_t seed = 1; seed <= rounds(6); ++seed) {
    run_keyspace_random<TableFixture>(seed, 1500);
  }
}

TEST_CASE(
    "table keyspace: the same while every few commits freeze, flush and evict [I5, I6, I10]") {
  for (uint64_t seed = 201; seed <= 200 + rounds(6); ++seed) {
    run_keyspace_random<TinyTableFixture>(seed, 1500);
    run_keyspace_random<MinuteTableFixture>(seed, 1500);
  }
}

TEST_CASE("table keyspace: each restart may use the other engine on the same files") {
  for (uint64_t seed = 301; seed <= 300 + rounds(6); ++seed) {
    run_keyspace_random<AlternatingFixture>(seed, 1500);
  }
}

TEST_CASE("table keyspace: writes after a range erase of the same turn survive it [F10]") {
  keyspace_range_then_put_in_one_turn<TableFixture>();
  keyspace_range_then_put_in_one_turn<TinyTableFixture>();
}

TEST_CASE("table keyspace: what a range erase dropped is gone for every later get [F10]") {
  keyspace_range_erase_is_seen_by_gets<TableFixture>();
  keyspace_range_erase_is_seen_by_gets<TinyTableFixture>();
}

TEST_CASE("table keyspace: the flushed index is what files hold, not memory [F13, I4]") {
  keyspace_flushed_index_skips_memory<TableFixture>();
}

TEST_CASE("table keyspace: compaction between apply and crash does not change the replay [F7]") {
  keyspace_compaction_before_crash_and_replay<TableFixture>();
}

TEST_CASE("table keyspace: a long read sees its view across erase and compaction [F7]") {
  keyspace_view_outlives_erase_and_compaction<TableFixture>();
  keyspace_view_outlives_erase_and_compaction<TinyTableFixture>();
}

TEST_CASE(
    "table keyspace: what nothing names yet goes below the turn, between any two files [F61]") {
  keyspace_spills_between_files<TableFixture>();
  keyspace_spills_between_files<TinyTableFixture>();
}

TEST_CASE("table keyspace: undo takes back the command and nothing else [F30]") {
  keyspace_undo_takes_back_one_command<TableFixture>();
  keyspace_undo_nests<TableFixture>();
  keyspace_undo_nests<MinuteTableFixture>();
}

TEST_CASE("table keyspace: a checkpoint made while apply goes on is one commit, in files [F13]") {
  keyspace_checkpoint_is_one_commit<TableFixture>();
  keyspace_checkpoint_is_one_commit<TinyTableFixture>();
}

TEST_CASE("table keyspace: a flush in the background reports what files hold [F13, I4]") {
  keyspace_flush_async_reports_what_files_hold<TableFixture>();
}

TEST_CASE("table keyspace: its end waits for a checkpoint that was asked for") {
  TempDirectory directory;
  auto keyspace = open_table(directory.path("state"), 64 << 10);
  for (uint64_t index = 1; index <= 200; ++index) {
    keyspace->put(Family::kMeta, "k" + std::to_string(index), std::string(1000, 'v'));
    put_applied(*keyspace, index);
    keyspace->commit(LogIndex{index});
  }
  std::optional<Result<LogIndex>> made;
  keyspace->checkpoint(directory.path("copy"), [&](Result<LogIndex> result) { made = result; });
  keyspace.reset();
  REQUIRE(made.has_value());
  REQUIRE(made->has_value());
  CHECK(**made == LogIndex{200});
  CHECK(open_table(directory.path("copy"), 64 << 10)->flushed_index() == LogIndex{200});
}

// As SCAN with a type does: what the gets find must not move the records under the cursor.
TEST_CASE("table keyspace: gets between the steps of a cursor leave its place alone") {
  TempDirectory directory;
  auto keyspace = open_table(directory.path("state"), 64 << 10);
  FamilyModel model;
  for (int i = 0; i < 2000; ++i) {
    std::string key = "k" + std::to_string(10000 + i);
    model[key] = std::to_string(i);
    keyspace->put(Family::kMeta, key, model[key]);
    put_applied(*keyspace, static_cast<uint64_t>(i) + 1);
    keyspace->commit(LogIndex{static_cast<uint64_t>(i) + 1});
  }
  for (const auto& way : {0, 1}) {
    auto forward = keyspace->cursor(Family::kMeta, "", "");
    auto backward = keyspace->reverse_cursor(Family::kMeta, "", "");
    auto last = model.rbegin();
    for (const auto& [key, value] : model) {
      REQUIRE(forward->key() == key);
      REQUIRE(backward->key() == last->first);
      REQUIRE(keyspace->get(Family::kMeta, way == 0 ? key : last->first).has_value());
      REQUIRE(!keyspace->get(Family::kMeta, key + "x").has_value());
      REQUIRE(forward->value() == value);
      forward->next();
      backward->next();
      ++last;
    }
    CHECK(!forward->valid());
    CHECK(!backward->valid());
  }
}

TEST_CASE(
    "table keyspace: a key that was looked for in vain is found in its place once it is there") {
  TempDirectory directory;
  auto keyspace = open_table(directory.path("state"), 1 << 20);
  FamilyModel model;
  uint64_t index = 0;
  auto commit = [&] {
    put_applied(*keyspace, ++index);
    keyspace->commit(LogIndex{index});
  };
  auto check = [&] { check_forward(*keyspace, model, Family::kMeta, "", ""); };
  const std::vector<std::string> keys = {"a", "b", "c", "d"};
  for (const std::string& value : {std::string(), std::string(200, 'v')}) {  // in place, and not
    for (const std::string& key : keys) {
      REQUIRE(!keyspace->get(Family::kMeta, key).has_value());
      keyspace->put(Family::kMeta, key, value);
      model[key] = value;
      commit();
      check();
    }
    keyspace->erase(Family::kMeta, "b");
    model.erase("b");
    commit();
    check();
    keyspace->flush();
    check();
    REQUIRE(!keyspace->get(Family::kMeta, "bb").has_value());
    keyspace->erase_range(Family::kMeta, "a", "c");
    model.erase("a");
    commit();
    check();
    keyspace->put(Family::kMeta, "bb", value);
    model["bb"] = value;
    commit();
    check();
    keyspace->erase_range(Family::kMeta, "", "z");
    model.clear();
    commit();
    keyspace->flush();
    check();
  }
}

TEST_CASE("table keyspace: memory stays in its bounds whatever is read and written") {
  constexpr uint64_t kTable = 2 << 20;
  TempDirectory directory;
  auto keyspace = open_table(directory.path("state"), kTable);
  uint64_t most = 0;
  uint64_t index = 0;
  Prng random(7);
  auto look = [&] {
    Keyspace::Usage usage = keyspace->usage();
    most = std::max(most, usage.memory_bytes);
  };
  for (int turn = 0; turn < 4000; ++turn) {
    for (int i = 0; i < 20; ++i) {
      std::string key = "k" + std::to_string(random.below(60000));
      if (random.chance(1, 3)) {
        keyspace->get(Family::kElement, key);
      } else {
        keyspace->put(Family::kElement, key, std::string(random.below(200), 'v'));
      }
    }
    put_applied(*keyspace, ++index);
    keyspace->commit(LogIndex{index});
    look();
  }
  // The block cache (1 MiB), five empty memtables and a turn come on top.
  CHECK(most < kTable + (4 << 20));
  keyspace->flush();
  for (int i = 0; i < 60000; ++i) {
    keyspace->get(Family::kElement, "k" + std::to_string(i));
  }
  look();
  CHECK(most < kTable + (4 << 20));
}

TEST_CASE("table keyspace: epochs reach the files on their own, in order [I1, I8]") {
  TempDirectory directory;
  auto keyspace = open_table(directory.path("state"), 256 << 10);
  LogIndex before;
  for (uint64_t index = 1; index <= 3000; ++index) {
    keyspace->put(Family::kMeta, "k" + std::to_string(index), std::string(100, 'v'));
    put_applied(*keyspace, index);
    keyspace->commit(LogIndex{index});
    LogIndex flushed = keyspace->flushed_index();
    REQUIRE(flushed >= before);
    REQUIRE(flushed <= LogIndex{index});
    before = flushed;
  }
  CHECK(before > LogIndex{1000});  // the flusher is never more than a few epochs behind
  CHECK(files_with_suffix(directory.path("state"), ".sst").size() > 2);
}

TEST_CASE("table keyspace: the log is made durable before the state is [F38]") {
  TempDirectory directory;
  auto calls = std::make_shared<std::atomic<int>>(0);
  KeyspaceOptions options = table_options(directory.path("state"), 1 << 20);
  options.before_flush = [calls] { ++*calls; };
  auto keyspace = open_table_keyspace(options);
  REQUIRE(keyspace.has_value());
  put_applied(**keyspace, 1);
  (*keyspace)->commit(LogIndex{1});
  CHECK(*calls == 0);
  (*keyspace)->flush();
  CHECK(*calls == 1);
}

TEST_CASE(
    "table keyspace: a child that dies anywhere leaves exactly the state at its index [F13]") {
  TempDirectory directory;
  uint64_t reached = 0;
  int advanced = 0;
  for (uint64_t round = 1; round <= rounds(20); ++round) {
    ChildEnd end = spawn_child("table", {directory.path("state"), std::to_string(round)});
    INFO("round ", round, ": ", end.errors);
    REQUIRE(end.exited);
    REQUIRE(end.status == 0);
    // Read by either engine in turn.
    KeyspaceOptions options = table_options(directory.path("state"), 1 << 20);
    auto keyspace = round % 2 == 0 ? open_table_keyspace(options) : open_plain_keyspace(options);
    REQUIRE(keyspace.has_value());
    uint64_t applied = (*keyspace)->flushed_index().value;
    REQUIRE(applied >= reached);
    advanced += applied > reached ? 1 : 0;
    reached = applied;
    check_all(**keyspace, child_model(applied));
    REQUIRE((round % 2 != 0 || files_with_suffix(directory.path("state"), ".tmp").empty()));
  }
  CHECK(advanced > 5);
}

TEST_CASE("table keyspace: after a power loss it holds exactly the state at its index [F13]") {
  TempDirectory directory;
  auto keyspace = open_table(directory.path("state"), 64 << 10);
  Model model;
  for (uint64_t index = 1; index <= 6000; ++index) {
    child_apply(index, model, keyspace.get());
    if (index % 10 == 0) {
      put_applied(*keyspace, index);
      keyspace->commit(LogIndex{index});
    }
    if (index % 500 == 0) {
      keyspace->flush();  // then no file comes or goes but by compaction
      uint64_t flushed = keyspace->flushed_index().value;
      REQUIRE(flushed == index);
      copy_directory_after_power_loss(directory.path("state"), directory.path("lost"));
      auto lost = open_table(directory.path("lost"), 64 << 10);
      REQUIRE(lost->flushed_index().value == flushed);
      check_all(*lost, child_model(flushed));
    }
  }
}

TEST_CASE("table keyspace: a failed ingest stops the process with the file's name [I8]") {
  TempDirectory directory;
  ChildEnd end = spawn_child("table-full", {directory.path("state")});
  CHECK(end.exited);
  CHECK(end.status == 70);
  CHECK(end.errors.find(directory.path("state")) != std::string::npos);
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
