// Entries that rest in the middle (SERVICES C3): nothing they do depends on it, nothing of them can
// be seen before they are whole, and what comes meanwhile is kept or answered.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/node.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/executor rests");

namespace {

// Each look at the clock takes a while, so that every look is a rest.
ExecutorOptions resting(ExecutorOptions options = {}) {
  options.now_us = [now = int64_t{0}]() mutable { return now += 1000; };
  options.rest_after_us = 1000;
  return options;
}

using Argv = std::vector<std::string>;

std::vector<Argv> long_commands() {
  std::vector<Argv> commands;
  Argv mset{"mset"};
  Argv sadd{"sadd", "set"};
  Argv more{"sadd", "more"};
  Argv rpush{"rpush", "list"};
  Argv zadd{"zadd", "zset"};
  Argv hset{"hset", "hash"};
  for (int i = 0; i < 1000; ++i) {
    const std::string n = std::to_string(i);
    mset.insert(mset.end(), {"key" + n, "value" + n});
    sadd.push_back("member" + n);
    more.push_back("other" + n);
    rpush.push_back("element" + std::to_string(i % 50));
    zadd.insert(zadd.end(), {n, "member" + n});
    hset.insert(hset.end(), {"field" + n, "value" + n});
  }
  for (Argv* argv : {&mset, &sadd, &more, &rpush, &zadd, &hset}) {
    commands.push_back(*argv);
  }
  for (const char* words :
       {"sunionstore union set more", "sinterstore common set union", "zunionstore sums 2 zset set",
        "copy list copied", "sort list alpha store sorted", "lrem list 0 element7",
        "spop union 400", "ltrim copied 100 300", "zremrangebyrank zset 10 600",
        "zrangestore range zset 0 -1", "hdel hash field1 field2", "rename sums summed",
        "del sorted", "flushdb"}) {
    Argv argv(1);
    for (const char* c = words; *c != 0; ++c) {
      if (*c == ' ') {
        argv.emplace_back();
      } else {
        argv.back().push_back(*c);
      }
    }
    commands.push_back(argv);
  }
  return commands;
}

std::shared_ptr<PendingBatch> expected(Node& node, const raft::ProposalNumber& number) {
  auto batch = std::make_shared<PendingBatch>();
  batch->sequence = number.sequence;
  batch->ops.push_back({{1, 0}, RequestKind::kWrite, 2, {}});
  node.executor().expect(batch);
  return batch;
}

// The entry is under way and rests.
struct Resting {
  explicit Resting(const Argv& argv, ExecutorOptions options = {})
      : node(keyspace, resting(std::move(options))) {
    node.start();
    for (int i = 0; i < 300; ++i) {
      const std::string n = std::to_string(i);
      node.run({"sadd", "set", "member" + n});
      node.run({"sadd", "more", "other" + n});
    }
    before = node.executor().applied();
    checksum = node.executor().state_checksum();
    const raft::ProposalNumber number = node.next_number();
    expected(node, number);
    node.log().batch(number, {packed(argv)});
    node.executor().apply(std::exchange(node.log().entries, {}));
    REQUIRE(node.executor().work());
    REQUIRE(node.executor().rests());
  }
  ExecutorEffects finish() {
    while (node.executor().work()) {
    }
    REQUIRE_FALSE(node.executor().rests());
    return node.executor().take_effects();
  }
  ReadBatch read(uint64_t id, const Argv& argv, LogIndex index) {
    ReadBatch batch;
    batch.id = id;
    batch.index = index;
    batch.now_ms = node.clock();
    batch.ops.push_back({{2, id}, RequestKind::kRead, 2, packed(argv)});
    return batch;
  }
  rocks::MemoryKeyspace keyspace;
  Node node;
  LogIndex before;
  uint64_t checksum = 0;
};

}  // namespace

