// What a command builds beside the turn and nothing names yet: in pieces, on every
// engine, undone with its command, and of no use to anybody when the process dies in between.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/types/database.hpp"
#include "rocks/keys.hpp"
#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/executor builds");

namespace {

using Argv = std::vector<std::string>;
namespace keys = rocks::keys;

ExecutorOptions in_pieces(size_t bytes) {
  ExecutorOptions options;
  options.spill_bytes = bytes;
  return options;
}

void fill(Node& node) {
  node.start();
  for (int i = 0; i < 1000; i += 100) {
    Argv hash{"hset", "hash"};
    Argv set{"sadd", "set"};
    Argv zset{"zadd", "zset"};
    Argv list{"rpush", "list"};
    for (int j = i; j < i + 100; ++j) {
      const std::string n = std::to_string(j);
      hash.insert(hash.end(), {"field" + n, "value" + n});
      set.push_back("member" + n);
      zset.insert(zset.end(), {n, "member" + n});
      list.push_back("element" + n);
      node.run({"xadd", "stream", n + "-1", "f", n});
    }
    for (const Argv& argv : {hash, set, zset, list}) {
      node.run(argv);
    }
  }
  node.run({"xgroup", "create", "stream", "group", "0"});
  node.run({"xreadgroup", "group", "group", "consumer", "count", "100", "streams", "stream", ">"});
  node.run({"set", "string", std::string(100'000, 's')});
  // Some of its fields are due by the time it is copied.
  node.run({"hexpire", "hash", "10", "fields", "3", "field3", "field4", "field5"});
  node.run({"hexpire", "hash", "100000", "fields", "2", "field6", "field7"});
  node.clock() += 20'000;
}

constexpr const char* kKeys[] = {"hash", "set", "zset", "list", "stream", "string"};

}  // namespace

TEST_CASE_TEMPLATE("a copy is the same in pieces as whole",
                   On,
                   InMemory,
                   OnRocksWith<&rocks::open_plain_keyspace>,
                   OnRocksWith<&rocks::open_table_keyspace>) {
  INFO(On::kName);
  rocks::MemoryKeyspace straight;
  Node whole(straight);
  On engine;
  Node pieces(engine.keyspace(), in_pieces(2000));
  fill(whole);
  fill(pieces);
  for (const std::string key : kKeys) {
    INFO(key);
    for (const Argv& argv : {Argv{"copy", key, key + "2"}, Argv{"move", key, "3"},
                             Argv{"copy", key + "2", key}, Argv{"copy", key, key + "2", "replace"},
                             Argv{"dump", key}, Argv{"dump", key + "2"}, Argv{"kiwi.audit", key}}) {
      CHECK(whole.run(argv) == pieces.run(argv));
    }
    CHECK(whole.executor().state_checksum() == pieces.executor().state_checksum());
  }
  // One entry that copies, changes the copy, drops it and copies again.
  for (Node* node : {&whole, &pieces}) {
    node->exec({}, {{"copy", "set", "a"},
                    {"srem", "a", "member1"},
                    {"del", "a"},
                    {"copy", "hash", "a"},
                    {"hset", "a", "field1", "new"},
                    {"copy", "a", "b"}});
  }
  CHECK(whole("hget b field1") == "$3\r\nnew\r\n");
  CHECK(whole.run({"dump", "b"}) == pieces.run({"dump", "b"}));
  CHECK(pieces("kiwi.audit") == whole("kiwi.audit"));
  CHECK(whole.executor().state_checksum() == pieces.executor().state_checksum());
}

TEST_CASE_TEMPLATE(
    "a copy that fails in the middle leaves nothing, and its version can be used again",
    On,
    InMemory,
    OnRocksWith<&rocks::open_plain_keyspace>,
    OnRocksWith<&rocks::open_table_keyspace>) {
  INFO(On::kName);
  On engine;
  ExecutorOptions options = in_pieces(2000);
  options.entry_steps_max = 3060;  // the members of "more" are fewer, and its nodes make it more
  Node node(engine.keyspace(), options);
  fill(node);
  for (int i = 0; i < 3000; i += 100) {
    Argv zadd{"zadd", "more"};
    for (int j = i; j < i + 100; ++j) {
      zadd.insert(zadd.end(), {std::to_string(j), "member" + std::to_string(1000 + j)});
    }
    node.run(zadd);
  }
  node.run({"sadd", "few", "a", "b", std::string(3000, 'c')});
  const std::string before = node.run({"dump", "few"});
  for (int i = 0; i < 3; ++i) {
    const std::string replies = node.exec(
        {}, {{"copy", "more", "copy"}, {"copy", "few", "other", "replace"}, {"exists", "copy"}});
    CHECK(replies.find("-ERR too much for one command") != std::string::npos);
    CHECK(node.run({"copy", "few", "other", "replace"}) == ":1\r\n");
    CHECK(node.run({"dump", "other"}) == before);
    CHECK(node("scard other") == ":3\r\n");
    CHECK(node("exists copy") == ":0\r\n");
  }
  const auto hidden = [&] {
    std::string key;
    keys::applied_record(key);
    const uint64_t counter =
        rocks::decode_applied(*engine.keyspace().get(rocks::Family::kSystem, key))
            ->mutation_counter;
    size_t records = 0;
    for (const rocks::Family family : {rocks::Family::kElement, rocks::Family::kNode}) {
      for (auto at = engine.keyspace().cursor(family, {}, {}); at->valid(); at->next()) {
        records += rocks::is_hidden(family, at->key(), counter) ? 1 : 0;
      }
    }
    return records;
  };
  CHECK(hidden() == 0);
  engine.reopen();
  CHECK(hidden() == 0);
  Database again(engine.keyspace());
  CHECK(again.counts(again.physical(0)).keys == 9);
}

TEST_CASE("a copy that is too long is refused before anything of it is built [F61]") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options = in_pieces(2000);
  options.entry_steps_max = 900;
  Node node(keyspace, options);
  node.start();
  for (int i = 0; i < 1000; i += 50) {
    Argv sadd{"sadd", "set"};
    for (int j = i; j < i + 50; ++j) {
      sadd.push_back("member" + std::to_string(j));
    }
    node.run(sadd);
  }
  CHECK(node.run({"copy", "set", "copy"}).starts_with("-ERR too much for one command"));
  CHECK(keyspace.spills() == 0);
  CHECK(node("exists copy") == ":0\r\n");
}

TEST_CASE_TEMPLATE("what was being built when the process died is gone when the state is opened",
                   On,
                   InMemory,
                   OnRocksWith<&rocks::open_plain_keyspace>,
                   OnRocksWith<&rocks::open_table_keyspace>) {
  INFO(On::kName);
  On engine;
  {
    Node node(engine.keyspace());
    fill(node);
  }
  const auto counter = [&] {
    std::string key;
    keys::applied_record(key);
    return rocks::decode_applied(*engine.keyspace().get(rocks::Family::kSystem, key))
        ->mutation_counter;
  }();
  const auto count = [&](rocks::Family family) {
    size_t records = 0;
    for (auto at = engine.keyspace().cursor(family, {}, {}); at->valid(); at->next()) {
      ++records;
    }
    return records;
  };
  const size_t elements = count(rocks::Family::kElement);
  const size_t nodes = count(rocks::Family::kNode);
  std::vector<rocks::Writer::Record> hidden;
  for (const uint32_t database : {0u, 5u}) {
    for (int i = 0; i < 100; ++i) {
      std::string key;
      keys::element(key, {rocks::DatabaseId{database}, counter + 1}, "field" + std::to_string(i));
      hidden.push_back({rocks::Family::kElement, key, "value"});
      keys::node(key, {rocks::DatabaseId{database}, counter + 2}, 0, 1 + static_cast<uint64_t>(i));
      hidden.push_back({rocks::Family::kNode, key, "node"});
    }
  }
  engine.keyspace().spill(hidden);
  CHECK(count(rocks::Family::kElement) == elements + 200);
  engine.reopen();
  CHECK(count(rocks::Family::kNode) == nodes + 200);
  {
    Database opened(engine.keyspace());
    CHECK(count(rocks::Family::kElement) == elements);
    CHECK(count(rocks::Family::kNode) == nodes);
  }
  engine.reopen();
  CHECK(count(rocks::Family::kElement) == elements);
}

TEST_CASE(
    "the commit behind a spill waits for room where its entry rests, not the thread [C3][F60]") {
  using Clock = std::chrono::steady_clock;
  std::atomic<bool> full{false};
  // A thread that waits for it is let go in the end, so that the test fails and does not hang.
  const Clock::time_point last = Clock::now() + std::chrono::seconds(20);
  OnTable engine([&] { return full && Clock::now() < last ? uint64_t{0} : uint64_t{1} << 40; });
  ExecutorOptions options = in_pieces(200'000);  // many epochs of a table this small
  options.now_us = [now = int64_t{0}]() mutable { return ++now; };
  options.rest_after_us = int64_t{1} << 40;
  Node node(engine.keyspace(), options);
  node.start();
  for (int i = 0; i < 600; i += 50) {
    Argv hset{"hset", "hash"};
    for (int j = i; j < i + 50; ++j) {
      hset.insert(hset.end(), {"field" + std::to_string(j), std::string(400, 'v')});
    }
    node.run(hset);
  }
  engine.keyspace().flush();
  REQUIRE(engine.keyspace().pressure() < rocks::StateStore::kPressureFull);
  const LogIndex before = node.executor().applied();
  auto batch = std::make_shared<PendingBatch>();
  const raft::ProposalNumber number = node.next_number();
  batch->sequence = number.sequence;
  batch->ops.push_back({{1, 0}, RequestKind::kWrite, 2, {}});
  node.executor().expect(batch);
  node.log().batch(number, {packed({"copy", "hash", "copy"})});
  full = true;
  node.executor().apply(std::exchange(node.log().entries, {}));
  for (int i = 0; i < 10; ++i) {
    CHECK(node.executor().work());
    REQUIRE(node.executor().waits_for_room());
    const ExecutorEffects effects = node.executor().take_effects();
    CHECK((effects.replies.empty() && effects.settled.empty() && !effects.applied_moved));
    CHECK(node.executor().applied() == before);
  }
  SUBCASE("there is room again") {
    full = false;
    while (node.executor().work()) {
    }
    CHECK(Node::bytes_of(node.executor().take_effects()) == ":1\r\n");
    CHECK(node.executor().applied() == before + 1);
    CHECK(node("hlen copy") == ":600\r\n");
  }
  SUBCASE("another state takes its place") {
    engine.keyspace().give_up();
    node.executor().abandon();
    CHECK_FALSE(node.executor().rests());
    CHECK(node.executor().applied() == before);
    CHECK(node.executor().take_effects().replies.empty());
  }
  full = false;
}

TEST_SUITE_END();

}  // namespace kiwi::resp
