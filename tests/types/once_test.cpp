// The tokens that a state remembers: their records, what goes and when, and that what went is
// refused. Compared with a model that forgets nothing.
#include "resp/types/once.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "rocks/keys.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

TEST_SUITE_BEGIN("types/once");

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

OnceRecord record_of(uint64_t index, const std::string& reply = "+OK\r\n") {
  OnceRecord record;
  record.changed = record.index = LogIndex{index};
  record.revision = 10 * index;
  record.stamp_ms = 1000;
  record.fingerprint = {1, 2};
  record.kept = true;
  record.reply = reply;
  return record;
}

Once::Name token(uint64_t ms, std::string_view name = "a", uint64_t user = 0) {
  return {ms, user, name};
}

TEST_CASE("golden bytes of a record, and what is no record") {
  OnceRecord record = record_of(0x0203);
  record.takes = true;
  record.resp = 3;
  std::string bytes;
  encode(bytes, record);
  CHECK(hex(bytes) ==
        "01"
        "0302000000000000"
        "06"
        "0100000000000000"
        "0200000000000000"
        "8304"
        "9e28"
        "e807"
        "03"
        "2b4f4b0d0a");
  const auto again = decode_once(bytes);
  REQUIRE(again.has_value());
  CHECK(again->index == record.index);
  CHECK(again->revision == record.revision);
  CHECK(again->takes);
  CHECK_FALSE(again->claimed);
  CHECK(again->reply == record.reply);
  CHECK(again->fingerprint == record.fingerprint);
  CHECK_FALSE(decode_once("").has_value());
  CHECK_FALSE(decode_once(bytes.substr(0, 20)).has_value());
  bytes[9] = '\x40';  // a flag that nobody knows
  CHECK_FALSE(decode_once(bytes).has_value());
}

TEST_CASE_TEMPLATE(
    "a token is found after a restart, and its count is", On, InMemory, OnRocks, OnTable) {
  World<On> w;
  w.now_ms = 5'000'000;
  w.database().once().put(token(4'999'999), record_of(1));
  w.database().once().put(token(4'999'999, "b"), record_of(1, "+X\r\n"));
  w.database().once().put(token(5'000'001, "a", 7), record_of(1, "+Y\r\n"));
  w.end_turn();
  const Once::Total before = w.database().once().total();
  CHECK(before.records == 3);
  CHECK(before.oldest_ms == 4'999'000);
  w.reopen();
  Once& once = w.database().once();
  CHECK(once.total().records == 3);
  CHECK(once.total().bytes == before.bytes);
  CHECK(once.find(token(4'999'999, "b"))->reply == "+X\r\n");
  CHECK(once.find(token(5'000'001, "a", 7))->reply == "+Y\r\n");
  CHECK_FALSE(once.find(token(5'000'001, "a", 8)).has_value());
  CHECK_FALSE(once.find(token(5'000'000)).has_value());
}

TEST_CASE("what is put twice counts once, with the bytes of now") {
  World<InMemory> w;
  w.now_ms = 5'000'000;
  Once& once = w.database().once();
  once.put(token(5'000'000), record_of(1, std::string(1000, 'x')));
  const uint64_t large = once.total().bytes;
  once.put(token(5'000'000), record_of(1));
  CHECK(once.total().records == 1);
  CHECK(once.total().bytes == large - 995);
}

TEST_CASE("a command that failed leaves no token, and the counts as they were [F30]") {
  World<InMemory> w;
  w.now_ms = 5'000'000;
  w.command(false, [&] { w.database().once().put(token(5'000'000), record_of(1)); });
  w.end_turn();
  const uint64_t checksum = w.database().effects().checksum();
  const Once::Total before = w.database().once().total();
  w.command(true, [&] {
    w.database().once().put(token(5'000'000), record_of(1, std::string(100, 'y')));
    w.database().once().put(token(5'000'000, "b"), record_of(1));
    w.database().once().put(token(5'001'000, "c"), record_of(1));
  });
  CHECK(w.database().effects().checksum() == checksum);
  CHECK(w.database().once().total().records == before.records);
  CHECK(w.database().once().total().bytes == before.bytes);
  CHECK_FALSE(w.database().once().find(token(5'000'000, "b")).has_value());
  CHECK(w.database().once().find(token(5'000'000))->reply == "+OK\r\n");
  w.reopen();
  CHECK(w.database().once().total().records == before.records);
}

TEST_CASE("seconds that are over go, whole, and the floor rises past them") {
  World<InMemory> w;
  w.now_ms = 5'000'000;
  w.database().settings().put("once-window", "60");
  w.database().once().put(token(4'990'500), record_of(1));
  w.database().once().put(token(4'991'000), record_of(1));
  w.end_turn();
  w.now_ms = 5'051'000;  // less 60 s: 4,991,000, so the second that ends at 4,990,999 is over
  w.database().once().put(token(5'050'000), record_of(2));
  w.end_turn();
  Once& once = w.database().once();
  CHECK_FALSE(once.find(token(4'990'500)).has_value());
  CHECK(once.find(token(4'991'000)).has_value());
  CHECK(once.total().floor_ms == 4'990'999);
  CHECK(once.forgotten_until_ms(0) == 4'990'999);
  // A wider window gives nothing back.
  w.database().settings().put("once-window", "86400");
  CHECK(once.forgotten_until_ms(w.now_ms) == 4'990'999);
  w.reopen();
  CHECK(w.database().once().total().floor_ms == 4'990'999);
  CHECK(w.database().once().forgotten_until_ms(w.now_ms) == 4'990'999);
}

