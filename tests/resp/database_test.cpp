// What commands leave behind in memory and in the state beside their keys.
#include "resp/types/database.hpp"

#include <set>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "rocks/keys.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

namespace {

using rocks::Family;

// Counts range erases.
class CountingKeyspace : public rocks::MemoryKeyspace {
 public:
  void erase_range(Family family, std::string_view from, std::string_view to) override {
    ++ranges;
    MemoryKeyspace::erase_range(family, from, to);
  }
  uint64_t records(Family family) {
    uint64_t count = 0;
    for (auto at = cursor(family, {}, {}); at->valid(); at->next()) {
      ++count;
    }
    return count;
  }

  uint64_t ranges = 0;
};

constexpr size_t kBig = 4 << 20;

}  // namespace

TEST_SUITE_BEGIN("resp/database");

TEST_CASE("a command with something big leaves small buffers behind [F47]") {
  rocks::MemoryKeyspace keyspace;
  Database state(keyspace);
  const std::string big(kBig, 'b');
  rocks::Metadata meta;
  meta.type = rocks::Type::kString;
  meta.value = big;
  meta.expire_at_ms = 1000;
  auto find = [&](std::string_view name) {
    state.begin_command();
    return state.find(state.physical(0), name, 1);
  };
  Key key = find("from");
  state.create(key, meta);
  Key renamed = find("to");
  key = find("from");
  state.rename(key, renamed);
  Key copied = find("copied");
  renamed = find("to");
  state.copy(renamed, copied);
  state.elements().put(copied.collection(), "f", big);
  CHECK(state.buffer_bytes() > kBig);
  state.end_turn();
  CHECK(state.buffer_bytes() < 64 << 10);
  find(big);  // a read: no turn ends behind it
  CHECK(state.buffer_bytes() > kBig);
  find("k");
  CHECK(state.buffer_bytes() < 64 << 10);
  CHECK_FALSE(state.elements().get(copied.collection(), big).has_value());
  CHECK(state.buffer_bytes() > kBig);
  state.give_back_buffers();  // as an executor does behind its reads
  CHECK(state.buffer_bytes() < 64 << 10);
}

TEST_CASE("what was unpacked from a big block is given back by the next command [F47]") {
  PackedCommand command;
  std::vector<std::string> argv(200'000, "x");
  std::vector<WatchToken> tokens(200'000);
  std::string transaction;
  pack_transaction(transaction, 0, tokens, argv);
  REQUIRE(unpack_command(packed(argv), command));
  REQUIRE(unpack_command(transaction, command));
  CHECK(command.tokens.capacity() >= 200'000);
  REQUIRE(unpack_command(packed({"get", "k"}), command));
  CHECK(command.args.capacity() * sizeof(std::string_view) <= 1 << 20);
  CHECK(command.tokens.capacity() * sizeof(WatchToken) <= 1 << 20);
  CHECK(command.commands.capacity() * sizeof(std::string_view) <= 1 << 20);
}

TEST_CASE("a queue that is empty most of the time costs no range erases") {
  CountingKeyspace keyspace;
  Node node(keyspace);
  node.start();
  for (int i = 0; i < 3; ++i) {
    CHECK(node("rpush l a b") == ":2\r\n");
    CHECK(node("lpop l") == "$1\r\na\r\n");
    CHECK(node("rpop l") == "$1\r\nb\r\n");
    node("rpush l a b");
    CHECK(node("lpop l 5") == "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    node("rpush l a a");
    CHECK(node("lrem l 0 a") == ":2\r\n");
    node("rpush l a b");
    CHECK(node("del l") == ":1\r\n");
    node("rpush l a b");
    CHECK(node("ltrim l 5 9") == "+OK\r\n");
    node("rpush l a b");
    CHECK(node("set l v") == "+OK\r\n");
    node("del l");
    const std::string large(3'000, 'x');  // has a node of its own
    for (const std::string& gone : {std::string("del l"), std::string("lpop l"),
                                    std::string("set l v"), "lrem l 1 " + large}) {
      node("rpush l " + large);
      CHECK(keyspace.records(Family::kNode) == 1);
      node(gone);
      CHECK(keyspace.records(Family::kNode) == 0);
      node("del l");
    }
    node("sadd s a b");
    CHECK(node("srem s a b") == ":2\r\n");
    node("sadd s a");
    CHECK(node("spop s") == "$1\r\na\r\n");
    node("sadd s a");
    CHECK(node("smove s t a") == ":1\r\n");
    node("srem t a");
  }
  CHECK(keyspace.ranges == 0);
  CHECK(keyspace.records(Family::kElement) == 0);
  CHECK(keyspace.records(Family::kNode) == 0);
  CHECK(keyspace.records(Family::kMeta) == 0);
}

TEST_CASE("no element stays behind its collection, however it became empty") {
  CountingKeyspace keyspace;
  ExecutorOptions options;
  options.shape = {40, 40, 40, 48, 60};  // so that some have records beside the key's
  Node node(keyspace, options);
  node.start();
  Prng random(12);
  const char* kCommands[] = {"rpush l a b c",
                             "lpush l a b",
                             "lpop l 3",
                             "rpop l 40",
                             "lrem l 0 a",
                             "lrem l -1 b",
                             "ltrim l 1 -2",
                             "linsert l before a z",
                             "rename l m",
                             "copy l m",
                             "del m",
                             "sadd s a b c d",
                             "spop s 2",
                             "srem s a b",
                             "smove s t c",
                             "spop t 100",
                             "sunionstore s s t",
                             "sinterstore t s t",
                             "lmove l m left right",
                             "set l x"};
  for (int i = 0; i < 4000; ++i) {
    if (random.below(40) == 0) {  // more than goes one by one
      std::string many = random.below(2) == 0 ? "rpush l" : "sadd s";
      for (int n = 0; n < 100; ++n) {
        many += " a" + std::to_string(random.below(120));
      }
      node(many);
    }
    node(kCommands[random.below(std::size(kCommands))]);
  }
  uint64_t sizes = 0;
  std::set<uint64_t> lists;  // versions
  for (auto at = keyspace.cursor(Family::kMeta, {}, {}); at->valid(); at->next()) {
    const auto meta = rocks::decode_metadata(at->value());
    REQUIRE(meta);
    sizes += meta->has_fields() ? meta->size : 0;
    if (meta->has_nodes()) {
      lists.insert(meta->version);
    }
  }
  CHECK(keyspace.records(Family::kElement) == sizes);
  for (auto at = keyspace.cursor(Family::kNode, {}, {}); at->valid(); at->next()) {
    CHECK(lists.contains(rocks::keys::parse_node(at->key())->collection.version));
  }
  for (const char* key : {"l", "m", "s", "t"}) {
    node(std::string("del ") + key);
  }
  CHECK(keyspace.records(Family::kElement) == 0);
  CHECK(keyspace.records(Family::kNode) == 0);
}

TEST_CASE("when the numbers of databases are used up FLUSHDB fails and changes nothing") {
  rocks::MemoryKeyspace keyspace;
  rocks::AppliedRecord record;
  record.next_database = UINT32_MAX;
  std::string name;
  std::string bytes;
  rocks::keys::applied_record(name);
  rocks::encode(bytes, record);
  keyspace.put(Family::kSystem, name, bytes);
  Node node(keyspace);
  node.start();
  CHECK(node("set k v") == "+OK\r\n");
  CHECK(node("flushdb").starts_with("-ERR internal"));
  CHECK(node("get k") == "$1\r\nv\r\n");
}

TEST_SUITE_END();

}  // namespace kiwi::resp
