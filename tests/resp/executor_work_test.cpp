// What the commands of one entry may cost together: bytes that no client sent, strings written
// again, records looked at. Alike on every node (F30, F61).
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/log.hpp"
#include "raft/codec.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/executor: work of one entry");

namespace {

using Argv = std::vector<std::string>;

// The origin of each entry, and another node: what they hold must be the same.
struct Both {
  explicit Both(const ExecutorOptions& options) {
    for (size_t i = 0; i < 2; ++i) {
      keyspaces.push_back(std::make_unique<rocks::MemoryKeyspace>());
      nodes.push_back(std::make_unique<Node>(*keyspaces[i], options));
      nodes.back()->start();
    }
  }
  // One entry; the replies of all its commands.
  std::string operator()(const std::vector<Argv>& commands) {
    std::vector<std::string> all;
    for (const Argv& argv : commands) {
      all.push_back(packed(argv));
    }
    return entry(all);
  }
  std::string block(const std::vector<Argv>& commands) {
    std::vector<std::string> inner;
    for (const Argv& argv : commands) {
      inner.push_back(packed(argv));
    }
    std::string transaction;
    pack_transaction(transaction, 0, {}, inner);
    return entry({transaction});
  }
  std::string entry(const std::vector<std::string>& all) {
    auto batch = std::make_shared<PendingBatch>();
    for (size_t i = 0; i < all.size(); ++i) {
      batch->ops.push_back({{1, i}, RequestKind::kWrite, 2, {}});
    }
    const raft::ProposalNumber number{NodeId{1}, incarnation_of(1), 1, ++sequence};
    batch->sequence = number.sequence;
    nodes[0]->executor().expect(batch);
    std::string reply;
    for (auto& node : nodes) {
      node->log().batch(number, all);
      const ExecutorEffects effects = node->deliver();
      reply = node == nodes[0] ? Node::bytes_of(effects) : reply;
    }
    CHECK(nodes[0]->executor().state_checksum() == nodes[1]->executor().state_checksum());
    CHECK(keyspaces[0]->maps() == keyspaces[1]->maps());
    return reply;
  }

