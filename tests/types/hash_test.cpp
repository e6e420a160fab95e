// Hashes against a model that knows the order in which fields came, on all keyspaces, in tiny and
// in real sizes, with undo, deadlines, renames, copies and new starts.
#include "resp/types/hash.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/types/hashed_audit.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;  // in the order in which they came
struct Model {
  std::map<std::string_view, Fields> hashes;  // without empty ones
  std::map<std::string_view, int64_t> deadlines;
  std::map<std::string_view, bool> converted;  // Redis would have
};

Fields::iterator place_of(Fields& fields, std::string_view field) {
  return std::find_if(fields.begin(), fields.end(),
                      [&](const auto& one) { return one.first == field; });
}

template <class On>
class HashRun {
 public:
  HashRun(uint64_t seed, const Shape& shape) : w_(shape), random_(seed) {}

  void run(int commands) {
    run_commands(
        w_, random_, model_, commands,
        [&] {
          pass_time();
          one();
        },
        [&] { audit(); });
    CHECK(packed_seen_);
    CHECK(spread_seen_);
  }

 private:
  void one() {
    const std::string_view name = any_name(random_);
    switch (random_.below(11)) {
      case 0:
      case 1:
      case 2:
        return set(name, 1 + random_.below(4));
      case 3:
        return set(name, random_.chance(1, 4) ? 400 : 12);
      case 4:
      case 5:
        return remove(name, random_.below(12));
      case 6:
        return remove(name, random_.chance(1, 3) ? 400 : 40);
      case 7:
        return clear(name);
      case 8:
        return rename(name, any_name(random_));
      case 9:
        return copy(name, any_name(random_));
      default:
        return expire(name);
    }
  }

  std::string field_of() { return "f" + std::to_string(random_.below(200)); }
  std::string value_of() {
    const uint64_t size = random_.chance(1, 60) ? 70 : random_.below(16);
    return std::string(size, static_cast<char>('a' + random_.below(26)));
  }

  void settle(std::string_view name) {
    if (model_.hashes[name].empty()) {
      forget(name);
    }
  }
  void forget(std::string_view name) {
    model_.hashes.erase(name);
    model_.deadlines.erase(name);
    model_.converted.erase(name);
  }

  void set(std::string_view name, uint64_t count) {
    Hash& hash = w_.template open<Hash>(name);
    Fields& fields = model_.hashes[name];
    for (uint64_t i = 0; i < count; ++i) {
      const std::string field = field_of();
      const std::string value = value_of();
      const auto at = place_of(fields, field);
      REQUIRE(hash.set(field, value) == (at == fields.end()));
      if (at == fields.end()) {
        fields.emplace_back(field, value);
      } else {
        at->second = value;
      }
      REQUIRE(hash.get(field) == value);
      model_.converted[name] = model_.converted[name] || value.size() > 64;
    }
    hash.save();
  }

  void remove(std::string_view name, uint64_t times) {
    Hash& hash = w_.template open<Hash>(name);
    Fields& fields = model_.hashes[name];
    for (; times > 0; --times) {
      const std::string field = field_of();
      const auto at = place_of(fields, field);
      REQUIRE(hash.remove(field) == (at != fields.end()));
      if (at != fields.end()) {
        fields.erase(at);
      }
      REQUIRE(!hash.contains(field));
    }
    hash.save();
    settle(name);
  }

  void clear(std::string_view name) {
    if (!random_.chance(1, 3)) {
      return set(name, 2);
    }
    Hash& hash = w_.template open<Hash>(name);
    hash.clear();
    REQUIRE(hash.empty());
    model_.hashes[name].clear();
    if (random_.chance(1, 2)) {
      hash.set("after", "clear");
      model_.hashes[name] = {{"after", "clear"}};
    }
    hash.save();
    settle(name);
  }

  void rename(std::string_view from_name, std::string_view to_name) {
    Key to = w_.find(to_name);
    Key from = w_.find(from_name);
    if (!from.live || from_name == to_name) {
      return;
    }
    w_.database().rename(from, to);
    move_model(from_name, to_name);
    forget(from_name);
  }

  void copy(std::string_view from_name, std::string_view to_name) {
    Key to = w_.find(to_name);
    Key from = w_.find(from_name);
    if (!from.live || from_name == to_name) {
      return;
    }
    w_.database().copy(from, to);
    move_model(from_name, to_name);
  }

