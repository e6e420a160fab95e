// What one command's reply may be, what a turn replies, and reads inside a block (F45, F64).
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/long_read.hpp"
#include "tests/resp/counting_keyspace.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/executor: replies");

namespace {

constexpr size_t kReplyMax = 1000;
constexpr std::string_view kTooLarge = "-ERR the reply is larger than 1000 bytes";

ExecutorOptions small_replies() {
  ExecutorOptions options;
  options.reply_bytes_max = kReplyMax;
  return options;
}

struct Small {
  Small() : node(keyspace, small_replies()) { node.start(); }
  std::string ask(const std::vector<std::string>& argv) { return node.run(argv); }
  ExecutorEffects write(ConnectionId connection, const std::vector<std::string>& argv) {
    auto batch = std::make_shared<PendingBatch>();
    const raft::ProposalNumber number = node.next_number();
    batch->sequence = number.sequence;
    batch->ops.push_back({{connection, 0}, RequestKind::kWrite, 2, {}});
    node.executor().expect(batch);
    node.log().batch(number, {packed(argv)});
    return node.deliver();
  }
  rocks::MemoryKeyspace keyspace;
  Node node;
};

std::string repeated_text(std::string_view text, size_t times) {
  std::string all;
  for (; times > 0; --times) {
    all += text;
  }
  return all;
}

}  // namespace

// ---------------------------------------------------------------- replies

TEST_CASE("a read whose reply would be too large is told so, whatever it is [F45]") {
  Small w;
  const std::string big(300, 'v');
  w.ask({"set", "k", big});
  w.ask({"sadd", "s", big + "1", big + "2", big + "3", big + "4", "x"});
  w.ask({"rpush", "l", big, big, big, big});
  for (int i = 0; i < 10; ++i) {
    w.ask({"set", std::string(150, 'n') + std::to_string(i), "v"});
  }
  for (const std::vector<std::string>& argv :
       std::vector<std::vector<std::string>>{repeated({"mget"}, "k", 4),
                                             {"smembers", "s"},
                                             {"sunion", "s", "s"},
                                             {"sdiff", "s", "none"},
                                             {"sinter", "s", "s"},
                                             {"srandmember", "s", "-200"},
                                             {"srandmember", "s", "5"},
                                             {"sscan", "s", "0"},
                                             {"lrange", "l", "0", "-1"},
                                             {"keys", "*"},
                                             {"scan", "0", "count", "100"}}) {
    INFO(argv[0]);
    CHECK(w.ask(argv).starts_with(kTooLarge));
  }
  CHECK(w.ask(repeated({"mget"}, "k", 3)).size() > 900);
  CHECK(w.ask({"get", "k"}).size() == big.size() + 8);
}

TEST_CASE("a long read has the same bound [F45]") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options = small_replies();
  options.long_read_elements = 5;
  Node node(keyspace, options);
  node.start();
  node.run(repeated({"rpush", "l"}, std::string(200, 'v'), 8));
  ExecutorEffects effects = node.read_effects(packed({"lrange", "l", "0", "-1"}));
  REQUIRE(effects.long_reads.size() == 1);
  std::atomic<bool> stop{false};
  std::unique_ptr<rocks::Reader> view = keyspace.view();
  node.executor().long_read_done(run_long_read(*view, effects.long_reads[0], stop));
  CHECK(Node::bytes_of(node.executor().take_effects()).starts_with(kTooLarge));
}

TEST_CASE("a write whose reply cannot be kept ends the connection, it never says ERR [F45]") {
  Small w;
  const std::string big(700, 'v');
  w.ask(repeated({"rpush", "q"}, big, 12));
  // More is kept than of a read: what is gone cannot be asked for again.
  CHECK(w.ask({"lpop", "q", "2"}).size() > 1400);
  ExecutorEffects effects = w.write(5, {"lpop", "q", "5"});
  REQUIRE(effects.replies.size() == 1);
  CHECK(effects.replies[0].connection == 5);
  CHECK(effects.replies[0].lost);
  CHECK(effects.replies[0].parts.empty());
  CHECK(effects.replies[0].bytes.empty());
  CHECK(effects.settled.size() == 1);
  CHECK(w.ask({"llen", "q"}) == ":5\r\n");
  CHECK(w.ask({"lpop", "q"}).size() > 700);
}

