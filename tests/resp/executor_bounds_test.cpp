// What one command may cost: the moves of an edit, the steps of a draw, a turn; and an entry that
// an operator skips (F30, F61, F62).
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "config/limits.hpp"
#include "raft/codec.hpp"
#include "resp/context.hpp"
#include "resp/long_read.hpp"
#include "resp/resp_writer.hpp"
#include "resp/script_engine.hpp"
#include "resp/stopwatch.hpp"
#include "rocks/keys.hpp"
#include "tests/resp/counting_keyspace.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/executor: bounds");

// ---------------------------------------------------------------- edits of lists

TEST_CASE("LREM of one element writes a node a level, wherever it is [F61]") {
  for (const bool from_tail : {false, true}) {
    CAPTURE(from_tail);
    CountingKeyspace keyspace;
    Node node(keyspace);
    node.start();
    std::vector<std::string> argv{"rpush", "l"};
    for (int i = 0; i < 10'000; ++i) {
      argv.push_back(std::to_string(i));
    }
    node.run(argv);
    keyspace.reset();
    CHECK(node.run({"lrem", "l", from_tail ? "-1" : "1", from_tail ? "9999" : "0"}) == ":1\r\n");
    CHECK(keyspace.puts < 10);
    CHECK(keyspace.reads() < 20);
    keyspace.reset();
    CHECK(node.run({"lrem", "l", from_tail ? "-1" : "1", "5000"}) == ":1\r\n");
    CHECK(keyspace.puts < 10);
    keyspace.reset();
    CHECK(node.run({"linsert", "l", "before", "5001", "x"}) == ":9999\r\n");
    CHECK(keyspace.puts < 10);
  }
}

TEST_CASE("LREM and LINSERT do to any list what they do to a plain one [F61]") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options;
  options.shape = {40, 40, 40, 48, 60};
  Node node(keyspace, options);
  node.start();
  Prng prng(7);
  std::vector<std::string> model;
  auto shown = [&] {
    std::string text = "*" + std::to_string(model.size()) + "\r\n";
    for (const std::string& value : model) {
      text += "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
    }
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    const std::string value = std::to_string(prng.below(4));
    if (model.size() < 2 || prng.below(3) != 0) {
      const bool insert = !model.empty() && prng.below(2) == 0;
      if (insert) {
        const std::string pivot = std::to_string(prng.below(4));
        const bool before = prng.below(2) == 0;
        node.run({"linsert", "l", before ? "before" : "after", pivot, value});
        const auto at = std::find(model.begin(), model.end(), pivot);
        if (at != model.end()) {
          model.insert(before ? at : at + 1, value);
        }
      } else {
        node.run({"rpush", "l", value});
        model.push_back(value);
      }
    } else {
      const auto count = static_cast<int64_t>(prng.below(7)) - 3;
      int64_t left = count == 0 ? 1000 : std::abs(count);
      std::vector<std::string> kept;
      if (count < 0) {
        std::reverse(model.begin(), model.end());
      }
      for (const std::string& each : model) {
        if (each == value && left > 0) {
          --left;
        } else {
          kept.push_back(each);
        }
      }
      if (count < 0) {
        std::reverse(kept.begin(), kept.end());
      }
      model = kept;
      node.run({"lrem", "l", std::to_string(count), value});
    }
    REQUIRE(node("lrange l 0 -1") == shown());
  }
}

// ---------------------------------------------------------------- random members

namespace {

std::set<std::string> bulks_of(const std::string& reply) {
  std::set<std::string> found;
  for (size_t at = reply.find("\r\n") + 2; at < reply.size();) {
    const size_t line = reply.find("\r\n", at);
    const size_t size = std::stoul(reply.substr(at + 1, line - at - 1));
    found.insert(reply.substr(line + 2, size));
    at = line + 2 + size + 2;
  }
  return found;
}

}  // namespace

