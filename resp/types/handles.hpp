// The handles that a command has open. The same key opened twice for change is one handle, so that
// LMOVE k k and SMOVE k k see what they did themselves. The same key read twice is one handle, too,
// unless it was stored in between: a name that stands a million times in a command costs one.
// Handles hold what small collections hold, so many of them count as work (F61).
//
// Part of Context; begin() before each command.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "config/base/check.hpp"
#include "resp/types/hash.hpp"
#include "resp/types/list.hpp"
#include "resp/types/set.hpp"
#include "resp/types/stream.hpp"
#include "resp/types/string_value.hpp"
#include "resp/types/zset.hpp"

namespace kiwi::resp {

class Handles {
 public:
  explicit Handles(Database& database) : database_(database) {}

  // What a failed command left open is forgotten: it was undone.
  void begin() {
    if (std::exchange(any_, false)) {
      std::apply([](auto&... pools) { (pools.forget(), ...); }, pools_);
    }
  }
  // The command is over: what it changed is saved.
  void close() const {
    if (any_) {
      std::apply([](const auto&... pools) { (pools.check_saved(), ...); }, pools_);
    }
  }

  // nullptr: it is not open for change.
  template <class T>
  T* find(rocks::DatabaseId database, std::string_view name) {
    return pool<T>().find({true, database.value, name});
  }
  // Valid until begin(). `key` is of type T or not live.
  template <class T>
  T& open(const Key& key) {
    any_ = true;
    return pool<T>().open(database_, key, true);
  }
  template <class T>
  const T& read(const Key& key) {
    any_ = true;
    const T* known = pool<T>().find({false, key.database.value, key.name});
    return known != nullptr && shows(known->key(), key) ? *known
                                                        : pool<T>().open(database_, key, false);
  }

 private:
  static constexpr size_t kKept = 16;  // slots of each type, from command to command

  struct Name {
    bool for_change;
    uint32_t database;  // physical
    std::string_view name;
    auto operator<=>(const Name&) const = default;
  };
  // A handle that was opened for `known` is what one for `key` would be.
  static bool shows(const Key& known, const Key& key) {
    return known.live == key.live && known.meta.version == key.meta.version &&
           known.meta.last_modified == key.meta.last_modified;
  }
  // What a handle keeps of its key's record; strings are read where they stand.
  template <class T>
  static size_t kept_bytes(const Key& key) {
    return T::kType != rocks::Type::kString && key.live ? key.meta.value.size() : 0;
  }

  template <class T>
  class Pool {
   public:
    void forget() {
      if (used_ == 0) {
        return;
      }
      for (size_t i = 0; i < used_; ++i) {
        slots_[i].handle.give_back();
      }
      for (; slots_.size() > kKept; slots_.pop_back()) {
      }
      used_ = 0;
      beyond_.clear();
    }
    void check_saved() const {
      for (size_t i = 0; i < used_; ++i) {
        CHECK_INVARIANT(!slots_[i].handle.changed());
      }
    }
    // The last one that was opened by that name.
    T* find(const Name& name) {
      if (!beyond_.empty()) {
        if (const auto it = beyond_.find(name); it != beyond_.end()) {
          CHECK_INVARIANT(it->second >= kKept && it->second < used_);
          return &slots_[it->second].handle;
        }
      }
      for (size_t i = std::min(used_, kKept); i-- > 0;) {
        if (name_of(slots_[i]) == name) {
          return &slots_[i].handle;
        }
      }
      return nullptr;
    }
    // The first ones are free, and so are all that usual commands open: what they hold is little.
    T& open(Database& database, const Key& key, bool for_change) {
      if (used_ >= kKept) {
        database.effects().spend(kept_bytes<T>(key));
        beyond_.insert_or_assign(Name{for_change, key.database.value, key.name}, used_);
      }
      if (used_ == slots_.size()) {
        slots_.emplace_back(database);
      }
      Slot& slot = slots_[used_++];
      slot.for_change = for_change;
      slot.handle.stand_for(key);
      return slot.handle;
    }

   private:
    struct Slot {
      explicit Slot(Database& database) : handle(database) {}
      T handle;
      bool for_change = false;
    };
    static Name name_of(const Slot& slot) {
      const Key& key = slot.handle.key();
      return {slot.for_change, key.database.value, key.name};
    }

    std::deque<Slot> slots_;  // which do not move
    size_t used_ = 0;
    // Slots from kKept on, by name. Ordered: clients choose the names (F63).
    std::map<Name, size_t> beyond_;
  };

  template <class T>
  Pool<T>& pool() {
    return std::get<Pool<T>>(pools_);
  }

  Database& database_;
  std::tuple<Pool<Hash>, Pool<Set>, Pool<List>, Pool<String>, Pool<ZSet>, Pool<Stream>> pools_;
  // One was opened since begin(): GET and SET open none, and look into no pool.
  bool any_ = false;
};

}  // namespace kiwi::resp
