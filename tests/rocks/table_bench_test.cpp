// What the table costs, in processor time: not run by default.
//   build/tests/rocks/rocks_tests --no-skip -tc='bench table*'
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/checksum.hpp"
#include "config/base/prng.hpp"
#include "rocks/keys.hpp"
#include "rocks/table/state_table.hpp"
#include "tests/rocks/keyspace_suite.hpp"
#include "tests/rocks/support.hpp"
#include "tests/rocks/table_fixture.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Prints nanoseconds of each of `count` steps.
template <class Work>
double measure(const char* what, size_t count, Work&& work) {
  const double began = cpu_seconds();
  work();
  const double ns = (cpu_seconds() - began) * 1e9 / static_cast<double>(count);
  std::printf("%-58s %9.1f ns\n", what, ns);
  std::fflush(stdout);
  return ns;
}

std::string meta_name(uint64_t number) {
  std::string key;
  keys::meta(key, DatabaseId{0}, "key:" + std::to_string(number));
  return key;
}

// A table without files: epochs count as flushed as soon as they are full.
class Bare {
 public:
  explicit Bare(uint64_t bytes) : table(bytes) {}
  void put(std::string_view key, std::string_view value) {
    table.put(checksum64(key), Family::kMeta, key, value);
    if (table.dirty_records() >= 400'000) {
      flush();
    }
  }
  void flush() {
    table.freeze(LogIndex{++index});
    table.flushed(table.active_epoch() - 1);
  }
  StateTable table;
  uint64_t index = 0;
};

}  // namespace

TEST_CASE("bench table: SET and GET of resident keys" * doctest::skip()) {
  constexpr size_t kKeys = 100'000;
  constexpr size_t kRounds = 20;
  TempDirectory directory;
  const auto keyspace = open_table(directory.path("state"), 256 << 20);
  std::vector<std::string> names;
  for (size_t i = 0; i < kKeys; ++i) {
    names.push_back(meta_name(i));
  }
  Prng random(1);
  const std::string value(64, 'v');
  uint64_t index = 0;
  auto sets = [&] {
    for (size_t i = 0; i < kKeys; ++i) {
      keyspace->mark();  // as the executor does for each command
      keyspace->put(Family::kMeta, names[random.below(kKeys)], value);
      keyspace->keep();
      if (i % 64 == 63) {
        put_applied(*keyspace, ++index);
        keyspace->commit(LogIndex{index});
      }
    }
  };
  auto gets = [&] {
    for (size_t i = 0; i < kKeys; ++i) {
      REQUIRE(keyspace->get(Family::kMeta, names[random.below(kKeys)]).has_value());
    }
  };
  for (const std::string& name : names) {
    keyspace->put(Family::kMeta, name, value);
  }
  put_applied(*keyspace, ++index);
  keyspace->commit(LogIndex{index});
  double set_ns = 1e9;
  double get_ns = 1e9;
  for (size_t i = 0; i < kRounds; ++i) {
    double began = cpu_seconds();
    sets();
    set_ns = std::min(set_ns, (cpu_seconds() - began) * 1e9 / kKeys);
    began = cpu_seconds();
    gets();
    get_ns = std::min(get_ns, (cpu_seconds() - began) * 1e9 / kKeys);
  }
  std::printf("put and commit, 100,000 keys, best of %zu: %.1f ns\n", kRounds, set_ns);
  std::printf("get, 100,000 keys, best of %zu: %.1f ns\n", kRounds, get_ns);
}

TEST_CASE("bench table: new records, cursors and range erases, by size" * doctest::skip()) {
  for (const size_t records : {size_t{100'000}, size_t{1'000'000}, size_t{10'000'000}}) {
    std::printf("---- %zu records\n", records);
    auto bare = std::make_unique<Bare>(uint64_t{8} << 30);
    Prng random(3);
    std::vector<std::string> names;
    names.reserve(200'000);
    auto fill = [&](size_t count) {
      names.clear();
      for (size_t i = 0; i < count; ++i) {
        names.push_back(meta_name(random.below(uint64_t{1} << 48)));
      }
    };
    const std::string value(16, 'v');
    for (size_t done = 0; done < records; done += 100'000) {
      fill(100'000);
      for (const std::string& name : names) {
        bare->put(name, value);
      }
    }
    fill(100'000);
    measure("put of a new record", names.size(), [&] {
      for (const std::string& name : names) {
        bare->put(name, value);
      }
    });
    const TableIndex& index = bare->table.index(Family::kMeta);
    measure("lower_bound of a random key", names.size(), [&] {
      for (const std::string& name : names) {
        REQUIRE(index.lower_bound(name) != index.end());
      }
    });
    size_t seen = 0;
    measure("step of a cursor", records, [&] {
      for (auto place = index.begin(); place != index.end(); place = index.next(place)) {
        seen += index.at(place)->present ? 1 : 0;
      }
    });
    CHECK(seen > records);
    measure("erase_range of everything (whole)", 1,
            [&] { bare->table.erase_range(Family::kMeta, "", ""); });
  }
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
