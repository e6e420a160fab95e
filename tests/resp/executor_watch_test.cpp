// WATCH tokens at apply: no false commit, ever (F11).
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

constexpr const char* kAborted = "*-1\r\n";
constexpr const char* kCommitted = "*1\r\n+OK\r\n";

struct World {
  World() : node(keyspace) { node.start(); }
  rocks::MemoryKeyspace keyspace;
  Node node;

  // WATCH key; the given commands of somebody else; MULTI; SET done 1; EXEC.
  std::string watch_then(const std::string& key, const std::vector<std::string>& meanwhile) {
    auto tokens = node.watch({key});
    for (const std::string& command : meanwhile) {
      node(command);
    }
    return node.exec(tokens, {{"set", "done", "1"}});
  }
};

TEST_CASE("an untouched key lets the block commit [F11]") {
  World w;
  w.node("set k 1");
  w.node("rpush l a");
  CHECK(w.watch_then("k", {}) == kCommitted);
  CHECK(w.watch_then("k", {"set other 1", "get k", "del nothing"}) == kCommitted);
  CHECK(w.watch_then("l", {"lrange l 0 -1"}) == kCommitted);
  CHECK(w.watch_then("missing", {"set other 2", "rpush l b"}) == kCommitted);
  CHECK(w.watch_then("k", {"setnx k 2", "srem none x"}) == kCommitted);
}

TEST_CASE("a clock that was held back cannot tell whether a watched key is over [F9][F11]") {
  World w;
  w.node("set k 1 px 100");
  w.node("set other 2");
  std::string block;
  pack_transaction(block, 0, w.node.watch({"k"}), std::vector{packed({"get", "other"})});
  const ExecutorEffects held = w.node.read_effects(block, RequestKind::kRead, w.node.clock(), true);
  CHECK(held.replies.empty());
  CHECK(held.reads.again.size() == 1);
  CHECK(Node::bytes_of(w.node.read_effects(block, RequestKind::kRead, w.node.clock() + 99)) ==
        "*1\r\n$1\r\n2\r\n");
  CHECK(Node::bytes_of(w.node.read_effects(block, RequestKind::kRead, w.node.clock() + 100)) ==
        kAborted);
}

TEST_CASE("every change of a watched key aborts the block [F11]") {
  World w;
  for (const char* change :
       {"set k 1", "append k x", "incr k", "del k", "getdel k", "expire k 100", "rename other k",
        "copy other k replace", "getex k ex 100", "setrange k 0 5", "set k 1 keepttl", "mset k 1",
        "expire k -1", "flushdb", "flushall"}) {
    w.node("set k 1");
    w.node("set other 2");
    CAPTURE(change);
    CHECK(w.watch_then("k", {change}) == kAborted);
  }
  for (const char* change : {"rpush l x", "lpush l x", "lpop l", "lset l 0 x", "ltrim l 0 0"}) {
    w.node("rpush l a b c");
    CAPTURE(change);
    CHECK(w.watch_then("l", {change}) == kAborted);
  }
  for (const char* change : {"sadd s new", "srem s a"}) {
    w.node("del s");
    w.node("sadd s a b c");
    CAPTURE(change);
    CHECK(w.watch_then("s", {change}) == kAborted);
  }
}

TEST_CASE("a key that was missing, came and went aborts the block [F11]") {
  World w;
  CHECK(w.watch_then("k", {"set k 5"}) == kAborted);
  w.node("del k");
  CHECK(w.watch_then("k", {"set k 5", "del k"}) == kAborted);
  CHECK(w.watch_then("k", {"set k 5", "rename k away"}) == kAborted);
  CHECK(w.watch_then("k", {"sadd k 5", "srem k 5"}) == kAborted);
  CHECK(w.watch_then("k", {"set k 5", "flushdb"}) == kAborted);
  CHECK(w.watch_then("k", {"set k 5", "move k 1"}) == kAborted);
}

