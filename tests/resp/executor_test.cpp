// Entries, numbers, turns and replies (resp/executor.hpp).
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/types/key_counts.hpp"
#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

struct World {
  explicit World(ExecutorOptions options = {}) : node(keyspace, options) { node.start(); }
  rocks::MemoryKeyspace keyspace;
  Node node;

  // An entry of another number than this node's own next one; tells whether it was applied.
  bool applies(const raft::ProposalNumber& number) {
    std::string before = node("get probe");
    node.log().batch(number, {packed({"incr", "probe"})});
    node.deliver();
    return node("get probe") != before;
  }
};

raft::ProposalNumber number(uint64_t node, uint8_t life, uint64_t epoch, uint64_t sequence) {
  return {NodeId{node}, incarnation_of(life), epoch, sequence};
}

TEST_CASE("a batch is applied iff it is the next one of its origin [F4]") {
  World w;
  CHECK(w.applies(number(2, 2, 5, 1)));
  CHECK_FALSE(w.applies(number(2, 2, 5, 1)));  // a duplicate
  CHECK_FALSE(w.applies(number(2, 2, 5, 3)));  // a gap
  CHECK(w.applies(number(2, 2, 5, 2)));
  CHECK_FALSE(w.applies(number(2, 2, 4, 3)));  // an earlier boot
  CHECK_FALSE(w.applies(number(2, 2, 4, 1)));
  CHECK_FALSE(w.applies(number(2, 2, 6, 3)));  // a later boot begins with 1
  CHECK(w.applies(number(2, 2, 6, 1)));
  CHECK_FALSE(w.applies(number(2, 2, 5, 3)));
}

TEST_CASE("a batch of a non-member is a no-op, and its row goes with the member [F4]") {
  World w;
  CHECK_FALSE(w.applies(number(3, 3, 1, 1)));
  CHECK_FALSE(w.applies(number(2, 9, 1, 1)));  // a known id's other life
  CHECK(w.applies(number(2, 2, 1, 1)));
  CHECK(w.node.executor().session_rows().size() == 2);

  w.node.log().members({member(1)});
  w.node.deliver();
  CHECK_FALSE(w.applies(number(2, 2, 1, 2)));
  CHECK(w.node.executor().session_rows().size() == 1);

  w.node.log().members({member(1), member(2, 7)});
  w.node.deliver();
  CHECK_FALSE(w.applies(number(2, 2, 1, 2)));
  CHECK(w.applies(number(2, 7, 1, 1)));
}

TEST_CASE("session rows, applied index and counters survive a restart [F4, F10]") {
  World w;
  CHECK(w.applies(number(2, 2, 3, 1)));
  w.node("set a 1");
  w.node("setex b 100 2");
  Executor again(w.keyspace, Node::own({}));
  CHECK(again.applied() == w.node.executor().applied());
  CHECK(again.applied_stamp_ms() == w.node.executor().applied_stamp_ms());
  CHECK(again.session_rows() == w.node.executor().session_rows());
  CHECK(again.state_checksum() == w.node.executor().state_checksum());
  REQUIRE(again.database_sizes().size() == 1);
  CHECK(again.database_sizes()[0].keys == 3);
  CHECK(again.database_sizes()[0].keys_with_ttl == 1);
}

TEST_CASE("the members of the last configuration entry are in the state [F13]") {
  World w;
  std::string key;
  rocks::keys::configuration_record(key);
  auto recorded = [&] {
    auto bytes = w.keyspace.get(rocks::Family::kSystem, key);
    REQUIRE(bytes.has_value());
    auto configuration = raft::decode_configuration(*bytes);
    REQUIRE(configuration.has_value());
    return configuration->voters;
  };
  w.node("set a 1");
  CHECK(recorded() == std::vector<NodeId>{NodeId{1}, NodeId{2}});
  w.node.log().members({member(1), member(3)});
  w.node.deliver();
  CHECK(recorded() == std::vector<NodeId>{NodeId{1}, NodeId{3}});
}