  void move_model(std::string_view from, std::string_view to) {
    model_.hashes[to] = model_.hashes[from];
    model_.converted[to] = model_.converted[from];
    model_.deadlines.erase(to);
    if (model_.deadlines.contains(from)) {
      model_.deadlines[to] = model_.deadlines[from];
    }
  }

  void expire(std::string_view name) {
    Key key = w_.find(name);
    if (key.live) {
      key.meta.expire_at_ms = w_.now_ms + 40;
      w_.database().update(key);
      model_.deadlines[name] = key.meta.expire_at_ms;
    }
  }

  void pass_time() {
    w_.now_ms += 1;
    for (std::string_view name : kNames) {
      if (model_.deadlines.contains(name) && model_.deadlines[name] <= w_.now_ms) {
        forget(name);
      }
    }
  }

  void audit() {
    pass_time();
    w_.begin();
    uint64_t live = 0;
    uint64_t records = 0;
    for (std::string_view name : kNames) {
      const Hash& hash = w_.template read<Hash>(name);
      const Fields fields = model_.hashes.contains(name) ? model_.hashes[name] : Fields{};
      REQUIRE(hash.exists() == !fields.empty());
      REQUIRE(hash.size() == fields.size());
      if (hash.exists()) {
        ++live;
        records += look(name, hash, fields);
      } else if (w_.find(name).present) {  // its elements are there until its record goes
        w_.command(false, [&] {
          Key key = w_.find(name);
          w_.database().remove_expired(key);
        });
      }
    }
    REQUIRE(w_.records(rocks::Family::kElement) == records);
    REQUIRE(w_.records(rocks::Family::kMeta) == live);
    REQUIRE(w_.database().counts(w_.database().physical(0)).keys == live);
  }

  uint64_t look(std::string_view name, const Hash& hash, const Fields& fields) {
    (hash.spread() ? spread_seen_ : packed_seen_) = true;
    Fields found;
    hash.each([&](std::string_view field, std::string_view value) {
      found.emplace_back(field, value);
      return true;
    });
    if (hash.spread()) {  // in the order of (hash, bytes)
      auto by_hash = [](const auto& a, const auto& b) {
        return std::pair(rocks::field_hash(a.first), a.first) <
               std::pair(rocks::field_hash(b.first), b.first);
      };
      Fields expected = fields;
      std::sort(expected.begin(), expected.end(), by_hash);
      REQUIRE(found == expected);
    } else {
      REQUIRE(found == fields);
    }
    for (const auto& [field, value] : fields) {
      REQUIRE(hash.get(field) == value);
    }
    REQUIRE(hash.key().meta.converted == model_.converted[name]);
    draw(hash, fields);
    return audit_.look(w_, hash, found.size());
  }

  void draw(const Hash& hash, const Fields& fields) {
    const std::map<std::string, std::string> all(fields.begin(), fields.end());
    std::set<std::string> different;
    uint64_t drawn = 0;
    auto known = [&](std::string_view field, std::string_view value) {
      REQUIRE(all.at(std::string(field)) == value);
      different.emplace(field);
      ++drawn;
      return true;
    };
    hash.random(random_, known);
    REQUIRE(drawn == 1);
    different.clear();
    const uint64_t count = 1 + random_.below(hash.size());
    hash.random_different(count, random_, known);
    REQUIRE(different.size() == count);
    drawn = 0;
    hash.random_repeated(7, random_, known);
    REQUIRE(drawn == 7);
  }

  World<On> w_;
  Prng random_;
  Model model_;
  HashedAudit audit_;
  bool packed_seen_ = false;
  bool spread_seen_ = false;
};

TEST_SUITE_BEGIN("types/hash");

TEST_CASE_TEMPLATE(
    "hashes do what a map does, undone commands nothing", On, InMemory, OnRocks, OnTable) {
  INFO(On::kName);
  HashRun<On>(21, kTinyShape).run(rounds_on<On>(1500, 4));
  HashRun<On>(22, kShape).run(rounds_on<On>(1500, 4));
}

