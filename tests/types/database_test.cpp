// Keys and their derived records: undo in undo, and what a reader may not do.
#include "resp/types/database.hpp"

#include <string>

#include "resp/types/string_value.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

void assign(World<InMemory>& w, std::string_view name, std::string_view value) {
  Key key = w.find(name);
  String::assign(w.database(), key, value, 0);
}

std::string value_of(World<InMemory>& w, std::string_view name) {
  const Key key = w.find(name);
  return key.live ? std::string(key.meta.value) : "-";
}

TEST_SUITE_BEGIN("types/database");

// A script whose commands may fail one by one.
TEST_CASE("undo nests: keys, counts, databases, counters and checksum go back with it") {
  World<InMemory> w;
  Database& state = w.database();
  assign(w, "before", "1");
  w.end_turn();
  w.begin();
  const rocks::AppliedRecord record = state.record();
  const uint64_t checksum = state.effects().checksum();
  auto keys = [&] { return state.counts(state.physical(0)).keys; };

  state.mark();
  assign(w, "outer", "1");
  const uint64_t in_outer = state.effects().checksum();
  state.mark();
  assign(w, "inner", "1");
  assign(w, "outer", "2");
  state.flush(0);
  CHECK(keys() == 0);
  state.undo();
  w.begin();
  CHECK(value_of(w, "outer") == "1");
  CHECK(value_of(w, "inner") == "-");
  CHECK(value_of(w, "before") == "1");
  CHECK(keys() == 2);
  CHECK(state.effects().checksum() == in_outer);
  state.mark();
  assign(w, "inner", "kept");
  state.swap(0, 1);
  state.keep();
  CHECK(state.counts(state.physical(1)).keys == 3);
  state.undo();
  w.begin();
  CHECK(value_of(w, "before") == "1");
  CHECK(value_of(w, "inner") == "-");
  CHECK(keys() == 1);
  CHECK(state.physical(0) == rocks::DatabaseId{0});
  CHECK(state.record() == record);
  CHECK(state.effects().checksum() == checksum);
}