TEST_CASE("no result depends on rests [C3]") {
  rocks::MemoryKeyspace one;
  rocks::MemoryKeyspace other;
  Node straight(one);
  Node rests(other, resting());
  straight.start();
  rests.start();
  for (const Argv& argv : long_commands()) {
    INFO(argv[0]);
    CHECK(straight.run(argv) == rests.run(argv));
    REQUIRE(straight.executor().state_checksum() == rests.executor().state_checksum());
  }
}

TEST_CASE("an entry of many small commands rests between them, a block too [C3]") {
  rocks::MemoryKeyspace keyspace;
  Node node(keyspace, resting());
  node.start();
  std::vector<std::string> gets(1000, packed({"get", "nothing"}));
  gets.push_back(packed({"set", "a", "1"}));
  std::string block;
  pack_transaction(block, 0, {}, gets);
  const raft::ProposalNumber number = node.next_number();
  expected(node, number);
  node.log().batch(number, {block});
  node.executor().apply(std::exchange(node.log().entries, {}));
  size_t rests = 0;
  while (node.executor().work()) {
    rests += node.executor().rests() ? 1 : 0;
  }
  CHECK(rests >= 1000 / 64);
  CHECK(Node::bytes_of(node.executor().take_effects()).starts_with("*1001\r\n"));
}

TEST_CASE("what fails after a rest is undone as always [C3, F30, F61]") {
  ExecutorOptions options;
  options.entry_work_max = 30'000;
  Resting w({"sunionstore", "union", "set", "more"}, options);
  const std::string reply = Node::bytes_of(w.finish());
  CHECK(reply.starts_with("-ERR too much for one command"));
  CHECK(w.node("exists union") == ":0\r\n");
  CHECK(w.node("scard set") == ":300\r\n");
}

TEST_CASE("nothing of an entry is told before it is whole [C3]") {
  Resting w({"sunionstore", "union", "set", "more"});
  while (w.node.executor().rests()) {
    const ExecutorEffects effects = w.node.executor().take_effects();
    CHECK(effects.replies.empty());
    CHECK(effects.settled.empty());
    CHECK_FALSE(effects.applied_moved);
    CHECK(effects.applied == w.before);
    CHECK(w.node.executor().applied() == w.before);
    CHECK(w.node.executor().state_checksum() == w.checksum);
    w.node.executor().work();
  }
  const ExecutorEffects effects = w.node.executor().take_effects();
  CHECK(Node::bytes_of(effects) == ":600\r\n");
  CHECK(effects.settled.size() == 1);
  CHECK(effects.applied == w.before + 1);
}

TEST_CASE("what comes while an entry rests waits for it, or is answered that it waited too long") {
  Resting w({"sunionstore", "union", "set", "more"});
  Executor& executor = w.node.executor();
  executor.run_reads(w.read(11, {"scard", "union"}, w.before));
  executor.run_reads(w.read(12, {"scard", "union"}, w.before + 1));
  executor.run_reads(w.read(13, {"scard", "union"}, w.before));
  executor.work();
  REQUIRE(executor.rests());
  executor.cancel_reads({12, 13});
  ExecutorEffects effects = executor.take_effects();
  CHECK(effects.reads.done.size() == 2);
  size_t timeouts = 0;
  for (const ReplyBatch& batch : effects.replies) {
    CHECK(batch.connection == 2);
    CHECK(batch.bytes.starts_with("-TIMEOUT"));
    timeouts += batch.parts.size();
  }
  CHECK(timeouts == 2);
  executor.forget_connection(1);  // who asked for the union
  const raft::ProposalNumber number = w.node.next_number();
  expected(w.node, number);
  executor.forget(number.sequence);
  w.node.log().batch(number, {packed({"sadd", "union", "one more"})});
  executor.apply(std::exchange(w.node.log().entries, {}));
  effects = w.finish();
  CHECK(effects.settled.size() == 2);
  REQUIRE(effects.replies.size() == 1);
  CHECK(effects.replies[0].connection == 2);
  CHECK(effects.replies[0].bytes == ":600\r\n");  // behind the first of the two entries
  CHECK(effects.reads.done == std::vector<uint64_t>{11});
  CHECK(executor.applied() == w.before + 2);
}

