// Reads at an index, the reader's clock and expiry (F8, F9, F33, F34).
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

struct World {
  World() : node(keyspace) { node.start(); }
  rocks::MemoryKeyspace keyspace;
  Node node;
};

ReadOp read(uint64_t connection, uint64_t slot, const std::vector<std::string>& argv) {
  return {{connection, slot}, RequestKind::kRead, 2, packed(argv)};
}

TEST_CASE("a read waits until its index is applied") {
  World w;
  ReadBatch batch;
  batch.id = 77;
  batch.index = w.node.executor().applied() + 1;
  batch.ops = {read(4, 0, {"get", "a"})};
  w.node.executor().run_reads(batch);
  CHECK_FALSE(w.node.executor().work());
  CHECK(w.node.executor().take_effects().replies.empty());
  w.node.log().batch({NodeId{2}, incarnation_of(2), 1, 1}, {packed({"set", "a", "1"})});
  ExecutorEffects effects = w.node.deliver();
  CHECK(Node::bytes_of(effects) == "$1\r\n1\r\n");
  CHECK(effects.reads.done == std::vector<uint64_t>{77});
}

TEST_CASE("a read that waits too long can be cancelled, one that is ready cannot") {
  World w;
  ReadBatch batch;
  batch.id = 77;
  batch.index = w.node.executor().applied() + 1;
  batch.ops = {read(4, 0, {"get", "a"}), {{4, 1}, RequestKind::kWatch, 2, packed({"watch", "a"})}};
  w.node.executor().run_reads(batch);
  w.node.executor().work();
  w.node.executor().cancel_reads({78});
  CHECK(w.node.executor().take_effects().replies.empty());
  w.node.executor().cancel_reads({77});
  ExecutorEffects effects = w.node.executor().take_effects();
  CHECK(Node::bytes_of(effects) ==
        "-TIMEOUT no quorum for read\r\n-TIMEOUT no quorum for read\r\n");
  CHECK(effects.replies[0].failed_watch);
  CHECK(effects.reads.done == std::vector<uint64_t>{77});

  batch.index = w.node.executor().applied();
  w.node.executor().run_reads(batch);
  w.node.executor().cancel_reads({77});
  w.node.executor().work();
  CHECK(Node::bytes_of(w.node.executor().take_effects()) == "$-1\r\n+OK\r\n");
}

TEST_CASE("entries wait while the keyspace has no room, reads of what is applied go on") {
  struct Pressed final : rocks::MemoryKeyspace {
    uint32_t pressure() override { return pressed; }
    uint32_t pressed = 0;
  };
  Pressed keyspace;
  Node node(keyspace);
  node.start();
  Executor& executor = node.executor();
  keyspace.pressed = 999;
  node.log().batch({NodeId{2}, incarnation_of(2), 1, 1}, {packed({"set", "a", "1"})});
  CHECK(node.deliver().pressure == 999);
  CHECK_FALSE(executor.held());
  keyspace.pressed = rocks::Keyspace::kPressureFull;
  const LogIndex applied = executor.applied();
  node.log().batch({NodeId{2}, incarnation_of(2), 1, 2}, {packed({"set", "a", "2"})});
  ReadBatch batch;
  batch.id = 5;
  batch.index = applied;
  batch.ops = {read(4, 0, {"get", "a"})};
  executor.run_reads(batch);
  executor.apply(std::exchange(node.log().entries, {}));
  CHECK_FALSE(executor.work());  // nothing is to be done by asking again
  ExecutorEffects effects = executor.take_effects();
  CHECK(Node::bytes_of(effects) == "$1\r\n1\r\n");
  CHECK(effects.pressure == rocks::Keyspace::kPressureFull);
  CHECK_FALSE(effects.applied_moved);
  CHECK(executor.held());
  CHECK(executor.applied() == applied);
  keyspace.pressed = 0;
  CHECK_FALSE(executor.work());
  CHECK_FALSE(executor.held());
  CHECK(executor.applied() == applied + 1);
}