TEST_CASE("a watched hash that a field leaves by itself aborts the block [F11]") {
  for (const size_t size : {1, 3000}) {  // packed, spread
    World w;
    w.node.run({"hset", "h", "a", "1", "b", std::string(size, 'v'), "z", "1"});
    w.node("hpexpire h 2000 fields 1 z");
    w.node("hpexpire h 1000 fields 1 a");
    auto tokens = w.node.watch({"h"});
    CHECK(tokens.at(0).fields_until_ms == w.node.clock() + 1000);
    w.node.clock() += 999;
    CHECK(w.node.exec(tokens, {{"set", "done", "1"}}) == kCommitted);
    w.node.clock() += 1;
    CHECK(w.node.exec(tokens, {{"set", "done", "1"}}) == kAborted);
    tokens = w.node.watch({"h"});  // a field is due and not reclaimed: that is how it was seen
    CHECK(tokens.at(0).fields_until_ms == w.node.clock() + 1000);
    CHECK(w.node.exec(tokens, {{"set", "done", "1"}}) == kCommitted);
    w.node.clock() += 1000;
    CHECK(w.node.exec(tokens, {{"set", "done", "1"}}) == kAborted);
  }
}

TEST_CASE("a watched key that passes its deadline aborts the block [F11]") {
  World w;
  w.node("set k 1 px 1000");
  auto tokens = w.node.watch({"k"});
  w.node.clock() += 1000;
  CHECK(w.node.exec(tokens, {{"set", "done", "1"}}) == kAborted);

  // Expired at WATCH is missing, and stays missing whoever removes the record.
  tokens = w.node.watch({"k"});
  CHECK_FALSE(tokens.at(0).exists);
  w.node.write(due_expirations(w.node.executor(), w.node.clock(), 10));
  CHECK(w.node.exec(tokens, {{"set", "done", "1"}}) == kCommitted);

  // Made after WATCH and expired since: only its record, or its bucket, can tell.
  for (bool removed : {false, true}) {
    CAPTURE(removed);
    tokens = w.node.watch({"k"});
    w.node("set k 1 px 1000");
    w.node.clock() += 1000;
    if (removed) {
      w.node.write(due_expirations(w.node.executor(), w.node.clock(), 10));
      CHECK(w.node("dbsize") == ":1\r\n");  // "done"
    }
    CHECK(w.node.exec(tokens, {{"set", "done", "1"}}) == kAborted);
  }
}

TEST_CASE("swapped databases abort the block, also when swapped back [F11]") {
  World w;
  w.node("set k 1");
  CHECK(w.watch_then("k", {"swapdb 0 1"}) == kAborted);
  CHECK(w.watch_then("k", {"swapdb 0 1", "swapdb 0 1"}) == kAborted);
  CHECK(w.watch_then("missing", {"swapdb 0 1", "swapdb 1 0"}) == kAborted);
  CHECK(w.watch_then("k", {"swapdb 1 2"}) == kCommitted);
}

TEST_CASE("one changed key of several aborts, and nothing of the block is applied [F11]") {
  World w;
  w.node("mset a 1 b 2");
  auto tokens = w.node.watch({"a", "b", "c"});
  CHECK(tokens.size() == 3);
  w.node("set c 3");
  w.node.version = 3;
  CHECK(w.node.exec(tokens, {{"set", "done", "1"}, {"del", "a"}}) == "_\r\n");
  w.node.version = 2;
  CHECK(w.node("exists done a") == ":1\r\n");
}

TEST_CASE("tokens hold across a restart and on another node [F11]") {
  World w;
  w.node("set k 1");
  auto tokens = w.node.watch({"k", "missing"});
  w.node("set x 1");
  w.node("del x");
  Executor again(w.keyspace, Node::own({}));
  std::string transaction;
  pack_transaction(transaction, 0, tokens, std::vector<std::string>{packed({"get", "k"})});
  ReadBatch batch;
  batch.ops.push_back({{1, 0}, RequestKind::kRead, 2, transaction});
  again.run_reads(batch);
  again.work();
  CHECK(again.take_effects().replies.at(0).bytes == "*1\r\n$1\r\n1\r\n");
}

TEST_CASE("a block sees its own effects and goes on behind its own errors") {
  World w;
  CHECK(w.node.exec({}, {{"set", "a", "1"},
                         {"incr", "a"},
                         {"rpush", "a", "x"},
                         {"get", "a"},
                         {"nothing"},
                         {"dbsize"}}) ==
        "*6\r\n+OK\r\n:2\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        "$1\r\n2\r\n-ERR this command cannot be executed here\r\n:1\r\n");
  CHECK(w.node.exec({}, {}) == "*0\r\n");
}

}  // namespace
}  // namespace kiwi::resp