TEST_CASE("a draw takes O(count) steps whatever the members are [F62]") {
  enum class Kind { kHonest, kLow, kHigh };
  for (const Kind kind : {Kind::kHonest, Kind::kLow, Kind::kHigh}) {
    CAPTURE(static_cast<int>(kind));
    CountingKeyspace keyspace;
    Node node(keyspace);
    node.start();
    std::vector<std::string> argv{"sadd", "s"};
    constexpr size_t kMembers = 1000;
    constexpr uint64_t kPart = rocks::kHashEnd / 512;  // where all crafted members are
    for (uint64_t i = 0; argv.size() < kMembers + 2; ++i) {
      const std::string name = std::to_string(i);
      const uint64_t hash = rocks::field_hash(name);
      if (kind == Kind::kHonest || (kind == Kind::kLow && hash < kPart) ||
          (kind == Kind::kHigh && hash >= rocks::kHashEnd - kPart)) {
        argv.push_back(name);
      }
    }
    node.run(argv);
    for (const char* count : {"1", "20", "200", "249", "250", "900"}) {
      CAPTURE(count);
      keyspace.reset();
      const std::string drawn = node.run({"srandmember", "s", count});
      CHECK(bulks_of(drawn).size() == std::stoul(count));
      CHECK(keyspace.steps <= 20 * std::stoul(count) + 40);
      CHECK(keyspace.cursors <= 2);
      keyspace.reset();
      node.run({"srandmember", "s", "-" + std::string(count)});
      CHECK(keyspace.steps <= 20 * std::stoul(count) + 40);
      CHECK(keyspace.cursors <= 2);
    }
    keyspace.reset();
    CHECK(bulks_of(node.run({"spop", "s", "200"})).size() == 200);
    CHECK(keyspace.steps <= 10'000);
    CHECK(node("scard s") == ":800\r\n");
    CHECK(bulks_of(node("smembers s")).size() == 800);
  }
}

TEST_CASE("every member can be drawn, and no few are drawn far more often than others [F62]") {
  rocks::MemoryKeyspace keyspace;
  Node node(keyspace);
  node.start();
  std::vector<std::string> argv{"sadd", "s"};
  for (int i = 0; i < 400; ++i) {
    argv.push_back("member" + std::to_string(i));  // too many bytes for one record
  }
  node.run(argv);
  std::map<std::string, int> drawn;
  for (int round = 0; round < 500; ++round) {
    for (const std::string& member : bulks_of(node.run({"srandmember", "s", "40"}))) {
      ++drawn[member];
    }
  }
  CHECK(drawn.size() == 400);  // 50 each on the average
  for (const auto& [member, times] : drawn) {
    CHECK(times < 250);
  }
}

// ---------------------------------------------------------------- reads that turn out to be long

namespace {

// The answer of a read that left its turn.
std::string answered_beside(Node& node,
                            rocks::MemoryKeyspace& keyspace,
                            const ExecutorEffects& effects) {
  CHECK(effects.replies.empty());
  REQUIRE(effects.long_reads.size() == 1);
  std::atomic<bool> stop{false};
  std::unique_ptr<rocks::Reader> view = keyspace.view();
  node.executor().long_read_done(run_long_read(*view, effects.long_reads[0], stop));
  const ExecutorEffects done = node.executor().take_effects();
  CHECK(done.replies.size() == 1);
  return Node::bytes_of(done);
}

}  // namespace

TEST_CASE("a read that looks at more than a turn allows leaves it, whatever its name says") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options;
  options.long_read_elements = 20;
  Node node(keyspace, options);
  node.start();
  for (int i = 0; i < 60; ++i) {
    node("set {t}" + std::to_string(i) + " v px 100");
  }
  node("set {t}last v");
  node.clock() += 1000;  // only one key is alive, behind sixty that are over
  const std::string slot = std::to_string(rocks::key_slot("{t}"));
  for (const std::vector<std::string>& argv :
       std::vector<std::vector<std::string>>{{"cluster", "countkeysinslot", slot},
                                             {"cluster", "getkeysinslot", slot, "2"},
                                             {"scan", "0", "count", "100"},
                                             repeated({"mget"}, "k", 21),
                                             repeated({"exists"}, "k", 21),
                                             repeated({"touch"}, "k", 21),
                                             repeated({"smismember", "none"}, "k", 21),
                                             repeated({"watch"}, "k", 21)}) {
    INFO(argv[0]);
    const RequestKind kind = argv[0] == "watch" ? RequestKind::kWatch : RequestKind::kRead;
    const ExecutorEffects effects = node.read_effects(packed(argv), kind, node.clock());
    CHECK_FALSE(answered_beside(node, keyspace, effects).starts_with("-"));
  }
}

TEST_CASE("the length of a hash is long while many of its fields may be due [F61]") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options;
  options.long_read_elements = 20;
  Node node(keyspace, options);
  node.start();
  std::vector<std::string> argv{"hsetex", "h", "px", "100", "fields", "100"};
  for (int i = 0; i < 100; ++i) {
    argv.insert(argv.end(), {"a field with a name" + std::to_string(i), "v"});
  }
  node.run(argv);
  node("hset h lasting v");
  CHECK(node("hlen h") == ":101\r\n");
  node.clock() += 1000;
  const ExecutorEffects effects =
      node.read_effects(packed({"hlen", "h"}), RequestKind::kRead, node.clock());
  CHECK(answered_beside(node, keyspace, effects) == ":1\r\n");
}