TEST_CASE("a batch of reads bigger than a turn goes on in the next, in order") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options;
  options.turn_commands_max = 3;
  Node node(keyspace, options);
  node.start();
  ReadBatch batch;
  batch.id = 5;
  for (uint64_t slot = 0; slot < 8; ++slot) {
    batch.ops.push_back(read(4, slot, {"exists", "a"}));
  }
  node.executor().run_reads(batch);
  size_t turns = 1;
  while (node.executor().work()) {
    ++turns;
  }
  CHECK(turns == 3);
  ExecutorEffects effects = node.executor().take_effects();
  REQUIRE(effects.replies.at(0).parts.size() == 8);
  CHECK(effects.replies[0].parts[7].slot == 7);
  CHECK(effects.reads.done == std::vector<uint64_t>{5});
}

TEST_CASE("a reader's clock ends keys, but never goes below the applied stamp [F9]") {
  World w;
  int64_t start = w.node.clock();
  w.node("set k 1 px 1000");
  auto get = [&](int64_t now_ms) {
    return Node::bytes_of(w.node.read_effects(packed({"get", "k"}), RequestKind::kRead, now_ms));
  };
  CHECK(get(start + 999) == "$1\r\n1\r\n");
  CHECK(get(start + 1000) == "$-1\r\n");
  CHECK(get(0) == "$1\r\n1\r\n");  // a stale read: the applied stamp
  w.node.clock() += 1000;
  w.node.log().add(raft::EntryKind::kTick);
  w.node.deliver();
  CHECK(get(0) == "$-1\r\n");
  CHECK(get(start) == "$-1\r\n");
}

TEST_CASE("a held-back clock that meets a living deadline is asked again, in order [F9]") {
  World w;
  w.node("set k 1 px 1000");
  w.node("set plain 2");
  ReadBatch batch;
  batch.id = 6;
  batch.now_ms = w.node.clock() + 10;
  batch.clamped = true;
  batch.ops = {read(4, 0, {"get", "plain"}), read(4, 1, {"ttl", "k"}), read(4, 2, {"get", "plain"}),
               read(5, 0, {"get", "plain"}), read(5, 1, {"keys", "*"})};
  w.node.executor().run_reads(batch);
  ExecutorEffects effects = w.node.deliver();
  REQUIRE(effects.replies.size() == 2);
  CHECK(effects.replies[0].bytes == "$1\r\n2\r\n");
  CHECK(effects.replies[1].bytes == "$1\r\n2\r\n");
  REQUIRE(effects.reads.again.size() == 1);
  CHECK(effects.reads.again[0].id == 6);
  std::vector<ReplySlot> again;
  for (const ReadOp& op : effects.reads.again[0].ops) {
    again.push_back(op.to);
  }
  CHECK(again == std::vector<ReplySlot>{{4, 1}, {4, 2}, {5, 1}});
  CHECK(effects.reads.done == std::vector<uint64_t>{6});

  // All of it: nothing was answered. A key that is over at the held-back clock is over for good.
  ExecutorEffects all =
      w.node.read_effects(packed({"get", "k"}), RequestKind::kRead, w.node.clock(), true);
  CHECK(all.replies.empty());
  CHECK(all.reads.done.empty());
  CHECK(all.reads.again.size() == 1);
  CHECK(w.node.read_effects(packed({"watch", "k"}), RequestKind::kWatch, w.node.clock(), true)
            .reads.again.size() == 1);
  ExecutorEffects over =
      w.node.read_effects(packed({"get", "k"}), RequestKind::kRead, w.node.clock() + 1000, true);
  CHECK(Node::bytes_of(over) == "$-1\r\n");
  CHECK(over.reads.again.empty());
}

