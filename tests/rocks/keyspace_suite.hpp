// What every Keyspace adaptor must do, as functions over a fixture:
//
//   struct Fixture {
//     rocks::Keyspace& keyspace();
//     void crash();    // the process dies: what is in memory only is gone; then opens again
//     void compact();  // whatever the adaptor rearranges in the background, now
//     std::string path(const std::string& name) const;  // on the keyspace's file system
//   };
//
// The adaptor's own test file calls run_keyspace_suite<Fixture>() in its test cases. The model is a
// std::map per family.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::rocks::test {

using FamilyModel = std::map<std::string, std::string, std::less<>>;
using Model = std::array<FamilyModel, kFamilies>;

inline FamilyModel& of(Model& model, Family family) { return model[static_cast<size_t>(family)]; }

inline std::string applied_key() {
  std::string key;
  keys::applied_record(key);
  return key;
}

inline void put_applied(Keyspace& keyspace, uint64_t index, Model* model = nullptr) {
  std::string bytes;
  AppliedRecord record;
  record.index = LogIndex{index};
  encode(bytes, record);
  keyspace.put(Family::kSystem, applied_key(), bytes);
  if (model != nullptr) {
    of(*model, Family::kSystem)[applied_key()] = bytes;
  }
}

// The applied index that a reader's view claims.
inline uint64_t applied_of(Reader& reader) {
  std::optional<std::string_view> bytes = reader.get(Family::kSystem, applied_key());
  return bytes.has_value() ? decode_applied(*bytes).value().index.value : 0;
}

inline FamilyModel::const_iterator end_of(const FamilyModel& model, std::string_view to) {
  return to.empty() ? model.end() : model.lower_bound(to);
}

inline void check_forward(Reader& reader,
                          const FamilyModel& model,
                          Family family,
                          std::string_view from,
                          std::string_view to) {
  std::unique_ptr<Cursor> cursor = reader.cursor(family, from, to);
  if (to.empty() || from < to) {
    auto end = end_of(model, to);
    for (auto it = model.lower_bound(from); it != end; ++it, cursor->next()) {
      REQUIRE(cursor->valid());
      REQUIRE(cursor->key() == it->first);
      REQUIRE(cursor->value() == it->second);
    }
  }
  REQUIRE(!cursor->valid());
}

inline void check_reverse(Reader& reader,
                          const FamilyModel& model,
                          Family family,
                          std::string_view from,
                          std::string_view to) {
  std::unique_ptr<ReverseCursor> cursor = reader.reverse_cursor(family, from, to);
  if (to.empty() || from < to) {
    auto begin = model.lower_bound(from);
    for (auto it = end_of(model, to); it != begin; cursor->next()) {
      --it;
      REQUIRE(cursor->valid());
      REQUIRE(cursor->key() == it->first);
      REQUIRE(cursor->value() == it->second);
    }
  }
  REQUIRE(!cursor->valid());
}

inline void check_seek(Reader& reader,
                       const FamilyModel& model,
                       Family family,
                       std::string_view from,
                       std::string_view to,
                       std::string_view at) {
  if (!to.empty() && to <= from) {
    return;
  }
  std::unique_ptr<Cursor> cursor = reader.cursor(family, from, to);
  cursor->seek(at);
  auto it = model.lower_bound(std::max(from, at));
  bool exists = it != model.end() && (to.empty() || it->first < to);
  REQUIRE(cursor->valid() == exists);
  if (exists) {
    REQUIRE(cursor->key() == it->first);
    REQUIRE(cursor->value() == it->second);
  }
}

inline void check_all(Reader& reader, const Model& model) {
  for (int i = 0; i < kFamilies; ++i) {
    Family family = static_cast<Family>(i);
    check_forward(reader, model[static_cast<size_t>(i)], family, "", "");
    check_reverse(reader, model[static_cast<size_t>(i)], family, "", "");
    for (const auto& [key, value] : model[static_cast<size_t>(i)]) {
      std::optional<std::string_view> found = reader.get(family, key);
      REQUIRE(found.has_value());
      REQUIRE(*found == value);
    }
  }
}

