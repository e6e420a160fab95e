// HyperLogLogs against an array of registers, in both forms, and values that no command made. That
// the bytes are Redis' is what tests/resp/recorded/hyperloglog.txt shows.
#include "resp/types/hyperloglog.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

namespace hll = hyperloglog;

// Few registers again and again, with all counts.
hll::Place any_place(Prng& random, uint32_t registers) {
  return {static_cast<uint32_t>(random.below(registers)),
          static_cast<uint8_t>(1 + random.below(random.chance(1, 200) ? 51 : 9))};
}

hll::Registers registers_of(std::string_view value) {
  hll::Registers registers{};
  REQUIRE(hll::merge(value, registers));
  return registers;
}

TEST_SUITE_BEGIN("types/hyperloglog");

TEST_CASE("registers hold the largest count, whatever the form") {
  Prng random(3);
  for (const uint32_t span : {20u, 300u, 3000u, hll::kRegisters}) {
    std::string sparse = hll::empty_value();
    std::string dense = hll::empty_value();
    REQUIRE(hll::make_dense(dense));
    hll::Registers model{};
    bool was_dense = false;
    for (int i = 0; i < 3000; ++i) {
      const hll::Place place = any_place(random, span);
      const bool grows = model[place.index] < place.count;
      model[place.index] = std::max(model[place.index], place.count);
      const auto wanted = grows ? hll::Change::kChanged : hll::Change::kNone;
      hll::Hint hint;
      REQUIRE(hll::set_register(sparse, place, hint) == wanted);
      REQUIRE(hll::set_register(dense, place, hint) == wanted);
      const bool is_dense = hll::form_of(sparse) == hll::Form::kDense;
      REQUIRE((is_dense || !was_dense));
      REQUIRE((is_dense || sparse.size() <= hll::kSparseBytes));
      was_dense = is_dense;
      if (i % 100 == 0) {
        REQUIRE(registers_of(sparse) == model);
        REQUIRE(registers_of(dense) == model);
        REQUIRE(hll::cardinality(sparse) == hll::cardinality(model));
        REQUIRE(hll::cardinality(dense) == hll::cardinality(model));
      }
    }
    std::string made = sparse;
    REQUIRE(hll::make_dense(made));
    CHECK(made.substr(hll::kHeaderBytes) == dense.substr(hll::kHeaderBytes));
  }
}

TEST_CASE("a search that goes on where the last one was finds the same as one from the beginning") {
  Prng random(4);
  for (int round = 0; round < rounds(60); ++round) {
    std::string one = hll::empty_value();
    std::string other = one;
    for (int pass = 0; pass < 3; ++pass) {
      hll::Hint going_on;
      const auto counts = 1 + random.below(3);
      for (uint32_t at = 0; at < 1500; at += static_cast<uint32_t>(1 + random.below(4))) {
        const hll::Place place{at, static_cast<uint8_t>(1 + random.below(counts))};
        hll::Hint begin;
        REQUIRE(hll::set_register(one, place, going_on) == hll::set_register(other, place, begin));
        REQUIRE(one == other);
      }
    }
  }
}

TEST_CASE("a place in a dense value in chunks: as in the value at once, and cheap") {
  Prng random(5);
  World<InMemory> w;
  std::string model = hll::empty_value();
  REQUIRE(hll::make_dense(model));
  w.command(false, [&] {
    String& string = w.open<String>("h");
    string.replace(model, true);
    string.save();
  });
  CHECK(w.records(rocks::Family::kElement) == 2);
  for (int i = 0; i < 2000; ++i) {
    const hll::Place place =
        i == 0 ? hll::Place{hll::kRegisters - 1, 51} : any_place(random, hll::kRegisters);
    w.command(false, [&] {
      hll::Hint hint;
      const hll::Change wanted = hll::set_register(model, place, hint);
      if (wanted == hll::Change::kChanged) {
        hll::forget_cardinality(model);
      }
      String& string = w.open<String>("h");
      REQUIRE(hll::add_to_dense(string, place) == wanted);
      REQUIRE(string.changed() == (wanted == hll::Change::kChanged));
      string.save();
    });
    if (i % 100 == 0) {
      w.begin();
      std::string space;
      REQUIRE(w.read<String>("h").gather(space) == model);
    }
  }
}

TEST_CASE("the cardinality in the header counts until it is forgotten") {
  std::string value = hll::empty_value();
  CHECK(hll::known_cardinality(value) == 0);
  hll::forget_cardinality(value);
  CHECK(!hll::known_cardinality(value).has_value());
  CHECK(hll::cardinality(value) == 0);
}

hll::Fault load(World<InMemory>& w, std::string_view bytes, std::string& value) {
  w.command(false, [&] {
    Key key = w.find("h");
    String::assign(w.database(), key, bytes, 0);
  });
  return hll::load(StringChunks(w.database(), w.find("h")), value);
}

TEST_CASE("what any client may have set is refused or read within its bytes") {
  Prng random(6);
  World<InMemory> w;
  std::string value;
  CHECK(load(w, "", value) == hll::Fault::kNotOne);
  CHECK(load(w, "HYLL\x01", value) == hll::Fault::kNotOne);
  const std::string header = hll::empty_value().substr(0, hll::kHeaderBytes);
  CHECK(load(w, header + std::string(40'000, '\x80'), value) == hll::Fault::kCorrupt);
  CHECK(load(w, "HYLK" + std::string(40'000, '\x80'), value) == hll::Fault::kNotOne);
  std::set<hll::Change> seen;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = header;
    for (uint64_t size = random.below(400); size > 0; --size) {
      const uint64_t kind = random.below(4);
      bytes.push_back(static_cast<char>(kind == 0 ? 0x40 | random.below(64) : random.below(256)));
    }
    if (random.chance(1, 2)) {
      bytes.append("\x7f\xff");
    }
    REQUIRE(load(w, bytes, value) == hll::Fault::kNone);
    hll::Registers registers{};
    const bool whole = hll::merge(value, registers);
    REQUIRE(hll::cardinality(value).has_value() == whole);
    std::string dense = value;
    REQUIRE(hll::make_dense(dense) == whole);
    hll::describe_runs(value);
    for (int i = 0; i < 5; ++i) {
      hll::Hint hint;
      seen.insert(hll::set_register(value, any_place(random, hll::kRegisters), hint));
    }
  }
  CHECK(seen.size() == 3);
}

TEST_CASE("a run whose code is cut off is no run") {
  std::string value = hll::empty_value();
  value.pop_back();
  hll::Hint hint;
  CHECK(hll::set_register(value, {5, 3}, hint) == hll::Change::kCorrupt);
  CHECK(!hll::cardinality(value).has_value());
  CHECK(!hll::make_dense(value));
}

TEST_CASE("counts of known elements are within what the method promises") {
  CHECK(hll::self_test().empty());
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