TEST_CASE("in a block, reads that are too large are told so and writes still answer [F45]") {
  Small w;
  const std::string big(400, 'v');
  w.ask({"set", "k", big});
  w.ask(repeated({"rpush", "q"}, big, 12));
  const std::string reply = w.node.exec({}, {repeated({"mget"}, "k", 3),
                                             {"set", "other", "1"},
                                             {"get", "k"},
                                             {"get", "other"},
                                             {"lpop", "q", "2"}});
  CHECK(reply.starts_with("*5\r\n" + std::string(kTooLarge)));
  CHECK(reply.find("\r\n+OK\r\n$400\r\n") != std::string::npos);
  CHECK(reply.find("\r\n$1\r\n1\r\n*2\r\n$400\r\n") != std::string::npos);
  CHECK(reply.size() > 1200);
  // A block whose writes do not fit: all of it was done, nobody is told.
  CHECK(w.node.exec({}, {{"lpop", "q", "9"}, {"set", "other", "2"}}).empty());
  CHECK(w.ask({"get", "other"}) == "$1\r\n2\r\n");
  CHECK(w.ask({"llen", "q"}) == ":1\r\n");
}

TEST_CASE("one client's large replies take nothing from others [F45]") {
  Small w;
  const std::string big(800, 'v');
  w.ask({"set", "k", big});
  w.ask({"set", "small", "v"});
  w.ask(repeated({"rpush", "q"}, big, 4));
  auto batch = std::make_shared<PendingBatch>();
  const raft::ProposalNumber number = w.node.next_number();
  batch->sequence = number.sequence;
  std::vector<std::string> writes;
  auto add = [&](ConnectionId connection, RequestKind kind, const std::vector<std::string>& argv) {
    const uint64_t slot = batch->ops.size();
    batch->ops.push_back({{connection, slot}, kind, 2, {}});
    kind == RequestKind::kWrite ? writes.push_back(packed(argv))
                                : void(batch->ops.back().packed = packed(argv));
  };
  add(1, RequestKind::kWrite, {"lpop", "q"});
  for (int i = 0; i < 2; ++i) {
    add(1, RequestKind::kRead, {"get", "k"});
  }
  add(2, RequestKind::kWrite, {"incr", "n"});
  add(2, RequestKind::kRead, {"get", "k"});
  add(3, RequestKind::kWrite, {"incr", "n"});
  add(3, RequestKind::kRead, {"get", "k"});  // for three there is no room
  for (int i = 0; i < 5; ++i) {
    add(3, RequestKind::kRead, {"get", "small"});
  }
  add(4, RequestKind::kWrite, {"lpop", "q"});
  w.node.executor().expect(batch);
  w.node.log().batch(number, writes);
  const ExecutorEffects effects = w.node.deliver();
  REQUIRE(effects.replies.size() == 4);
  const std::string get = "$800\r\n" + big + "\r\n";
  CHECK(effects.replies[0].bytes.starts_with(get + get + std::string(kTooLarge)));
  CHECK(effects.replies[1].bytes == ":1\r\n" + get);
  CHECK(effects.replies[2].bytes.starts_with(":2\r\n" + std::string(kTooLarge)));
  CHECK(effects.replies[2].bytes.ends_with(repeated_text("$1\r\nv\r\n", 5)));
  CHECK(effects.replies[3].bytes == get);
}