TEST_CASE("only the boot that proposed a batch answers it") {
  World w;
  auto batch = std::make_shared<PendingBatch>();
  batch->sequence = 1;
  batch->ops.push_back({{9, 4}, RequestKind::kWrite, 2, {}});
  w.node.executor().expect(batch);
  w.node.log().batch(number(2, 2, 1, 1), {packed({"set", "a", "1"})});
  ExecutorEffects other = w.node.deliver();
  CHECK(other.replies.empty());
  CHECK(other.settled.empty());

  w.node.log().batch(number(1, 1, 1, 1), {packed({"set", "a", "1"})});
  ExecutorEffects own = w.node.deliver();
  REQUIRE(own.replies.size() == 1);
  CHECK(own.replies[0].connection == 9);
  CHECK(own.replies[0].bytes == "+OK\r\n");
  REQUIRE(own.replies[0].parts.size() == 1);
  CHECK(own.replies[0].parts[0].slot == 4);
  REQUIRE(own.settled.size() == 1);
  CHECK(own.settled[0].sequence == 1);
  CHECK(own.settled[0].applied);
}

TEST_CASE("replies of a turn are grouped by connection, in order") {
  World w;
  auto batch = std::make_shared<PendingBatch>();
  batch->sequence = 1;
  for (uint64_t connection : {5, 6, 5}) {
    batch->ops.push_back({{connection, batch->ops.size()}, RequestKind::kWrite, 2, {}});
  }
  w.node.executor().expect(batch);
  w.node.log().batch(number(1, 1, 1, 1), {packed({"incr", "n"}), packed({"incr", "n"}),
                                          packed({"append", "n", "00000000"})});
  ExecutorEffects effects = w.node.deliver();
  REQUIRE(effects.replies.size() == 2);
  CHECK(effects.replies[0].connection == 5);
  CHECK(effects.replies[0].bytes == ":1\r\n:9\r\n");
  REQUIRE(effects.replies[0].parts.size() == 2);
  CHECK(effects.replies[0].parts[1].slot == 2);
  CHECK(effects.replies[0].parts[1].offset == 4);
  CHECK(effects.replies[0].parts[1].size == 4);
  CHECK(effects.replies[1].bytes == ":2\r\n");
}

TEST_CASE("a closed connection gets nothing, the write is applied all the same") {
  World w;
  auto batch = std::make_shared<PendingBatch>();
  batch->sequence = 1;
  batch->ops.push_back({{5, 0}, RequestKind::kWrite, 2, {}});
  w.node.executor().expect(batch);
  w.node.executor().forget_connection(5);
  w.node.log().batch(w.node.next_number(), {packed({"set", "a", "1"})});
  CHECK(w.node.deliver().replies.empty());
  CHECK(w.node("get a") == "$1\r\n1\r\n");
}

TEST_CASE("a forgotten batch is applied and settled in silence [F5]") {
  World w;
  auto batch = std::make_shared<PendingBatch>();
  batch->sequence = 1;
  batch->ops.push_back({{5, 0}, RequestKind::kWrite, 2, {}});
  w.node.executor().expect(batch);
  w.node.executor().forget(1);
  w.node.log().batch(w.node.next_number(), {packed({"set", "a", "1"})});
  ExecutorEffects effects = w.node.deliver();
  CHECK(effects.replies.empty());
  REQUIRE(effects.settled.size() == 1);
  CHECK(effects.settled[0].applied);
}

TEST_CASE("commands of one entry see those before them [F10]") {
  World w;
  w.node.log().batch(number(2, 2, 1, 1), {packed({"incr", "n"}), packed({"incr", "n"})});
  w.node.deliver();
  CHECK(w.node("get n") == "$1\r\n2\r\n");
}

