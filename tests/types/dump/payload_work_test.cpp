// What a payload costs before it is known to be one: compressed strings, and values whose last
// element is wrong.
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "config/base/bytes.hpp"
#include "config/limits.hpp"
#include "resp/types/dump/key_loader.hpp"
#include "resp/types/dump/object_writer.hpp"
#include "tests/support/memory_keyspace.hpp"

namespace kiwi::resp::dump {
namespace {

std::string compressed(std::string_view packed, uint64_t size) {
  std::string out;
  put_u8(out, 0xc3);
  put_length(out, packed.size());
  put_length(out, size);
  return out.append(packed);
}

// Some bytes, the last of which comes 264 times more for each three bytes.
std::string compressed_letters(std::string_view begin, size_t times) {
  std::string packed(1, static_cast<char>(begin.size() - 1));
  packed += begin;
  for (size_t i = 0; i < times; ++i) {
    packed.append("\xe0\xff\0", 3);
  }
  return compressed(packed, begin.size() + 264 * times);
}

LoadOutcome load_body(Database& database, uint8_t type, std::string_view body) {
  RdbReader in(body);
  LoadOptions options;
  options.free_bytes = body.size();
  return load_key(database, database.find(rocks::DatabaseId{0}, "k", 1), type, in, options);
}

TEST_SUITE_BEGIN("types/dump: work");

TEST_CASE("a compressed string is counted before it is unpacked, and stays counted [F61]") {
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace, 1 << 20);
  auto load_one = [&](uint8_t type, std::string_view body) {
    database.begin_command();
    database.mark();
    try {
      const LoadOutcome outcome = load_body(database, type, body);
      database.undo();
      return outcome;
    } catch (...) {
      database.undo();
      throw;
    }
  };
  database.begin_entry();
  // No such bytes: who unpacks them finds that out.
  const std::string damaged(300'000, '\xff');
  CHECK_THROWS_AS(load_one(0, compressed(damaged, 64 << 20)), TooMuchForOneEntry);
  std::string pair;
  put_length(pair, 1);
  pair += compressed(damaged, 64 << 20);
  CHECK_THROWS_AS(load_one(4, pair), TooMuchForOneEntry);
  // More than such bytes can stand for: it is no value, and costs nothing.
  CHECK(load_one(0, compressed(damaged, 128 << 20)) == LoadOutcome::kBadData);
  CHECK(load_one(0, compressed(damaged, 1'200'000)) == LoadOutcome::kBadData);
  CHECK_THROWS_AS(load_one(0, compressed(damaged, 1'200'000)), TooMuchForOneEntry);
}

TEST_CASE(
    "a value whose member, or whose key, has too long a name is told apart from damage [F61]") {
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace);
  database.begin_entry();
  auto outcome_of = [&](std::string_view key, uint8_t type, const std::string& body) {
    database.begin_command();
    database.mark();
    RdbReader in(body);
    LoadOptions options;
    options.free_bytes = body.size();
    const Key found = database.find(rocks::DatabaseId{0}, key, 1);
    const LoadOutcome outcome = load_key(database, found, type, in, options);
    database.undo();
    return outcome;
  };
  auto set_of = [](size_t bytes) {
    std::string body;
    put_length(body, 2);
    put_length(body, 1);
    body += "a";
    put_length(body, bytes);
    return body + std::string(bytes, 'm');
  };
  CHECK(outcome_of("k", 2, set_of(config::limits::kFieldBytes)) == LoadOutcome::kDone);
  CHECK(outcome_of("k", 2, set_of(config::limits::kFieldBytes + 1)) == LoadOutcome::kTooLong);
  const std::string name(config::limits::kKeyNameBytes, 'n');
  CHECK(outcome_of(name, 2, set_of(1)) == LoadOutcome::kDone);
  CHECK(outcome_of(name + "n", 2, set_of(1)) == LoadOutcome::kTooLong);
  CHECK(outcome_of("k", 2, std::string(1, '\0')) == LoadOutcome::kEmpty);
}

TEST_CASE("payloads that turn out bad at their end fill an entry's memory once [F61]") {
  constexpr size_t kWork = 1 << 20;
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace, kWork);
  database.begin_entry();
  std::string set;
  put_length(set, 11);
  for (const char first : std::string_view("abcdefghija")) {  // the first one comes twice
    set += compressed_letters(std::string(1, first), 150);
  }
  size_t bad = 0;
  size_t refused = 0;
  for (int i = 0; i < 50; ++i) {
    database.begin_command();
    database.mark();
    try {
      bad += load_body(database, 2, set) == LoadOutcome::kBadData ? 1 : 0;
    } catch (const TooMuchForOneEntry&) {
      ++refused;
    }
    database.undo();
  }
  CHECK(bad >= 1);
  CHECK(bad <= 2);
  CHECK(refused == 50 - bad);
  CHECK(keyspace.pending_bytes() < 2 * kWork);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::dump
