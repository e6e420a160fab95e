// What clients cannot make a node do: hold much beside the memory of a script or the bounds of an
// entry, compare for long.
#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/node.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/executor: costs");

namespace {

struct World {
  explicit World(const ExecutorOptions& options = {}) : node(keyspace, options) { node.start(); }
  std::string eval(const std::string& script) { return node.run({"eval", script, "0"}); }

  rocks::MemoryKeyspace keyspace;
  Node node;
};

// A line of a log that is made of one text, so many times.
std::string log_of(const std::string& bytes, const std::string& times) {
  return "local s, t = string.rep('x', " + bytes + "), {} for i = 1, " + times +
         " do t[i] = s end redis.log(redis.LOG_DEBUG, unpack(t)) return 1";
}

}  // namespace

// Each is an entry: what it needs it needs on every node, and again after each start.
TEST_CASE("redis.log() counts its arguments, and holds no more of them than it shows [2.4]") {
  World w;
  CHECK(w.eval("redis.log(redis.LOG_DEBUG, 'a', 1, nil, {}, 'b') return 1") == ":1\r\n");
  CHECK(w.eval(log_of("2000000", "7000")) == ":1\r\n");  // 14 GB
  CHECK(w.eval(log_of("20000000", "7000")).starts_with("-ERR script stopped: more than"));
}

TEST_CASE("what functions say of themselves is counted before it is held [2.7]") {
  World w;
  const auto load = [&](const std::string& bytes, const std::string& functions) {
    return w.node.run({"function", "load",
                       "#!lua name=lib\nlocal s = string.rep('d', " + bytes + ") for i = 1, " +
                           functions +
                           " do redis.register_function{function_name='f' .. i, "
                           "callback=function() return 1 end, description=s} end"});
  };
  CHECK(load("1000000", "100000") == "-ERR it needs too many steps\r\n");  // 100 GB
  CHECK(load("1000", "10") == "$3\r\nlib\r\n");
  CHECK(w.node("fcall f7 0") == ":1\r\n");
}

TEST_CASE("to compare long names with a long pattern counts as records that are looked at") {
  ExecutorOptions options;
  options.entry_read_steps_max = 10'000;
  World w(options);
  const std::string name(5000, 'a');
  w.node.run({"set", name, "1"});
  w.node.run({"zadd", "z", "1", name});
  std::string tries = "*";  // each of them is compared to its end, but for the last one
  tries.append(4000, 'a').append("b*");
  std::string set = "*[";
  set.append(20'000, 'b').append("]a");
  for (const std::string& pattern : {tries, set}) {
    const std::vector<std::vector<std::string>> reads{
        {"keys", pattern}, {"scan", "0", "match", pattern}, {"zscan", "z", "0", "match", pattern}};
    for (const std::vector<std::string>& read : reads) {
      CHECK(w.node.exec({}, {read, {"incr", "n"}})
                .starts_with("*2\r\n-ERR too much for one command"));
    }
  }
  CHECK(w.node("keys a*") == "*1\r\n$5000\r\n" + name + "\r\n");
}

// As long as some fields are due the others have no places that could be drawn from.
TEST_CASE("fields that are drawn from a hash some of whose fields are due count as work [F61]") {
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  World w(options);
  std::vector<std::string> fields{"hset", "h"};
  for (int i = 0; i < 5000; ++i) {
    fields.push_back("f" + std::to_string(i));
    fields.push_back("v");
    if (fields.size() > 500) {
      w.node.run(fields);
      fields.resize(2);
    }
  }
  w.node.run(fields);
  const std::string before = w.node("hlen h");
  w.node("hpexpire h 1 fields 1 f17");
  w.node.clock() += 10;
  CHECK(w.node("hlen h") == ":4999\r\n");
  CHECK(before == ":5000\r\n");
  CHECK(w.node("hrandfield h 4900").starts_with("-ERR too much for one command"));
  CHECK(w.node("hrandfield h 1000").starts_with("*1000\r\n"));
}

// Strings that ended, and sets that are not there: to ask them takes no step.
TEST_CASE("a command that names very many keys asks those that hold nothing only once [F61]") {
  World w;
  const auto quick = [&](const std::vector<std::string>& argv, const std::string& reply) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(w.node.run(argv) == reply);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
  };
  constexpr int kMembers = 20'000;
  std::vector<std::string> members{"sadd", "s"};
  std::vector<std::string> scored{"zadd", "z"};
  for (int i = 0; i < kMembers; ++i) {
    members.push_back(std::to_string(i));
    scored.insert(scored.end(), {"1", std::to_string(i)});
  }
  w.node.run(members);
  w.node.run(scored);
  std::vector<std::string> sets{"sdiffstore", "d", "s"};
  std::vector<std::string> sorted{"zdiffstore", "d", "200001", "z"};
  for (int i = 0; i < 200'000; ++i) {
    sets.push_back("none" + std::to_string(i));
    sorted.push_back(sets.back());
  }
  quick(sets, ":20000\r\n");
  quick(sorted, ":20000\r\n");
  w.node.run({"setrange", "long", "100000000", "x"});
  w.node.run({"setrange", "short", "8200", "x"});
  for (const char* operation : {"or", "xor", "and"}) {
    std::vector<std::string> bits{"bitop", operation, "d", "long"};
    bits.resize(200'000, "short");
    quick(bits, ":100000001\r\n");
    CHECK(w.node("getrange d 100000000 100000000") ==
          (std::string(operation) == "and" ? std::string("$1\r\n\0\r\n", 7) : "$1\r\nx\r\n"));
  }
}

TEST_SUITE_END();

}  // namespace kiwi::resp
