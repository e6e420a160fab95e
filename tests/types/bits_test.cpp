// Bits of strings against a vector of them; integers of any size anywhere against arithmetic bit by
// bit; BITOP over strings in both forms.
#include "resp/types/bits.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

using Bits = std::vector<bool>;

Bits bits_of(std::string_view bytes) {
  Bits out;
  for (const char c : bytes) {
    for (int bit = 7; bit >= 0; --bit) {
      out.push_back((static_cast<uint8_t>(c) >> bit & 1) != 0);
    }
  }
  return out;
}

std::string bytes_of(const Bits& bits) {
  std::string out(bits.size() / 8, '\0');
  for (size_t i = 0; i < bits.size(); ++i) {
    if (bits[i]) {
      out[i / 8] = static_cast<char>(out[i / 8] | 0x80 >> (i % 8));
    }
  }
  return out;
}

// Runs of zeros and ones, so that whole words are alike.
std::string random_bytes(Prng& random, size_t size) {
  std::string out;
  while (out.size() < size) {
    const char c = static_cast<char>(random.chance(1, 3)   ? random.below(256)
                                     : random.chance(1, 2) ? 0xff
                                                           : 0);
    out.append(std::min<size_t>(random.below(12) + 1, size - out.size()), c);
  }
  return out;
}

std::string value_of(World<InMemory>& w, std::string_view name) {
  std::string space;
  return std::string(w.read<String>(name).gather(space));
}

void assign(World<InMemory>& w, std::string_view name, std::string_view bytes) {
  Key key = w.find(name);
  String::assign(w.database(), key, bytes, 0);
}

constexpr Shape kTinyChunks{.chunk_bytes = 16};

TEST_SUITE_BEGIN("types/bits");

TEST_CASE("counting and finding look at exactly the bits of the range, in both forms") {
  Prng random(5);
  World<InMemory> w(kTinyChunks);
  for (int round = 0; round < 300; ++round) {
    const std::string bytes = random_bytes(random, random.below(120) + 1);
    const Bits model = bits_of(bytes);
    w.command(false, [&] { assign(w, "k", bytes); });
    w.begin();
    const String& string = w.read<String>("k");
    REQUIRE(string.spread() == (bytes.size() > 16));
    for (int i = 0; i < 20; ++i) {
      const uint64_t first = random.below(model.size());
      const uint64_t last = first + random.below(model.size() - first);
      const auto begin = model.begin() + static_cast<ptrdiff_t>(first);
      const auto end = model.begin() + static_cast<ptrdiff_t>(last) + 1;
      REQUIRE(bits::count(string, {first, last}) ==
              static_cast<uint64_t>(std::count(begin, end, true)));
      for (const bool bit : {false, true}) {
        const auto found = std::find(begin, end, bit);
        const auto answer = bits::find(string, bit, {first, last});
        REQUIRE(answer.has_value() == (found != end));
        REQUIRE((!answer || *answer == static_cast<uint64_t>(found - model.begin())));
      }
    }
  }
}

TEST_CASE("chunks that are missing are zeros to count and find, and none is made") {
  World<InMemory> w(kTinyChunks);
  w.command(false, [&] {
    String& string = w.open<String>("k");
    bits::set(string, 8 * 5000 + 3, {false, 1}, 1);
    string.save();
  });
  const String& string = w.read<String>("k");
  CHECK(string.size() == 5001);
  CHECK(bits::count(string, {0, 5001 * 8 - 1}) == 1);
  CHECK(bits::find(string, true, {0, 5001 * 8 - 1}) == 8 * 5000 + 3);
  CHECK(bits::find(string, false, {77, 5001 * 8 - 1}) == 77);
  CHECK(!bits::find(string, true, {0, 8 * 5000 + 2}).has_value());
  CHECK(w.records(rocks::Family::kElement) == 1);
}

TEST_CASE_TEMPLATE("fields are where they were put, whatever lies around them",
                   On,
                   InMemory,
                   OnTable) {
  Prng random(6);
  World<On> w(kTinyChunks);
  Bits model;
  for (int round = 0; round < 600; ++round) {
    const bits::FieldType type{random.chance(1, 2), static_cast<uint32_t>(1 + random.below(63))};
    const uint64_t offset = random.below(700);
    const auto value = static_cast<int64_t>(random.next());
    const bool fails = random.chance(1, 4);
    const Bits before = model;
    w.command(fails, [&] {
      String& string = w.template open<String>("k");
      const uint64_t end = (offset + type.bits + 7) / 8;
      string.extend(end);
      model.resize(std::max<size_t>(model.size(), end * 8));
      bits::set(string, offset, type, value);
      uint64_t wanted = 0;
      for (uint32_t i = 0; i < type.bits; ++i) {
        const bool on = (static_cast<uint64_t>(value) >> (type.bits - 1 - i) & 1) != 0;
        model[offset + i] = on;
        wanted = wanted << 1 | (on ? 1 : 0);
      }
      if (type.is_signed && model[offset] && type.bits < 64) {
        wanted |= ~uint64_t{0} << type.bits;
      }
      REQUIRE(bits::get(string, offset, type) == static_cast<int64_t>(wanted));
      string.save();
    });
    if (fails) {
      model = before;
    }
    w.perhaps_end_turn(random);
    w.begin();
    std::string space;
    REQUIRE(bits_of(w.template read<String>("k").gather(space)) == model);
  }
}

