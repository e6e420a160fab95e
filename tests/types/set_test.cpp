// Sets against std::set, on all keyspaces, in tiny and in real sizes, with undo, deadlines and new
// starts.
#include "resp/types/set.hpp"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "config/base/decimal.hpp"
#include "resp/types/set_algebra.hpp"
#include "tests/types/hashed_audit.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

using Members = Set::Members;
struct Model {
  std::map<std::string_view, Members> sets;  // without empty ones
  std::map<std::string_view, int64_t> deadlines;
  std::map<std::string_view, bool> converted;  // Redis would have no intset any more
};

bool is_integer(std::string_view text) { return parse_decimal(text).has_value(); }

template <class On>
class SetRun {
 public:
  // Members are as long as it takes to outgrow the key's record.
  SetRun(uint64_t seed, const Shape& shape)
      : w_(shape), random_(seed), padding_(shape.packed_bytes / 32) {}

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
  // A key's members are integers, most of the time.
  std::string member_of(std::string_view name) {
    const bool integer = name != kNames[0] && !random_.chance(1, 300);
    const std::string number = std::to_string(random_.below(150));
    return integer ? (random_.chance(1, 2) ? "-" : "") + std::to_string(1 + random_.below(150))
                   : "member" + number + " of any bytes" + std::string(padding_, '.');
  }
  void one() {
    const std::string_view name = any_name(random_);
    switch (random_.below(9)) {
      case 0:
      case 1:
        return add(name, 1 + random_.below(4));
      case 2:
        return add(name, random_.chance(1, 8) ? 100 : 10);
      case 3:
      case 4:
        return remove(name);
      case 5:
        return pop(name);
      case 6:
        return move(name, any_name(random_));
      case 7:
        return combine_into(name);
      default:
        return expire_or_clear(name);
    }
  }

  void settle(std::string_view name) {
    if (model_.sets[name].empty()) {
      model_.sets.erase(name);
      model_.deadlines.erase(name);
      model_.converted.erase(name);
    }
  }

  void add(std::string_view name, uint64_t count) {
    Set& set = w_.template open<Set>(name);
    for (uint64_t i = 0; i < count; ++i) {
      const std::string member = member_of(name);
      REQUIRE(set.add(member) == model_.sets[name].insert(member).second);
      REQUIRE(set.contains(member));
      model_.converted[name] = model_.converted[name] || !is_integer(member);
    }
    set.save();
  }

  void remove(std::string_view name) {
    Set& set = w_.template open<Set>(name);
    for (uint64_t i = random_.below(20); i > 0; --i) {
      const std::string member = member_of(name);
      REQUIRE(set.remove(member) == (model_.sets[name].erase(member) == 1));
    }
    set.save();
    settle(name);
  }

  void pop(std::string_view name) {
    Set& set = w_.template open<Set>(name);
    Members& members = model_.sets[name];
    REQUIRE(set.size() == members.size());
    const uint64_t count = random_.chance(1, 6) ? set.size() : random_.below(set.size() + 1);
    const bool told = random_.chance(3, 4);
    Members popped;
    set.pop(count, random_,
            told ? MemberVisit([&](std::string_view member) {
              REQUIRE(popped.emplace(member).second);
              return true;
            })
                 : MemberVisit());
    set.save();
    if (!told) {
      set.each([&](std::string_view member) {
        popped.emplace(member);
        return true;
      });
      REQUIRE(popped.size() == members.size() - count);
      REQUIRE(std::includes(members.begin(), members.end(), popped.begin(), popped.end()));
      members = popped;
    } else {
      REQUIRE(popped.size() == count);
      for (const std::string& member : popped) {
        REQUIRE(members.erase(member) == 1);
      }
    }
    settle(name);
  }

