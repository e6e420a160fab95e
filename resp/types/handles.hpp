// The handles that a command has open. The same key opened twice for change is one handle, so that
// LMOVE k k and SMOVE k k see what they did themselves. Handles for reading are not found again.
//
// Part of Context; begin() before each command.
#pragma once

#include <cstddef>
#include <deque>
#include <tuple>

#include "config/base/check.hpp"
#include "resp/types/hash.hpp"
#include "resp/types/list.hpp"
#include "resp/types/set.hpp"
#include "resp/types/string_value.hpp"
#include "resp/types/zset.hpp"

namespace kiwi::resp {

class Handles {
 public:
  explicit Handles(Database& database) : database_(database) {}

  // What a failed command left open is forgotten: it was undone.
  void begin() {
    std::apply([](auto&... pools) { (pools.forget(), ...); }, pools_);
  }
  // The command is over: what it changed is saved.
  void close() const {
    std::apply([](const auto&... pools) { (pools.check_saved(), ...); }, pools_);
  }

  // nullptr: it is not open for change.
  template <class T>
  T* find(rocks::DatabaseId database, std::string_view name) {
    return pool<T>().find(database, name);
  }
  // Valid until begin(). `key` is of type T or not live.
  template <class T>
  T& open(const Key& key) {
    return pool<T>().open(database_, key, true);
  }
  template <class T>
  const T& read(const Key& key) {
    return pool<T>().open(database_, key, false);
  }

 private:
  static constexpr size_t kKept = 16;  // slots of each type, from command to command

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
    }
    void check_saved() const {
      for (size_t i = 0; i < used_; ++i) {
        CHECK_INVARIANT(!slots_[i].handle.changed());
      }
    }
    T* find(rocks::DatabaseId database, std::string_view name) {
      for (size_t i = 0; i < used_; ++i) {
        Slot& slot = slots_[i];
        if (slot.for_change && slot.handle.key().database == database &&
            slot.handle.key().name == name) {
          return &slot.handle;
        }
      }
      return nullptr;
    }
    T& open(Database& database, const Key& key, bool for_change) {
      if (used_ == slots_.size()) {
        slots_.push_back(Slot{T(database), false});
      }
      Slot& slot = slots_[used_++];
      slot.for_change = for_change;
      slot.handle.stand_for(key);
      return slot.handle;
    }

   private:
    struct Slot {
      T handle;
      bool for_change;
    };
    std::deque<Slot> slots_;  // which do not move
    size_t used_ = 0;
  };

  template <class T>
  Pool<T>& pool() {
    return std::get<Pool<T>>(pools_);
  }

  Database& database_;
  std::tuple<Pool<Hash>, Pool<Set>, Pool<List>, Pool<String>, Pool<ZSet>> pools_;
};

}  // namespace kiwi::resp
