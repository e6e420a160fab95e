#include "rocks/overlay.hpp"

#include <ctime>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/checksum.hpp"
#include "config/base/prng.hpp"
#include "rocks/record_cache.hpp"
#include "rocks/turn_overlay.hpp"

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
  TurnOverlay turn(1);
  auto find = [&](std::string_view key) {
    return turn.of(Family::kMeta).find(turn.hash(key), key);
  };
  auto fill = [&](size_t records) {
    turn.mark();
    for (size_t i = 0; i < records; ++i) {
      turn.put(Family::kMeta, "key:" + std::to_string(i), "v");
    }
    for (size_t i = 0; i < records; i += 7) {
      const std::string key = "key:" + std::to_string(i);
      turn.erase_range(Family::kMeta, key, key + "x");
    }
    turn.keep();
  };
  fill(200'000);
  CHECK(turn.capacity_bytes() > 20 << 20);
  turn.clear();
  CHECK(turn.capacity_bytes() <= 4 << 20);
  CHECK(turn.of(Family::kMeta).empty());
  for (const size_t records :
       {size_t{6000}, size_t{3}, size_t{50}, size_t{1}, size_t{2000}, size_t{9}}) {
    fill(records);  // the slots of the turn before must not show
    CHECK(turn.of(Family::kMeta).nodes().size() == records);
    CHECK(find("key:0") != nullptr);
    turn.clear();
    CHECK(find("key:0") == nullptr);
  }
}

TEST_CASE("overlay: its order is that of the keys, however many came at once") {
  Prng random(31);
  for (int round = 0; round < 30; ++round) {
    TurnOverlay turn(1);
    Overlay& overlay = turn.of(Family::kMeta);
    std::map<std::string, bool> model;
    const std::string shared(random.below(12), 's');
    for (int step = 0; step < 12; ++step) {
      for (uint64_t left = random.below(random.chance(1, 2) ? 4 : 400); left > 0; --left) {
        std::string key = shared;
        for (uint64_t bytes = random.below(12); bytes > 0; --bytes) {
          key.push_back("\0a\xff"[random.below(3)]);
        }
        turn.put(Family::kMeta, key, "v");
        model[key] = true;
      }
      if (random.chance(1, 2)) {
        const std::string from = shared + std::string(1, "\0a\xff"[random.below(3)]);
        const std::string to = from + "a";
        turn.erase_range(Family::kMeta, from, to);
        for (auto it = model.lower_bound(from); it != model.lower_bound(to); ++it) {
          it->second = false;
        }
      }
      if (random.chance(1, 3)) {
        REQUIRE(overlay.order().size() == model.size());
        auto expected = model.begin();
        for (const auto& [key, node] : overlay.order()) {
          REQUIRE(key == expected->first);
          REQUIRE(overlay.nodes()[node].key() == key);
          REQUIRE((overlay.nodes()[node].state == Overlay::State::kPut) == expected->second);
          ++expected;
        }
      }
    }
  }
}

TEST_CASE("overlay: range erases of a turn of a million records cost no order of them [F58]") {
  const auto cpu_ms = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
  };
  constexpr size_t kRecords = 1'000'000;
  TurnOverlay turn(1);
  for (size_t i = 0; i < kRecords; ++i) {
    turn.put(Family::kElement, "a collection " + std::to_string(i * 0x9e3779b97f4a7c15), "");
  }
  const double began = cpu_ms();
  turn.erase_range(Family::kElement, "another", "another+");
  turn.erase_range(Family::kElement, "a collection 12345", "a collection 12346");
  CHECK(cpu_ms() - began < 200);  // a second with an order
  size_t erased = 0;
  for (const Overlay::Node& node : turn.of(Family::kElement).nodes()) {
    const bool covered = node.key().starts_with("a collection 12345");
    REQUIRE((node.state == Overlay::State::kErase) == covered);
    erased += covered ? 1 : 0;
  }
  CHECK(erased > 0);
}

TEST_CASE("overlay: a value may be overwritten by itself") {
  TurnOverlay turn(1);
  auto value = [&] { return turn.look(Family::kMeta, turn.hash("k"), "k").value.value(); };
  turn.put(Family::kMeta, "k", "a value of some length");
  turn.put(Family::kMeta, "k", value().substr(2, 5));
  CHECK(value() == "value");
  turn.mark();
  turn.put(Family::kMeta, "k", value());
  CHECK(value() == "value");
  turn.undo();
  CHECK(value() == "value");
}

TEST_CASE("overlay: a value in two parts is joined, also if it is what lies there already") {
  TurnOverlay turn(1);
  auto value = [&] { return turn.look(Family::kMeta, turn.hash("k"), "k").value.value(); };
  auto join = [&](std::string_view head, std::string_view tail) {
    return turn.put_joined(Family::kMeta, "k", head, tail);
  };
  CHECK(join("head ", "and a tail of some length") == "head and a tail of some length");
  CHECK(join("", value().substr(5)) == "and a tail of some length");
  CHECK(join("so ", value()) == "so and a tail of some length");  // moved within its room
  CHECK(join("once more, with a longer head: ", value().substr(3)) ==
        "once more, with a longer head: and a tail of some length");
  turn.mark();
  CHECK(join("head ", value().substr(31)) == "head and a tail of some length");
  turn.undo();
  CHECK(value() == "once more, with a longer head: and a tail of some length");
  CHECK(join("", "").empty());
}

