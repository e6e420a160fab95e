// Deadlines of keys and of the fields of hashes against a model: what is due is absent whether it
// was reclaimed or not, and the indexes fit the keys whatever came before.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "resp/types/reclaim.hpp"
#include "tests/types/deadline_audit.hpp"
#include "tests/types/hashed_audit.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

struct Field {
  std::string name;
  std::string value;
  int64_t deadline_ms = 0;
  bool operator==(const Field&) const = default;
};
struct Value {
  std::vector<Field> fields;  // in the order in which they came
  int64_t deadline_ms = 0;
};
using Model = std::map<std::string_view, Value>;

bool by_hash(const Field& a, const Field& b) {
  return std::pair(rocks::field_hash(a.name), a.name) <
         std::pair(rocks::field_hash(b.name), b.name);
}

template <class On>
class DeadlinesRun {
 public:
  DeadlinesRun(uint64_t seed, const Shape& shape) : w_(shape), random_(seed) {}

  void run(int commands) {
    run_commands(
        w_, random_, model_, commands,
        [&] {
          pass_time(random_.below(4));
          one();
        },
        [&] { audit(); });
    CHECK(packed_seen_);
    CHECK(spread_seen_);
    CHECK(due_seen_);
    CHECK(lag_seen_);
    CHECK(reclaimed_ > 20);
  }