TEST_CASE("a hash is one record up to 2,048 bytes of entries, spread beyond, and never back") {
  World<InMemory> w;
  auto change = [&](auto body) {
    w.command(false, [&] {
      Hash& hash = w.open<Hash>("h");
      body(hash);
      hash.save();
    });
    w.end_turn();
    w.begin();
    return w.records(rocks::Family::kElement);
  };
  const std::string value(100, 'v');  // 2 bytes of head and name, 1 of its size
  CHECK(change([&](Hash& hash) {
          for (char name = 'a'; name < 'a' + 19; ++name) {
            hash.set(std::string(1, name), value);
          }
        }) == 0);
  CHECK(w.find("h").meta.value.size() == 19 * 103);
  CHECK(change([&](Hash& hash) { hash.set("z", std::string(2048 - 19 * 103 - 3, 'v')); }) == 0);
  CHECK(w.find("h").meta.value.size() == 2048);
  CHECK(change([&](Hash& hash) { hash.set("z", ""); }) == 0);
  CHECK(change([&](Hash& hash) { hash.set("z", std::string(2048 - 19 * 103 - 2, 'v')); }) == 20);
  CHECK(w.find("h").meta.value.empty());
  CHECK(w.find("h").meta.removed == 0);
  CHECK(change([&](Hash& hash) {
          for (char name = 'b'; name < 'a' + 19; ++name) {
            CHECK(hash.remove(std::string(1, name)));
          }
        }) == 2);
  CHECK(w.find("h").meta.spread);
  CHECK(w.find("h").meta.removed == w.find("h").meta.last_modified - w.find("h").meta.version);
  CHECK(change([&](Hash& hash) {
          hash.remove("a");
          hash.remove("z");
        }) == 0);
  CHECK(!w.find("h").present);
  CHECK(change([&](Hash& hash) { hash.set("a", "anew"); }) == 0);
  CHECK(!w.find("h").meta.spread);
}

// An HSET asks whether there are more than 512 fields.
TEST_CASE("a change of a hash looks at few of its fields, however many are due [F61]") {
  World<InMemory> w;
  for (int round = 0; round < 6; ++round) {
    w.now_ms += 1000;
    w.command(false, [&] {
      Hash& hash = w.open<Hash>("h");
      for (int i = 0; i < 400; ++i) {
        hash.set(std::to_string(1000 * round + i), "v", w.now_ms + 500);
      }
      hash.save();
    });
  }
  w.now_ms += 1000;
  w.command(false, [&] {
    Hash& hash = w.open<Hash>("h");
    const uint64_t before = w.database().steps().taken();
    CHECK(hash.set("one", "v"));
    CHECK(w.database().steps().taken() - before < 20);
    hash.save();
    CHECK(hash.size() == 1);
    CHECK(hash.has_more_than(0));
    CHECK_FALSE(hash.has_more_than(1));
  });
  CHECK_FALSE(w.find("h").meta.converted);
  w.command(false, [&] {
    Hash& hash = w.open<Hash>("h");
    for (int i = 0; i < 512; ++i) {
      hash.set("more" + std::to_string(i), "v");
    }
    hash.save();
  });
  CHECK(w.find("h").meta.converted);
}

TEST_CASE("a value of any size makes its hash a spread one at once") {
  World<InMemory> w;
  const std::string big(1 << 20, 'b');
  w.command(false, [&] {
    Hash& hash = w.open<Hash>("h");
    CHECK(hash.set("big", big));
    CHECK(hash.spread());
    CHECK(!hash.set("big", "small"));
    CHECK(hash.get("big") == "small");
    hash.save();
  });
  w.reopen();
  w.begin();
  CHECK(w.read<Hash>("h").get("big") == "small");
  CHECK(w.find("h").meta.converted);
}

// The counter of a change is drawn when it begins, and two keys may change in turns.
TEST_CASE("what changes together is stamped alike and never later than its collection [F17]") {
  World<InMemory> w(Shape{.packed_bytes = 4});
  HashedAudit audit;
  for (int round = 0; round < 3; ++round) {
    w.command(false, [&] {
      Hash& a = w.open<Hash>("a");
      Hash& b = w.open<Hash>("b");
      a.set("one", "1");
      b.set("one", "1");
      a.set("two" + std::to_string(round), "2");
      b.remove("two");
      b.save();
      a.save();
    });
    w.begin();
    CHECK(audit.look(w, w.read<Hash>("a"), w.read<Hash>("a").size()) ==
          static_cast<uint64_t>(round) + 2);
    CHECK(audit.look(w, w.read<Hash>("b"), 1) == 1);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