  void move(std::string_view from_name, std::string_view to_name) {
    Set& from = w_.template open<Set>(from_name);
    Set& to = w_.template open<Set>(to_name);
    REQUIRE((&from == &to) == (from_name == to_name));
    const std::string member = member_of(from_name);
    if (from.remove(member)) {
      to.add(member);
      model_.sets[from_name].erase(member);
      model_.sets[to_name].insert(member);
      model_.converted[to_name] = model_.converted[to_name] || !is_integer(member);
    }
    from.save();
    to.save();
    settle(from_name);
    settle(to_name);
  }

  void combine_into(std::string_view name) {
    const auto how = static_cast<Algebra>(random_.below(3));
    std::vector<std::string_view> names;
    std::vector<const Set*> sets;
    for (uint64_t i = 0; i < 1 + random_.below(3); ++i) {
      names.push_back(any_name(random_));
      sets.push_back(&w_.template read<Set>(names.back()));
    }
    Members expected = model_.sets[names[0]];
    for (size_t i = 1; i < names.size(); ++i) {
      const Members& other = model_.sets[names[i]];
      if (how == Algebra::kUnion) {
        expected.insert(other.begin(), other.end());
      } else {
        std::erase_if(expected, [&](const std::string& member) {
          return other.contains(member) == (how == Algebra::kDifference);
        });
      }
    }
    const Members members = combine(w_.database(), how, sets);
    REQUIRE(members == expected);
    if (how == Algebra::kIntersection) {
      REQUIRE(count_common(sets, 0) == expected.size());
      REQUIRE(count_common(sets, 3) == std::min<uint64_t>(3, expected.size()));
    }
    Key key = w_.find(name);
    Set::replace(w_.database(), key, members);
    model_.sets[name] = expected;
    model_.deadlines.erase(name);
    model_.converted[name] =
        expected.size() > 512 || !std::all_of(expected.begin(), expected.end(), is_integer);
    for (std::string_view one : kNames) {
      settle(one);
    }
  }

  void expire_or_clear(std::string_view name) {
    if (random_.chance(1, 2)) {
      Set& set = w_.template open<Set>(name);
      set.clear();
      if (random_.chance(1, 2)) {
        set.add("after");
        model_.sets[name] = {"after"};
        model_.converted[name] = true;
      } else {
        model_.sets[name].clear();
      }
      set.save();
      settle(name);
      return;
    }
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
      if (model_.sets.contains(name) && model_.deadlines.contains(name) &&
          model_.deadlines[name] <= w_.now_ms) {
        model_.sets.erase(name);
        model_.deadlines.erase(name);
        model_.converted.erase(name);
      }
    }
  }

  void audit() {
    pass_time();
    w_.begin();
    uint64_t live = 0;
    uint64_t elements = 0;
    for (std::string_view name : kNames) {
      const Set& set = w_.template read<Set>(name);
      const Members& members = model_.sets.contains(name) ? model_.sets[name] : Members{};
      if (set.exists()) {
        elements += look(name, set, members);
      }
      REQUIRE(set.size() == members.size());
      REQUIRE(set.exists() == !members.empty());
      if (!members.empty()) {
        REQUIRE(members.contains(set.random(random_)));
      }
      live += set.exists() ? 1 : 0;
      if (w_.find(name).present && !set.exists()) {  // its elements are there until its record goes
        w_.command(false, [&] {
          Key key = w_.find(name);
          w_.database().remove_expired(key);
        });
      }
    }
    REQUIRE(w_.records(rocks::Family::kElement) == elements);
    REQUIRE(w_.records(rocks::Family::kMeta) == live);
    REQUIRE(w_.database().counts(w_.database().physical(0)).keys == live);
  }

  uint64_t look(std::string_view name, const Set& set, const Members& members) {
    (set.spread() ? spread_seen_ : packed_seen_) = true;
    std::vector<std::string> found;
    set.each([&](std::string_view member) { return found.emplace_back(member), true; });
    REQUIRE(Members(found.begin(), found.end()) == members);
    const bool converted = set.key().meta.converted;
    REQUIRE(converted == model_.converted[name]);
    if (set.spread()) {  // in the order of (hash, bytes)
      uint64_t walked = 0;
      set.each_from(0, [&](std::string_view member, uint64_t hash) {
        REQUIRE(member == found[walked]);
        REQUIRE(hash == rocks::field_hash(member));
        REQUIRE((walked == 0 || rocks::field_hash(found[walked - 1]) <= hash));
        return ++walked, true;
      });
      REQUIRE(walked == found.size());
    } else if (!converted) {
      REQUIRE(std::is_sorted(found.begin(), found.end(), [](const auto& a, const auto& b) {
        return *parse_decimal(a) < *parse_decimal(b);
      }));
    }
    return audit_.look(w_, set, found.size());
  }

  World<On> w_;
  Prng random_;
  Model model_;
  HashedAudit audit_;
  size_t padding_ = 0;
  bool packed_seen_ = false;
  bool spread_seen_ = false;
};