  std::vector<std::unique_ptr<rocks::MemoryKeyspace>> keyspaces;
  std::vector<std::unique_ptr<Node>> nodes;
  uint64_t sequence = 0;
};

size_t count_of(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

constexpr std::string_view kTooMuch = "-ERR too much for one command";

}  // namespace

TEST_CASE("what one entry copies, moves or holds is bounded, alike on every node [F61]") {
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  Both both(options);
  const auto& keyspaces = both.keyspaces;
  std::vector<std::string> members{"sadd", "big"};
  std::vector<std::string> values{"rpush", "list"};
  for (int i = 0; i < 300; ++i) {
    members.push_back("member" + std::to_string(i));
  }
  for (int i = 0; i < 2'400; ++i) {  // each node has some of those that LREM takes
    values.push_back(i % 50 == 0 ? "gone" : "value" + std::to_string(i));
  }
  both({members});
  both({values});
  both({{"sadd", "small", "a", "b"}});
  for (int i = 0; i < 90; ++i) {  // too many bytes for one record
    both({{"sadd", "half", "a member of the half" + std::to_string(100'000 + i)}});
  }
  const auto before = keyspaces[0]->maps();
  for (const std::vector<std::string>& argv :
       std::vector<std::vector<std::string>>{{"sunionstore", "small", "big", "half"},
                                             {"sinterstore", "small", "big", "big"},
                                             {"sdiffstore", "small", "big", "half"},
                                             {"lrem", "list", "0", "gone"},
                                             {"spop", "big", "290"}}) {
    INFO(argv[0]);
    CHECK(both({argv}).starts_with(kTooMuch));
    CHECK(keyspaces[0]->maps()[0] == before[0]);
    CHECK(keyspaces[0]->maps()[1] == before[1]);
    CHECK(keyspaces[0]->maps()[2] == before[2]);
  }
  // Below it they work, and neighbours of one entry share the bound.
  CHECK(both({{"sunionstore", "c1", "half"}}) == ":90\r\n");
  const std::string two = both({{"sunionstore", "c2", "half"}, {"sunionstore", "c3", "half"}});
  CHECK(two.starts_with(":90\r\n" + std::string(kTooMuch)));
  CHECK(both({{"sunionstore", "c3", "half"}}) == ":90\r\n");
  // A copy is built beside, whatever its size.
  CHECK(both({{"copy", "big", "c4"}, {"copy", "list", "c5"}}) == ":1\r\n:1\r\n");
  CHECK(both({{"spop", "big", "300"}}).starts_with("*300\r\n"));  // needs no memory of its own
}

TEST_CASE("what a refused command did counts for those behind it, alike on every node [F30][F61]") {
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  Both both(options);
  Argv members{"sadd", "big"};
  for (int i = 0; i < 300; ++i) {
    members.push_back("member" + std::to_string(i));
  }
  both({members});
  for (int i = 0; i < 90; ++i) {  // too many bytes for one record
    both({{"sadd", "half", "a member of the half" + std::to_string(100'000 + i)}});
  }
  std::vector<Argv> commands(50, Argv{"sunionstore", "c1", "big", "half"});
  commands.push_back({"sunionstore", "c2", "half"});
  commands.push_back({"sadd", "s", "what came along is free"});
  CHECK(count_of(both(commands), kTooMuch) == 51);
  CHECK(count_of(both.block(commands), kTooMuch) == 51);
  CHECK(both({{"sunionstore", "c2", "half"}}) == ":90\r\n");
}

TEST_CASE("a copy looks at each record that it copies [F61]") {
  ExecutorOptions options;
  options.entry_steps_max = 900;
  Both both(options);
  for (int i = 0; i < 1000; i += 50) {
    Argv members{"sadd", "big"};
    for (int j = i; j < i + 50; ++j) {
      members.push_back("member" + std::to_string(j));
    }
    REQUIRE(both({members}) == ":50\r\n");
  }
  CHECK(both({{"copy", "big", "copy"}}).starts_with(kTooMuch));
}

TEST_CASE("strings that an entry writes again are bounded, but for its first one [F61]") {
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  options.shape.chunk_bytes = 1 << 20;  // all of them stand in their keys' records
  const std::string big(15'000, 'v');
  const std::vector<Argv> commands{{"setrange", "new", "14999", "x"},
                                   {"setrange", "a", "0", "x"},
                                   {"append", "a", "x"},
                                   {"expire", "a", "100"},
                                   {"pexpireat", "a", "999999999999999"},
                                   {"persist", "t"},
                                   {"getex", "t", "persist"},
                                   {"copy", "a", "fresh", "replace"},
                                   {"move", "a", "3"},
                                   {"rename", "a", "b"}};
  for (const Argv& argv : commands) {
    INFO(argv[0]);
    auto fresh = [&] {
      auto both = std::make_unique<Both>(options);
      (*both)({{"set", "a", big}});
      (*both)({{"set", "b", big}});
      (*both)({{"set", "t", big, "ex", "1000"}});
      return both;
    };
    auto alone = fresh();  // it is never refused, however long the string is
    (*alone)({{"append", "a", std::string(30'000, 'x')}});
    (*alone)({{"append", "t", std::string(30'000, 'x')}});
    CHECK_FALSE((*alone)({argv}).starts_with("-"));

    auto second = fresh();
    CHECK(
        (*second)({{"append", "b", "1"}, argv}).starts_with(":15001\r\n" + std::string(kTooMuch)));
    (*second)({{"append", "b", "1"}, {"append", "b", "2"}});
    CHECK_FALSE((*second)({argv}).starts_with("-"));  // the next entry starts anew

    std::vector<Argv> block;
    for (int i = 0; i < 50; ++i) {
      block.push_back({"setrange", "k" + std::to_string(i), "9999", "x"});
      block.push_back(argv);
    }
    const std::string replies = fresh()->block(block);
    CHECK(replies.starts_with("*100\r\n:10000\r\n"));
    CHECK(count_of(replies, kTooMuch) >= 97);
  }
}

TEST_CASE("chunks that an entry writes again are bounded; a long string is copied once [F61]") {
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  const std::string big(50'000, 'v');
  Both both(options);
  both({{"set", "a", big}, {"set", "b", big}, {"set", "t", big, "ex", "1000"}});
  for (const Argv& argv : std::vector<Argv>{{"setrange", "a", "0", "x"},
                                            {"append", "a", "x"},
                                            {"setbit", "a", "80000", "1"},
                                            {"bitfield", "a", "set", "u8", "9", "1"}}) {
    INFO(argv[0]);
    CHECK_FALSE(both({argv}).starts_with("-"));
    CHECK(count_of(both(std::vector<Argv>(10, argv)), kTooMuch) < 10);
    both({{"setrange", "a", "49000", big}, {"set", "a", big}});
  }
  std::vector<Argv> many;
  for (int i = 0; i < 10; ++i) {
    many.push_back({"setbit", "a", std::to_string(i), "0"});
    many.push_back({"setbit", "a", std::to_string(80'000 + i), "1"});
    many.push_back({"setbit", "a", std::to_string(80'000 + i), "0"});
  }
  CHECK(count_of(both(many), kTooMuch) >= 10);
  const std::string copies = both({{"copy", "b", "c1"}, {"copy", "b", "c2"}});
  CHECK(copies.starts_with(":1\r\n" + std::string(kTooMuch)));
  const std::string combined = both({{"bitop", "not", "d", "b"}, {"bitop", "not", "e", "b"}});
  CHECK(combined.starts_with(":50000\r\n" + std::string(kTooMuch)));
  // What touches no chunk is free.
  const std::string free = both({{"expire", "a", "100"},
                                 {"rename", "b", "g"},
                                 {"persist", "t"},
                                 {"pexpire", "g", "100000"},
                                 {"getex", "g", "persist"},
                                 {"setrange", "far", "400000", "x"}});
  CHECK(count_of(free, "-ERR") == 0);
}

TEST_CASE("what clients send may be written whatever it is, and short strings are free [F61]") {
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  Both both(options);
  std::vector<Argv> commands;
  for (int i = 0; i < 20; ++i) {
    const std::string name = "k" + std::to_string(i);
    commands.push_back({"set", name, std::string(10'000, 'v')});
    commands.push_back({"mset", name, std::string(10'000, 'w'), "x", std::string(10'000, 'w')});
    commands.push_back({"set", name, "0", "ex", "1000"});
    for (int j = 0; j < 100; ++j) {
      commands.push_back({"incr", name});
      commands.push_back({"append", name, "1"});
      commands.push_back({"set", name, "0"});
    }
  }
  CHECK(both(commands).find("-ERR") == std::string::npos);
  CHECK(both.block(commands).find("-ERR") == std::string::npos);
}

TEST_CASE("an entry of much work is named in the log before it is done [F30][F61]") {
  const std::string path = "/tmp/kiwi-large-entry-" + std::to_string(::getpid());
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool logs = log_open(path, LogLevel::kWarning);
    ExecutorOptions options;
    options.entry_work_max = 20'000;
    options.shape.chunk_bytes = 1 << 20;
    rocks::MemoryKeyspace keyspace;
    Node node(keyspace, options);
    node.start();
    node("append small 1");
    node("append small 2");
    node("setrange big 9999 x");
    ::_exit(logs ? 0 : 1);  // no destructor that writes what is left
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  ::unlink(path.c_str());
  rocks::MemoryKeyspace keyspace;
  Node same(keyspace);
  same.start();
  same("append small 1");
  same("append small 2");
  const raft::Entry entry =
      same.log().batch(same.next_number(), {packed({"setrange", "big", "9999", "x"})});
  const config::SkipEntry name{entry.index.value, raft::entry_checksum(entry)};
  CHECK(count_of(text, "--skip-entry " + config::option_text(name)) == 1);
  CHECK(count_of(text, "--skip-entry") == 1);
}

TEST_CASE("a block over many small collections is bounded, what it did stays [F61]") {
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  Both both(options);
  std::vector<Argv> block;
  for (int i = 0; i < 30; ++i) {
    const std::string name = "h" + std::to_string(i);
    both({{"hset", name, "f", "0", "big", std::string(1000, 'v')}});
    block.push_back({"hincrby", name, "f", "1"});
  }
  const size_t refused = count_of(both.block(block), kTooMuch);
  CHECK(refused >= 8);
  CHECK(refused <= 13);
  CHECK(both({{"hincrby", "h0", "f", "1"}}) == ":2\r\n");
  CHECK(both({{"hincrby", "h29", "f", "1"}}) == ":1\r\n");
}

TEST_CASE("what an entry has written it writes again in the same room, for nothing [F61]") {
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  Both both(options);
  both({{"hset", "h", "f", "0", "big", std::string(1000, 'v')}});
  for (int i = 0; i < 200; ++i) {
    both({{"zadd", "z", std::to_string(i), "member " + std::to_string(i)},
          {"rpush", "l", "an element of the list " + std::to_string(i)}});
  }
  for (const Argv& argv : std::vector<Argv>{{"hincrby", "h", "f", "1"},
                                            {"zincrby", "z", "0.5", "member 50"},
                                            {"lset", "l", "9", "x"}}) {
    INFO(argv[0]);
    CHECK(count_of(both.block(std::vector<Argv>(500, argv)), kTooMuch) == 0);
    CHECK(count_of(both(std::vector<Argv>(500, argv)), kTooMuch) == 0);
  }
  CHECK(both({{"hincrby", "h", "f", "1"}}) == ":1001\r\n");
}

TEST_CASE("what a script writes is work, for no client sent it [F30][F61]") {
  ExecutorOptions options;
  options.entry_work_max = 20'000;
  Both both(options);
  const std::string head = "for i = 1, tonumber(ARGV[1]) do redis.call('hset', 'h', i, ";
  const std::string script = head + "string.rep('x', 1000)) end return 1";
  CHECK(both({{"eval", script, "0", "100"}}).find(kTooMuch.substr(5)) != std::string::npos);
  CHECK(both.keyspaces[0]->maps()[0].empty());
  CHECK(both({{"eval", script, "0", "10"}}) == ":1\r\n");
}

TEST_CASE("a set that a command names many times is looked at once [F61]") {
  ExecutorOptions options;
  options.entry_work_max = 1 << 20;
  Both both(options);
  Argv small{"sadd", "b"};
  for (int i = 0; i < 100; ++i) {
    small.push_back("member" + std::to_string(i));
  }
  both({small});
  for (const char* command : {"sunionstore", "sinterstore", "sdiffstore"}) {
    INFO(command);
    Argv argv{command, "d"};
    argv.insert(argv.end(), 100'000, "b");
    const bool difference = argv[0] == "sdiffstore";
    CHECK(both({argv}) == (difference ? ":0\r\n" : ":100\r\n"));
  }
}

TEST_CASE("what a command holds of small sets is bounded, alike on every node [F30][F61]") {
  ExecutorOptions options;
  options.entry_work_max = 1 << 20;
  Both both(options);
  std::vector<Argv> commands;
  Argv named;
  for (int i = 0; i < 2000; ++i) {
    named.push_back("k" + std::to_string(i));
    commands.push_back({"sadd", named.back(), std::string(1000, 'm')});
  }
  both(commands);
  both({{"sadd", "d", "as it was"}});
  for (const char* command : {"sunionstore", "sinterstore", "sdiffstore"}) {
    INFO(command);
    Argv argv{command, "d"};
    argv.insert(argv.end(), named.begin(), named.end());
    CHECK(both({argv}).starts_with(kTooMuch));
    CHECK(both({{"spop", "d"}, {"sadd", "d", "as it was"}}) == "$9\r\nas it was\r\n:1\r\n");
    argv.resize(500);
    CHECK(both({argv}).starts_with(":"));
    both({{"del", "d"}, {"sadd", "d", "as it was"}});
  }
}

TEST_CASE("one command looks at a bounded number of records, alike on every node [F30][F61]") {
  ExecutorOptions options;
  options.entry_steps_max = 900;
  options.entry_read_steps_max = 1000;
  Both both(options);
  Argv values{"rpush", "list"};
  for (int i = 0; i < 600; i += 50) {  // while a set is small, each new member is compared with all
    Argv one{"sadd", "one"};
    Argv two{"sadd", "two"};
    for (int j = i; j < i + 50; ++j) {
      one.push_back("member" + std::to_string(j));
      two.push_back("member" + std::to_string(j + 10));
      values.push_back("value" + std::to_string(j));
    }
    REQUIRE(both({one}) == ":50\r\n");
    REQUIRE(both({two}) == ":50\r\n");
  }
  both({values});
  REQUIRE(both({values}) == ":1200\r\n");
  const auto before = both.keyspaces[0]->maps();
  for (const Argv& argv : std::vector<Argv>{{"sinterstore", "one", "one", "two"},
                                            {"sdiffstore", "none", "one", "two"},
                                            {"linsert", "list", "before", "nothing", "x"},
                                            {"lrem", "list", "0", "nothing"}}) {
    INFO(argv[0]);
    CHECK(both({argv}).starts_with(kTooMuch));
    CHECK(both.keyspaces[0]->maps()[0] == before[0]);
    CHECK(both.keyspaces[0]->maps()[1] == before[1]);
  }
  // A walk for the answer is the origin's alone, and may end nothing.
  CHECK(both({{"lpop", "list", "1200"}}).starts_with("*1200\r\n"));
  // Nor may a read of a block hold its node for as long as it likes.
  CHECK(both.block({{"smembers", "one"}, {"sinter", "one", "two"}, {"set", "k", "v"}})
            .find(std::string(kTooMuch)) != std::string::npos);
  // All together: the second is too much, and what is short is answered.
  const std::string reads =
      both.block({{"smembers", "one"}, {"smembers", "two"}, {"scard", "two"}, {"set", "k", "v"}});
  CHECK(reads.starts_with("*4\r\n*600\r\n"));
  CHECK(count_of(reads, kTooMuch) == 1);
  CHECK(reads.ends_with(":600\r\n+OK\r\n"));
}

TEST_CASE("commands that only walk are bounded together, but for an entry's first one [F61]") {
  ExecutorOptions options;
  options.entry_steps_max = 2500;
  Both both(options);
  Argv members{"sadd", "big"};
  Argv values{"rpush", "list"};
  for (int i = 0; i < 500; ++i) {
    members.push_back("member" + std::to_string(i));
    values.push_back("value" + std::to_string(i));
  }
  both({members});
  both({values});
  members[1] = "same";
  both({members});
  members[1] = "big";
  for (const Argv& argv : std::vector<Argv>{{"sdiffstore", "none", "big", "same"},
                                            {"linsert", "list", "before", "nothing", "x"},
                                            {"lrem", "list", "0", "nothing"}}) {
    INFO(argv[0]);
    CHECK_FALSE(both({argv}).starts_with("-"));
    const std::vector<Argv> many(20, argv);
    CHECK(count_of(both(many), kTooMuch) >= 14);
    CHECK(count_of(both.block(many), kTooMuch) >= 14);
  }
  // What only the origin walks, for the answer, does not count.
  const Argv pop{"lpop", "list", "500"};
  const Argv draw{"spop", "big", "500"};
  const Argv walk{"lrem", "list", "0", "nothing"};
  CHECK(count_of(both({pop, values, pop, values, draw, members, walk}), kTooMuch) == 0);
}

TEST_CASE("PFADD walks no runs that no command made, and each element is a step [F61]") {
  ExecutorOptions options;
  options.entry_steps_max = 2500;
  Both both(options);
  std::string crafted("HYLL\1", 5);
  crafted.resize(16, '\0');
  for (int i = 0; i < 16'384; ++i) {
    crafted.append("\x40\0", 2);  // one register of 0
  }
  both({{"set", "h", crafted}});
  Argv many{"pfadd", "h"};
  for (int i = 0; i < 3000; ++i) {
    many.push_back(std::to_string(i));
  }
  CHECK(both({many}).starts_with(kTooMuch));
  many.resize(1000);
  CHECK(both({many}) == ":1\r\n");
  CHECK(both.keyspaces[0]->maps()[1].size() == 2);  // chunks of a dense value, of 12,304 bytes
  Argv merge{"pfmerge", "h"};
  merge.insert(merge.end(), 1000, "h");  // a name that comes again is merged once
  CHECK(both({merge}) == "+OK\r\n");
  merge.resize(2);
  for (int i = 0; i < 10; ++i) {
    merge.push_back("h" + std::to_string(i));
    both({{"pfadd", merge.back(), "x"}});
  }
  CHECK(count_of(both(std::vector<Argv>(20, merge)), kTooMuch) >= 15);
}

TEST_SUITE_END();

}  // namespace kiwi::resp