TEST_CASE(
    "a key that is deleted and made again in one entry does not get old elements back [F10]") {
  World w;
  CHECK(w.node.exec({}, {{"rpush", "l", "a", "b"},
                         {"del", "l"},
                         {"rpush", "l", "c"},
                         {"lrange", "l", "0", "-1"}}) ==
        "*4\r\n:2\r\n:1\r\n:1\r\n*1\r\n$1\r\nc\r\n");
  CHECK(w.node.exec({}, {{"sadd", "s", "a"},
                         {"set", "s", "x"},
                         {"del", "s"},
                         {"sadd", "s", "b"},
                         {"smembers", "s"}}) == "*5\r\n:1\r\n+OK\r\n:1\r\n:1\r\n*1\r\n$1\r\nb\r\n");
}

TEST_CASE("random commands of one entry draw different numbers, the same on every node [F10]") {
  std::vector<std::string> answers;
  for (int node = 0; node < 2; ++node) {
    World w;
    for (const char* name : {"a", "b", "c", "d"}) {
      std::vector<std::string> add{"sadd", name};
      for (int i = 0; i < 100; ++i) {
        add.push_back(std::to_string(i));
      }
      w.node.run(add);
    }
    answers.push_back(
        w.node.exec({}, {{"spop", "a"}, {"spop", "b"}, {"spop", "c"}, {"spop", "d"}}));
  }
  CHECK(answers[0] == answers[1]);
  std::set<std::string> different;
  for (size_t at = answers[0].find('$'); at != std::string::npos;
       at = answers[0].find('$', at + 1)) {
    different.insert(answers[0].substr(at, 6));
  }
  CHECK(different.size() > 1);
}

TEST_CASE("reads attached to a batch see what is before them and nothing after [F6]") {
  World w;
  auto batch = std::make_shared<PendingBatch>();
  batch->sequence = w.node.next_number().sequence;
  auto write = [](uint64_t slot) { return PendingOp{{5, slot}, RequestKind::kWrite, 2, {}}; };
  auto read = [](uint64_t slot) {
    return PendingOp{{5, slot}, RequestKind::kRead, 2, packed({"get", "a"})};
  };
  batch->ops = {read(0), write(1), read(2), write(3), read(4)};
  w.node.executor().expect(batch);
  w.node.log().batch(number(1, 1, 1, 1), {packed({"set", "a", "1"}), packed({"set", "a", "2"})});
  CHECK(Node::bytes_of(w.node.deliver()) == "$-1\r\n+OK\r\n$1\r\n1\r\n+OK\r\n$1\r\n2\r\n");
}

TEST_CASE(
    "a void applies nothing, takes its number, and answers the reads where it stands [F3, F6]") {
  World w;
  w.node("set a before");
  auto batch = std::make_shared<PendingBatch>();
  batch->sequence = 2;
  batch->ops = {{{5, 0}, RequestKind::kWrite, 2, {}},
                {{5, 1}, RequestKind::kRead, 2, packed({"get", "a"})}};
  w.node.executor().expect(batch);
  raft::Entry& entry = w.node.log().add(raft::EntryKind::kVoid);
  entry.number = number(1, 1, 1, 2);
  ExecutorEffects effects = w.node.deliver();
  REQUIRE(effects.replies.size() == 1);
  CHECK(effects.replies[0].bytes == "$6\r\nbefore\r\n");  // the write is the router's to answer
  REQUIRE(effects.replies[0].parts.size() == 1);
  CHECK(effects.replies[0].parts[0].slot == 1);
  REQUIRE(effects.settled.size() == 1);
  CHECK_FALSE(effects.settled[0].applied);

  CHECK_FALSE(w.applies(number(1, 1, 1, 2)));  // the number is used up
  CHECK(w.applies(number(1, 1, 1, 3)));
}