// Random operations on a small set of keys that share prefixes, so that ranges, undo and the cache
// meet each other all the time.
template <class Fixture>
class RandomRun {
 public:
  RandomRun(Fixture& fixture, uint64_t seed) : fixture_(fixture), random_(seed) {
    history_[0] = {};
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
    }
    commit();
    check_all(keyspace(), now_);
    crash();
  }

 private:
  Keyspace& keyspace() { return fixture_.keyspace(); }
  Family family() { return static_cast<Family>(random_.below(kFamilies)); }

  std::string key() {
    static constexpr char kAlphabet[] = {'\0', 'a', 'b', 'c', '\xff'};
    std::string made = "k";  // above the applied record's 'A'
    for (uint64_t n = random_.below(5); n > 0; --n) {
      made.push_back(kAlphabet[random_.below(sizeof kAlphabet)]);
    }
    return made;
  }
  std::string bound() { return random_.chance(1, 6) ? "" : key(); }
  std::string value() {
    uint64_t kind = random_.below(20);
    size_t size = kind == 0   ? random_.below(40000)
                  : kind <= 2 ? 1000 + random_.below(50)  // around the cache's limit
                              : random_.below(30);
    return std::string(size, static_cast<char>('A' + random_.below(26)));
  }

  void step() {
    uint64_t pick = random_.below(100);
    Family where = family();
    FamilyModel& model = of(now_, where);
    if (pick < 36) {
      std::string at = key();
      std::string bytes = value();
      if (const size_t head = random_.below(bytes.size() + 1); random_.chance(1, 2)) {
        const auto parts = std::string_view(bytes);
        REQUIRE(keyspace().put_joined(where, asked_for(at), parts.substr(0, head),
                                      parts.substr(head)) == bytes);
      } else {
        keyspace().put(where, asked_for(at), bytes);
      }
      model[at] = bytes;
    } else if (pick < 50) {
      std::string at = key();
      keyspace().erase(where, asked_for(at));
      model.erase(at);
    } else if (pick < 54) {
      erase_range(where);
    } else if (pick < 70) {
      check_get(where);
    } else if (pick < 75) {
      check_forward(keyspace(), model, where, bound(), bound());
    } else if (pick < 79) {
      check_reverse(keyspace(), model, where, bound(), bound());
    } else if (pick < 82) {
      check_seek(keyspace(), model, where, bound(), bound(), key());
    } else if (pick < 88) {
      if (marked_.size() < 4) {
        keyspace().mark();
        marked_.push_back(now_);
      }
    } else if (pick < 92) {
      close_mark();
    } else if (pick < 96) {
      commit();
    } else {
      rare();
    }
  }

  void rare() {
    switch (random_.below(8)) {
      case 0:
        keyspace().flush();
        REQUIRE(keyspace().flushed_index().value == applied_);
        break;
      case 1:
        crash();
        break;
      case 2:
        fixture_.compact();
        break;
      case 3:
        check_all(keyspace(), now_);
        break;
      default:
        if (view_ == nullptr) {
          view_ = keyspace().view();
          seen_ = history_.at(applied_);
        } else {
          check_all(*view_, seen_);
          view_.reset();
        }
    }
  }

  void erase_range(Family where) {
    FamilyModel& model = of(now_, where);
    std::string from = key();
    std::string to = random_.chance(1, 10) ? "" : key();
    keyspace().erase_range(where, from, to);
    if (to.empty() || from < to) {
      model.erase(model.lower_bound(from), to.empty() ? model.end() : model.lower_bound(to));
    }
  }

  // With its hash or without: the same.
  LookupKey asked_for(const std::string& key) {
    return random_.chance(1, 2) ? LookupKey(key) : LookupKey(key, keyspace().hash(key));
  }

  void check_get(Family where) {
    const FamilyModel& model = of(now_, where);
    std::string at = key();
    if (random_.chance(1, 4)) {  // changes nothing, whatever is expected
      std::vector<std::string> names(random_.below(20), at);
      std::vector<LookupKey> expected;
      for (std::string& one : names) {
        one = random_.chance(1, 3) ? at : key();
        expected.push_back(asked_for(one));
      }
      keyspace().expect_reads(where, expected);
    }
    std::optional<std::string_view> found = keyspace().get(where, asked_for(at));
    auto it = model.find(at);
    REQUIRE(found.has_value() == (it != model.end()));
    if (found.has_value()) {
      REQUIRE(*found == it->second);
    }
  }

  void close_mark() {
    if (marked_.empty()) {
      return;
    }
    if (random_.chance(2, 3)) {
      keyspace().undo();
      now_ = marked_.back();
    } else {
      keyspace().keep();
    }
    marked_.pop_back();
  }

  void commit() {
    while (!marked_.empty()) {
      close_mark();
    }
    put_applied(keyspace(), ++applied_, &now_);
    keyspace().commit(LogIndex{applied_});
    REQUIRE(keyspace().pending_bytes() == 0);
    history_[applied_] = now_;
  }

  // Exactly the state at the flushed index, which never goes back (F13).
  void crash() {
    view_.reset();
    uint64_t flushed = keyspace().flushed_index().value;
    fixture_.crash();
    applied_ = keyspace().flushed_index().value;
    REQUIRE(applied_ >= flushed);
    REQUIRE(applied_of(keyspace()) == applied_);
    now_ = history_.at(applied_);
    marked_.clear();
    check_all(keyspace(), now_);
    history_.erase(history_.upper_bound(applied_), history_.end());
  }

  Fixture& fixture_;
  Prng random_;
  Model now_;                          // with the writes of this turn
  std::vector<Model> marked_;          // at each open mark
  std::map<uint64_t, Model> history_;  // after each commit
  uint64_t applied_ = 0;
  std::unique_ptr<Reader> view_;
  Model seen_;
};

