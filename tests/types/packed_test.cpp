// Entries in the key's record, and values of element records: golden bytes, edits in place.
#include "resp/types/packed.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "resp/types/element_value.hpp"

namespace kiwi::resp::types_test {
namespace {

constexpr int64_t kDeadline = 0x0102030405060708;

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (char byte : bytes) {
    out.push_back(kDigits[static_cast<uint8_t>(byte) >> 4]);
    out.push_back(kDigits[static_cast<uint8_t>(byte) & 15]);
  }
  return out;
}

TEST_SUITE_BEGIN("types/packed");

TEST_CASE("packed: golden bytes of entries") {
  std::string hash;
  packing::append(hash, HashedKind::kHash, {.name = "f", .value = "val"});
  CHECK(hex(hash) == "02660376616c");
  packing::append(hash, HashedKind::kHash, {.name = "g", .deadline_ms = kDeadline});
  CHECK(hex(hash) ==
        "02660376616c"
        "0367080706050403020100");
  std::string set;
  packing::append(set, HashedKind::kSet, {.name = "ab"});
  packing::append(set, HashedKind::kSet, {.name = ""});
  CHECK(hex(set) == "02616200");
  std::string long_name;
  packing::append(long_name, HashedKind::kHash, {.name = std::string(64, 'n'), .value = "v"});
  CHECK(hex(long_name).starts_with("80016e6e"));
  CHECK(hex(long_name).ends_with("6e0176"));
}

TEST_CASE("packed: golden bytes of element records") {
  std::string record = "left over";
  encode_member(record, 300);
  CHECK(hex(record) == "ac02");
  CHECK(decode_member(record) == uint64_t{300});
  CHECK(!decode_member(record + "x"));
  CHECK(!decode_member(""));
  encode_scored(record, {.score = -0.0, .stamp = 300});
  CHECK(hex(record) == "0000000000000080ac02");
  CHECK(std::signbit(decode_scored(record)->score));
  CHECK(decode_scored(record)->stamp == 300);
  encode_scored(record, {.score = 1.5, .stamp = 1});
  CHECK(hex(record) == "000000000000f83f01");
  CHECK(!decode_scored(record + "x"));
  CHECK(!decode_scored("short"));
  CHECK(!decode_scored(std::string("\x01\0\0\0\0\0\xf8\x7f\x01", 9)));  // no number
  encode_field(record, {.stamp = 300, .value = "val"});
  CHECK(hex(record) == "00ac0276616c");
  CHECK(decode_field(record)->value == "val");
  CHECK(decode_field(record)->stamp == 300);
  encode_field(record, {.deadline_ms = kDeadline, .stamp = 1, .value = ""});
  CHECK(hex(record) == "01080706050403020101");
  CHECK(decode_field(record)->deadline_ms == kDeadline);
  CHECK(decode_field(record)->value.empty());
  record[0] = 2;
  CHECK(!decode_field(record));
  CHECK(!decode_field(""));
}

struct Entry {
  std::string name;
  int64_t deadline_ms = 0;
  std::string value;
  bool operator==(const Entry&) const = default;
};

std::vector<Entry> entries_of(HashedKind kind, const std::string& bytes) {
  std::vector<Entry> found;
  PackedEntry entry;
  size_t end = 0;
  for (PackedEntries entries(kind, bytes); entries.next(entry);) {
    REQUIRE(entry.begin == end);
    REQUIRE(entry.end - entry.begin == packing::entry_bytes(kind, entry));
    end = entry.end;
    found.push_back({std::string(entry.name), entry.deadline_ms, std::string(entry.value)});
  }
  REQUIRE(end == bytes.size());
  return found;
}

TEST_CASE("packed: entries are found, replaced and taken out where they stand") {
  for (const HashedKind kind : {HashedKind::kHash, HashedKind::kSet}) {
    Prng random(kind == HashedKind::kHash ? 3 : 4);
    std::string bytes;
    std::vector<Entry> model;
    for (int i = 0; i < 5000; ++i) {
      Entry entry;
      entry.name = "n" + std::to_string(random.below(30)) + std::string(random.below(3) * 60, 'x');
      if (kind == HashedKind::kHash) {
        entry.deadline_ms = random.chance(1, 3) ? 1 + static_cast<int64_t>(random.below(99)) : 0;
        entry.value = std::string(random.chance(1, 9) ? 200 : random.below(9), 'v');
      }
      const auto at = std::find_if(model.begin(), model.end(),
                                   [&](const Entry& one) { return one.name == entry.name; });
      const PackedEntry fresh{
          .name = entry.name, .deadline_ms = entry.deadline_ms, .value = entry.value};
      PackedEntry old;
      REQUIRE(packing::find(kind, bytes, entry.name, old) == (at != model.end()));
      if (at == model.end()) {
        packing::append(bytes, kind, fresh);
        model.push_back(entry);
      } else if (random.chance(1, 2)) {
        REQUIRE(old.value == at->value);
        packing::replace(bytes, old.begin, old.end, kind, fresh);
        *at = entry;
      } else {
        bytes.erase(old.begin, old.end - old.begin);
        model.erase(at);
      }
      REQUIRE(entries_of(kind, bytes) == model);
    }
  }
}

TEST_CASE("packed: integers find their place, in the order of numbers and not of text") {
  std::string bytes;
  for (const char* number : {"7", "-3", "100", "0", "20", "-30", "9223372036854775807"}) {
    const size_t place = packing::place_of_integer(bytes, std::stoll(number));
    packing::replace(bytes, place, place, HashedKind::kSet, {.name = number});
  }
  std::string names;
  for (const Entry& entry : entries_of(HashedKind::kSet, bytes)) {
    names += entry.name + " ";
  }
  CHECK(names == "-30 -3 0 7 20 100 9223372036854775807 ");
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