 private:
  void one() {
    const std::string_view name = any_name(random_);
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2:
        return set(name, random_.chance(1, 30) ? 60 : 1 + random_.below(4));
      case 3:
      case 4:
      case 5:
      case 6:
        return give_deadline(name);
      case 7:
        return persist(name);
      case 8:
        return remove(name, random_.below(20));
      case 9:
        return rename(name, any_name(random_));
      case 10:
        return copy(name, any_name(random_));
      case 11:
        return expire(name);
      case 12:
        return random_.chance(1, 8) ? flush() : remove_key(name);
      default:
        return reclaim_some();
    }
  }

  std::string field_of() { return "f" + std::to_string(random_.below(80)); }
  int64_t later() { return w_.now_ms + 1 + static_cast<int64_t>(random_.below(60)); }

  static std::vector<Field>::iterator place_of(std::vector<Field>& fields, std::string_view name) {
    return std::find_if(fields.begin(), fields.end(),
                        [&](const Field& field) { return field.name == name; });
  }

  void settle(std::string_view name) {
    if (model_[name].fields.empty()) {
      model_.erase(name);
    }
  }

  void set(std::string_view name, uint64_t count) {
    Hash& hash = w_.template open<Hash>(name);
    std::vector<Field>& fields = model_[name].fields;
    for (; count > 0; --count) {
      Field field{field_of(), std::string(random_.below(12), 'v'), 0};
      const bool keep = random_.chance(1, 4);
      field.deadline_ms = !keep && random_.chance(1, 4) ? later() : 0;
      const auto at = place_of(fields, field.name);
      const bool fresh = keep ? hash.set_keeping_deadline(field.name, field.value)
                              : hash.set(field.name, field.value, field.deadline_ms);
      REQUIRE(fresh == (at == fields.end()));
      if (fresh) {
        fields.push_back(field);
      } else {
        field.deadline_ms = keep ? at->deadline_ms : field.deadline_ms;
        *at = field;
      }
    }
    hash.save();
  }

  void give_deadline(std::string_view name) {
    Hash& hash = w_.template open<Hash>(name);
    for (Field& field : model_[name].fields) {
      if (random_.chance(1, 5)) {
        field.deadline_ms = later();
        hash.set_deadline(field.name, field.deadline_ms);
        REQUIRE(hash.deadline(field.name) == field.deadline_ms);
      }
    }
    hash.save();
    settle(name);
  }

  void persist(std::string_view name) {
    Hash& hash = w_.template open<Hash>(name);
    const bool all = random_.chance(1, 3);
    for (Field& field : model_[name].fields) {
      if (all || random_.chance(1, 2)) {
        field.deadline_ms = 0;
        hash.set_deadline(field.name, 0);
      }
    }
    hash.save();
    if (Key key = w_.find(name); all && key.live) {
      model_[name].deadline_ms = key.meta.expire_at_ms = 0;
      w_.database().update(key);
    }
    settle(name);
  }

  void remove(std::string_view name, uint64_t times) {
    Hash& hash = w_.template open<Hash>(name);
    std::vector<Field>& fields = model_[name].fields;
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

  void rename(std::string_view from_name, std::string_view to_name) {
    Key to = w_.find(to_name);
    Key from = w_.find(from_name);
    if (from.live && from_name != to_name) {
      w_.database().rename(from, to);
      model_[to_name] = model_[from_name];
      model_.erase(from_name);
    }
  }

  void copy(std::string_view from_name, std::string_view to_name) {
    Key to = w_.find(to_name);
    Key from = w_.find(from_name);
    if (from.live && from_name != to_name) {
      w_.database().copy(from, to);
      model_[to_name] = model_[from_name];
    }
  }

  void expire(std::string_view name) {
    Key key = w_.find(name);
    if (key.live) {
      model_[name].deadline_ms = key.meta.expire_at_ms = later();
      w_.database().update(key);
    }
  }

  void remove_key(std::string_view name) {
    Key key = w_.find(name);
    if (key.live) {
      w_.database().remove(key);
    } else if (key.present) {
      w_.database().remove_expired(key);
    }
    model_.erase(name);
  }

  void flush() {
    w_.database().flush(0);
    model_.clear();
  }

  void reclaim_some() {
    const Reclaimed done = reclaim(w_.database(), w_.now_ms, 1 + random_.below(6));
    reclaimed_ += done.keys + done.fields + done.moved;
  }

  void pass_time(uint64_t ms) {
    w_.now_ms += static_cast<int64_t>(ms);
    for (auto it = model_.begin(); it != model_.end();) {
      std::erase_if(it->second.fields, [&](const Field& field) {
        return field.deadline_ms != 0 && field.deadline_ms <= w_.now_ms;
      });
      const bool over = it->second.fields.empty() ||
                        (it->second.deadline_ms != 0 && it->second.deadline_ms <= w_.now_ms);
      it = over ? model_.erase(it) : std::next(it);
    }
  }

  void audit() {
    w_.begin();
    pass_time(0);
    DeadlineAudit(w_.keyspace()).look(w_.database());
    for (std::string_view name : kNames) {
      const Hash& hash = w_.template read<Hash>(name);
      REQUIRE(hash.exists() == model_.contains(name));
      if (!hash.exists()) {
        due_seen_ = due_seen_ || w_.find(name).present;
        continue;
      }
      const Value& value = model_[name];
      REQUIRE(hash.key().meta.expire_at_ms == value.deadline_ms);
      lag_seen_ = lag_seen_ || hash.key().meta.indexed_at_ms < earliest(value);
      look(hash, value.fields);
    }
  }

  static int64_t earliest(const Value& value) {
    int64_t first = value.deadline_ms;
    for (const Field& field : value.fields) {
      if (field.deadline_ms != 0 && (first == 0 || field.deadline_ms < first)) {
        first = field.deadline_ms;
      }
    }
    return first;
  }

  void look(const Hash& hash, std::vector<Field> fields) {
    (hash.spread() ? spread_seen_ : packed_seen_) = true;
    REQUIRE(hash.size() == fields.size());
    std::vector<Field> found;
    hash.each_with_deadline(
        [&](std::string_view field, std::string_view value, int64_t deadline_ms) {
          found.push_back({std::string(field), std::string(value), deadline_ms});
          return true;
        });
    if (hash.spread()) {
      std::sort(fields.begin(), fields.end(), by_hash);
      scan(hash, fields);
    }
    REQUIRE(found == fields);
    for (const Field& field : fields) {
      REQUIRE(hash.get(field.name) == field.value);
      REQUIRE(hash.deadline(field.name) == field.deadline_ms);
    }
    draw(hash, fields);
  }

  void scan(const Hash& hash, const std::vector<Field>& fields) {
    std::vector<Field> found;
    hash.each_from(0, [&](std::string_view field, std::string_view value, uint64_t, bool live) {
      if (live) {
        found.push_back({std::string(field), std::string(value), *hash.deadline(field)});
      }
      due_seen_ = due_seen_ || !live;
      return true;
    });
    REQUIRE(found == fields);
  }

  void draw(const Hash& hash, const std::vector<Field>& fields) {
    std::set<std::string> names;
    for (const Field& field : fields) {
      names.insert(field.name);
    }
    std::set<std::string> different;
    uint64_t drawn = 0;
    auto known = [&](std::string_view field, std::string_view) {
      REQUIRE(names.contains(std::string(field)));
      different.emplace(field);
      ++drawn;
      return true;
    };
    hash.random(random_, known);
    hash.random_repeated(5, random_, known);
    REQUIRE(drawn == 6);
    different.clear();
    const uint64_t count = 1 + random_.below(hash.size());
    hash.random_different(count, random_, known);
    REQUIRE(different.size() == count);
  }

  World<On> w_;
  Prng random_;
  Model model_;
  uint64_t reclaimed_ = 0;
  bool packed_seen_ = false;
  bool spread_seen_ = false;
  bool due_seen_ = false;
  bool lag_seen_ = false;
};

TEST_SUITE_BEGIN("types/deadlines");