// Against copies of a map: every mark keeps one.
TEST_CASE("turn overlay: nested undo and keep, at random, give what copies of the state give") {
  using Values = std::map<std::string, std::string>;
  Prng random(77);
  TurnOverlay turn(1);
  Values now;
  std::vector<Values> marked;
  for (int i = 0; i < 50'000; ++i) {
    const std::string key = "k" + std::to_string(random.below(12));
    const uint64_t pick = random.below(20);
    if (pick < 8) {
      const std::string value(random.below(40), static_cast<char>('a' + random.below(26)));
      turn.put(Family::kMeta, key, value);
      now[key] = value;
    } else if (pick < 10) {
      turn.erase(Family::kMeta, key);
      now.erase(key);
    } else if (pick < 11) {
      turn.erase_range(Family::kMeta, key, "k5");
      if (key < "k5") {
        now.erase(now.lower_bound(key), now.lower_bound("k5"));
      }
    } else if (pick < 14 && marked.size() < 6) {
      turn.mark();
      marked.push_back(now);
    } else if (pick < 18 && !marked.empty()) {
      if (random.chance(1, 2)) {
        turn.undo();
        now = marked.back();
      } else {
        turn.keep();
      }
      marked.pop_back();
    } else if (marked.empty() && random.chance(1, 50)) {
      turn.clear();
      now.clear();
    }
    const TurnOverlay::Look look = turn.look(Family::kMeta, turn.hash(key), key);
    REQUIRE(look.value.has_value() == now.contains(key));
    REQUIRE((!look.value.has_value() || *look.value == now[key]));
  }
}

TEST_CASE("overlay: what many commands write in turn takes room a few times, not each time [F61]") {
  TurnOverlay turn(1);
  constexpr size_t kSize = 2000;
  for (size_t i = 0; i < 10'000; ++i) {
    turn.mark();
    turn.put(Family::kMeta, "same", std::string(kSize - i % 50, 'v'));
    turn.put(Family::kMeta, "grows", std::string(i * kSize / 10'000, 'g'));
    if (i % 3 == 0) {
      turn.undo();
    } else {
      turn.keep();
    }
  }
  CHECK(turn.bytes() < 20 * kSize);
  CHECK(turn.look(Family::kMeta, turn.hash("grows"), "grows").value->size() ==
        9'998 * kSize / 10'000);
}

TEST_CASE("overlay: marks inside of one take no more room, and it takes all of them back [F61]") {
  TurnOverlay turn(1);
  constexpr size_t kSize = 2000;
  turn.put(Family::kMeta, "same", "before");
  turn.mark();
  for (size_t i = 0; i < 10'000; ++i) {
    turn.mark();
    turn.put(Family::kMeta, "same", std::string(kSize - i % 50, 'v'));
    turn.put(Family::kMeta, "fresh", std::string(kSize - i % 70, 'f'));
    if (i % 3 == 0) {
      turn.undo();
    } else {
      turn.keep();
    }
  }
  CHECK(turn.bytes() < 8 * kSize);
  CHECK(turn.capacity_bytes() < 1 << 20);
  turn.undo();
  CHECK(turn.look(Family::kMeta, turn.hash("same"), "same").value == "before");
  CHECK_FALSE(turn.look(Family::kMeta, turn.hash("fresh"), "fresh").known);
  turn.clear();
}

TEST_CASE("overlay: empty values take no room, and commands may write them again") {
  TurnOverlay turn(1);
  for (int i = 0; i < 10; ++i) {
    turn.mark();
    turn.put(Family::kSystem, "X", {});
    if (i % 4 == 3) {
      turn.undo();
    } else {
      turn.keep();
    }
    CHECK(turn.look(Family::kSystem, turn.hash("X"), "X").value == "");
  }
  CHECK(turn.bytes() == 1);
  turn.mark();
  turn.put(Family::kSystem, "X", "no longer empty");
  turn.keep();
  CHECK(turn.look(Family::kSystem, turn.hash("X"), "X").value == "no longer empty");
}

TEST_CASE("overlay: keys of one hash stay apart, also while the table grows") {
  Arena arena;
  UndoLog undo;
  Overlay overlay(arena, undo);
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
  TurnOverlay turn(1);
  size_t used = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 500; ++i) {
      const std::string key = "key" + std::to_string(i);
      turn.mark();
      turn.put(Family::kMeta, key, "value");
      turn.put(Family::kMeta, key, "other");  // in place
      turn.keep();
    }
    CHECK((round == 0 || turn.bytes() == used));
    used = turn.bytes();
    turn.clear();
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