TEST_CASE("a read that must hold much leaves its turn, where it has a bound of its own [F61]") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  options.long_read_elements = 10'000;
  Node node(keyspace, options);
  node.start();
  for (int i = 0; i < 100; ++i) {
    node.run({"zadd", "z", std::to_string(i), std::string(200, 'm') + std::to_string(i)});
  }
  const ExecutorEffects effects =
      node.read_effects(packed({"zunion", "1", "z"}), RequestKind::kRead, node.clock());
  CHECK(answered_beside(node, keyspace, effects).starts_with("*100\r\n"));
}

TEST_CASE("reads of the origin do not use up what an entry may do [F61]") {
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  rocks::MemoryKeyspace keyspace;
  Node node(keyspace, options);
  node.start();
  std::vector<std::string> members{"sadd", "s"};
  for (int i = 0; i < 140; ++i) {  // too many bytes for one record
    members.push_back("a longer member" + std::to_string(i));
  }
  node.run(members);
  const std::string reply =
      node.exec({}, {{"sunion", "s", "s"}, {"sunion", "s", "s"}, {"sunionstore", "t", "s"}});
  CHECK(reply.ends_with("\r\n:140\r\n"));
}

// ---------------------------------------------------------------- distances

TEST_CASE("a search that stores computes a bounded number of distances [F61]") {
  rocks::MemoryKeyspace keyspace;
  ExecutorOptions options;
  options.entry_steps_max = 2500;
  Node node(keyspace, options);
  node.start();
  std::vector<std::string> argv{"geoadd", "g"};
  for (int i = 0; i < 100; ++i) {
    argv.insert(argv.end(), {"1." + std::to_string(100 + i), "1", std::to_string(i)});
  }
  CHECK(node.run(argv) == ":100\r\n");
  const std::string search = "geosearchstore d g fromlonlat 1.1 1 byradius ";
  CHECK(node(search + "999 km storedist").starts_with("-ERR too much for one command"));
  CHECK(node("exists d") == ":0\r\n");
  CHECK(node(search + "200 m storedist") == ":2\r\n");
  // Whether most of them are inside is seen without.
  CHECK(node(search + "999 km") == ":100\r\n");
  CHECK(node(search + "999 km asc count 3") == ":3\r\n");
  CHECK(node("zrange d 0 -1") == "*3\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n");
}

// ---------------------------------------------------------------- small collections

TEST_CASE(
    "a look into a small set costs what it holds, a walk through it less than records [F61]") {
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace);
  auto steps_of = [&](int members, auto body) {
    ScriptEngine scripts(kFirstGroup, ScriptEngine::Place::kFixed, nullptr);
    Stopwatch stopwatch(nullptr);
    Context context(database, scripts, stopwatch);
    const CommandSpec& row = *find_command("sadd");
    context.begin(row, 0, {.now_ms = 1, .may_write = true});
    std::string ignored;
    RespWriter reply(&ignored, 2);
    const std::string name = "s" + std::to_string(members);
    Set* set = context.open<Set>(name, reply);
    for (int i = 0; i < members; ++i) {
      set->add(std::to_string(i));
    }
    set->save();
    REQUIRE_FALSE(set->spread());
    const uint64_t before = database.steps().taken();
    body(*set);
    return database.steps().taken() - before;
  };
  auto look = [](const Set& set) { set.contains("absent"); };
  auto walk = [](const Set& set) { set.each([](std::string_view) { return true; }); };
  CHECK(steps_of(3, look) == 1);
  CHECK(steps_of(480, look) == 31);
  CHECK(steps_of(480, walk) == 30);
}

// ---------------------------------------------------------------- names

TEST_CASE("no command makes a key whose name is too long, whatever it is otherwise [F30][F61]") {
  rocks::MemoryKeyspace keyspace;
  Node node(keyspace);
  node.start();
  const std::string most(config::limits::kKeyNameBytes, 'n');
  const std::string longer = most + "n";
  CHECK(node.run({"set", most, "v", "px", "100"}) == "+OK\r\n");
  CHECK(node.run({"get", most}) == "$1\r\nv\r\n");
  node("set s v");
  node("rpush l 2 1");
  node("sadd set a b");
  node("pfadd h a");
  node("geoadd g 1 1 a");
  const std::string dumped = node("dump s");
  const std::string payload = dumped.substr(dumped.find("\r\n") + 2);
  const auto before = keyspace.maps();
  for (const std::vector<std::string>& argv : std::vector<std::vector<std::string>>{
           {"set", longer, "v"},
           {"set", longer, "v", "px", "100"},
           {"mset", "other", "v", longer, "v"},
           {"incr", longer},
           {"setbit", longer, "100000", "1"},
           {"rpush", longer, "v"},
           {"hset", longer, "f", "v"},
           {"sadd", longer, "m"},
           {"zadd", longer, "1", "m"},
           {"rename", "s", longer},
           {"renamenx", "set", longer},
           {"copy", "set", longer},
           {"copy", "s", longer, "db", "3"},
           {"sort", "l", "store", longer},
           {"sunionstore", longer, "set"},
           {"zunionstore", longer, "1", "set"},
           {"rpoplpush", "l", longer},
           {"smove", "set", longer, "a"},
           {"bitop", "not", longer, "s"},
           {"pfmerge", longer, "h"},
           {"geosearchstore", longer, "g", "fromlonlat", "1", "1", "byradius", "9", "km"},
           {"restore", longer, "0", payload.substr(0, payload.size() - 2)},
           {"eval", "return redis.pcall('set', ARGV[1], 'v')", "0", longer}}) {
    INFO(argv[0]);
    CHECK(node.run(argv) == "-ERR the name of a key is longer than 65535 bytes\r\n");
    CHECK(keyspace.maps()[0] == before[0]);
    CHECK(keyspace.maps()[1] == before[1]);
    CHECK(keyspace.maps()[2] == before[2]);
  }
  CHECK(node.run({"get", longer}) == "$-1\r\n");
  CHECK(node.run({"del", longer}) == ":0\r\n");
}