TEST_CASE_TEMPLATE("what is due is absent, reclaimed or not, and the indexes fit the keys [M5][M6]",
                   On,
                   InMemory,
                   OnRocks,
                   OnTable) {
  INFO(On::kName);
  DeadlinesRun<On>(51, kTinyShape).run(2500);
  DeadlinesRun<On>(52, Shape{.packed_bytes = 400}).run(2500);
}

// ---------------------------------------------------------------- one by one

struct Bench {
  World<InMemory> w{kTinyShape};

  void set(std::string_view name, int64_t deadline_ms) {
    w.command(false, [&] {
      Key key = w.find(name);
      String::assign(w.database(), key, "v", deadline_ms);
    });
  }
  void set_field(std::string_view name, std::string_view field, int64_t deadline_ms) {
    w.command(false, [&] {
      Hash& hash = w.open<Hash>(name);
      hash.set(field, "a value of some length", deadline_ms);
      hash.save();
    });
  }
  Reclaimed reclaim_at(int64_t now_ms, uint64_t most = kReclaimMost) {
    w.now_ms = now_ms;
    Reclaimed done;
    w.command(false, [&] { done = reclaim(w.database(), now_ms, most); });
    w.begin();
    DeadlineAudit(w.keyspace()).look(w.database());
    return done;
  }
  int64_t indexed_at(std::string_view name) {
    w.begin();
    return w.find(name).meta.indexed_at_ms;
  }
  uint64_t index_records() {
    uint64_t count = 0;
    for (auto at = w.keyspace().cursor(rocks::Family::kSystem, "X", "Y"); at->valid(); at->next()) {
      ++count;
    }
    return count;
  }
};

TEST_CASE("a later deadline moves nothing in the index, an earlier one does, none leaves it") {
  Bench b;
  b.set("k", 5000);
  CHECK(b.indexed_at("k") == 5000);
  b.set("k", 9000);
  CHECK(b.indexed_at("k") == 5000);
  b.set("k", 4000);
  CHECK(b.indexed_at("k") == 4000);
  b.set_field("h", "a", 3000);
  b.set_field("h", "b", 2000);
  CHECK(b.indexed_at("h") == 2000);
  b.set_field("h", "b", 0);
  CHECK(b.indexed_at("h") == 2000);
  b.set_field("h", "a", 0);
  CHECK(b.indexed_at("h") == 0);
  b.set("k", 0);
  CHECK(b.index_records() == 0);
}

TEST_CASE("reclaim moves a key that it finds too early to the deadline that it has") {
  Bench b;
  b.set("k", 5000);
  b.set("k", 9000);
  Reclaimed done = b.reclaim_at(6000);
  CHECK(done.keys == 0);
  CHECK(done.moved == 1);
  CHECK(b.indexed_at("k") == 9000);
  CHECK(b.reclaim_at(8999).moved == 0);
  CHECK(b.reclaim_at(9000).keys == 1);
  CHECK(b.index_records() == 0);
}

TEST_CASE("an entry takes no more than it says, and the next one goes on where it ended [F57]") {
  Bench b;
  for (int i = 0; i < 20; ++i) {
    b.set("k" + std::to_string(i), 5000);  // all at once
  }
  for (int i = 0; i < 30; ++i) {
    b.set_field("h", "f" + std::to_string(i), 6000 + i);
  }
  b.set_field("h", "stays", 0);
  CHECK(b.reclaim_at(7000, 15).keys == 15);
  Reclaimed done = b.reclaim_at(7000, 15);
  CHECK(done.keys == 5);
  CHECK(done.fields == 10);
  CHECK(done.moved == 0);  // not finished: it stays where it is
  done = b.reclaim_at(7000, 15);
  CHECK(done.fields == 15);
  done = b.reclaim_at(7000, 15);
  CHECK(done.fields == 5);
  CHECK(b.index_records() == 0);
  b.w.begin();
  CHECK(b.w.read<Hash>("h").size() == 1);
  CHECK(b.reclaim_at(7000, 1'000'000).keys == 0);
  for (int i = 0; i < 1100; ++i) {
    b.set("m" + std::to_string(i), 8000);
  }
  CHECK(b.reclaim_at(8000, 1'000'000).keys == kReclaimMost);
  CHECK(b.reclaim_at(8000, 1'000'000).keys == 100);
}

TEST_CASE("a hash whose last fields are due is missing, and goes as a whole") {
  Bench b;
  for (const int fields : {1, 30}) {
    for (int i = 0; i < fields; ++i) {
      b.set_field("h", "f" + std::to_string(i), 5000 + i);
    }
    b.w.now_ms = 5029;
    b.w.begin();
    CHECK(!b.w.find("h").live);
    CHECK(b.w.find("h").present);
    CHECK(b.reclaim_at(5029).keys == 1);
    CHECK(b.w.records(rocks::Family::kNode) == 0);
    CHECK(b.w.records(rocks::Family::kElement) == 0);
    CHECK(b.index_records() == 0);
    b.w.now_ms = 1000;
  }
}