TEST_CASE("a turn ends by what it replied, of entries and of reads [F45]") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options;
  options.turn_bytes_max = 1000;
  Node node(keyspace, options);
  node.start();
  for (int i = 0; i < 9; ++i) {
    node.run({"set", "k" + std::to_string(i), std::string(400, 'v')});
  }
  for (uint64_t i = 0; i < 9; ++i) {
    auto batch = std::make_shared<PendingBatch>();
    const raft::ProposalNumber number = node.next_number();
    batch->sequence = number.sequence;
    batch->ops.push_back({{1, i}, RequestKind::kWrite, 2, {}});
    node.executor().expect(batch);
    node.log().batch(number, {packed({"getdel", "k" + std::to_string(i)})});
  }
  node.executor().apply(std::exchange(node.log().entries, {}));
  size_t turns = 0;
  for (bool more = true; more; ++turns) {
    more = node.executor().work();
    size_t bytes = 0;
    for (const ReplyBatch& replies : node.executor().take_effects().replies) {
      bytes += replies.bytes.size();
    }
    CHECK(bytes < 1500);
  }
  CHECK(turns == 3);
}

// ---------------------------------------------------------------- reads inside a block

TEST_CASE("reads of a block run only where somebody keeps the answer, and change nothing [F64]") {
  CountingKeyspace origin_keyspace;
  CountingKeyspace other_keyspace;
  Node origin(origin_keyspace);
  Node other(other_keyspace);
  for (Node* node : {&origin, &other}) {
    node->start();
    for (int i = 0; i < 200; ++i) {
      node->log().batch({NodeId{2}, incarnation_of(2), 1, static_cast<uint64_t>(i) + 1},
                        {packed({"sadd", "s", "member" + std::to_string(i) + " of 200"})});
    }
    node->deliver();
  }
  std::string block;
  const std::vector<std::vector<std::string>> commands = {
      {"smembers", "s"},  {"keys", "*"},      {"spop", "s", "3"}, {"srandmember", "s", "-50"},
      {"mget", "a", "b"}, {"spop", "s", "2"}, {"set", "x", "1"}};
  std::vector<std::string> inner;
  for (const auto& argv : commands) {
    inner.push_back(packed(argv));
  }
  pack_transaction(block, 0, {}, inner);
  origin_keyspace.reset();
  other_keyspace.reset();
  CHECK(origin.write(block).starts_with("*7\r\n"));
  other.log().batch(other.next_number(), {block});
  CHECK(other.deliver().replies.empty());
  CHECK(origin.executor().state_checksum() == other.executor().state_checksum());
  CHECK(origin_keyspace.maps() == other_keyspace.maps());
  CHECK(origin_keyspace.reads() > other_keyspace.reads() + 200);

  std::string reads_only;
  pack_transaction(reads_only, 0, {},
                   std::vector<std::string>{packed({"smembers", "s"}), packed({"keys", "*"})});
  other_keyspace.reset();
  other.log().batch(other.next_number(), {reads_only});
  other.deliver();
  CHECK(other_keyspace.cursors == 0);
}

TEST_CASE("what the reads of a block cost ends the turn [F64]") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options;
  options.turn_commands_max = 20;
  Node node(keyspace, options);
  node.start();
  for (int i = 0; i < 400; ++i) {
    node("sadd s member" + std::to_string(i));
  }
  std::string block;
  pack_transaction(block, 0, {},
                   std::vector<std::string>{packed({"smembers", "s"}), packed({"set", "x", "1"})});
  for (uint64_t i = 0; i < 4; ++i) {
    auto batch = std::make_shared<PendingBatch>();
    const raft::ProposalNumber number = node.next_number();
    batch->sequence = number.sequence;
    batch->ops.push_back({{1, i}, RequestKind::kWrite, 2, {}});
    node.executor().expect(batch);
    node.log().batch(number, {block});
  }
  node.executor().apply(std::exchange(node.log().entries, {}));
  size_t turns = 1;
  while (node.executor().work()) {
    ++turns;
  }
  CHECK(turns == 4);
}

TEST_SUITE_END();

}  // namespace kiwi::resp
