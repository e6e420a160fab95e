// A Database on one of the keyspaces, driven as the executor does it, but without commands: entries
// of one or more "commands", some of which fail and are undone, turns that are committed, and now
// and then a new start from what is in files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "resp/types/handles.hpp"
#include "tests/resp/keyspaces.hpp"

namespace kiwi::resp::types_test {

template <class On>
class World {
 public:
  explicit World(const Shape& shape = kShape) : shape_(shape) { start(); }

  Database& database() { return *database_; }
  Handles& handles() { return *handles_; }
  int64_t now_ms = 1000;

  Key find(std::string_view name) { return database().find(database().physical(0), name, now_ms); }
  template <class T>
  T& open(std::string_view name) {
    if (T* known = handles().template find<T>(database().physical(0), name)) {
      return *known;
    }
    const Key key = find(name);
    REQUIRE((!key.live || key.is(T::kType)));
    return handles().template open<T>(key);
  }
  template <class T>
  const T& read(std::string_view name) {
    const Key key = find(name);
    REQUIRE((!key.live || key.is(T::kType)));
    return handles().template read<T>(key);
  }

  // Runs body() as one command. `fails`: what it did is taken back.
  template <class Body>
  void command(bool fails, Body body) {
    begin();
    database().mark();
    body();
    if (fails) {
      database().undo();
    } else {
      handles().close();
      database().keep();
    }
  }
  void begin() {
    database().begin_command();
    handles().begin();
  }
  void end_turn() {
    database().end_entry(LogIndex{++index_}, Term{1}, now_ms);
    database().end_turn();
    on_.keyspace().commit(LogIndex{index_});
    database().begin_entry();
  }
  void reopen() {
    end_turn();
    const uint64_t checksum = database().record().checksum;
    handles_.reset();
    database_.reset();
    on_.reopen();
    start();
    CHECK(database().record().checksum == checksum);
  }
  // Now and then: a commit, or a new start.
  void perhaps_end_turn(Prng& random) {
    if (random.chance(1, 150)) {
      reopen();
    } else if (random.chance(1, 8)) {
      end_turn();
    }
  }

  const Shape& shape() const { return shape_; }
  rocks::Keyspace& keyspace() { return on_.keyspace(); }
  std::unique_ptr<rocks::Reader> view() { return on_.keyspace().view(); }
  uint64_t records(rocks::Family family) {
    uint64_t count = 0;
    for (auto at = on_.keyspace().cursor(family, {}, {}); at->valid(); at->next()) {
      ++count;
    }
    return count;
  }

 private:
  void start() {
    database_ = std::make_unique<Database>(on_.keyspace(), config::limits::kEntryWorkBytes, shape_);
    handles_ = std::make_unique<Handles>(*database_);
  }

  const Shape shape_;
  On on_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Handles> handles_;
  uint64_t index_ = 0;
};

// Random commands, a quarter of which fail, on the state and on a model that is copied before each.
// one(): a command on both; audit(): are they the same? Now and then, and after a last new start.
template <class On, class Model, class One, class Audit>
void run_commands(
    World<On>& world, Prng& random, Model& model, int commands, One one, Audit audit) {
  for (int i = 0; i < commands; ++i) {
    const bool fails = random.chance(1, 4);
    const Model before = model;
    world.command(fails, one);
    if (fails) {
      model = before;
    }
    world.perhaps_end_turn(random);
    if (i % 16 == 0) {
      audit();
    }
  }
  world.reopen();
  audit();
}

inline constexpr std::string_view kNames[] = {"alpha", "beta", "gamma"};
inline std::string_view any_name(Prng& random) { return kNames[random.below(std::size(kNames))]; }

}  // namespace kiwi::resp::types_test