TEST_CASE(
    "an entry that rested ends its turn: what it did is told before others are applied [C3]") {
  Resting w({"sunionstore", "union", "set", "more"});
  Executor& executor = w.node.executor();
  const raft::ProposalNumber number = w.node.next_number();
  expected(w.node, number);
  w.node.log().batch(number, {packed({"sadd", "other", "member"})});
  executor.apply(std::exchange(w.node.log().entries, {}));
  while (executor.rests()) {
    executor.work();
  }
  const ExecutorEffects effects = executor.take_effects();
  CHECK(effects.applied == w.before + 1);
  CHECK(effects.settled.size() == 1);
  CHECK(w.finish().applied == w.before + 2);
}

TEST_CASE("an executor may end while an entry rests [C3]") {
  for (int slices : {0, 1, 3}) {
    Resting w({"sunionstore", "union", "set", "more"});
    for (int i = 0; i < slices; ++i) {
      w.node.executor().work();
      REQUIRE(w.node.executor().rests());
    }
  }
}

namespace {

// A node whose own batch of these commands is under way behind a long one, and rests there.
class RestingBatch {
 public:
  RestingBatch() : node_(keyspace_, resting()) {
    node_.start();
    Argv set{"sadd", "set"};
    for (int i = 0; i < 300; ++i) {
      set.push_back("member" + std::to_string(i));
    }
    elsewhere(set);
  }
  ExecutorEffects elsewhere(const Argv& argv) {
    node_.log().batch({NodeId{2}, incarnation_of(2), 1, ++elsewhere_}, {packed(argv)});
    return node_.deliver();
  }
  void block(const ReplySlot& to, const Argv& argv) {
    ReadBatch batch;
    batch.id = 1;
    batch.index = executor().applied();
    batch.now_ms = node_.clock();
    batch.ops.push_back({to, RequestKind::kBlocking, 2, packed(argv), 0});
    executor().run_reads(std::move(batch));
    node_.deliver();
  }
  // What the router does when it has waited long enough, while the entry rests.
  void give_up_behind(PendingOp op, const std::vector<std::string>& payload) {
    const ReplySlot to = op.to;
    const uint64_t sequence = begin(std::move(op), payload);
    executor().forget(sequence);
    executor().clients_answered({to});
    while (executor().work()) {
    }
    executor().take_effects();
  }
  // Another state takes this one's place.
  void leave_behind(PendingOp op, const std::vector<std::string>& payload) {
    begin(std::move(op), payload);
    executor().abandon();
  }
  Executor& executor() { return node_.executor(); }

 private:
  uint64_t begin(PendingOp op, const std::vector<std::string>& payload) {
    auto batch = std::make_shared<PendingBatch>();
    const raft::ProposalNumber number = node_.next_number();
    batch->sequence = number.sequence;
    batch->ops.push_back({{1, 0}, RequestKind::kWrite, 2, {}});
    batch->ops.push_back(std::move(op));
    executor().expect(batch);
    std::vector<std::string> commands{packed({"sunionstore", "union", "set"})};
    commands.insert(commands.end(), payload.begin(), payload.end());
    node_.log().batch(number, commands);
    executor().apply(std::exchange(node_.log().entries, {}));
    REQUIRE(executor().work());
    REQUIRE(executor().rests());
    return number.sequence;
  }

  rocks::MemoryKeyspace keyspace_;
  Node node_;
  uint64_t elsewhere_ = 0;
};

}  // namespace

TEST_CASE("who was told TIMEOUT while its entry rested does not begin to wait [F5][F31]") {
  RestingBatch turn;
  turn.give_up_behind({{5, 2}, RequestKind::kBlocking, 2, packed({"blpop", "q", "0"})}, {});
  CHECK(turn.executor().waiters().waiting == 0);
  CHECK(turn.elsewhere({"rpush", "q", "v"}).serves.empty());
}

