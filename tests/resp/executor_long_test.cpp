// Reads that are too long for a turn: put aside, run on a view, answered in their slot.
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/long_read.hpp"
#include "tests/resp/counting_keyspace.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/long reads");

namespace {

ExecutorOptions above_five() {
  ExecutorOptions options;
  options.long_read_elements = 5;
  return options;
}

using Answers = std::map<std::pair<ConnectionId, uint64_t>, std::string>;  // by slot

Answers answers(const ExecutorEffects& effects) {
  Answers found;
  for (const ReplyBatch& batch : effects.replies) {
    for (const ReplyPart& part : batch.parts) {
      found[{batch.connection, part.slot}] = batch.bytes.substr(part.offset, part.size);
    }
  }
  return found;
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
  // All of them, in the order they were put aside, on one view made now.
  Answers finish_all(const std::vector<ExecutorEffects*>& put_aside) {
    std::unique_ptr<rocks::Reader> view = keyspace.view();
    std::atomic<bool> stop{false};
    for (const ExecutorEffects* effects : put_aside) {
      for (const LongRead& read : effects->long_reads) {
        node.executor().long_read_done(run_long_read(*view, read, stop));
      }
    }
    return answers(node.deliver());
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

using Argv = std::vector<std::string>;

ReadOp op(ConnectionId connection, uint64_t slot, const std::vector<std::string>& argv) {
  return {{connection, slot}, RequestKind::kRead, 2, packed(argv)};
}

}  // namespace

TEST_CASE("a long read answers what the same read would have answered in the turn") {
  for (const char* words :
       {"keys *", "keys key[1-3]", "scan 0 count 100", "smembers set", "sunion set small",
        "sdiff set small", "sinter set small", "sintercard 2 set small", "sscan set 0 count 100",
        "lrange list 0 -1", "lrange list -7 6", "lpos list 8", "sort list",
        "sort set desc limit 2 3", "sort_ro set alpha", "sort list by key* alpha get # get key*",
        "dump set", "kiwi.audit", "kiwi.audit set"}) {
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
        "lrange list x y", "sintercard 9 set", "sort small", "sort list by nosort limit 6 9",
        "sort set limit x y", "sort set limit 0", "dump small", "kiwi.audit small"}) {
    INFO(words);
    ExecutorEffects effects = w.ask(words);
    CHECK(effects.long_reads.empty());
    CHECK(effects.reads.split.empty());
    CHECK(effects.replies.size() == 1);
  }
  CHECK(w.ask("srandmember set -6").long_reads.size() == 1);
}

TEST_CASE("a string is as long as it has chunks, not bytes") {
  LongWorld w;
  w.node.run({"set", "string", std::string(15'000, 'x')});
  w.node.run({"set", "long", std::string(200'000, 'x')});
  for (const std::string command : {"dump ", "kiwi.migrate ", "kiwi.audit "}) {
    INFO(command);
    CHECK(w.ask(command + "string").long_reads.empty());
    CHECK_FALSE(w.finish(w.ask(command + "long")).empty());
  }
  CHECK(w.ask("kiwi.migrate key1 key2 key3 key4 key5 key6").long_reads.size() == 1);
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
  CHECK(effects.reads.done == std::vector<uint64_t>{7});
  REQUIRE(effects.reads.split.size() == 2);
  for (size_t i = 0; i < 2; ++i) {
    CHECK(effects.reads.split[i].batch == 7);
    CHECK(effects.reads.split[i].connection == 2);
    CHECK(effects.reads.split[i].linear);
    CHECK(effects.reads.split[i].id == effects.long_reads.at(i).id);
  }
  CHECK(answers(effects) == Answers{{{1, 0}, "$1\r\nv\r\n"}, {{3, 0}, "$1\r\nv\r\n"}});
  std::unique_ptr<rocks::Reader> view = w.keyspace.view();
  std::atomic<bool> stop{false};
  for (size_t i = 0; i < 2; ++i) {
    w.node.executor().long_read_done(run_long_read(*view, effects.long_reads[i], stop));
    ExecutorEffects after = w.node.executor().take_effects();
    CHECK(after.reads.done == std::vector<uint64_t>{effects.reads.split[i].id});
    REQUIRE(after.replies.size() == 1);
    CHECK(after.replies[0].connection == 2);
    CHECK(after.replies[0].parts[0].slot == i);
  }
  batch.ops = {op(2, 2, {"get", "key2"})};  // nothing is left that it could overtake
  w.node.executor().run_reads(batch);
  CHECK(w.node.deliver().replies.size() == 1);
}

TEST_CASE("whatever stands behind a long read runs as it would have in the turn [F44]") {
  LongWorld w;
  std::string transaction;
  pack_transaction(transaction, 0, {},
                   std::vector<std::string>{packed({"get", "key1"}), packed({"scard", "set"})});
  ReadBatch batch;
  batch.id = 7;
  batch.index = w.node.executor().applied();
  batch.now_ms = w.node.clock();
  batch.ops = {op(2, 0, {"smembers", "set"}), op(2, 1, {"watch", "key1", "none"}),
               op(2, 2, {"get", "key1"}), op(2, 3, {"lrange", "list", "0", "-1"})};
  batch.ops[1].kind = RequestKind::kWatch;
  batch.ops[2].packed = transaction;
  batch.ops[3].resp_version = 3;
  w.node.executor().run_reads(batch);
  ExecutorEffects effects = w.node.deliver();
  CHECK(effects.replies.empty());
  std::unique_ptr<rocks::Reader> view = w.keyspace.view();
  std::atomic<bool> stop{false};
  std::vector<LongReadResult> results;
  for (const LongRead& read : effects.long_reads) {
    results.push_back(run_long_read(*view, read, stop));
  }
  REQUIRE(results.size() == 4);
  const std::vector<WatchToken> here = w.node.watch({"key1", "none"});
  CHECK(results[1].replies.bytes == "+OK\r\n");
  CHECK(results[1].replies.tokens == here);
  CHECK(results[2].replies.bytes == "*2\r\n$1\r\nv\r\n:8\r\n");
  CHECK(results[3].replies.bytes.starts_with("*8\r\n"));
}

TEST_CASE("a long read whose clock is held back is asked again, none overtakes [F9][F44][F65]") {
  LongWorld w;
  const Argv cheap = {"get", "key1"};
  ReadBatch batch;
  batch.id = 7;
  batch.index = w.node.executor().applied();
  batch.now_ms = w.node.clock();
  batch.clamped = true;
  batch.ops = {op(1, 0, {"keys", "*"}), op(1, 1, cheap),
               op(2, 0, {"mget", "k", "k", "k", "k", "k", "k", "k"}), op(3, 0, cheap)};
  w.node.executor().run_reads(batch);
  ExecutorEffects effects = w.node.deliver();
  CHECK(effects.long_reads.empty());
  CHECK(answers(effects) == Answers{{{3, 0}, "$1\r\nv\r\n"}});
  REQUIRE(effects.reads.again.size() == 1);
  CHECK(effects.reads.again[0].ops.size() == 3);
  CHECK(effects.reads.done == std::vector<uint64_t>{7});
  batch = effects.reads.again[0];
  batch.id = 8;
  batch.clamped = false;
  w.node.executor().run_reads(batch);
  effects = w.node.deliver();
  CHECK(effects.long_reads.size() == 3);
  CHECK(w.finish_all({&effects}).size() == 3);

  CHECK(w.ask("keys *").long_reads.size() == 1);  // of the same connection
  effects = w.node.read_effects(packed({"get", "key1"}), RequestKind::kRead, w.node.clock(), true);
  CHECK(effects.replies.empty());
  REQUIRE(effects.reads.again.size() == 1);
  CHECK(effects.reads.again[0].ops.size() == 1);
}

TEST_CASE("a block of reads is put aside as a whole") {
  LongWorld w;
  std::string transaction;
  pack_transaction(transaction, 0, {},
                   std::vector<std::string>{packed({"get", "key1"}), packed({"keys", "*"})});
  ExecutorEffects effects = w.node.read_effects(transaction, RequestKind::kRead, w.node.clock());
  CHECK(effects.replies.empty());
  CHECK(w.finish(std::move(effects)).starts_with("*2\r\n$1\r\nv\r\n*13\r\n"));
}

TEST_CASE("long reads are forgotten with their client and move to a new state [F44][F65]") {
  LongWorld w;
  ExecutorEffects effects = w.ask("keys *");
  const uint64_t id = effects.long_reads.at(0).id;

  SUBCASE("closed") {
    w.node.executor().forget_connection(1);
    ExecutorEffects after = w.node.executor().take_effects();
    CHECK(after.long_reads_dropped == std::vector<uint64_t>{id});
    CHECK(after.reads.done == std::vector<uint64_t>{id});
    CHECK(w.finish(std::move(effects)) == "(no reply)");
  }
  SUBCASE("out of time: whoever has it decides whether it has begun") {
    w.node.executor().cancel_reads({id, 12345});
    ExecutorEffects after = w.node.executor().take_effects();
    CHECK(after.long_reads_expired == std::vector<uint64_t>{id});
    CHECK(after.replies.empty());
    w.node.executor().long_read_done(expired_long_read(effects.long_reads[0]));
    after = w.node.executor().take_effects();
    CHECK(Node::bytes_of(after).starts_with("-TIMEOUT "));
    CHECK(after.reads.done == std::vector<uint64_t>{id});
  }
  SUBCASE("a new state: what came behind it still waits for it") {
    Node fresh(w.keyspace, above_five());
    fresh.executor().take_over(w.node.executor());
    ReadBatch behind;
    behind.id = 9;
    behind.ops = {op(1, 5, {"get", "key1"})};
    fresh.executor().run_reads(behind);
    ExecutorEffects second = fresh.deliver();
    CHECK(second.replies.empty());
    REQUIRE(second.long_reads.size() == 1);
    std::unique_ptr<rocks::Reader> view = w.keyspace.view();
    std::atomic<bool> stop{false};
    for (const LongRead& read : {effects.long_reads[0], second.long_reads[0]}) {
      fresh.executor().long_read_done(run_long_read(*view, read, stop));
    }
    CHECK(answers(fresh.executor().take_effects()).size() == 2);
  }
}

TEST_CASE("more long reads than the bound are refused, and what is behind them is not [F65]") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options = above_five();
  options.long_reads_max = 2;
  Node node(keyspace, options);
  node.start();
  node("sadd set 1 2 3 4 5 6 7 8");
  ReadBatch batch;
  batch.id = 7;
  batch.index = node.executor().applied();
  batch.now_ms = node.clock();
  for (ConnectionId connection : {1, 2, 3}) {
    batch.ops.push_back(op(connection, 0, {"smembers", "set"}));
  }
  batch.ops.push_back(op(3, 1, {"scard", "set"}));
  node.executor().run_reads(batch);
  const ExecutorEffects effects = node.deliver();
  CHECK(effects.long_reads.size() == 2);
  const Answers at_once = answers(effects);
  CHECK(at_once.at({3, 0}).starts_with("-ERR too many long reads"));
  CHECK(at_once.at({3, 1}) == ":8\r\n");
}

TEST_CASE("what only waits behind a long read is never refused, and no client has all [F65]") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options = above_five();
  options.long_reads_max = 4;
  options.long_reads_of_connection_max = 2;
  Node node(keyspace, options);
  node.start();
  node("sadd set 1 2 3 4 5 6 7 8");
  ReadBatch batch;
  batch.id = 7;
  batch.index = node.executor().applied();
  batch.now_ms = node.clock();
  const Argv is_long{"smembers", "set"};
  std::string block;
  pack_transaction(block, 0, {}, std::vector{packed({"get", "k"}), packed(is_long)});
  batch.ops = {op(1, 0, is_long), op(1, 1, is_long)};
  for (uint64_t slot = 2; slot < 20; ++slot) {
    batch.ops.push_back(op(1, slot, {"scard", "set"}));
  }
  batch.ops.push_back(op(1, 20, is_long));
  batch.ops.push_back(op(1, 21, {"get", "k"}));
  batch.ops.back().packed = block;
  batch.ops.push_back(op(2, 0, is_long));
  batch.ops.push_back(op(2, 1, {"get", "k"}));
  node.executor().run_reads(batch);
  ExecutorEffects effects = node.deliver();
  const Answers at_once = answers(effects);
  CHECK(at_once.size() == 2);
  CHECK(at_once.at({1, 20}).starts_with("-ERR too many long reads"));
  CHECK(at_once.at({1, 21}).starts_with("-ERR too many long reads"));
  CHECK(effects.long_reads.size() == 22);

  std::atomic<bool> stop{false};
  for (const LongRead& read : effects.long_reads) {
    node.executor().long_read_done(run_long_read(*keyspace.view(), read, stop));
  }
  CHECK(answers(node.deliver()).size() == 22);
  batch.id = 8;  // all the room is there again
  batch.ops = {op(1, 22, is_long), op(1, 23, is_long), op(2, 2, is_long), op(3, 0, is_long),
               op(4, 0, is_long)};
  node.executor().run_reads(batch);
  effects = node.deliver();
  CHECK(effects.long_reads.size() == 4);
  CHECK(answers(effects).contains({4, 0}));
  node.executor().forget_connection(1);
  batch.id = 9;
  batch.ops = {op(5, 0, is_long), op(6, 0, is_long), op(7, 0, is_long)};
  node.executor().run_reads(batch);
  CHECK(node.deliver().long_reads.size() == 2);
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
  CHECK(result.replies.bytes.starts_with("*13\r\n"));
}

TEST_CASE("a long read that has all it needs in memory stops when it is told to [F65]") {
  // The state's reader raises the flag when it has given the last of the sets.
  class StopsBehind final : public rocks::Reader {
   public:
    StopsBehind(rocks::Reader& view, std::string last, std::atomic<bool>& stop)
        : view_(view), last_(std::move(last)), stop_(stop) {}
    std::optional<std::string_view> get(rocks::Family family,
                                        const rocks::LookupKey& key) override {
      stop_ = stop_ || (family == rocks::Family::kMeta && key.bytes.ends_with(last_));
      return view_.get(family, key);
    }
    std::unique_ptr<rocks::Cursor> cursor(rocks::Family family,
                                          std::string_view from,
                                          std::string_view to) override {
      return view_.cursor(family, from, to);
    }
    std::unique_ptr<rocks::ReverseCursor> reverse_cursor(rocks::Family family,
                                                         std::string_view from,
                                                         std::string_view to) override {
      return view_.reverse_cursor(family, from, to);
    }
    uint64_t hash(std::string_view key) const override { return view_.hash(key); }
    void expect_reads(rocks::Family, std::span<const rocks::LookupKey>) override {}

   private:
    rocks::Reader& view_;
    const std::string last_;
    std::atomic<bool>& stop_;
  };
  LongWorld w;
  Argv members{"sadd", ""};
  for (int i = 0; i < 400; ++i) {
    members.push_back(std::to_string(i));
  }
  for (const char* command : {"sunion", "sinter"}) {
    INFO(command);
    Argv argv{command};
    for (int i = 0; i < 40; ++i) {
      members[1] = "packed" + std::to_string(i);
      w.node.run(members);
      argv.push_back(members[1]);
    }
    LongRead read;
    read.id = 1;
    read.op = op(1, 0, argv);
    read.now_ms = w.node.clock();
    std::unique_ptr<rocks::Reader> view = w.keyspace.view();
    std::atomic<bool> stop{false};
    StopsBehind reader(*view, argv.back(), stop);
    CHECK(run_long_read(reader, read, stop).stopped);
    CHECK(stop);
  }
}

TEST_CASE("a read of many keys is put aside before any of them is looked for") {
  CountingKeyspace keyspace;
  Node node(keyspace, above_five());
  node.start();
  keyspace.reset();
  Argv argv{"sunion"};
  for (int i = 0; i < 40; ++i) {
    argv.push_back("k" + std::to_string(i));
  }
  CHECK(node.read_effects(packed(argv), RequestKind::kRead, node.clock()).long_reads.size() == 1);
  CHECK(keyspace.reads() == 0);
}

TEST_CASE("a long read's clock is not below the stamp of the view it runs on [F44]") {
  LongWorld w;
  const int64_t put_aside_ms = w.node.clock();
  w.node("set key0 v px 100");
  ExecutorEffects effects = w.ask("keys key0");
  REQUIRE(effects.long_reads.size() == 1);
  w.node.clock() = put_aside_ms + 100;  // another long read ran meanwhile
  w.node("set proof 1");
  // Whoever read "proof" saw key0 expired: KEYS that would show both has no place in any order.
  CHECK(w.finish(std::move(effects)) == "*0\r\n");
}

TEST_CASE("reads behind a long read of their connection see no older state than it does [F44]") {
  for (const RequestKind kind : {RequestKind::kRead, RequestKind::kStaleRead}) {
    CAPTURE(static_cast<int>(kind));
    LongWorld w;
    ReadBatch batch;
    batch.id = 7;
    batch.ops = {op(2, 0, {"keys", "new*"}), op(2, 1, {"get", "new"}), op(3, 0, {"get", "new"})};
    if (kind == RequestKind::kRead) {
      batch.index = w.node.executor().applied();
      batch.now_ms = w.node.clock();
    }
    for (ReadOp& each : batch.ops) {
      each.kind = kind;
    }
    ReadBatch later = batch;  // asked before the router could hear of the first one
    later.id = 8;
    later.ops = {op(2, 2, {"get", "new"})};
    later.ops[0].kind = kind;
    w.node.executor().run_reads(batch);
    ExecutorEffects first = w.node.deliver();
    w.node.executor().run_reads(later);
    ExecutorEffects second = w.node.deliver();
    CHECK(answers(first) == Answers{{{3, 0}, "$-1\r\n"}});
    CHECK(answers(second).empty());
    w.node("set new 1");
    const Answers rest = w.finish_all({&first, &second});
    CHECK(rest == Answers{{{2, 0}, "*1\r\n$3\r\nnew\r\n"},
                          {{2, 1}, "$1\r\n1\r\n"},
                          {{2, 2}, "$1\r\n1\r\n"}});
  }
}

TEST_SUITE_END();

}  // namespace kiwi::resp
