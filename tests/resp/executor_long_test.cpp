// Reads that are too long for a turn: put aside, run on a picture, answered in their slot.
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/long_read.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/long reads");

namespace {

ExecutorOptions above_five() {
  ExecutorOptions options;
  options.long_read_elements = 5;
  return options;
}

struct LongWorld {
  LongWorld() : node(keyspace, above_five()) {
    node.start();
    for (int i = 0; i < 10; ++i) {
      node("set key" + std::to_string(i) + " v");
    }
    node("sadd set 1 2 3 4 5 6 7 8");
    node("sadd small 1 2");
    node("rpush list 1 2 3 4 5 6 7 8");
  }
  // What the loop and its thread do with the effects.
  std::string finish(ExecutorEffects effects) {
    REQUIRE(effects.long_reads.size() == 1);
    std::unique_ptr<rocks::Reader> view = keyspace.view();
    std::atomic<bool> stop{false};
    node.executor().long_read_done(run_long_read(*view, effects.long_reads[0], stop));
    return Node::bytes_of(node.executor().take_effects());
  }
  ExecutorEffects ask(const std::string& words) {
    std::vector<std::string> argv(1);
    for (char c : words) {
      if (c == ' ') {
        argv.emplace_back();
      } else {
        argv.back().push_back(c);
      }
    }
    return node.read_effects(packed(argv), RequestKind::kRead, node.clock());
  }
  rocks::MemoryKeyspace keyspace;
  Node node;
};

ReadOp op(ConnectionId connection, uint64_t slot, const std::vector<std::string>& argv) {
  return {{connection, slot}, RequestKind::kRead, 2, packed(argv)};
}

}  // namespace

TEST_CASE("a long read answers what the same read would have answered in the turn") {
  for (const char* words :
       {"keys *", "keys key[1-3]", "scan 0 count 100", "smembers set", "sunion set small",
        "sdiff set small", "sinter set small", "sintercard 2 set small", "sscan set 0 count 100",
        "lrange list 0 -1", "lrange list -7 6", "lpos list 8"}) {
    LongWorld away;
    LongWorld here;
    INFO(words);
    const std::string answer = away.finish(away.ask(words));
    Node inline_node(here.keyspace);  // where nothing is too long
    inline_node.clock() = here.node.clock();
    CHECK(answer == inline_node(words));
  }
}

TEST_CASE("short ones stay in the turn, whatever their command") {
  LongWorld w;
  for (const char* words :
       {"smembers small", "lrange list 0 3", "lrange list -2 -1", "scan 0 count 3",
        "sscan set 0 count 3", "srandmember set", "srandmember set 2", "smembers key1",
        "lrange list x y", "sintercard 9 set"}) {
    INFO(words);
    ExecutorEffects effects = w.ask(words);
    CHECK(effects.long_reads.empty());
    CHECK(effects.reads_split.empty());
    CHECK(effects.replies.size() == 1);
  }
  CHECK(w.ask("srandmember set -6").long_reads.size() == 1);
}

TEST_CASE("it shows the state it was put aside in, or a later one, never a half one") {
  LongWorld w;
  ExecutorEffects effects = w.ask("keys new*");
  CHECK(effects.replies.empty());
  std::unique_ptr<rocks::Reader> view = w.keyspace.view();  // as the loop makes it: at once
  w.node("mset new1 x new2 x");
  std::atomic<bool> stop{false};
  w.node.executor().long_read_done(run_long_read(*view, effects.long_reads[0], stop));
  CHECK(Node::bytes_of(w.node.executor().take_effects()) == "*0\r\n");
  CHECK(w.finish(w.ask("keys new*")).starts_with("*2\r\n"));
}

TEST_CASE("what came with it is answered at once, and only its own connection waits for it") {
  LongWorld w;
  ReadBatch batch;
  batch.id = 7;
  batch.index = w.node.executor().applied();
  batch.now_ms = w.node.clock();
  batch.ops = {op(1, 0, {"get", "key1"}), op(2, 0, {"keys", "*"}), op(2, 1, {"get", "key2"}),
               op(3, 0, {"get", "key3"})};
  w.node.executor().run_reads(batch);
  ExecutorEffects effects = w.node.deliver();
  CHECK(effects.reads_done == std::vector<uint64_t>{7});
  REQUIRE(effects.reads_split.size() == 1);
  CHECK(effects.reads_split[0].batch == 7);
  CHECK(effects.reads_split[0].connection == 2);
  CHECK(effects.reads_split[0].linear);
  size_t answered = 0;
  for (const ReplyBatch& replies : effects.replies) {
    answered += replies.parts.size();
  }
  CHECK(answered == 3);
  const uint64_t id = effects.reads_split[0].id;
  CHECK(id == effects.long_reads[0].id);
  std::unique_ptr<rocks::Reader> view = w.keyspace.view();
  std::atomic<bool> stop{false};
  w.node.executor().long_read_done(run_long_read(*view, effects.long_reads[0], stop));
  effects = w.node.executor().take_effects();
  CHECK(effects.reads_done == std::vector<uint64_t>{id});
  REQUIRE(effects.replies.size() == 1);
  CHECK(effects.replies[0].connection == 2);
  CHECK(effects.replies[0].parts[0].slot == 0);
}

TEST_CASE("a read whose clock is held back, or inside MULTI, stays in the turn [F9]") {
  LongWorld w;
  ExecutorEffects effects =
      w.node.read_effects(packed({"keys", "*"}), RequestKind::kRead, w.node.clock(), true);
  CHECK(effects.long_reads.empty());
  CHECK(effects.replies.size() == 1);
  std::string transaction;
  pack_transaction(transaction, 0, {}, std::vector<std::string>{packed({"keys", "*"})});
  effects = w.node.read_effects(transaction, RequestKind::kRead, w.node.clock());
  CHECK(effects.long_reads.empty());
  CHECK(Node::bytes_of(effects).starts_with("*1\r\n*13\r\n"));
}

TEST_CASE("a long read that is told to stop does, and can be run again") {
  LongWorld w;
  ExecutorEffects effects = w.ask("keys *");
  REQUIRE(effects.long_reads.size() == 1);
  std::unique_ptr<rocks::Reader> view = w.keyspace.view();
  std::atomic<bool> stop{true};
  CHECK(run_long_read(*view, effects.long_reads[0], stop).stopped);
  stop = false;
  LongReadResult result = run_long_read(*view, effects.long_reads[0], stop);
  CHECK_FALSE(result.stopped);
  CHECK(result.bytes.starts_with("*13\r\n"));
}

TEST_SUITE_END();

}  // namespace kiwi::resp