TEST_CASE("an expiry entry removes only what is over at its own stamp [F8]") {
  World w;
  w.node("set a 1 px 1000");
  w.node("rpush l 1 2 3");
  w.node("pexpire l 1000");
  w.node("set b 1 px 5000");
  CHECK(due_expirations(w.node.executor(), w.node.clock() + 999, 10).empty());
  std::string due = due_expirations(w.node.executor(), w.node.clock() + 1000, 10);
  REQUIRE_FALSE(due.empty());

  SUBCASE("too early: nothing happens") {
    w.node.write(due);
    CHECK(w.node("dbsize") == ":3\r\n");
    CHECK(w.node("get a") == "$1\r\n1\r\n");
  }
  SUBCASE("in time: keys, elements and index records are gone") {
    w.node.clock() += 1000;
    w.node.write(due);
    CHECK(w.node("dbsize") == ":1\r\n");
    CHECK(w.keyspace.maps()[static_cast<size_t>(rocks::Family::kElement)].empty());
    CHECK(due_expirations(w.node.executor(), w.node.clock(), 10).empty());
    CHECK(w.node.executor().counters().expired_keys == 2);
  }
  SUBCASE("a new value that came before it stays, unless it is over, too") {
    w.node("set a new pxat " + std::to_string(w.node.clock() + 1001));
    w.node("set l new");
    w.node.clock() += 1000;
    w.node.write(due);
    CHECK(w.node("dbsize") == ":3\r\n");
    CHECK(w.node("get a") == "$3\r\nnew\r\n");
    CHECK(w.node("get l") == "$3\r\nnew\r\n");
    w.node.clock() += 1;
    w.node.write(due);
    CHECK(w.node("dbsize") == ":2\r\n");
  }
  SUBCASE("a longer deadline that came before it counts") {
    w.node("pexpire a 9000");
    w.node("persist l");
    w.node.clock() += 1000;
    w.node.write(due);
    CHECK(w.node("exists a l") == ":2\r\n");
  }
  SUBCASE("a shorter one that came behind it does, too") {
    w.node("pexpire b 10");
    w.node.clock() += 10;
    w.node.write(due);
    CHECK(w.node("dbsize") == ":2\r\n");
    CHECK(w.node("exists a l b") == ":2\r\n");
  }
  SUBCASE("FLUSHDB leaves nothing to reclaim") {
    w.node("flushdb");
    CHECK(due_expirations(w.node.executor(), w.node.clock() + 100'000, 10).empty());
    for (const auto& [key, value] :
         w.keyspace.maps()[static_cast<size_t>(rocks::Family::kSystem)]) {
      CHECK(key[0] != 'X');
    }
  }
  SUBCASE("a number that is none does nothing") {
    w.node.clock() += 1000;
    w.node.run({"kiwi.expire", "0"});
    w.node.run({"kiwi.expire", "-1"});
    w.node.run({"kiwi.expire", "all"});
    CHECK(w.node("dbsize") == ":3\r\n");
  }
}

TEST_CASE("reclaim goes on where it ended, and the leader sees how far behind it is [F56, F57]") {
  World w;
  Executor& executor = w.node.executor();
  const int64_t began_ms = w.node.clock();
  for (int i = 0; i < 30; ++i) {
    w.node("set k" + std::to_string(i) + " 1 px " + std::to_string(1000 + i / 10));
  }
  CHECK_FALSE(executor.due_since(began_ms + 999));
  CHECK(executor.due_since(began_ms + 1020) == began_ms + 1000);
  w.node.clock() = began_ms + 1020;
  const std::string twelve = Executor::expire_command(12);
  w.node.write(twelve);
  CHECK(w.node("dbsize") == ":18\r\n");
  CHECK(executor.due_since(w.node.clock()) == began_ms + 1001);
  SUBCASE("to the end") {
    w.node.write(twelve);
    w.node.write(twelve);
    CHECK(w.node("dbsize") == ":0\r\n");
    CHECK_FALSE(executor.due_since(w.node.clock()));
    CHECK(executor.counters().expired_keys == 30);
    w.node("set new 1 px 500");
    CHECK_FALSE(executor.due_since(w.node.clock() + 499));
    CHECK(executor.due_since(w.node.clock() + 500));
  }
  SUBCASE("and back to what comes later and is over soon") {
    w.node.write(Executor::expire_command(18));
    CHECK_FALSE(executor.due_since(w.node.clock()));
    w.node("set late 1 px 500");
    CHECK_FALSE(executor.due_since(w.node.clock()));
    w.node("set early 1 px 1");
    w.node.clock() += 1;
    CHECK(executor.due_since(w.node.clock()) == w.node.clock());
  }
}

TEST_CASE("fields are reclaimed by the same entries, and counted apart [F8]") {
  World w;
  for (int i = 0; i < 300; ++i) {
    w.node.run({"hset", "h", "f" + std::to_string(i), std::string(20, 'v')});
  }
  std::vector<std::string> expire{"hpexpire", "h", "1000", "fields", "299"};
  for (int i = 1; i < 300; ++i) {
    expire.push_back("f" + std::to_string(i));
  }
  w.node.run(expire);
  w.node("hset small a 1 b 2");
  w.node("hpexpire small 1000 fields 1 a");
  w.node.clock() += 1000;
  CHECK(w.node("hlen h") == ":1\r\n");
  CHECK(w.node("hgetall h") == "*2\r\n$2\r\nf0\r\n$20\r\n" + std::string(20, 'v') + "\r\n");
  for (int rounds = 0; w.node.executor().due_since(w.node.clock()); ++rounds) {
    REQUIRE(rounds < 4);
    w.node.write(Executor::expire_command(100));
  }
  CHECK(w.node.executor().counters().expired_keys == 0);
  CHECK(w.node.executor().counters().expired_fields == 300);
  CHECK(w.node("dbsize") == ":2\r\n");
  CHECK(w.node("hgetall small") == "*2\r\n$1\r\nb\r\n$1\r\n2\r\n");
  CHECK(w.keyspace.maps()[static_cast<size_t>(rocks::Family::kElement)].size() == 1);
  CHECK(w.keyspace.maps()[static_cast<size_t>(rocks::Family::kNode)].empty());
}

TEST_CASE("a field that is due is absent for every command, reclaimed or not [F34]") {
  std::vector<std::string> answers;
  for (const size_t length : {1, 300}) {
    for (bool removed : {false, true}) {
      World w;
      const std::string value(length, 'v');
      for (const char* field : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
        w.node.run({"hset", "h", field, value});
      }
      w.node.run({"hset", "all", "x", value});
      w.node("hpexpire h 1000 fields 4 a c e g");
      w.node("hpexpire all 1000 fields 1 x");
      w.node.clock() += 1000;
      if (removed) {
        w.node.write(due_expirations(w.node.executor(), w.node.clock(), 100));
      }
      std::string all;
      for (const char* command : {"exists all",
                                  "type all",
                                  "keys *",
                                  "scan 0",
                                  "hlen h",
                                  "hkeys h",
                                  "hscan h 0",
                                  "hget h a",
                                  "hmget h a b",
                                  "hexists h c",
                                  "hstrlen h e",
                                  "httl h fields 2 a b",
                                  "hpersist h fields 2 a b",
                                  "hpexpire h 9 fields 2 a b",
                                  "hsetnx h a new",
                                  "hdel h c b",
                                  "hincrby h e 5",
                                  "hgetdel h fields 2 g d",
                                  "hgetex h fields 2 c e",
                                  "hsetex h fxx fields 1 g 1",
                                  "hsetex h fnx fields 1 g 1",
                                  "copy h copied",
                                  "hlen copied",
                                  "rename h other",
                                  "hlen other",
                                  "hset all y 1",
                                  "hgetall all",
                                  "persist other",
                                  "ttl other",
                                  "hlen copied",
                                  "hkeys other",
                                  "dbsize",
                                  "del all"}) {
        all += std::string(command) + " -> " + w.node(command);
      }
      answers.push_back(all);
    }
    CHECK(answers[answers.size() - 1] == answers[answers.size() - 2]);
  }
}

TEST_CASE("a read that meets deadlines of fields by a clock that was held back asks again [F9]") {
  World w;
  w.node("hset h a 1 b 2");
  w.node("hset plain a 1");
  w.node("hpexpire h 1000 fields 1 a");
  const auto held = [&](const char* name) {
    return w.node
        .read_effects(packed({"hget", name, "b"}), RequestKind::kRead, w.node.clock(), true)
        .reads.again.size();
  };
  CHECK(held("h") == 1);
  CHECK(held("plain") == 0);
}

TEST_CASE(
    "reclaim beside PERSIST and EXPIRE takes what is over, in whatever order they come [F8]") {
  for (const bool reclaim_first : {false, true}) {
    World w;
    w.node("set k 1 px 1000");
    w.node("hset h a 1 b 2");
    w.node("hpexpire h 1000 fields 2 a b");
    const auto change = [&] {
      w.node("persist k");
      w.node("hpersist h fields 1 a");
      w.node("hpexpire h 9000 fields 1 b");
    };
    w.node.clock() += reclaim_first ? 999 : 500;
    if (reclaim_first) {
      w.node.write(Executor::expire_command(10));
    }
    change();
    w.node.clock() += 501;
    w.node.write(Executor::expire_command(10));
    CHECK(w.node("exists k") == ":1\r\n");
    CHECK(w.node("hlen h") == ":2\r\n");
    w.node.clock() += 9000;
    w.node.write(Executor::expire_command(10));
    CHECK(w.node("hkeys h") == "*1\r\n$1\r\na\r\n");
    CHECK_FALSE(w.node.executor().due_since(w.node.clock()));
  }
}

TEST_CASE("an expired key is absent for every command, removed or not [F34]") {
  std::vector<std::string> answers;
  for (bool removed : {false, true}) {
    World w;
    w.node("set k 1 px 1000");
    w.node("rpush l a b c");
    w.node("pexpire l 1000");
    w.node("sadd s a b c");
    w.node("pexpire s 1000");
    w.node.clock() += 1000;
    if (removed) {
      w.node.write(due_expirations(w.node.executor(), w.node.clock(), 10));
    }
    std::string all;
    for (const char* command :
         {"get k",         "exists k l s",    "ttl k",      "type l",      "llen l",
          "lrange l 0 -1", "smembers s",      "keys *",     "scan 0",      "randomkey",
          "strlen k",      "getrange k 0 -1", "set k v xx", "getdel k",    "expire k 10",
          "persist k",     "rename k other",  "lpop l",     "rpushx l x",  "srem s a",
          "copy k other",  "append k x",      "incr n",     "lpush l new", "lrange l 0 -1",
          "sadd s new",    "smembers s",      "ttl k",      "ttl l",       "ttl s",
          "setnx k y",     "dbsize",          "del k l s n"}) {
      all += std::string(command) + " -> " + w.node(command);
    }
    answers.push_back(all);
  }
  CHECK(answers[0] == answers[1]);
}

TEST_CASE("SCAN finds every key once, and its cursor means the same on every node [F33]") {
  World a;
  World b;
  constexpr int kKeys = 300;
  for (int i = 0; i < kKeys; ++i) {
    a.node("set key:" + std::to_string(i) + " v");
    b.node("set key:" + std::to_string(kKeys - 1 - i) + " v");
  }
  for (int64_t count : {1, 7, 1000}) {
    CAPTURE(count);
    std::multiset<std::string> found;
    std::string cursor = "0";
    size_t calls = 0;
    do {
      Node& node = calls % 2 == 0 ? a.node : b.node;
      std::string reply = node("scan " + cursor + " count " + std::to_string(count));
      ++calls;
      // *2 $n cursor *m ($n key)*m
      std::vector<std::string> lines;
      for (size_t at = 0; at < reply.size();) {
        size_t end = reply.find("\r\n", at);
        lines.push_back(reply.substr(at, end - at));
        at = end + 2;
      }
      cursor = lines.at(2);
      CHECK(std::stoull(cursor) < rocks::kHashEnd);
      for (size_t i = 5; i < lines.size(); i += 2) {
        if (lines[i].starts_with("key:")) {
          found.insert(lines[i]);
        }
      }
      // Others come, and go three calls later: what a position counted would be another key then.
      a.node("set passing:" + std::to_string(calls) + " v");
      a.node("del passing:" + std::to_string(calls - 3));
    } while (cursor != "0" && calls < 1000);
    CHECK(found.size() == kKeys);
    CHECK(std::set<std::string>(found.begin(), found.end()).size() == kKeys);
    CHECK(calls >= static_cast<size_t>(kKeys / count));
  }
}

TEST_CASE("random keys differ from read to read and are always there") {
  World w;
  for (int i = 0; i < 50; ++i) {
    w.node("set k" + std::to_string(i) + " v");
  }
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    std::string key = w.node("randomkey");
    CHECK(key.starts_with("$"));
    seen.insert(key);
  }
  CHECK(seen.size() > 10);
}

}  // namespace
}  // namespace kiwi::resp