TEST_SUITE_BEGIN("types/set");

TEST_CASE_TEMPLATE(
    "sets do what std::set does, undone commands nothing", On, InMemory, OnRocks, OnTable) {
  INFO(On::kName);
  SetRun<On>(11, kTinyShape).run(rounds_on<On>(800, 3));
  SetRun<On>(12, kShape).run(rounds_on<On>(800, 3));
}

TEST_CASE("a set is in the order of its integers until Redis would give up the intset") {
  World<InMemory> w;
  auto members = [&](std::initializer_list<const char*> added) {
    w.command(false, [&] {
      Set& set = w.open<Set>("s");
      for (const char* member : added) {
        set.add(member);
      }
      set.save();
    });
    w.begin();
    std::string found;
    w.read<Set>("s").each([&](std::string_view member) {
      found.append(member).push_back(' ');
      return true;
    });
    return found;
  };
  CHECK(members({"7", "-3", "100"}) == "-3 7 100 ");
  CHECK(members({"20", "7"}) == "-3 7 20 100 ");
  CHECK(members({"01"}) == "-3 7 20 100 01 ");  // no integer
  CHECK(members({"8"}) == "-3 7 20 100 01 8 ");
}

TEST_CASE("what many random members take is spent before it is taken [F61]") {
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace, 20'000, Shape{.packed_bytes = 4});
  Handles handles(database);
  const auto open = [&]() -> Set& {
    return handles.open<Set>(database.find(database.physical(0), "k", 1));
  };
  Set& set = open();
  for (int i = 0; i < 4000; ++i) {
    set.add(std::to_string(i));
  }
  set.save();
  handles.begin();
  database.begin_entry();
  const Set& stored = open();
  Prng random(1);
  const auto no_one = [](std::string_view) { return true; };
  CHECK_THROWS_AS(stored.random_different(900, random, no_one), TooMuchForOneEntry);
  CHECK(random.next() == Prng(1).next());  // nothing was drawn, so nothing was there to hold it
  database.begin_entry();
  CHECK_THROWS_AS(database.effects().spend(UINT64_MAX, 8), TooMuchForOneEntry);
  database.effects().spend(185, 8);  // of 108 each
  CHECK_THROWS_AS(database.effects().spend(1, 8), TooMuchForOneEntry);
}

TEST_CASE("random members: as many as asked for, different ones or not, from the set") {
  World<InMemory> w;
  Prng random(5);
  w.command(false, [&] {
    Set& set = w.open<Set>("big");
    for (int i = 0; i < 2000; ++i) {
      set.add("m" + std::to_string(i));
    }
    set.save();
  });
  w.begin();
  const Set& set = w.read<Set>("big");
  for (uint64_t count : {1, 30, 499, 500, 1999, 2000}) {
    Members seen;
    set.random_different(count, random, [&](std::string_view member) {
      REQUIRE(set.size() == 2000);
      seen.emplace(member);
      return true;
    });
    CHECK(seen.size() == count);
  }
  for (uint64_t count : {3, 700}) {
    uint64_t drawn = 0;
    set.random_repeated(count, random, [&](std::string_view member) {
      REQUIRE(member.starts_with("m"));
      return ++drawn != 600;
    });
    CHECK(drawn == std::min<uint64_t>(count, 600));
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
