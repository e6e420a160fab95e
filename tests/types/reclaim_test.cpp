// Where keys stand in the index of deadlines, and what one entry of reclaim takes.
#include "resp/types/reclaim.hpp"

#include <string>
#include <string_view>

#include "tests/types/deadline_audit.hpp"
#include "tests/types/shapes.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

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

TEST_SUITE_BEGIN("types/reclaim");

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

// The records of keys that stay are written again when their place moves: 4 MiB an entry.
TEST_CASE("an entry rewrites a bounded number of bytes [F61]") {
  World<InMemory> w;
  constexpr uint64_t kKeys = 700;
  const std::string value(8000, 'v');
  constexpr uint64_t kAtOnce = (4 << 20) / (8000 + 6);  // a value and a name
  for (uint64_t i = 0; i < kKeys; ++i) {
    for (const int64_t deadline_ms : {2000, 9000}) {
      w.command(false, [&] {
        Key key = w.find("key" + std::to_string(100 + i));
        String::assign(w.database(), key, value, deadline_ms);
      });
    }
  }
  w.end_turn();
  w.now_ms = 3000;
  for (const uint64_t moved : {kAtOnce, kKeys - kAtOnce, uint64_t{0}}) {
    w.command(false, [&] { CHECK(reclaim(w.database(), 3000, 1000).moved == moved); });
    w.end_turn();
  }
}

// A name stands in the key's record and in the index, and both are erased.
TEST_CASE("an entry takes along a bounded number of bytes of names [F61]") {
  World<InMemory> w;
  constexpr uint64_t kKeys = 100;
  constexpr size_t kName = config::limits::kKeyNameBytes;
  constexpr uint64_t kAtOnce = (4 << 20) / kName;
  for (uint64_t i = 0; i < kKeys; ++i) {
    std::string name = std::to_string(100 + i);
    name.resize(kName, 'n');
    w.command(false, [&] {
      Key key = w.find(name);
      String::assign(w.database(), key, "v", 2000);
    });
  }
  w.end_turn();
  w.now_ms = 3000;
  for (const uint64_t gone : {kAtOnce, kKeys - kAtOnce, uint64_t{0}}) {
    w.command(false, [&] { CHECK(reclaim(w.database(), 3000, 1000).keys == gone); });
    w.end_turn();
  }
  DeadlineAudit(w.keyspace()).look(w.database());
}

// Else one key that no entry can pay for would be in front of all others for ever.
TEST_CASE(
    "a key that costs more than an entry's bound is moved, and others go with it [F57][F61]") {
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace, 700);
  Handles handles(database);
  int64_t now_ms = 1000;
  auto find = [&](std::string_view name) {
    database.begin_command();
    handles.begin();
    database.effects().carry(5000);
    return database.find(database.physical(0), name, now_ms);
  };
  auto expire = [&](std::string_view name, int64_t deadline_ms) {
    Key key = find(name);
    REQUIRE(key.live);
    key.meta.expire_at_ms = deadline_ms;
    database.update(key);
  };
  database.begin_entry();
  List& list = handles.open<List>(find("list"));
  list.push(ListEnd::kTail, std::string(1500, 'v'));
  list.save();
  expire("list", 2000);
  expire("list", 9000);
  for (const char* name : {"gone", "later"}) {
    Key key = find(name);
    String::assign(database, key, "v", 2500);
  }
  expire("later", 9000);
  now_ms = 3000;
  database.begin_entry();
  find("list");
  database.effects().carry(20);  // of kiwi.expire
  database.mark();
  const Reclaimed done = reclaim(database, now_ms, 1000);
  database.keep();
  CHECK(done.moved == 2);
  CHECK(done.keys == 1);
  CHECK(find("list").meta.indexed_at_ms == 9000);
  DeadlineAudit(keyspace).look(database);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