TEST_CASE("what an undone command spent of the entry's bound stays spent, what was refused not") {
  rocks::MemoryKeyspace keyspace;
  Effects effects(&keyspace, 10'000);
  effects.begin_entry(0);
  effects.spend(3000);
  effects.mark();
  effects.spend(3000);
  effects.mark();
  CHECK_THROWS_AS(effects.spend(5000), TooMuchForOneEntry);
  effects.undo();
  effects.spend(3000);  // 9,300 with what the records cost
  effects.undo();
  CHECK_THROWS_AS(effects.spend(3000), TooMuchForOneEntry);
  effects.spend(500);
  effects.begin_entry(0);
  effects.spend(9000);
}

TEST_CASE("nodes that were written before they were refused end the work of their entry [F61]") {
  rocks::MemoryKeyspace keyspace;
  Effects effects(&keyspace, 10'000);
  effects.begin_entry(0);
  effects.carry(50);
  effects.spend_packed(5000);
  effects.mark();
  effects.expect_packed();
  CHECK_THROWS_AS(effects.spend_packed(6000), TooMuchForOneEntry);
  effects.undo();
  CHECK_THROWS_AS(effects.expect_packed(), TooMuchForOneEntry);
  CHECK_THROWS_AS(effects.spend(1), TooMuchForOneEntry);
  effects.spend_packed(150);  // came along
  effects.begin_entry(0);
  effects.expect_packed();
  effects.spend_packed(6000);
}

TEST_CASE(
    "a copy is built beside the turn, in pieces, and leaves nothing when it is undone [F61]") {
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace, 100'000);
  database.effects().spill_at(64 << 10);
  Handles handles(database);
  auto begin = [&] {
    database.begin_command();
    handles.begin();
  };
  database.begin_entry();
  begin();
  Set& set = handles.open<Set>(database.find(database.physical(0), "big", 1));
  for (int i = 0; i < 2000; ++i) {
    set.add(std::to_string(i) + std::string(1000, 'm'));
  }
  set.save();
  database.end_entry(LogIndex{1}, Term{1}, 1);
  database.end_turn();
  keyspace.commit(LogIndex{1});
  const rocks::MemoryKeyspace::Maps before = keyspace.maps();
  database.begin_entry();
  auto copy = [&] {
    begin();
    database.mark();
    const Key from = database.find(database.physical(0), "big", 1);
    Key to = database.find(database.physical(0), "copy", 1);
    database.copy(from, to);
  };
  for (int i = 0; i < 5; ++i) {
    copy();
    CHECK(keyspace.spills() >= 30U * static_cast<size_t>(i + 1));
    CHECK(keyspace.maps() != before);
    database.undo();
    CHECK(keyspace.maps() == before);
  }
  CHECK(keyspace.pending_bytes() < 5 * (100 << 10));  // the last piece of each, and the key
  copy();
  database.keep();
  CHECK(keyspace.maps()[1].size() == 2 * before[1].size());
}

TEST_CASE("many copies of one entry leave no more in its turn than one may [F61]") {
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace);
  constexpr size_t kSpill = 64 << 10;
  database.effects().spill_at(kSpill);
  Handles handles(database);
  auto begin = [&] {
    database.begin_command();
    handles.begin();
  };
  database.begin_entry();
  begin();
  Set& set = handles.open<Set>(database.find(database.physical(0), "small", 1));
  for (int i = 0; i < 20; ++i) {
    set.add(std::to_string(i) + std::string(1000, 'm'));
  }
  set.save();
  database.end_entry(LogIndex{1}, Term{1}, 1);
  database.end_turn();
  keyspace.commit(LogIndex{1});
  const rocks::MemoryKeyspace::Maps before = keyspace.maps();
  database.begin_entry();
  database.mark();  // as a script
  for (int i = 0; i < 200; ++i) {
    begin();
    database.mark();
    const Key from = database.find(database.physical(0), "small", 1);
    Key to = database.find(database.physical(i % 2 == 0 ? 0 : 3), "copy" + std::to_string(i), 1);
    database.copy(from, to);
    database.keep();
  }
  CHECK(keyspace.pending_bytes() < kSpill + 200 * 200);  // the keys' records
  CHECK(keyspace.spills() > 100);
  CHECK(keyspace.maps()[1].size() == 201 * before[1].size());
  database.undo();
  CHECK(keyspace.maps() == before);
  // And all together are bounded: 23 KB each, undone or not.
  database.effects().build_max(1 << 20);
  database.end_entry(LogIndex{2}, Term{1}, 1);
  database.begin_entry();
  size_t copies = 0;
  const auto copy = [&] {
    begin();
    database.mark();
    const Key from = database.find(database.physical(0), "small", 1);
    Key to = database.find(database.physical(0), "copy", 1);
    database.copy(from, to);
    ++copies;
  };
  const auto copies_undone = [&] {
    for (int i = 0; i < 30; ++i) {
      copy();
      database.undo();
    }
  };
  copies_undone();
  CHECK_THROWS_AS(copies_undone(), TooMuchForOneEntry);
  database.undo();
  CHECK(copies > 40);
  CHECK(copies < 50);
  CHECK(keyspace.maps() == before);
}

TEST_CASE("a view is read by a Database of its own, which loads what it is asked for") {
  World<InMemory> w;
  w.command(false, [&] { assign(w, "k", "v"); });
  w.end_turn();
  const auto view = w.view();
  w.command(false, [&] { assign(w, "k", "later"); });
  Database reader(*view);
  reader.begin_command();
  const Key key = reader.find(reader.physical(0), "k", w.now_ms);
  CHECK(key.meta.value == "v");
  CHECK(reader.counts(reader.physical(0)).keys == 1);
  CHECK(reader.effects().read_only());
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
