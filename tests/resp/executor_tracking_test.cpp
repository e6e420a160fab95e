// What the executor says of keys that clients cache: a read is remembered when it is executed, in
// its place between the changes.
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/long_read.hpp"
#include "resp/tracking.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

// Writes down what it is told.
class Scribe final : public KeyTracker {
 public:
  bool follows(uint64_t connection, uint64_t) override { return connection == 1 && follows_all; }
  void remember(uint64_t, std::string_view key) override { say("read " + std::string(key)); }
  void put_aside(uint64_t, uint64_t, std::vector<std::string> keys) override {
    std::string text = "aside";
    for (const std::string& key : keys) {
      text += " " + key;
    }
    say(text);
  }
  void answered(uint64_t) override { say("answered"); }
  void modified(std::string_view key, uint64_t by) override {
    say((by != 0 ? std::to_string(by) + " wrote " : "wrote ") + std::string(key));
  }
  void flushed() override { say("flushed"); }

  std::string take() { return std::exchange(text_, {}); }
  bool follows_all = true;

 private:
  void say(const std::string& what) { text_ += (text_.empty() ? "" : ", ") + what; }
  std::string text_;
};

ExecutorOptions above_five() {
  ExecutorOptions options;
  options.long_read_elements = 5;
  return options;
}

struct Watched {
  Watched() : node(keyspace, above_five()) {
    listening.live = true;
    listening.tracker = &scribe;
    node.executor().listen(listening);
    node.start();
    scribe.take();
  }
  std::string run(const std::string& words) {
    node(words);
    return scribe.take();
  }
  std::string block(const std::vector<std::vector<std::string>>& commands) {
    node.exec({}, commands);
    return scribe.take();
  }
  Scribe scribe;
  Listening listening;
  rocks::MemoryKeyspace keyspace;
  Node node;
};

}  // namespace

TEST_CASE("reads are remembered with their keys, and no others [T1]") {
  Watched w;
  CHECK(w.run("get a") == "read a");
  CHECK(w.run("mget a b") == "read a, read b");
  CHECK(w.run("strlen none") == "read none");
  CHECK(w.run("sunion s t") == "read s, read t");
  CHECK(w.run("randomkey").empty());
  CHECK(w.run("dbsize").empty());
  CHECK(w.run("eval return 2 a b c").starts_with("read a, read b"));
  CHECK(w.run("eval_ro return 1 a").starts_with("read a"));
  CHECK(w.run("kiwi.fence get a") == "read a");
  CHECK(w.run("kiwi.fence eval return 2 a b c").starts_with("read a, read b"));
  CHECK(w.run("kiwi.fence dbsize").empty());
  w.scribe.follows_all = false;
  CHECK(w.run("get a").empty());
  w.node.executor().listen({});
  CHECK(w.run("set a v").empty());
}

TEST_CASE("whatever changes a key says so, and who did it [T6, T7]") {
  Watched w;
  CHECK(w.run("set a v") == "1 wrote a");
  CHECK(w.run("append a w") == "1 wrote a");
  CHECK(w.run("expire a 100") == "1 wrote a");
  CHECK(w.run("persist a") == "1 wrote a");
  CHECK(w.run("copy a b") == "1 wrote b");
  CHECK(w.run("rename a c").starts_with("1 wrote a, 1 wrote c"));
  CHECK(w.run("del b none") == "1 wrote b");
  CHECK(w.run("hset h f v") == "1 wrote h");
  CHECK(w.run("hset h f v2") == "1 wrote h");
  CHECK(w.run("hdel h f") == "1 wrote h");
  CHECK(w.run("sadd s m") == "1 wrote s");
  CHECK(w.run("sadd s m").empty());
  CHECK(w.run("smove s t m") == "1 wrote s, 1 wrote t");
  CHECK(w.run("flushdb") == "flushed");
  CHECK(w.run("swapdb 0 1") == "flushed");
  w.node.log().batch(w.node.next_number(),
                     {packed({"SET", "a", "v"})});  // nobody here waits for it
  w.node.deliver();
  CHECK(w.scribe.take() == "wrote a");
}

TEST_CASE("a key whose time is over is changed by the entry that removes it, not by reads [T6]") {
  Watched w;
  w.run("set a v px 10");
  w.node.clock() += 11;
  CHECK(w.run("get a") == "read a");
  CHECK(w.run("kiwi.expire 10") == "1 wrote a");
}