TEST_CASE("who takes the last field that is not due takes the hash along") {
  Bench b;
  for (int i = 0; i < 5; ++i) {
    b.set_field("h", "due" + std::to_string(i), 5000);
  }
  b.set_field("h", "last", 9000);
  b.w.now_ms = 5000;
  b.w.command(false, [&] {
    Hash& hash = b.w.open<Hash>("h");
    CHECK(hash.size() == 1);
    CHECK(!hash.remove("due1"));
    CHECK(hash.remove("last"));
    CHECK(hash.empty());
    hash.save();
  });
  b.w.begin();
  CHECK(!b.w.find("h").present);
  CHECK(b.w.records(rocks::Family::kNode) == 0);
  CHECK(b.w.records(rocks::Family::kElement) == 0);
  DeadlineAudit(b.w.keyspace()).look(b.w.database());
}

TEST_CASE("FLUSHDB takes the index and its floor along, and an undone one leaves them") {
  Bench b;
  b.set("gone", 2000);
  b.set("k", 5000);
  CHECK(b.reclaim_at(3000).keys == 1);
  const auto floor = [&] { return b.w.database().expiry_index().floor(rocks::DatabaseId{0}); };
  CHECK(floor().deadline_ms == 3001);
  b.w.command(true, [&] { b.w.database().flush(0); });
  CHECK(floor().deadline_ms == 3001);
  CHECK(b.index_records() == 1);
  b.w.command(false, [&] { b.w.database().flush(0); });
  CHECK(b.index_records() == 0);
  uint64_t floors = 0;
  for (auto at = b.w.keyspace().cursor(rocks::Family::kSystem, "E", "F"); at->valid(); at->next()) {
    ++floors;
  }
  CHECK(floors == 0);
  CHECK_FALSE(due_since(b.w.database(), 1'000'000));
}

TEST_CASE("a floor is kept in the state, and comes down for what was due before it was set") {
  Bench b;
  b.set("gone", 2000);
  b.set("k", 5000);
  b.reclaim_at(3000);
  b.w.reopen();
  CHECK(b.w.database().expiry_index().floor(rocks::DatabaseId{0}) == ExpiryPlace{3001, ""});
  b.set("early", 2500);  // by whoever does not ask for the time
  CHECK(b.w.database().expiry_index().floor(rocks::DatabaseId{0}) == ExpiryPlace{2500, "early"});
  CHECK(due_since(b.w.database(), 3000) == 2500);
  CHECK(b.reclaim_at(3000).keys == 1);
}

TEST_CASE("the database that is furthest behind comes first") {
  World<InMemory> w;
  const auto set = [&](uint32_t number, std::string_view name, int64_t deadline_ms) {
    w.command(false, [&] {
      Key key = w.database().find(w.database().physical(number), name, w.now_ms);
      String::assign(w.database(), key, "v", deadline_ms);
    });
  };
  for (int i = 0; i < 10; ++i) {
    set(0, "a" + std::to_string(i), 2000 + i);
    set(7, "b" + std::to_string(i), 2000 + i);
  }
  const auto keys = [&](uint32_t number) {
    return w.database().counts(w.database().physical(number)).keys;
  };
  w.now_ms = 3000;
  for (int round = 0; round < 5; ++round) {
    w.command(false, [&] { CHECK(reclaim(w.database(), 3000, 4).keys == 4); });
  }
  CHECK(keys(0) + keys(7) == 0);
  for (int i = 0; i < 10; ++i) {
    set(0, "a" + std::to_string(i), 4000);
    set(7, "b" + std::to_string(i), 4000 + i);
  }
  w.now_ms = 5000;
  for (int round = 0; round < 2; ++round) {
    w.command(false, [&] { reclaim(w.database(), 5000, 4); });
  }
  CHECK(keys(0) == 6);  // each had its turn
  CHECK(keys(7) == 6);
  DeadlineAudit(w.keyspace()).look(w.database());
}

// Long strings of keys that stay are written again when their place moves: a few at a time.
TEST_CASE("an entry rewrites a bounded number of bytes, and one record of any size [F61]") {
  World<InMemory> w;
  const std::string big(3 << 20, 'b');
  for (const char* name : {"a", "b", "c"}) {
    for (const int64_t deadline_ms : {2000, 9000}) {
      w.command(false, [&] {
        Key key = w.find(name);
        String::assign(w.database(), key, big, deadline_ms);
      });
      w.end_turn();
    }
  }
  w.now_ms = 3000;
  for (int round = 0; round < 3; ++round) {
    w.command(false, [&] { CHECK(reclaim(w.database(), 3000, 100).moved == 1); });
    w.end_turn();
  }
  w.command(false, [&] { CHECK(reclaim(w.database(), 3000, 100).moved == 0); });
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