template <class Fixture>
void run_keyspace_random(uint64_t seed, int steps) {
  INFO("seed ", seed);
  Fixture fixture;
  RandomRun<Fixture>(fixture, seed).run(steps);
}

// Stories that the random run may meet too rarely.
template <class Fixture>
void keyspace_range_then_put_in_one_turn() {
  Fixture fixture;
  Keyspace& keyspace = fixture.keyspace();
  for (int i = 0; i < 300; ++i) {
    keyspace.put(Family::kElement, "c" + std::to_string(1000 + i), "old");
  }
  put_applied(keyspace, 1);
  keyspace.commit(LogIndex{1});
  keyspace.erase_range(Family::kElement, "c", "d");
  keyspace.put(Family::kElement, "c1100", "new");
  put_applied(keyspace, 2);
  keyspace.commit(LogIndex{2});
  FamilyModel expected = {{"c1100", "new"}};
  check_forward(keyspace, expected, Family::kElement, "", "");
  keyspace.flush();
  fixture.compact();
  check_forward(keyspace, expected, Family::kElement, "", "");
  fixture.crash();
  check_forward(fixture.keyspace(), expected, Family::kElement, "", "");
}

// What was read a moment ago is gone, few keys and many, in the families that are read most
// (FLUSHDB).
template <class Fixture>
void keyspace_range_erase_is_seen_by_gets() {
  Fixture fixture;
  Keyspace& keyspace = fixture.keyspace();
  uint64_t index = 0;
  for (Family family : {Family::kMeta, Family::kElement, Family::kSystem}) {
    for (int keys : {5, 500}) {
      auto name = [](int i) { return "key" + std::to_string(i); };
      for (int i = 0; i < keys; ++i) {
        keyspace.put(family, name(i), "value");
      }
      put_applied(keyspace, ++index);
      keyspace.commit(LogIndex{index});
      for (int i = 0; i < keys; ++i) {
        REQUIRE(keyspace.get(family, name(i)).has_value());
      }
      keyspace.erase_range(family, "key", "kez");
      keyspace.put(family, name(1), "new");
      put_applied(keyspace, ++index);
      keyspace.commit(LogIndex{index});
      for (int i = 0; i < keys; ++i) {
        REQUIRE(keyspace.get(family, name(i)).has_value() == (i == 1));
      }
      keyspace.erase_range(family, "key", "");
      put_applied(keyspace, ++index);
      keyspace.commit(LogIndex{index});
      CHECK(!keyspace.get(family, name(1)).has_value());
    }
  }
}

