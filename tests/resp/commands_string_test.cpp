// Strings where recorded answers of Redis 7.0 cannot show it: what a long one costs, reads that
// leave their turn, and commands of later products (SET IFEQ and DELIFEQ of Valkey, MSETEX of
// Redis 8.4).
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
namespace {

constexpr std::string_view kNull = "$-1\r\n";
constexpr std::string_view kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

struct World {
  explicit World(const ExecutorOptions& options = {}) : node(keyspace, options) { node.start(); }
  std::string operator()(const std::string& words) { return node(words); }
  // What one command reads and writes.
  struct Cost {
    size_t reads = 0;
    size_t puts = 0;
  };
  Cost cost(const std::string& words) {
    keyspace.reset();
    CHECK_FALSE(node(words).starts_with("-"));
    return {keyspace.reads(), keyspace.puts};
  }

  CountingKeyspace keyspace;
  Node node;
};

TEST_CASE("a change inside a long string costs its chunk, whatever the length") {
  World w;
  w.node.run({"set", "long", std::string(1'000'000, 'v')});
  w.node.run({"set", "short", std::string(8'192, 'v')});
  w("set other v");
  const size_t turn = w.cost("set other w").puts - 1;  // what any turn writes
  for (const char* words :
       {"setbit long 4000000 1", "setrange long 500000 abc", "append long x",
        "bitfield long set u8 4000000 7", "bitfield long set u8 1 7 set u8 9 8"}) {
    INFO(words);
    const World::Cost cost = w.cost(words);
    CHECK(cost.puts == turn + 2);  // a chunk, and the key's record
    CHECK(cost.reads <= 6);
  }
  for (const char* words : {"strlen long", "getbit long 7000000", "getrange long 600000 600100",
                            "expire long 1000", "bitcount long 100 200", "bitpos long 1 5000"}) {
    INFO(words);
    CHECK(w.cost(words).reads <= 6);
  }
  CHECK(w.cost("setbit far 4000000000 1").puts == turn + 3);  // one more: the number of keys
  CHECK(w.cost("append short ").puts <= turn + 1);
}

TEST_CASE("SET and GET of a short string read and write the key's record only") {
  World w;
  w.cost("set key value");
  const World::Cost set = w.cost("set key other");
  CHECK(set.reads == 1);
  CHECK(w.keyspace.maps()[static_cast<size_t>(rocks::Family::kElement)].empty());
  CHECK(w.cost("get key").reads == 1);
  CHECK(w.cost("get key").puts == 0);
}

TEST_CASE("a long string that takes too many steps is read on a view, with the same answer") {
  ExecutorOptions options;
  options.long_read_elements = 5;
  World w(options);
  const std::string value(1'000'000, 'v');
  w.node.run({"set", "k", value});
  for (const std::vector<std::string>& argv : std::vector<std::vector<std::string>>{
           {"get", "k"}, {"bitcount", "k"}, {"getrange", "k", "0", "-1"}}) {
    INFO(argv[0]);
    ExecutorEffects effects = w.node.read_effects(packed(argv));
    REQUIRE(effects.long_reads.size() == 1);
    CHECK(effects.replies.empty());
    const std::unique_ptr<rocks::Reader> view = w.keyspace.view();
    const std::atomic<bool> stop{false};
    w.node.executor().long_read_done(run_long_read(*view, effects.long_reads[0], stop));
    const std::string answer = Node::bytes_of(w.node.executor().take_effects());
    CHECK(answer == (argv[0] == "bitcount" ? ":5000000\r\n" : "$1000000\r\n" + value + "\r\n"));
  }
  // Short parts stay in their turn.
  CHECK(w.node.read_effects(packed({"getrange", "k", "999990", "-1"})).long_reads.empty());
}

TEST_CASE("a long string that is too large for a reply is refused before it is read [F45]") {
  ExecutorOptions options;
  options.reply_bytes_max = 100'000;
  World w(options);
  w.node.run({"setrange", "k", "200000", "x"});
  w.keyspace.reset();
  CHECK(w("get k").starts_with("-ERR the reply is larger than 100000 bytes"));
  CHECK(w.keyspace.reads() <= 2);
  CHECK(w("getrange k 150000 -1").starts_with("$50001\r\n"));
}

TEST_CASE("SET IFEQ sets only over the very value, as in Valkey 8.1") {
  World w;
  CHECK(w("set k new ifeq old") == kNull);
  CHECK(w("exists k") == ":0\r\n");
  w("set k old ex 100");
  CHECK(w("set k new ifeq other") == kNull);
  CHECK(w("get k") == "$3\r\nold\r\n");
  CHECK(w("set k new IFEQ old") == "+OK\r\n");
  CHECK(w("get k") == "$3\r\nnew\r\n");
  CHECK(w("ttl k") == ":-1\r\n");
  CHECK(w("set k newer ifeq new get") == "$3\r\nnew\r\n");
  CHECK(w("set k newest ifeq new get") == "$5\r\nnewer\r\n");
  CHECK(w("get k") == "$5\r\nnewer\r\n");
  CHECK(w("set none v ifeq x get") == kNull);
  CHECK(w("set k v ifeq newer ex 100") == "+OK\r\n");
  CHECK(w("ttl k") == ":100\r\n");
  CHECK(w("set k w ifeq v keepttl") == "+OK\r\n");
  CHECK(w("ttl k") == ":100\r\n");
  for (const char* words :
       {"set k v ifeq", "set k v ifeq w nx", "set k v xx ifeq w", "set k v ifeq w ifeq w",
        "getex k ifeq w", "getex k nx", "getex k get"}) {
    INFO(words);
    CHECK(w(words) == "-ERR syntax error\r\n");
  }
  w("rpush list a");
  CHECK(w("set list v ifeq a") == kWrongType);
  CHECK(w("set list v ifeq a get") == kWrongType);
  w.node.run({"set", "n", "12"});
  CHECK(w("set n 13 ifeq 012") == kNull);
  CHECK(w("set n 13 ifeq 12") == "+OK\r\n");
}

TEST_CASE("SET IFEQ and DELIFEQ compare long strings, chunks that are missing too") {
  World w;
  std::string value(20'000, '\0');
  value.back() = 'x';
  w.node.run({"setrange", "k", "19999", "x"});
  std::string other = value;
  other[9'000] = 'y';
  CHECK(w.node.run({"set", "k", "v", "ifeq", other}) == kNull);
  CHECK(w.node.run({"delifeq", "k", other}) == ":0\r\n");
  CHECK(w.node.run({"delifeq", "k", value.substr(1)}) == ":0\r\n");
  CHECK(w.node.run({"set", "k", other, "ifeq", value}) == "+OK\r\n");
  CHECK(w.node.run({"delifeq", "k", value}) == ":0\r\n");
  CHECK(w.node.run({"delifeq", "k", other}) == ":1\r\n");
  CHECK(w("exists k") == ":0\r\n");
}

TEST_CASE("DELIFEQ deletes only the very value, as in Valkey 9.0") {
  World w;
  CHECK(w("delifeq k v") == ":0\r\n");
  w("set k v");
  CHECK(w("delifeq k w") == ":0\r\n");
  CHECK(w("delifeq k v") == ":1\r\n");
  CHECK(w("exists k") == ":0\r\n");
  w("sadd s v");
  CHECK(w("delifeq s v") == kWrongType);
}

TEST_CASE("MSETEX sets all keys or none, as in Redis 8.4") {
  World w;
  CHECK(w("msetex 2 a 1 b 2 ex 100") == ":1\r\n");
  CHECK(w("mget a b") == "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  CHECK(w("ttl b") == ":100\r\n");
  CHECK(w("msetex 2 a x c y nx") == ":0\r\n");
  CHECK(w("msetex 2 a x c y xx") == ":0\r\n");
  CHECK(w("mget a c") == "*2\r\n$1\r\n1\r\n$-1\r\n");
  CHECK(w("msetex 2 a x b y xx keepttl") == ":1\r\n");
  CHECK(w("ttl a") == ":100\r\n");
  CHECK(w("msetex 1 a z") == ":1\r\n");
  CHECK(w("ttl a") == ":-1\r\n");
  CHECK(w("msetex 2 c 1 d 2 px 5000 nx") == ":1\r\n");
  CHECK(w("pttl d") == ":5000\r\n");
  CHECK(w("msetex 1 d 3 exat 9999999999") == ":1\r\n");
  CHECK(w("expiretime d") == ":9999999999\r\n");
  CHECK(w("msetex 2 e 1 e 2 nx") == ":1\r\n");
  CHECK(w("get e") == "$1\r\n2\r\n");
  w("sadd s m");
  CHECK(w("msetex 1 s v xx") == ":1\r\n");
  CHECK(w("get s") == "$1\r\nv\r\n");
  for (const char* words : {"msetex 0 a 1", "msetex -1 a 1", "msetex x a 1",
                            "msetex 2147483648 a 1", "msetex 9223372036854775807 a 1"}) {
    INFO(words);
    CHECK(w(words) == "-ERR invalid numkeys value\r\n");
  }
  CHECK(w("msetex 2 a 1 b") == "-ERR wrong number of key-value pairs\r\n");
  for (const char* words : {"msetex 1 a 1 b", "msetex 1 a 1 nx xx", "msetex 1 a 1 ex 1 px 1",
                            "msetex 1 a 1 get", "msetex 1 a 1 ifeq z", "msetex 1 a 1 ex"}) {
    INFO(words);
    CHECK(w(words) == "-ERR syntax error\r\n");
  }
  CHECK(w("msetex 1 a 1 ex 0") == "-ERR invalid expire time in 'msetex' command\r\n");
  CHECK(w("msetex 1 a 1 ex x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(w("get a") == "$1\r\nz\r\n");
}

TEST_CASE("MEMORY USAGE is the bytes of a key's records; what is alike need not be looked at") {
  World w;
  auto usage = [&](const std::string& words) {
    const std::string answer = w("memory usage " + words);
    REQUIRE(answer.starts_with(":"));
    return std::stoul(answer.substr(1));
  };
  CHECK(w("memory usage none") == kNull);
  w("set k v");
  const size_t one = usage("k");
  CHECK(one > 2);
  CHECK(one < 30);
  w("set k vv");
  CHECK(usage("k") == one + 1);
  w("expire k 1000");
  CHECK(usage("k") > one + 8 + 8);
  w.node.run({"set", "long", std::string(100 * 8'192, 'v')});
  const size_t all = usage("long samples 0");
  CHECK(all > 100 * 8'192);
  CHECK(all < 100 * 8'192 + 3'000);
  CHECK(usage("long") == all);
  w.keyspace.reset();
  usage("long");
  CHECK(w.keyspace.reads() < 15);
  w("setbit far 800000000 1");
  CHECK(usage("far") < 9'000);
  std::vector<std::string> members{"sadd", "set"};
  for (int i = 1000; i < 2000; ++i) {
    members.push_back("member:" + std::to_string(i));
  }
  w.node.run(members);
  const size_t set = usage("set samples 0");
  CHECK(set > 1000 * (18 + 11));
  CHECK(usage("set") > set * 9 / 10);
  CHECK(usage("set") < set * 11 / 10);
  w("rpush list a b c");
  CHECK(usage("list") > one);
  CHECK(w("memory usage k samples -1") == "-ERR syntax error\r\n");
  CHECK(w("memory usage k samples x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(w("memory usage k samples") == "-ERR syntax error\r\n");
  CHECK(w("memory usage k foo 1") == "-ERR syntax error\r\n");
}

TEST_CASE("DUMP, RESTORE and SORT take long strings whole") {
  World w;
  const std::string value = std::string(9'000, 'v') + std::string(9'000, 'w');
  w.node.run({"set", "k", value});
  w.node.run({"setrange", "far", "100000", "x"});
  for (const char* key : {"k", "far"}) {
    const std::string dumped = w.node.run({"dump", key});
    const size_t begin = dumped.find("\r\n") + 2;
    const std::string payload = dumped.substr(begin, dumped.size() - begin - 2);
    CHECK(w.node.run({"restore", "copy", "0", payload, "replace"}) == "+OK\r\n");
    CHECK(w.node.run({"get", "copy"}) == w.node.run({"get", key}));
  }
  w("rpush l k");
  CHECK(w("sort l by nosort get *") == "*1\r\n$18000\r\n" + value + "\r\n");
}

TEST_CASE("PFCOUNT leaves the value as it is, and what it computes is what Redis would keep") {
  World w;
  w("pfadd h a b c");
  const std::string before = w("get h");
  CHECK(w("pfcount h") == ":3\r\n");
  CHECK(w("get h") == before);
  // A value with the cardinality of the moment: it is believed until something is added.
  std::string bytes = before.substr(before.find('\n') + 1);
  bytes.resize(bytes.size() - 2);
  bytes.replace(8, 8, std::string("\x07\0\0\0\0\0\0\0", 8));
  w.node.run({"set", "h", bytes});
  CHECK(w("pfcount h") == ":7\r\n");
  CHECK(w("pfadd h a") == ":0\r\n");
  CHECK(w("pfcount h") == ":7\r\n");
  CHECK(w("pfadd h d") == ":1\r\n");
  CHECK(w("pfcount h") == ":4\r\n");
}

}  // namespace
}  // namespace kiwi::resp