TEST_CASE("above a bound the oldest seconds go, also the one that was just written") {
  World<InMemory> w;
  w.now_ms = 5'000'000;
  w.database().settings().put("once-max-records", "2");
  w.database().once().put(token(4'000'000), record_of(1));
  w.database().once().put(token(4'000'999, "b"), record_of(1));
  w.end_turn();
  CHECK(w.database().once().total().records == 2);
  w.database().once().put(token(4'999'000), record_of(2));
  w.end_turn();
  CHECK(w.database().once().total().records == 1);
  CHECK(w.database().once().total().floor_ms == 4'000'999);
  w.database().once().put(token(4'500'000), record_of(3));
  w.database().once().put(token(4'998'000), record_of(3));
  w.end_turn();
  CHECK_FALSE(w.database().once().find(token(4'500'000)).has_value());
  CHECK(w.database().once().total().floor_ms == 4'500'999);
  w.database().settings().put("once-max-bytes", "65536");
  w.database().once().put(token(4'999'500), record_of(4, std::string(70'000, 'x')));
  w.end_turn();
  CHECK(w.database().once().total().records == 0);
  CHECK(w.database().once().total().floor_ms == 4'999'999);
}

TEST_CASE("one record drives out a bounded number of seconds") {
  World<InMemory> w;
  w.now_ms = 5'000'000;
  for (uint64_t i = 0; i < 200; ++i) {
    w.database().once().put(token(4'000'000 + 1000 * i), record_of(1));
  }
  w.end_turn();
  w.database().settings().put("once-max-records", "1");
  w.database().once().put(token(4'900'000), record_of(2));
  w.end_turn();
  CHECK(w.database().once().total().records == 201 - 64);
  w.end_turn();  // without a record nothing goes
  CHECK(w.database().once().total().records == 201 - 64);
}

TEST_CASE("producers have one row each, until they are dropped, and a command takes back its own") {
  World<InMemory> w;
  Producers& producers = w.database().producers();
  const auto row = [](uint64_t number) { return ProducerRow{number, record_of(1)}; };
  w.command(false, [&] {
    producers.put(0, "a", row(1));
    producers.put(0, "b", row(5));
    producers.put(1, "a", row(9));
    producers.put(0, "a", row(2));
  });
  CHECK(producers.find(0, "a")->number == 2);
  CHECK(producers.find(1, "a")->number == 9);
  CHECK(producers.find(0, "a")->last.reply == "+OK\r\n");
  CHECK(producers.names(0, "", 10) == std::vector<std::string>{"a", "b"});
  CHECK(producers.names(0, "a", 10) == std::vector<std::string>{"b"});
  w.command(true, [&] {
    CHECK(producers.drop(0, "a"));
    producers.put(0, "c", row(1));
  });
  CHECK(producers.names(0, "", 10) == std::vector<std::string>{"a", "b"});
  w.command(false, [&] { CHECK(producers.drop(0, "a")); });
  CHECK_FALSE(producers.drop(0, "a"));
  w.reopen();
  CHECK_FALSE(w.database().producers().find(0, "a").has_value());
  CHECK(w.database().producers().find(0, "b")->number == 5);
  CHECK(w.database().producers().has_room());
}

// The rule that Once has to keep: a token was executed before if and only if it is found, or is at
// or below the floor.
TEST_CASE_TEMPLATE("random tokens against a model that forgets nothing", On, InMemory, OnTable) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Prng random(seed);
    World<On> w;
    std::set<std::pair<uint64_t, std::string>> executed;
    w.now_ms = 100'000'000;
    uint64_t doubled = 0;
    uint64_t fresh = 0;
    for (int i = 0; i < 4000; ++i) {
      Once& once = w.database().once();
      if (random.chance(1, 200)) {  // settings shrink and grow while it runs
        w.database().settings().put("once-max-records", std::to_string(1 + random.below(300)));
        w.database().settings().put("once-window", std::to_string(60 + random.below(600)));
      }
      w.now_ms += static_cast<int64_t>(random.below(400));
      const auto ms = static_cast<uint64_t>(w.now_ms) - random.below(200'000);
      const std::string name = "t" + std::to_string(random.below(3));
      const uint64_t rounded = ms - ms % 500;
      const bool refused = static_cast<int64_t>(rounded) <= once.forgotten_until_ms(w.now_ms);
      const bool known = once.find(token(rounded, name)).has_value();
      if (!known && !refused) {
        ++fresh;
        const bool again = !executed.emplace(rounded, name).second;
        doubled += again ? 1 : 0;
        const bool fails = random.chance(1, 5);
        w.command(fails, [&] { once.put(token(rounded, name), record_of(1)); });
        if (fails && !again) {
          executed.erase({rounded, name});
        }
      } else if (known) {
        CHECK(executed.contains({rounded, name}));
      }
      w.perhaps_end_turn(random);
    }
    CHECK(doubled == 0);
    CHECK(fresh > 500);
    // The counts are what a walk finds.
    w.end_turn();
    std::string from;
    std::string to;
    rocks::keys::once_range(from, to, 0, UINT64_MAX);
    uint64_t records = 0;
    for (auto at = w.keyspace().cursor(rocks::Family::kSystem, from, to); at->valid(); at->next()) {
      CHECK(rocks::keys::parse_once_record(at->key())->ms > w.database().once().total().floor_ms);
      ++records;
    }
    CHECK(records == w.database().once().total().records);
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