TEST_CASE("a block is remembered before it is executed, so it is told of what it changes") {
  Watched w;
  CHECK(w.block({{"GET", "a"}, {"SET", "a", "v"}, {"GET", "b"}}) == "read a, read b, 1 wrote a");
}

TEST_CASE("a read between the writes of an entry is remembered in its place [T1]") {
  Watched w;
  auto batch = std::make_shared<PendingBatch>();
  const raft::ProposalNumber number = w.node.next_number();
  batch->sequence = number.sequence;
  PendingOp write;
  write.to = {2, 0};
  PendingOp read;
  read.to = {1, 0};
  read.kind = RequestKind::kRead;
  read.packed = packed({"GET", "a"});
  batch->ops = {write, read, write};
  w.node.executor().expect(batch);
  w.node.log().batch(number, {packed({"SET", "a", "1"}), packed({"SET", "a", "2"})});
  w.node.deliver();
  CHECK(w.scribe.take() == "2 wrote a, read a, 2 wrote a");
}

TEST_CASE("a read that has to be asked again is remembered by the one that answers [F9]") {
  Watched w;
  w.run("set a v px 100000");
  w.node.read_effects(packed({"GET", "a"}), RequestKind::kRead, w.node.clock(), true);
  CHECK(w.scribe.take().empty());
  CHECK(w.run("get a") == "read a");
}

TEST_CASE(
    "what a turn read before it rested is told of behind it, whatever comes in the rest [T2, C3]") {
  ExecutorOptions options;
  options.now_us = [now = int64_t{0}]() mutable { return now += 1000; };  // each look is a rest
  options.rest_after_us = 1000;
  rocks::MemoryKeyspace keyspace;
  Node node(keyspace, options);
  node.start();
  std::vector<std::string> sadd{"sadd", "s"};
  for (int i = 0; i < 1000; ++i) {
    sadd.push_back(std::to_string(i));
  }
  node.run(sadd);
  node("set k old");
  config::Options configured;
  Tracking tracking(configured);
  tracking.turn_on(1, {}, {});
  Listening listening;
  listening.tracker = &tracking;
  node.executor().listen(listening);
  auto batch = std::make_shared<PendingBatch>();
  const raft::ProposalNumber number = node.next_number();
  batch->sequence = number.sequence;
  PendingOp write;
  write.to = {1, 0};
  PendingOp read;
  read.to = {1, 1};
  read.kind = RequestKind::kRead;
  read.packed = packed({"GET", "k"});
  PendingOp rests;
  rests.to = {2, 0};
  batch->ops = {write, read, rests};
  node.executor().expect(batch);
  node.log().batch(number, {packed({"SET", "x", "1"}), packed({"SUNIONSTORE", "t", "s"})});
  node.executor().apply(std::exchange(node.log().entries, {}));
  REQUIRE(node.executor().work());
  REQUIRE(node.executor().rests());
  CHECK(tracking.keys() == 1);
  Tracking::Sight sight{true, true, node.executor().applied() + 1, node.executor().applied(),
                        300,  true};
  CHECK_FALSE(tracking.look(sight, 1000));
  CHECK(tracking.look(sight, 1300));
  CHECK(tracking.take_notices().size() == 1);
  CHECK(tracking.keys() == 0);  // so the reply that is to come would never be told of
  while (node.executor().work()) {
  }
  REQUIRE_FALSE(node.executor().take_effects().replies.empty());
  tracking.end_turn();
  const std::vector<Tracking::Notice> notices = tracking.take_notices();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].everything);
}

TEST_CASE("a long read is remembered when it is put aside, and told of when it is answered [T3]") {
  Watched w;
  w.run("sadd s 1 2 3 4 5 6 7 8");
  const ExecutorEffects effects =
      w.node.read_effects(packed({"SMEMBERS", "s"}), RequestKind::kRead, w.node.clock());
  REQUIRE(effects.long_reads.size() == 1);
  CHECK(w.scribe.take() == "aside s");
  std::unique_ptr<rocks::Reader> view = w.keyspace.view();
  w.run("get other");  // of the same connection: behind it, and put aside like it
  std::atomic<bool> stop{false};
  w.node.executor().long_read_done(run_long_read(*view, effects.long_reads[0], stop));
  CHECK(w.scribe.take().empty());  // notices may leave at any moment, the reply has not
  CHECK_FALSE(w.node.executor().take_effects().replies.empty());
  CHECK(w.scribe.take() == "answered");
}

}  // namespace kiwi::resp