TEST_CASE("sums wrap, saturate or fail at the ends of a field") {
  using bits::Overflow;
  const bits::FieldType i8{true, 8};
  CHECK(bits::add(i8, Overflow::kWrap, 127, 1).value == -128);
  CHECK(bits::add(i8, Overflow::kSaturate, 127, 1).value == 127);
  CHECK(!bits::add(i8, Overflow::kFail, 127, 1).fits);
  CHECK(bits::add(i8, Overflow::kFail, 126, 1).fits);
  CHECK(bits::add(i8, Overflow::kWrap, -128, -1).value == 127);
  CHECK(bits::add(i8, Overflow::kSaturate, -128, -1).value == -128);
  const bits::FieldType i64{true, 64};
  CHECK(bits::add(i64, Overflow::kWrap, INT64_MAX, 1).value == INT64_MIN);
  CHECK(bits::add(i64, Overflow::kSaturate, INT64_MIN, -1).value == INT64_MIN);
  CHECK(bits::add(i64, Overflow::kFail, -1, INT64_MAX).value == INT64_MAX - 1);
  const bits::FieldType i1{true, 1};
  CHECK(bits::add(i1, Overflow::kSaturate, 0, 1).value == 0);
  CHECK(bits::add(i1, Overflow::kWrap, 0, 1).value == -1);
  const bits::FieldType u63{false, 63};
  CHECK(bits::add(u63, Overflow::kWrap, INT64_MAX, 1).value == 0);
  CHECK(bits::add(u63, Overflow::kSaturate, 5, -6).value == 0);
  const bits::FieldType u8{false, 8};
  CHECK(bits::add(u8, Overflow::kWrap, 255, 2).value == 1);
  CHECK(bits::add(u8, Overflow::kWrap, 0, -1).value == 255);
  CHECK(bits::add(u8, Overflow::kSaturate, 250, 10).value == 255);
}

std::string combined(bits::Operation operation, const std::vector<std::string>& sources) {
  size_t size = 0;
  for (const std::string& source : sources) {
    size = std::max(size, source.size());
  }
  std::string out;
  for (size_t i = 0; i < size; ++i) {
    auto at = [&](const std::string& s) { return static_cast<uint8_t>(i < s.size() ? s[i] : 0); };
    uint8_t sum = at(sources[0]);
    for (size_t k = 1; k < sources.size(); ++k) {
      const uint8_t next = at(sources[k]);
      sum = static_cast<uint8_t>(operation == bits::Operation::kAnd  ? sum & next
                                 : operation == bits::Operation::kOr ? sum | next
                                                                     : sum ^ next);
    }
    out.push_back(static_cast<char>(operation == bits::Operation::kNot ? ~sum : sum));
  }
  return out;
}

TEST_CASE("combinations of strings of any lengths, into one of them too") {
  using bits::Operation;
  Prng random(7);
  World<InMemory> w(kTinyChunks);
  for (int round = 0; round < 400; ++round) {
    const auto operation = static_cast<Operation>(random.below(4));
    std::vector<std::string> sources(operation == Operation::kNot ? 1 : 1 + random.below(3));
    std::vector<std::string> names;
    for (std::string& source : sources) {
      source = random_bytes(random, random.chance(1, 2) ? random.below(17) : random.below(100));
      names.push_back("s" + std::to_string(names.size()));
    }
    const std::string target = random.chance(1, 2) ? names[0] : "t";
    const std::string wanted = combined(operation, sources);
    const bool fails = random.chance(1, 4);
    w.command(false, [&] {
      for (size_t i = 0; i < names.size(); ++i) {
        assign(w, names[i], sources[i]);
      }
      assign(w, target == "t" ? "t" : "other", "before");
    });
    w.command(fails, [&] {
      bits::Combination combination(w.database(), operation);
      for (const std::string& name : names) {
        combination.add(w.find(name));
      }
      REQUIRE(combination.size() == wanted.size());
      Key key = w.find(target);
      if (!wanted.empty()) {
        combination.store(key);
      }
    });
    w.begin();
    if (!fails && !wanted.empty()) {
      REQUIRE(value_of(w, target) == wanted);
      REQUIRE(bytes_of(bits_of(wanted)) == wanted);
    } else {
      REQUIRE(value_of(w, target) == (target == "t" ? "before" : sources[0]));
    }
  }
}

TEST_CASE("what is missing in all sources is missing in the combination") {
  World<InMemory> w(kTinyChunks);
  auto bit_at = [&](std::string_view name, uint64_t bit) {
    String& string = w.open<String>(name);
    bits::set(string, bit, {false, 1}, 1);
    string.save();
  };
  auto combine = [&](bits::Operation operation) {
    bits::Combination combination(w.database(), operation);
    combination.add(w.find("a"));
    combination.add(w.find("b"));
    Key key = w.find("t");
    combination.store(key);
  };
  w.command(false, [&] {
    bit_at("a", 8 * 1000);
    bit_at("b", 8 * 2000);
  });
  w.command(false, [&] { combine(bits::Operation::kOr); });
  CHECK(w.records(rocks::Family::kElement) == 4);
  CHECK(bits::count(w.read<String>("t"), {0, 8 * 2001 - 1}) == 2);
  w.command(false, [&] { combine(bits::Operation::kAnd); });
  CHECK(w.records(rocks::Family::kElement) == 2);
  CHECK(bits::count(w.read<String>("t"), {0, 8 * 2001 - 1}) == 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