TEST_CASE("no command makes a field or member that is too long [F30][F61]") {
  rocks::MemoryKeyspace keyspace;
  Node node(keyspace);
  node.start();
  const std::string most(config::limits::kFieldBytes, 'f');
  const std::string longer = most + "f";
  CHECK(node.run({"hset", "h", most, "v"}) == ":1\r\n");
  CHECK(node.run({"hpexpire", "h", "100", "fields", "1", most}) == "*1\r\n:1\r\n");
  CHECK(node.run({"zadd", "z", "1", most}) == ":1\r\n");
  node.run({"rpush", "l", longer});  // an element of a list is no name
  const auto before = keyspace.maps();
  for (const std::vector<std::string>& argv :
       std::vector<std::vector<std::string>>{{"hset", "h", "a", "1", longer, "v"},
                                             {"hset", "other", longer, "v"},
                                             {"hincrby", "h", longer, "1"},
                                             {"hsetex", "h", "ex", "9", "fields", "1", longer, "v"},
                                             {"sadd", "s", "a", longer},
                                             {"zadd", "z", "1", "a", "2", longer},
                                             {"geoadd", "g", "1", "1", longer}}) {
    INFO(argv[0]);
    CHECK(node.run(argv) == "-ERR a field or member is longer than 1048576 bytes\r\n");
    CHECK(keyspace.maps()[0] == before[0]);
    CHECK(keyspace.maps()[1] == before[1]);
    CHECK(keyspace.maps()[2] == before[2]);
  }
  CHECK(node.run({"hget", "h", longer}) == "$-1\r\n");
  node("xadd stream 1-1 f v");
  node("xgroup create stream g 0");
  for (const std::vector<std::string>& argv :
       std::vector<std::vector<std::string>>{{"xgroup", "create", "stream", longer, "0"},
                                             {"xgroup", "createconsumer", "stream", "g", longer}}) {
    CHECK(node.run(argv) ==
          "-ERR the name of a group or consumer is longer than 1048576 bytes\r\n");
  }
}

// ---------------------------------------------------------------- an entry that is skipped

TEST_CASE("an entry that an operator names is applied as nothing, its number counts [F30]") {
  rocks::MemoryKeyspace plain_keyspace;
  Node plain(plain_keyspace);
  plain.start();
  plain("set a 1");
  raft::Entry entry = plain.log().batch(plain.next_number(), {packed({"set", "a", "2"})});
  ExecutorOptions options;
  options.skip_entry = {entry.index.value, raft::entry_checksum(entry)};
  rocks::MemoryKeyspace keyspace;
  Node node(keyspace, options);
  node.start();
  node("set a 1");
  CHECK_FALSE(node.executor().skipped_entry());
  node("set a 2");
  CHECK(node.executor().skipped_entry());
  CHECK(node("get a") == "$1\r\n1\r\n");
  CHECK(node("incr a") == ":2\r\n");  // the next number of this origin is the next
}

TEST_CASE(
    "an entry of that index that is another one, or holds no commands, is not skipped [F30]") {
  auto status_of = [](uint64_t index, uint64_t checksum) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      const bool quiet = std::freopen("/dev/null", "w", stderr) != nullptr &&
                         std::freopen("/dev/null", "w", stdout) != nullptr;
      ExecutorOptions options;
      options.skip_entry = {index, checksum};
      rocks::MemoryKeyspace keyspace;
      Node node(keyspace, options);
      node.start();  // entry 1: the members
      node("set a 1");
      ::_exit(quiet ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  CHECK(status_of(3, 1) == 0);
  CHECK(status_of(2, 1) == 70);
  Log log;
  const uint64_t members = raft::entry_checksum(log.members({member(1), member(2)}));
  CHECK(status_of(1, members) == 70);
}

TEST_SUITE_END();

}  // namespace kiwi::resp
