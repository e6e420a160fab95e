// What an executor tells Measures: execution times and calls inside blocks and scripts, of this
// node's clients only.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/options.hpp"
#include "resp/long_read.hpp"
#include "resp/measures.hpp"
#include "resp/stopwatch.hpp"
#include "tests/resp/node.hpp"
#include "tests/support/memory_keyspace.hpp"

namespace kiwi::resp {

namespace {

struct World {
  config::Options options;
  int64_t at_ns = 0;
  uint64_t errors = 0;
  Measures measures{options,
                    {.wall_us = [] { return int64_t{1'700'000'000'000'000}; },
                     .client =
                         [](ConnectionId id) {
                           return Measures::Client{"client " + std::to_string(id), ""};
                         },
                     .error_counted = [this] { ++errors; }}};
  rocks::MemoryKeyspace keyspace;
  Node node;

  explicit World(ExecutorOptions given = {}) : node(keyspace, measured(given)) {
    measures.set_clock(CycleClock::fixed(&at_ns));
    options.slowlog_log_slower_than = 0;
    node.start();
  }
  ExecutorOptions measured(ExecutorOptions given) {
    given.measures = &measures;
    return given;
  }
  const Measures::Row& row(const char* name) const { return measures.row(*find_command(name)); }
  std::vector<std::string> slow() {  // the oldest first
    std::vector<std::string> lines;
    const auto& kept = measures.slow_log().newest_first();
    for (auto one = kept.rbegin(); one != kept.rend(); ++one) {
      std::string line = one->address + ":";
      for (const std::string& arg : one->args) {
        line += " " + arg;
      }
      lines.push_back(line);
    }
    measures.slow_log().clear();
    return lines;
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("commands of this node's clients are told with their words, others' are not") {
  World world;
  world.node("SET a 1");
  world.node("GET a");
  CHECK(world.slow() == Lines{"client 1: SET a 1", "client 1: GET a"});
  CHECK(world.row("set").calls == 0);  // the session counts it when it is answered
  // Another node's batch, and one that this node made for nobody.
  raft::ProposalNumber theirs{NodeId{2}, incarnation_of(2), 1, 1};
  world.node.log().batch(
      theirs, {packed({"SET", "b", "1"}), packed({"EVAL", "return redis.call('GET','b')", "0"})});
  world.node.deliver();
  CHECK(world.node("GET b") == "$1\r\n1\r\n");
  CHECK(world.slow() == Lines{"client 1: GET b"});
  CHECK_FALSE(world.row("get").is_used());
}

TEST_CASE("a block is EXEC's time; what is in it is counted and may fail alone") {
  World world;
  world.node.exec({}, {{"SET", "a", "x"}, {"INCR", "a"}, {"GET", "a"}});
  CHECK(world.slow() == Lines{"client 1: SET a x", "client 1: INCR a", "client 1: GET a"});
  CHECK(world.row("set").calls == 1);
  CHECK(world.row("set").failed == 0);
  CHECK(world.row("incr").calls == 1);
  CHECK(world.row("incr").failed == 1);
  CHECK(world.row("get").calls == 1);
  CHECK(world.row("exec").calls == 0);  // the session's
  CHECK(world.measures.errors().at("ERR") == 1);
  CHECK(world.errors == 1);
}

TEST_CASE("a script's commands are counted, and SLOWLOG does not say whose they are") {
  World world;
  world.node.run({"EVAL", "redis.call('SET','a','x') redis.pcall('INCR','a') return 1", "0"});
  const Lines slow = world.slow();
  REQUIRE(slow.size() == 3);
  CHECK(slow[0] == "client 0: SET a x");
  CHECK(slow[1] == "client 0: INCR a");
  CHECK(slow[2].starts_with("client 1: EVAL redis.call("));
  CHECK(world.row("set").calls == 1);
  CHECK(world.row("incr").failed == 1);
  CHECK(world.measures.errors().empty());  // the script caught it
}

TEST_CASE("what a stopwatch measures is from the end of one operation to that of the next") {
  World world;
  Stopwatch watch(&world.measures);
  const CommandSpec& get = *find_command("get");
  const CommandSpec& set = *find_command("set");
  world.at_ns = 100;
  watch.begin();
  watch.whose(1);
  world.at_ns = 150;
  watch.lap(&get, {});
  watch.whose(0);
  world.at_ns = 1000;
  watch.lap(&get, {});  // nobody's here
  watch.whose(1);
  world.at_ns = 1007;
  watch.lap(&set, {});
  CHECK(world.row("get").executed_ns == 50);
  CHECK(world.row("set").executed_ns == 7);
  // A rest inside is none of its time, nor of what runs in it.
  watch.whose(1);
  const int64_t began = watch.now_ns();
  world.at_ns = 1010;
  watch.rest();
  world.at_ns = 9000;
  watch.go_on();
  world.at_ns = 9002;
  watch.command_of_script(get, {}, began, false);
  watch.lap(&set, {});
  CHECK(world.row("get").executed_ns == 55);
  CHECK(world.row("get").calls == 1);
  CHECK(world.row("set").executed_ns == 12);
}

TEST_CASE("an operation that is executed again elsewhere counts what is in it once") {
  World world;
  Stopwatch watch(&world.measures);
  const CommandSpec& get = *find_command("get");
  watch.begin();
  watch.whose(1);
  watch.command_of_block(get, {}, watch.now_ns(), "-ERR no\r\n");
  watch.lap(nullptr, {});
  CHECK(world.row("get").calls == 0);
  CHECK(world.measures.errors().empty());
  watch.whose(1);
  watch.command_of_block(get, {}, watch.now_ns(), "-NOPE\r\n");
  watch.lap(find_command("exec"), {});
  CHECK(world.row("get").calls == 1);
  CHECK(world.row("get").failed == 1);
  CHECK(world.measures.errors().at("NOPE") == 1);
}

TEST_CASE("a long read is measured where it runs, and told when its answer comes") {
  ExecutorOptions options;
  options.long_read_elements = 10;
  World world(options);
  for (int i = 0; i < 40; ++i) {
    world.node("SET k" + std::to_string(i) + " v");
  }
  world.slow();
  ExecutorEffects effects =
      world.node.read_effects(packed({"KEYS", "*"}), RequestKind::kRead, world.node.clock());
  REQUIRE(effects.long_reads.size() == 1);
  CHECK(world.slow().empty());  // it was put aside, not executed
  const std::atomic<bool> stop{false};
  const std::unique_ptr<rocks::Reader> view = world.keyspace.view();
  world.node.executor().long_read_done(run_long_read(*view, effects.long_reads[0], stop));
  CHECK(world.slow() == Lines{"client 1: KEYS *"});
  CHECK(world.row("keys").calls == 0);  // the session's
}

TEST_CASE("an executor without Measures answers the same") {
  rocks::MemoryKeyspace keyspace;
  Node bare(keyspace);
  bare.start();
  World world;
  for (const char* words : {"SET a 1", "INCR a", "LPUSH a 1", "GET a", "EXPIRE a 100"}) {
    CHECK(bare(words) == world.node(words));
  }
  CHECK(bare.executor().state_checksum() == world.node.executor().state_checksum());
}

}  // namespace kiwi::resp
