// What the table costs stays in its bounds, whatever comes: memory in bytes, steps in records.
#include <algorithm>
#include <ctime>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/checksum.hpp"
#include "rocks/keys.hpp"
#include "tests/rocks/keyspace_suite.hpp"
#include "tests/rocks/support.hpp"
#include "tests/rocks/table_fixture.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

namespace {

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

void commit(Keyspace& keyspace, uint64_t& index) {
  put_applied(keyspace, ++index);
  keyspace.commit(LogIndex{index});
}

std::string name_of(size_t number) { return "k" + std::to_string(10'000'000 + number); }

}  // namespace

TEST_CASE("table keyspace: memory stays in its bounds whatever the size of values is [F55]") {
  constexpr uint64_t kTable = 8 << 20;
  for (const size_t size : {200, 4'000, 20'000, 200'000, 2'000'000}) {
    CAPTURE(size);
    TempDirectory directory;
    const size_t count = 5 * kTable / size;
    const size_t in_turn = 1 + 50'000 / size;
    // A turn, a value that is copied, and what the flusher did not give back yet.
    const uint64_t bound = kTable + kTable / 8 + 2 * size;
    uint64_t index = 0;
    uint64_t most = 0;
    auto keyspace = open_table(directory.path("state"), kTable);
    const auto look = [&] { most = std::max(most, keyspace->usage().cache_bytes); };
    for (const size_t grown : {0, 300}) {  // new keys; then the same ones, which do not fit
      for (size_t i = 0; i < count; ++i) {
        keyspace->put(Family::kMeta, name_of(i), std::string(size + grown, 'v'));
        if (i % in_turn == 0 || i + 1 == count) {
          commit(*keyspace, index);
          look();
        }
      }
      CHECK(most < bound);
    }
    keyspace->flush();
    keyspace.reset();
    keyspace = open_table(directory.path("state"), kTable);
    most = 0;
    for (size_t i = 0; i < count; ++i) {
      REQUIRE(keyspace->get(Family::kMeta, name_of(i)).value().size() == size + 300);
      look();
    }
    CHECK(most < bound);
  }
}

TEST_CASE("table keyspace: a record that is large for the table is not kept for a read [F55]") {
  constexpr uint64_t kTable = 8 << 20;
  TempDirectory directory;
  uint64_t index = 0;
  auto keyspace = open_table(directory.path("state"), kTable);
  keyspace->put(Family::kMeta, "large", std::string(kTable / 16, 'v'));
  keyspace->put(Family::kMeta, "small", std::string(kTable / 1024, 'v'));
  commit(*keyspace, index);
  keyspace->flush();
  keyspace.reset();
  keyspace = open_table(directory.path("state"), kTable);
  const uint64_t before = keyspace->usage().cache_bytes;
  REQUIRE(keyspace->get(Family::kMeta, "large").has_value());
  CHECK(keyspace->usage().cache_bytes == before);
  REQUIRE(keyspace->get(Family::kMeta, "small").has_value());
  const Keyspace::Usage after = keyspace->usage();
  CHECK(after.cache_bytes > before + kTable / 1024);
  // Slots that were never touched take no memory.
  CHECK(after.mapped_bytes != 0);
  CHECK(after.mapped_bytes < after.cache_bytes);
  CHECK(after.memory_bytes < after.block_cache_bytes + after.memtable_bytes + after.cache_bytes);
}

TEST_CASE(
    "table keyspace: more table files than the process may have open are no hindrance [F47]") {
  TempDirectory directory;
  const ChildEnd end = spawn_child("many-files", {directory.path("state")});
  INFO(end.errors);
  CHECK(end.exited);
  CHECK(end.status == 0);
}

TEST_CASE("table keyspace: a million resident records are erased in milliseconds [F58]") {
  constexpr size_t kRecords = 1'000'000;
  TempDirectory directory;
  uint64_t index = 0;
  KeyspaceOptions options = table_options(directory.path("state"), 1 << 30);
  auto opened = open_table_keyspace(options);
  Keyspace* keyspace = opened->get();
  for (size_t i = 0; i < kRecords; ++i) {
    keyspace->put(Family::kMeta, name_of(i), "value");
    if (i % 5000 == 4999) {
      commit(*keyspace, index);
    }
  }
  keyspace->put(Family::kMeta, "j", "before");
  keyspace->put(Family::kMeta, "l", "behind");
  commit(*keyspace, index);
  const uint64_t full = keyspace->usage().cache_bytes;
  const double began = cpu_ms();
  keyspace->erase_range(Family::kMeta, "k", "l");
  keyspace->put(Family::kMeta, name_of(1), "new");
  commit(*keyspace, index);
  const double took = cpu_ms() - began;
  CHECK(took < 20);  // of a processor; some hundred with a step a record
  FamilyModel model = {{"j", "before"}, {name_of(1), "new"}, {"l", "behind"}};
  check_forward(*keyspace, model, Family::kMeta, "", "");
  check_reverse(*keyspace, model, Family::kMeta, "", "");
  for (const size_t i : {size_t{0}, size_t{2}, kRecords / 2, kRecords - 1}) {
    CHECK(!keyspace->get(Family::kMeta, name_of(i)).has_value());
    CHECK(keyspace->get(Family::kMeta, name_of(1)) == "new");
  }
  // They are freed bit by bit, and count until then.
  CHECK(keyspace->usage().cache_bytes > full / 2);
  double longest = 0;
  for (bool more = true; more;) {
    const double piece = cpu_ms();
    more = keyspace->tidy();
    longest = std::max(longest, cpu_ms() - piece);
  }
  CHECK(longest < 20);
  keyspace->flush();
  while (keyspace->tidy()) {
  }
  CHECK(keyspace->usage().cache_bytes < full / 2);  // 64 MiB of slots
  check_forward(*keyspace, model, Family::kMeta, "", "");
  opened->reset();
  opened = open_table_keyspace(options);
  check_forward(**opened, model, Family::kMeta, "", "");
}

TEST_CASE("table keyspace: an erase costs no more after a hundred others of its epoch [F58]") {
  constexpr int kSets = 100;
  constexpr int kMembers = 300;  // more than what one erase frees at once
  constexpr size_t kRecords = 300'000;
  TempDirectory directory;
  uint64_t index = 0;
  KeyspaceOptions options = table_options(directory.path("state"), 1 << 30);
  auto opened = open_table_keyspace(options);
  Keyspace* keyspace = opened->get();
  const auto member = [](int set, int number) {
    return "e" + std::to_string(1000 + set) + "." + std::to_string(1000 + number);
  };
  for (int set = 0; set < kSets; ++set) {
    for (int number = 0; number < kMembers; ++number) {
      keyspace->put(Family::kMeta, member(set, number), "value");
    }
    commit(*keyspace, index);
  }
  for (size_t i = 0; i < kRecords; ++i) {
    keyspace->put(Family::kMeta, name_of(i), "value");
    if (i % 5000 == 4999) {
      commit(*keyspace, index);
    }
  }
  FamilyModel model;
  for (int set = 0; set < kSets; ++set) {
    const std::string name = "e" + std::to_string(1000 + set);
    keyspace->erase_range(Family::kMeta, name + ".", name + "/");
    if (set % 10 == 0) {  // one comes back
      model[member(set, 7)] = "new";
      keyspace->put(Family::kMeta, member(set, 7), "new");
    }
    commit(*keyspace, index);
  }
  const double began = cpu_ms();
  keyspace->erase_range(Family::kMeta, "k", "l");
  commit(*keyspace, index);
  CHECK(cpu_ms() - began < 20);
  keyspace->put(Family::kMeta, name_of(5), "new");
  model[name_of(5)] = "new";
  commit(*keyspace, index);
  check_forward(*keyspace, model, Family::kMeta, "", "");
  keyspace->flush();
  opened->reset();
  opened = open_table_keyspace(options);
  check_forward(**opened, model, Family::kMeta, "", "");
}

// Erased ranges of the active epoch, of a frozen one and of one that is in files, with writes into
// them before the records were freed.
TEST_CASE("table keyspace: what is written into an erased range is there, the rest is not [F58]") {
  constexpr size_t kRecords = 3000;
  for (const int flushed : {0, 1, 2}) {
    for (const bool tidied : {false, true}) {
      CAPTURE(flushed);
      CAPTURE(tidied);
      TempDirectory directory;
      uint64_t index = 0;
      auto keyspace = open_table(directory.path("state"), 64 << 20);
      FamilyModel model;
      for (int round = 0; round < 4; ++round) {
        for (size_t i = 0; i < kRecords; ++i) {
          model[name_of(i)] = std::to_string(round);
          keyspace->put(Family::kElement, name_of(i), model[name_of(i)]);
        }
        commit(*keyspace, index);
        if (flushed == 1) {
          keyspace->flush_async([](LogIndex) {});
        } else if (flushed == 2) {
          keyspace->flush();
        }
        keyspace->erase_range(Family::kElement, name_of(100), name_of(kRecords - 100));
        commit(*keyspace, index);
        model.erase(model.lower_bound(name_of(100)), model.lower_bound(name_of(kRecords - 100)));
        for (size_t i = 0; i < kRecords; i += 7) {  // erased ones, written ones, both
          keyspace->erase(Family::kElement, name_of(i));
          model.erase(name_of(i));
          if (i % 2 == 0) {
            model[name_of(i)] = std::string(static_cast<size_t>(round) * 100, 'w');
            keyspace->put(Family::kElement, name_of(i), model[name_of(i)]);
          }
          if (i % 70 == 0) {
            commit(*keyspace, index);
          }
        }
        commit(*keyspace, index);
        while (tidied && keyspace->tidy()) {
        }
        check_forward(*keyspace, model, Family::kElement, "", "");
        check_reverse(*keyspace, model, Family::kElement, "", "");
        for (size_t i = 0; i < kRecords; ++i) {
          auto found = keyspace->get(Family::kElement, name_of(i));
          REQUIRE(found.has_value() == model.contains(name_of(i)));
          REQUIRE((!found.has_value() || *found == model[name_of(i)]));
        }
      }
      keyspace->flush();
      keyspace.reset();
      keyspace = open_table(directory.path("state"), 64 << 20);
      check_forward(*keyspace, model, Family::kElement, "", "");
    }
  }
}

TEST_CASE("table keyspace: cursors do not wade through what was erased and is in files [F57]") {
  constexpr size_t kRecords = 300'000;
  TempDirectory directory;
  uint64_t index = 0;
  auto keyspace = open_table(directory.path("state"), 1 << 30);
  const auto all = [&](auto&& each) {
    for (size_t i = 0; i < kRecords; ++i) {
      each(name_of(i));
      if (i % 1000 == 999) {
        commit(*keyspace, index);
      }
    }
  };
  all([&](const std::string& name) { keyspace->put(Family::kSystem, name, ""); });
  keyspace->flush();
  all([&](const std::string& name) { keyspace->erase(Family::kSystem, name); });
  keyspace->put(Family::kSystem, "l", "");
  commit(*keyspace, index);
  keyspace->flush();
  const auto look = [&] {
    const uint64_t before = keyspace->usage().tombstones_passed;
    auto cursor = keyspace->cursor(Family::kSystem, "k", "");
    CHECK(cursor->valid());
    CHECK(cursor->key() == "l");
    return keyspace->usage().tombstones_passed - before;
  };
  SUBCASE("those that a cursor met are out of the next one's way") {
    const uint64_t first = look();
    CHECK(first <= kRecords);
    CHECK(look() <= kRecords - std::min<uint64_t>(first, 4096));
  }
  SUBCASE("writes and idle moments take them out bit by bit") {
    for (size_t i = 0; i < kRecords; ++i) {
      keyspace->put(Family::kMeta, "m" + std::to_string(i % 100), "v");
      if (i % 100 == 99) {
        commit(*keyspace, index);
      }
      if (i > kRecords / 3 && i % 1000 == 0) {
        keyspace->tidy();
      }
    }
    CHECK(look() == 0);
    auto back = keyspace->reverse_cursor(Family::kSystem, "", "l");
    REQUIRE(back->valid());  // the applied record
    CHECK(back->key() == applied_key());
  }
}

// As many as make each look at one of them a look at all of them, in a table that has no more
// slots.
TEST_CASE("table keyspace: keys that were chosen to meet in one chain do not meet [F63]") {
  constexpr size_t kKeys = 4000;
  constexpr uint64_t kLow = 8191;  // slots of the table, and of the overlay at this size
  std::vector<std::string> chosen;
  std::vector<std::string> others;
  for (uint64_t i = 0; chosen.size() < kKeys; ++i) {
    std::string key = "key:" + std::to_string(i);
    if ((checksum64(key) & kLow) == 77) {
      chosen.push_back(std::move(key));
    } else if (others.size() < kKeys) {
      others.push_back(std::move(key));
    }
  }
  const auto cost = [](const std::vector<std::string>& keys) {
    TempDirectory directory;
    uint64_t index = 0;
    auto keyspace = open_table(directory.path("state"), 1 << 20);
    const double began = cpu_ms();
    for (int round = 0; round < 3; ++round) {
      for (const std::string& key : keys) {
        keyspace->put(Family::kMeta, key, "v");
      }
      commit(*keyspace, index);
    }
    return cpu_ms() - began;
  };
  const double usual = cost(others);
  CHECK(cost(chosen) < 4 * usual + 5);
}

TEST_CASE("table keyspace: what can be seen does not depend on the seed of its hashes [F63]") {
  std::vector<FamilyModel> seen;
  std::vector<std::string> files;
  for (const uint64_t seed : {uint64_t{1}, uint64_t{0x9e3779b97f4a7c15}}) {
    TempDirectory directory;
    KeyspaceOptions options = table_options(directory.path("state"), 256 << 10);
    options.hash_seed = seed;
    auto opened = open_table_keyspace(options);
    Keyspace& keyspace = **opened;
    Prng random(11);
    uint64_t index = 0;
    FamilyModel reads;
    for (int i = 0; i < 20'000; ++i) {
      const std::string key = name_of(random.below(3000));
      if (random.chance(2, 3)) {
        keyspace.put(Family::kMeta, key, std::string(random.below(300), 'v'));
      } else if (random.chance(1, 2)) {
        keyspace.erase(Family::kMeta, key);
      } else if (random.chance(1, 50)) {
        keyspace.erase_range(Family::kMeta, key, name_of(random.below(3000)));
      } else {
        reads[key + "/" + std::to_string(i)] = keyspace.get(Family::kMeta, key).value_or("none");
      }
      if (i % 20 == 19) {
        commit(keyspace, index);
      }
    }
    keyspace.flush();
    std::string all;
    for (const Family family : {Family::kMeta, Family::kSystem}) {
      auto view = keyspace.view();
      for (auto cursor = view->cursor(family, "", ""); cursor->valid(); cursor->next()) {
        all.append(cursor->key()).append(cursor->value());
      }
    }
    seen.push_back(std::move(reads));
    files.push_back(std::move(all));
  }
  CHECK(seen[0] == seen[1]);
  CHECK(files[0] == files[1]);
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
