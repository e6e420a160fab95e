// What recorded answers cannot show: sizes, costs, the numbers' exact forms.
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/numbers.hpp"
#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"
#include "tests/support/allocations.hpp"

namespace kiwi::resp {
namespace {

// Counts what reaches the Keyspace.
class Counting : public rocks::MemoryKeyspace {
 public:
  void put(rocks::Family family, const rocks::LookupKey& key, std::string_view value) override {
    ++writes;
    MemoryKeyspace::put(family, key, value);
  }
  void erase(rocks::Family family, const rocks::LookupKey& key) override {
    ++writes;
    MemoryKeyspace::erase(family, key);
  }
  void erase_range(rocks::Family family, std::string_view from, std::string_view to) override {
    ++writes;
    MemoryKeyspace::erase_range(family, from, to);
  }
  size_t writes = 0;
};

// Counts what is written of the keys' own records.
class Records : public rocks::MemoryKeyspace {
 public:
  void put(rocks::Family family, const rocks::LookupKey& key, std::string_view value) override {
    written += family == rocks::Family::kMeta ? 1 : 0;
    MemoryKeyspace::put(family, key, value);
  }
  size_t written = 0;
};

// Forgets what is written: the cost of everything above the Keyspace.
class Nowhere : public rocks::MemoryKeyspace {
 public:
  std::optional<std::string_view> get(rocks::Family family, const rocks::LookupKey& key) override {
    return family == rocks::Family::kMeta && !record.empty()
               ? std::optional<std::string_view>(record)
               : MemoryKeyspace::get(family, key);
  }
  void put(rocks::Family family, const rocks::LookupKey&, std::string_view value) override {
    if (family == rocks::Family::kMeta) {
      record.assign(value);
    }
  }
  std::string record;
};

TEST_CASE("a huge collection goes, moves and is replaced with a handful of writes [F40]") {
  Counting keyspace;
  Node node(keyspace);
  node.start();
  for (const char* command : {"del l", "rename l other", "set l small", "rename small l",
                              "ltrim l 5 1", "flushdb", "getdel missing"}) {
    std::vector<std::string> push{"rpush", "l"};
    push.insert(push.end(), 5000, "element");
    node("flushall");
    node("set small 1");
    node.run(push);
    keyspace.writes = 0;
    node(command);
    CAPTURE(command);
    CHECK(keyspace.writes <= 16);
  }
  // Expiry by entry as well.
  node("pexpire l 10");
  node.clock() += 10;
  std::string due = due_expirations(node.executor(), node.clock(), 100);
  keyspace.writes = 0;
  node.write(due);
  CHECK(keyspace.writes <= 16);
}

TEST_CASE("dead elements of a dropped collection are gone for good [F40, F10]") {
  Counting keyspace;
  Node node(keyspace);
  node.start();
  node("rpush l a b c");
  node("sadd s a b c");
  node("rename l m");
  node("set s x");
  node("lpop m 3");
  CHECK(keyspace.maps()[static_cast<size_t>(rocks::Family::kElement)].empty());
  node("rpush big a b");
  node("swapdb 0 1");
  node("flushall");
  for (rocks::Family family : {rocks::Family::kMeta, rocks::Family::kElement}) {
    CHECK(keyspace.maps()[static_cast<size_t>(family)].empty());
  }
}

TEST_CASE("a command writes the record of its key once, a new collection's too") {
  Records keyspace;
  Node node(keyspace);
  node.start();
  for (const std::string& argument : {std::string("m"), std::string(5000, 'x')}) {
    for (const char* command : {"sadd s a b ", "lpush l a b ", "hset h f 1 g ", "zadd z 1 a 2 ",
                                "set k ", "append k ", "getset k "}) {
      CAPTURE(command);
      keyspace.written = 0;
      const std::string reply = node(command + argument);
      CHECK(reply[0] != '-');
      CHECK(keyspace.written == 1);
    }
  }
}

TEST_CASE("SET and GET allocate nothing per command") {
  Nowhere keyspace;
  ExecutorOptions options;
  Node node(keyspace, options);
  node.start();
  constexpr size_t kCommands = 256;
  std::string value(64, 'v');
  auto entry_of = [&](size_t round) {
    std::vector<std::string> commands;
    for (size_t i = 0; i < kCommands; ++i) {
      commands.push_back(i % 2 == 0
                             ? packed({"SET", "key:with:a:long:name:" + std::to_string(i), value})
                             : packed({"GET", "key:with:a:long:name:" + std::to_string(i - 1)}));
    }
    auto batch = std::make_shared<PendingBatch>();
    raft::ProposalNumber number = node.next_number();
    batch->sequence = number.sequence;
    for (size_t i = 0; i < kCommands; ++i) {
      batch->ops.push_back({{1, round * kCommands + i}, RequestKind::kWrite, 2, {}});
    }
    node.executor().expect(batch);
    node.log().batch(number, commands);
    node.executor().apply(std::exchange(node.log().entries, {}));
  };
  size_t spent = 0;
  for (size_t round = 0; round < 20; ++round) {
    entry_of(round);
    size_t before = allocations_so_far();
    while (node.executor().work()) {
    }
    spent = allocations_so_far() - before;
    ExecutorEffects effects = node.executor().take_effects();
    REQUIRE(effects.replies.size() == 1);
    REQUIRE(effects.replies[0].parts.size() == kCommands);
  }
  // What is left is per turn: the growing reply buffer and its parts.
  CAPTURE(spent);
  CHECK(spent <= 40);
}

TEST_CASE("a string never grows past 512 MB") {
  Counting keyspace;
  Node node(keyspace);
  node.start();
  std::string error = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
  node.run({"set", "k", std::string(1 << 20, 'x')});
  CHECK(node("setrange k 536870911 x") == ":536870912\r\n");
  CHECK(node("append k y") == error);
  CHECK(node("setrange k 536870912 y") == error);
  CHECK(node("setrange k 536870911 yy") == error);
  CHECK(node("append k ") == ":536870912\r\n");
  CHECK(node("strlen k") == ":536870912\r\n");
}

TEST_CASE("integers have one form") {
  CHECK(parse_integer("0") == 0);
  CHECK(parse_integer("-1") == -1);
  CHECK(parse_integer("9223372036854775807") == std::numeric_limits<int64_t>::max());
  CHECK(parse_integer("-9223372036854775808") == std::numeric_limits<int64_t>::min());
  for (const char* bad :
       {"", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "1e3", "0x1", "--1", "9223372036854775808",
        "-9223372036854775809", "99999999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_integer(bad).has_value());
  }
  CHECK_FALSE(parse_integer(std::string_view("1\0", 2)).has_value());
  for (int64_t value : {int64_t{0}, int64_t{-7}, std::numeric_limits<int64_t>::min(),
                        std::numeric_limits<int64_t>::max()}) {
    CHECK(parse_integer(IntegerText(value).view()) == value);
  }
}

TEST_CASE("floats are written without an exponent or trailing zeros") {
  auto round_trip = [](const char* text) {
    auto value = parse_long_double(text);
    return value ? format_long_double(*value) : std::string("none");
  };
  CHECK(round_trip("3.0e3") == "3000");
  CHECK(round_trip("0.1") == "0.1");
  CHECK(round_trip("-0") == "0");
  CHECK(round_trip("1e-17") == "0.00000000000000001");
  CHECK(round_trip("1e-18") == "0");
  CHECK(round_trip("0x1p4") == "16");
  CHECK(round_trip("1e30") == "1000000000000000000024696061952");  // 64 bits of mantissa
  for (const char* bad : {"", " 1", "1 ", "nan", "1e5000", "1e-5000", "abc", "1.2.3"}) {
    CAPTURE(bad);
    CHECK(round_trip(bad) == "none");
  }
  CHECK_FALSE(parse_long_double(std::string_view("1\0", 2)).has_value());
}

}  // namespace
}  // namespace kiwi::resp