TEST_CASE("a turn holds whole entries within its budget and ends in one commit") {
  ExecutorOptions options;
  options.turn_commands_max = 4;
  World w(options);
  size_t commits = w.keyspace.commits();
  for (uint64_t n = 1; n <= 4; ++n) {
    w.node.log().batch(number(2, 2, 1, n),
                       {packed({"incr", "n"}), packed({"incr", "n"}), packed({"incr", "n"})});
  }
  w.node.executor().apply(std::exchange(w.node.log().entries, {}));
  CHECK(w.node.executor().work());
  CHECK(w.keyspace.commits() == commits + 1);
  LogIndex first = w.node.executor().take_effects().applied;
  CHECK(first.value == 2);  // three commands and the entry itself fill the turn
  while (w.node.executor().work()) {
  }
  CHECK(w.keyspace.commits() == commits + 4);
  CHECK(w.node("get n") == "$2\r\n12\r\n");
}

TEST_CASE("an entry that opens a term ends the turn and brings the rows right after it [F23]") {
  World w;
  w.node.log().batch(number(2, 2, 1, 1), {packed({"incr", "n"})});
  w.node.log().add(raft::EntryKind::kNoop);
  w.node.log().batch(number(2, 2, 1, 2), {packed({"incr", "n"})});
  w.node.executor().apply(std::exchange(w.node.log().entries, {}));
  CHECK(w.node.executor().work());
  ExecutorEffects effects = w.node.executor().take_effects();
  CHECK(effects.applied.value == 3);
  REQUIRE(effects.sessions.has_value());
  CHECK((*effects.sessions)[1].sequence == 1);
  CHECK_FALSE(w.node.executor().work());
  CHECK_FALSE(w.node.executor().take_effects().sessions.has_value());
}

TEST_CASE("a command that reads or writes by its arguments goes the way that they say") {
  World w;
  CHECK(w.node("set a 1") == "+OK\r\n");
  const LogIndex before = w.node.executor().applied();
  CHECK(w.node("kiwi.test.store a") == "$1\r\n1\r\n");
  CHECK(w.node.executor().applied() == before);
  CHECK(w.node("kiwi.test.store a store b") == "+OK\r\n");
  CHECK(w.node("get b") == "$1\r\n1\r\n");
  const ExecutorEffects read = w.node.read_effects(packed({"kiwi.test.store", "a", "store", "c"}));
  CHECK(Node::bytes_of(read) == "-ERR this command cannot be executed here\r\n");
  CHECK(w.node("get c") == "$-1\r\n");
}

TEST_CASE("a command of a later cluster version is executed nowhere") {
  World w;
  CHECK(w.node("kiwi.test.later k") == "-ERR this command cannot be executed here\r\n");
}

