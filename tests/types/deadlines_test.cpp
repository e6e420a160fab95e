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
  DeadlinesRun<On>(51, kTinyShape).run(rounds_on<On>(2500));
  DeadlinesRun<On>(52, Shape{.packed_bytes = 400}).run(rounds_on<On>(2500));
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
