// What the executor says of the keys that come next (Keyspace::expect_reads): each once, before it
// is read, none that would cost more to say than it saves.
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "rocks/keys.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

struct Hinted final : rocks::MemoryKeyspace {
  void expect_reads(rocks::Family family, std::span<const rocks::LookupKey> keys) override {
    REQUIRE(family == rocks::Family::kMeta);
    for (const rocks::LookupKey& key : keys) {
      hints.emplace_back(key.bytes);
      CHECK(key.hash.has_value());
    }
  }
  std::optional<std::string_view> get(rocks::Family family, const rocks::LookupKey& key) override {
    if (family == rocks::Family::kMeta && !hints.empty()) {
      const auto hint = std::find(hints.begin(), hints.end(), key.bytes);
      (hint != hints.end() ? in_time : unannounced).emplace_back(key.bytes);
    }
    return MemoryKeyspace::get(family, key);
  }

  uint64_t hash(std::string_view key) const override {
    hashed.emplace_back(key);
    return MemoryKeyspace::hash(key);
  }
  void put(rocks::Family family, const rocks::LookupKey& key, std::string_view value) override {
    written_unhashed += family == rocks::Family::kMeta && !key.hash ? 1 : 0;
    MemoryKeyspace::put(family, key, value);
  }

  mutable std::vector<std::string> hashed;  // whoever's
  size_t written_unhashed = 0;
  std::vector<std::string> hints;
  std::vector<std::string> in_time;
  std::vector<std::string> unannounced;
};

struct World {
  World() : node(keyspace) { node.start(); }
  Hinted keyspace;
  Node node;
};

std::string meta(const std::string& name, uint32_t database = 0) {
  std::string key;
  rocks::keys::meta(key, rocks::DatabaseId{database}, name);
  return key;
}

std::string name(int i) { return "key:" + std::to_string(i); }

TEST_CASE("the keys of a batch are announced in blocks, each once and before it is read") {
  World w;
  std::vector<std::string> commands;
  std::vector<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    commands.push_back(packed({"set", name(i), "v"}, i % 2 == 0 ? 0 : 7));
    expected.push_back(meta(name(i), i % 2 == 0 ? 0 : 7));
  }
  w.node.log().batch({NodeId{2}, incarnation_of(2), 1, 1}, commands);
  (void)w.node.deliver();
  CHECK(w.keyspace.hints == expected);
  CHECK(w.keyspace.unannounced.empty());
  CHECK(w.keyspace.in_time.size() >= 40);
}

TEST_CASE("a key is hashed once, whether it is announced, found or written") {
  World w;
  for (const int commands : {16, 1}) {  // one alone is not announced
    for (int again = 0; again < 2; ++again) {
      std::vector<std::string> sets;
      std::vector<std::string> expected;
      for (int i = 0; i < commands; ++i) {
        const std::string key = name(commands == 16 ? i : 100 + i);
        sets.push_back(packed({"set", key, "v"}));
        expected.push_back(meta(key));
      }
      w.keyspace.hashed.clear();
      const uint64_t number = commands == 16 ? 1 : 3;
      w.node.log().batch({NodeId{2}, incarnation_of(2), 1, number + static_cast<uint64_t>(again)},
                         sets);
      (void)w.node.deliver();
      CHECK(w.keyspace.hashed == expected);
      CHECK(w.keyspace.written_unhashed == 0);
    }
  }
  w.keyspace.hashed.clear();
  w.node("get " + name(100));
  CHECK(w.keyspace.hashed == std::vector<std::string>{meta(name(100))});
}

TEST_CASE("what was announced is not taken for another key, nor for one of another database") {
  World w;
  w.node.log().batch({NodeId{2}, incarnation_of(2), 1, 1},
                     {packed({"set", "a", "1"}), packed({"swapdb", "0", "5"}),
                      packed({"set", "a", "2"}), packed({"flushdb"}), packed({"set", "a", "3"}),
                      packed({"mset", "a", "4", "b", "5", "c", "6"})});
  (void)w.node.deliver();
  CHECK(w.node("mget a b c") == "*3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n");
  CHECK(w.node("dbsize") == ":3\r\n");
  w.node("swapdb 0 5");
  CHECK(w.node("get a") == "$1\r\n1\r\n");
  CHECK(w.node("dbsize") == ":1\r\n");
}

TEST_CASE("the own batch with reads between its writes is announced and answered the same") {
  World w;
  auto batch = std::make_shared<PendingBatch>();
  const raft::ProposalNumber number = w.node.next_number();
  batch->sequence = number.sequence;
  std::vector<std::string> commands;
  std::vector<std::string> expected;
  std::string replies;
  uint64_t slot = 0;
  for (int i = 0; i < 20; ++i) {
    commands.push_back(packed({"set", name(i), std::to_string(i)}));
    expected.push_back(meta(name(i)));
    batch->ops.push_back({{1, slot++}, RequestKind::kWrite, 2, {}});
    batch->ops.push_back({{1, slot++}, RequestKind::kRead, 2, packed({"get", name(i)})});
    const std::string value = std::to_string(i);
    replies += "+OK\r\n$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  }
  w.node.executor().expect(batch);
  w.node.log().batch(number, commands);
  CHECK(Node::bytes_of(w.node.deliver()) == replies);
  CHECK(w.keyspace.hints == expected);
}

TEST_CASE("reads at an index are announced; a turn that ends in between begins a new block") {
  World w;
  ReadBatch batch;
  batch.id = 1;
  batch.index = w.node.executor().applied();
  std::vector<std::string> expected;
  for (uint64_t i = 0; i < 1000; ++i) {  // more than a turn
    const std::string key = name(static_cast<int>(i));
    batch.ops.push_back({{1, i}, RequestKind::kRead, 2, packed({"get", key})});
    expected.push_back(meta(key));
  }
  w.node.executor().run_reads(std::move(batch));
  const ExecutorEffects effects = w.node.deliver();
  CHECK(effects.reads.done == std::vector<uint64_t>{1});
  CHECK(w.keyspace.hints.size() < expected.size() + 16);
  for (const std::string& key : expected) {
    CHECK(std::ranges::count(w.keyspace.hints, key) >= 1);
  }
  CHECK(w.keyspace.unannounced.empty());
}

TEST_CASE("what has no key, no such database, or is no command at all is not announced") {
  World w;
  std::vector<std::string> commands;
  for (int i = 0; i < 8; ++i) {
    commands.push_back(packed({"flushdb"}));
    commands.push_back(packed({"set", "k", "v"}, 4'000'000'000));
    commands.push_back("garbage");
    commands.emplace_back();
  }
  w.node.log().batch({NodeId{2}, incarnation_of(2), 1, 1}, commands);
  (void)w.node.deliver();
  CHECK(w.keyspace.hints.empty());
}

TEST_CASE("long keys are not announced: that would copy and keep 16 of them") {
  World w;
  std::vector<std::string> commands;
  for (int i = 0; i < 16; ++i) {
    commands.push_back(packed({"set", name(i) + std::string(i % 2 == 0 ? 60'000 : 0, 'x'), "v"}));
  }
  w.node.log().batch({NodeId{2}, incarnation_of(2), 1, 1}, commands);
  (void)w.node.deliver();
  CHECK(w.keyspace.hints.size() == 8);
  for (const std::string& key : w.keyspace.hints) {
    CHECK(key.size() < 100);
  }
}

}  // namespace
}  // namespace kiwi::resp