TEST_CASE("a command that throws leaves nothing behind and is answered the same everywhere [F30]") {
  World w;
  w.node("set a 1");
  w.node("rpush l 1 2 3");
  rocks::MemoryKeyspace::Maps before = w.keyspace.maps();
  w.node.run({"kiwi.test.fail", "a", "l", "new"});
  CHECK(w.node("get a") == "$1\r\n1\r\n");
  CHECK(w.node("lrange l 0 -1") == "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
  CHECK(w.node("dbsize") == ":2\r\n");
  for (rocks::Family family :
       {rocks::Family::kMeta, rocks::Family::kElement, rocks::Family::kNode}) {
    CHECK(w.keyspace.maps()[static_cast<size_t>(family)] == before[static_cast<size_t>(family)]);
  }
  std::string error = "-ERR internal error: the command was not applied\r\n";
  CHECK(w.node.run({"kiwi.test.fail", "a"}) == error);
  // In a block only the failed command is gone.
  CHECK(w.node.exec({}, {{"incr", "a"}, {"kiwi.test.fail", "a", "b"}, {"incr", "a"}}) ==
        "*3\r\n:2\r\n" + error + ":3\r\n");
  CHECK(w.node("exists b") == ":0\r\n");
  CHECK(w.node("set after 1") == "+OK\r\n");
}

TEST_CASE("a batch that cannot be read applies as nothing and uses up its number [F30]") {
  World w;
  w.node("set a 1");
  auto batch = std::make_shared<PendingBatch>();
  batch->sequence = 2;
  batch->ops = {{{5, 0}, RequestKind::kWrite, 2, {}}};
  w.node.executor().expect(batch);
  std::string good(payload_of({packed({"set", "a", "2"}), packed({"set", "b", "2"})}).view());
  good.pop_back();
  raft::Entry& entry = w.node.log().add(raft::EntryKind::kBatch, SharedBytes(good));
  entry.number = number(1, 1, 1, 2);
  CHECK(Node::bytes_of(w.node.deliver()) == "-ERR internal error: malformed batch\r\n");
  CHECK(w.node("get a") == "$1\r\n1\r\n");
  CHECK_FALSE(w.applies(number(1, 1, 1, 2)));
}

TEST_CASE("commands that belong elsewhere are refused without a trace") {
  World w;
  std::string refusal = "-ERR this command cannot be executed here\r\n";
  CHECK(w.node.write(packed({"no-such-command"})) == refusal);
  CHECK(w.node.write(packed({"ping"})) == refusal);
  CHECK(w.node.write(packed({"set", "k"})) == refusal);
  CHECK(w.node.write(packed({"set", "k", "v"}, 1u << 20)) == refusal);
  CHECK(Node::bytes_of(w.node.read_effects(packed({"set", "k", "v"}))) == refusal);
  CHECK(w.node("dbsize") == ":0\r\n");
}

TEST_CASE("what deadlines have left on average is exact, whatever becomes of them") {
  World w;
  const auto ttl_ms = [&] {
    const auto sizes = w.node.executor().database_sizes();
    REQUIRE(sizes.size() == 1);
    return sizes[0].mean_ttl_ms(w.node.clock());
  };
  w.node("set plain 1");
  CHECK(ttl_ms() == 0);
  const auto mean = [](double first, double second) {
    return doctest::Approx((first + second) / 2).epsilon(0.001);
  };
  w.node("setex a 100 1");
  w.node("setex b 300 1");
  CHECK(ttl_ms() == mean(100'000, 300'000));
  w.node("expire a 500");  // later: no index record moves
  CHECK(ttl_ms() == mean(500'000, 300'000));
  w.node("rename a c");
  w.node("copy c d");
  w.node("persist d");
  CHECK(ttl_ms() == mean(500'000, 300'000));
  w.node("set c 2 keepttl");
  w.node("del b");
  CHECK(ttl_ms() == mean(500'000, 500'000));
  Executor again(w.keyspace, Node::own({}));
  CHECK(again.database_sizes()[0].mean_ttl_ms(w.node.clock()) == ttl_ms());
  w.node("set c 3");
  CHECK(ttl_ms() == 0);
}

TEST_CASE("a sum of deadlines is exact where one number would not be") {
  DeadlineSum sum;
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
  for (int i = 0; i < 1000; ++i) {
    sum.add(kFar);
  }
  CHECK(sum.mean_ms(1000) == doctest::Approx(static_cast<double>(kFar)));
  for (int i = 0; i < 1000; ++i) {
    sum.add(1'700'000'000'000 + i);
    sum.remove(kFar);
  }
  CHECK(sum.mean_ms(1000) == doctest::Approx(1'700'000'000'499.5).epsilon(1e-12));
  CHECK(DeadlineSum{}.mean_ms(0) == 0);
}

TEST_CASE("each logical database has its own keys and counts") {
  World w;
  w.node("set a 0");
  w.node.database = 3;
  CHECK(w.node("get a") == "$-1\r\n");
  w.node("setex a 100 3");
  w.node("set b 3");
  auto sizes = w.node.executor().database_sizes();
  REQUIRE(sizes.size() == 2);
  CHECK(sizes[0].database == 0);
  CHECK(sizes[0].keys == 1);
  CHECK(sizes[1].database == 3);
  CHECK(sizes[1].keys == 2);
  CHECK(sizes[1].keys_with_ttl == 1);
  w.node("flushdb");
  w.node.database = 0;
  CHECK(w.node("get a") == "$1\r\n0\r\n");
  CHECK(w.node.executor().database_sizes().size() == 1);
}

}  // namespace
}  // namespace kiwi::resp