TEST_CASE(
    "who was told TIMEOUT while its serve rested, and that was in vain, is served no more [F31]") {
  RestingBatch turn;
  turn.block({5, 2}, {"blpop", "q", "0"});
  const ExecutorEffects woken = turn.elsewhere({"rpush", "q", "v"});
  REQUIRE(woken.serves.size() == 1);
  const Serve& serve = woken.serves[0];
  turn.elsewhere({"lpop", "q"});
  turn.give_up_behind({serve.to, RequestKind::kWrite, 2, {}, 0, serve.waiter}, {serve.packed});
  CHECK(turn.executor().waiters().in_vain == 1);
  CHECK(turn.executor().waiters().waiting == 0);
  CHECK(turn.elsewhere({"rpush", "q", "w"}).serves.empty());
}

TEST_CASE("who is left in the middle of an entry tells nothing of it [C3][F22]") {
  Resting w({"sunionstore", "union", "set", "more"});
  Executor& executor = w.node.executor();
  executor.abandon();
  CHECK_FALSE(executor.rests());
  const ExecutorEffects effects = executor.take_effects();
  CHECK(effects.replies.empty());
  CHECK(effects.settled.empty());
  CHECK(effects.outward.empty());
  CHECK_FALSE(effects.applied_moved);
  CHECK(effects.applied == w.before);
  CHECK(executor.applied() == w.before);
  CHECK(executor.state_checksum() == w.checksum);
}

namespace {

class CountsDrops final : public rocks::MemoryKeyspace {
 public:
  void drop_spilled(rocks::Family family, std::string_view from, std::string_view to) override {
    ++drops;
    MemoryKeyspace::drop_spilled(family, from, to);
  }
  size_t drops = 0;
};

}  // namespace

TEST_CASE("a script that is left in the middle of a COPY writes nothing more [C3][F22][F60]") {
  CountsDrops keyspace;
  ExecutorOptions options = resting();
  options.spill_bytes = 2000;
  Node node(keyspace, options);
  node.start();
  for (int i = 0; i < 1000; i += 100) {
    Argv hset{"hset", "hash"};
    for (int j = i; j < i + 100; ++j) {
      hset.insert(hset.end(), {"field" + std::to_string(j), "value"});
    }
    node.run(hset);
  }
  const LogIndex before = node.executor().applied();
  const raft::ProposalNumber number = node.next_number();
  expected(node, number);
  node.log().batch(
      number,
      {packed({"eval", "return redis.call('copy', KEYS[1], KEYS[2])", "2", "hash", "copy"})});
  node.executor().apply(std::exchange(node.log().entries, {}));
  while (keyspace.spills() == 0) {
    REQUIRE(node.executor().work());
    REQUIRE(node.executor().rests());
  }
  node.executor().abandon();
  CHECK_FALSE(node.executor().rests());
  CHECK(node.executor().applied() == before);
  CHECK(keyspace.drops == 0);  // on a full disk it might wait, and for ever
}

TEST_CASE("a serve in an entry that is left in the middle is lost, and stands in nobody's way") {
  RestingBatch turn;
  turn.block({5, 2}, {"blpop", "q", "0"});
  const ExecutorEffects woken = turn.elsewhere({"rpush", "q", "v"});
  REQUIRE(woken.serves.size() == 1);
  CHECK(turn.executor().waiters().in_flight == 1);
  turn.leave_behind({woken.serves[0].to, RequestKind::kWrite, 2, {}, 0, woken.serves[0].waiter},
                    {woken.serves[0].packed});
  CHECK(turn.executor().waiters().in_flight == 0);
  CHECK(turn.executor().waiters().waiting == 0);
}

TEST_SUITE_END();

}  // namespace kiwi::resp
