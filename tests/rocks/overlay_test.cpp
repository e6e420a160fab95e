#include "rocks/overlay.hpp"

#include <map>

#include <doctest/doctest.h>

#include "config/base/checksum.hpp"
#include "config/base/prng.hpp"
#include "rocks/record_cache.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

TEST_CASE("range set: adjacent and nested ranges become one, and undo splits them again") {
  RangeSet ranges;
  ranges.add("c", "e");
  ranges.add("m", "p");
  ranges.add("e", "g");
  CHECK(ranges.merged().size() == 2);
  CHECK(ranges.contains("c"));
  CHECK(ranges.contains("f"));
  CHECK(!ranges.contains("g"));
  CHECK(!ranges.contains("b"));
  ranges.add("d", "");
  CHECK(ranges.merged().size() == 1);
  CHECK(ranges.contains("zzz"));
  ranges.truncate(2);
  CHECK(ranges.merged().size() == 2);
  CHECK(!ranges.contains("e"));
  CHECK(!ranges.contains("zzz"));
  ranges.clear();
  CHECK(ranges.empty());
}

TEST_CASE("range set: random ranges cover exactly what a set of points says") {
  Prng random(21);
  for (int round = 0; round < 200; ++round) {
    RangeSet ranges;
    std::map<char, bool> covered;
    for (int i = 0; i < 8; ++i) {
      char from = static_cast<char>('a' + random.below(26));
      char to = static_cast<char>('a' + random.below(26));
      if (from >= to) {
        continue;
      }
      ranges.add(std::string(1, from), std::string(1, to));
      for (char c = from; c < to; ++c) {
        covered[c] = true;
      }
      for (char c = 'a'; c <= 'z'; ++c) {
        REQUIRE(ranges.contains(std::string(1, c)) == covered[c]);
      }
    }
  }
}

TEST_CASE("overlay: a big turn leaves little behind [F47]") {
  Arena arena;
  Overlay overlay(arena);
  auto fill = [&](size_t records) {
    for (size_t i = 0; i < records; ++i) {
      const std::string key = "key:" + std::to_string(i);
      overlay.put(checksum64(key), key, "v");
    }
    for (size_t i = 0; i < records; i += 7) {
      overlay.erase_range("key:" + std::to_string(i), "key:" + std::to_string(i) + "x");
    }
  };
  fill(200'000);
  CHECK(overlay.capacity_bytes() > 10 << 20);
  overlay.clear();
  CHECK(overlay.capacity_bytes() <= 3 << 20);
  CHECK(overlay.empty());
  for (const size_t records :
       {size_t{6000}, size_t{3}, size_t{50}, size_t{1}, size_t{2000}, size_t{9}}) {
    fill(records);  // the slots of the turn before must not show
    CHECK(overlay.nodes().size() == records);
    CHECK(overlay.find(checksum64("key:0"), "key:0") != nullptr);
    overlay.clear();
    arena.reset();
    CHECK(overlay.find(checksum64("key:0"), "key:0") == nullptr);
  }
}

TEST_CASE("overlay: a value may be overwritten by itself") {
  Arena arena;
  Overlay overlay(arena);
  uint64_t hash = checksum64("k");
  overlay.put(hash, "k", "a value of some length");
  overlay.put(hash, "k", overlay.find(hash, "k")->value().substr(2, 5));
  CHECK(overlay.find(hash, "k")->value() == "value");
  overlay.mark();
  overlay.put(hash, "k", overlay.find(hash, "k")->value());
  CHECK(overlay.find(hash, "k")->value() == "value");
}

TEST_CASE("overlay: keys of one hash stay apart, also while the table grows") {
  Arena arena;
  Overlay overlay(arena);
  for (int i = 0; i < 3000; ++i) {
    overlay.put(static_cast<uint64_t>(i % 7), "key" + std::to_string(i), std::to_string(i));
  }
  for (int i = 0; i < 3000; ++i) {
    const Overlay::Node* node =
        overlay.find(static_cast<uint64_t>(i % 7), "key" + std::to_string(i));
    REQUIRE(node != nullptr);
    REQUIRE(node->value() == std::to_string(i));
  }
  CHECK(overlay.find(0, "other") == nullptr);
  overlay.clear();
  CHECK(overlay.empty());
  CHECK(overlay.find(0, "key0") == nullptr);
}

TEST_CASE("overlay: a turn like the one before takes no new memory") {
  Arena arena;
  Overlay overlay(arena);
  size_t used = 0;
  for (int turn = 0; turn < 3; ++turn) {
    for (int i = 0; i < 500; ++i) {
      std::string key = "key" + std::to_string(i);
      overlay.mark();
      overlay.put(checksum64(key), key, "value");
      overlay.put(checksum64(key), key, "other");  // in place
    }
    CHECK((turn == 0 || arena.used_bytes() == used));
    used = arena.used_bytes();
    overlay.clear();
    arena.reset();
  }
  CHECK(used < 500 * 16);
}

TEST_CASE("record cache: answers are right or unknown, whatever was evicted") {
  Prng random(31);
  for (uint64_t bytes : {0, 3000, 40000}) {
    RecordCache cache(bytes);
    std::map<std::string, std::pair<bool, std::string>> model;
    for (int i = 0; i < 20000; ++i) {
      std::string key = "k" + std::to_string(random.below(200));
      uint64_t hash = checksum64(key) & 0xff;  // many collisions
      RecordCache::Hit hit;
      uint64_t pick = random.below(10);
      if (pick < 4) {
        std::string value(random.chance(1, 20) ? 1000 + random.below(60) : random.below(60), 'v');
        bool present = random.chance(3, 4);
        cache.store(Family::kMeta, hash, key, {present, value});
        model[key] = {present, present ? value : ""};
      } else if (pick < 5) {
        cache.update(Family::kMeta, hash, key, {true, "updated"});
        model[key] = {true, "updated"};
      } else if (pick < 6 && random.chance(1, 50)) {
        RangeSet ranges;
        ranges.add("k1", "k2");
        cache.forget(Family::kMeta, ranges);
        RecordCache::Hit gone;
        REQUIRE(!cache.find(Family::kMeta, checksum64("k15") & 0xff, "k15", gone));
      } else if (cache.find(Family::kMeta, hash, key, hit)) {
        REQUIRE(bytes != 0);
        REQUIRE(model.contains(key));
        REQUIRE(hit.present == model[key].first);
        REQUIRE(hit.value == model[key].second);
      }
      REQUIRE(!cache.find(Family::kSystem, hash, key, hit));
      REQUIRE(cache.used_bytes() <= bytes + 2048);
    }
    CHECK((bytes < 40000 || cache.entries() > 50));
  }
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