template <class Fixture>
void keyspace_flushed_index_skips_memory() {
  Fixture fixture;
  Keyspace& keyspace = fixture.keyspace();
  CHECK(keyspace.flushed_index() == LogIndex{0});
  put_applied(keyspace, 7);
  keyspace.commit(LogIndex{7});
  CHECK(keyspace.flushed_index() == LogIndex{0});
  keyspace.flush();
  CHECK(keyspace.flushed_index() == LogIndex{7});
  put_applied(keyspace, 9);
  keyspace.commit(LogIndex{9});
  CHECK(applied_of(keyspace) == 9);
  CHECK(keyspace.flushed_index() == LogIndex{7});
  fixture.crash();
  CHECK(fixture.keyspace().flushed_index() == LogIndex{7});
  CHECK(applied_of(fixture.keyspace()) == 7);
}

// Without a compaction filter the replay of the same entries gives the same bytes, whatever was
// compacted in between.
template <class Fixture>
void keyspace_compaction_before_crash_and_replay() {
  Fixture fixture;
  auto apply = [](Keyspace& keyspace, uint64_t index) {
    switch (index) {
      case 100:
        keyspace.put(Family::kMeta, "k", "version 5");
        for (int i = 0; i < 100; ++i) {
          keyspace.put(Family::kElement, "5." + std::to_string(i), "e");
        }
        break;
      case 150: {  // COPY k other
        std::unique_ptr<Cursor> cursor = keyspace.cursor(Family::kElement, "5.", "5/");
        std::vector<std::string> copies;
        for (; cursor->valid(); cursor->next()) {
          copies.push_back("6." + std::string(cursor->key().substr(2)));
        }
        for (const std::string& copy : copies) {
          keyspace.put(Family::kElement, copy, "e");
        }
        keyspace.put(Family::kMeta, "other", "version 6, " + std::to_string(copies.size()));
        break;
      }
      case 200:  // DEL k
        keyspace.erase(Family::kMeta, "k");
        keyspace.erase_range(Family::kElement, "5.", "5/");
        break;
      default:
        break;
    }
    put_applied(keyspace, index);
    keyspace.commit(LogIndex{index});
  };
  apply(fixture.keyspace(), 100);
  fixture.keyspace().flush();
  apply(fixture.keyspace(), 150);
  apply(fixture.keyspace(), 200);
  fixture.compact();
  fixture.crash();
  REQUIRE(fixture.keyspace().flushed_index() == LogIndex{100});
  apply(fixture.keyspace(), 150);
  std::optional<std::string_view> other = fixture.keyspace().get(Family::kMeta, "other");
  REQUIRE(other.has_value());
  CHECK(*other == "version 6, 100");
  apply(fixture.keyspace(), 200);
  CHECK(!fixture.keyspace().cursor(Family::kElement, "5.", "5/")->valid());
}

// A long HGETALL on a view while the key dies and everything is compacted.
template <class Fixture>
void keyspace_view_outlives_erase_and_compaction() {
  Fixture fixture;
  Keyspace& keyspace = fixture.keyspace();
  FamilyModel fields;
  for (int i = 0; i < 2000; ++i) {
    std::string field = "h" + std::to_string(10000 + i);
    keyspace.put(Family::kElement, field, "v" + std::to_string(i));
    fields[field] = "v" + std::to_string(i);
  }
  put_applied(keyspace, 1);
  keyspace.commit(LogIndex{1});
  std::unique_ptr<Reader> view = keyspace.view();
  std::unique_ptr<Cursor> cursor = view->cursor(Family::kElement, "h", "i");
  auto expected = fields.begin();
  for (int i = 0; i < 500; ++i, ++expected, cursor->next()) {
    REQUIRE(cursor->key() == expected->first);
  }
  keyspace.erase_range(Family::kElement, "h", "i");
  put_applied(keyspace, 2);
  keyspace.commit(LogIndex{2});
  keyspace.flush();
  fixture.compact();
  for (; expected != fields.end(); ++expected, cursor->next()) {
    REQUIRE(cursor->valid());
    REQUIRE(cursor->key() == expected->first);
    REQUIRE(cursor->value() == expected->second);
  }
  CHECK(!cursor->valid());
  check_forward(*view, fields, Family::kElement, "", "");
  check_forward(keyspace, {}, Family::kElement, "", "");
}

}  // namespace kiwi::rocks::test
