// Same log, same bytes (F34, resp/README.md#determinism): whatever the turns, flushes, crashes and
// the origin were.
#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "resp/types/dump/payload.hpp"
#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

// Everything a client or a later entry could see: all families, byte by byte.
std::string dump(rocks::Keyspace& keyspace) {
  std::string out;
  for (int family = 0; family < rocks::kFamilies; ++family) {
    auto cursor = keyspace.cursor(static_cast<rocks::Family>(family), {}, {});
    for (; cursor->valid(); cursor->next()) {
      put_sized(out, cursor->key());
      put_sized(out, cursor->value());
    }
  }
  return out;
}

class Commands {
 public:
  explicit Commands(uint64_t seed) : prng_(seed) {}
  std::vector<std::string> raise;  // of the cluster's version

  std::string next() {
    if (prng_.chance(1, 12)) {
      std::vector<std::string> block;
      for (uint64_t n = prng_.below(4); n > 0; --n) {
        block.push_back(plain());
      }
      std::string out;
      pack_transaction(out, 0, {}, block);
      return out;
    }
    return plain();
  }

 private:
  std::string key() { return "k" + std::to_string(prng_.below(12)); }
  std::string number() { return std::to_string(prng_.below(40)); }
  // With elements of many sizes.
  std::string of_lists(uint32_t database) {
    switch (prng_.below(7)) {
      case 0:
        return packed({"lset", key(), number(), std::string(prng_.below(40), 's')}, database);
      case 1:
        return packed({"rpop", key(), "5"}, database);
      case 2:
      case 3:
        return packed({"linsert", key(), "before", number(), number()}, database);
      case 4:
        return packed({"lmove", key(), key(), "left", "right"}, database);
      default:
        return packed({"lpush", key(), number(), std::string(prng_.below(60), 'e'), number()},
                      database);
    }
  }
  // Strings of either form: options_of() cuts them into chunks of 16 bytes.
  std::string string_command(uint32_t database) {
    const std::string bit = std::to_string(prng_.below(600));
    switch (prng_.below(8)) {
      case 0:
        return packed({"setbit", key(), bit, number().substr(0, 1) == "1" ? "1" : "0"}, database);
      case 1:
        return packed({"setrange", key(), number(), std::string(prng_.below(40), 'r')}, database);
      case 2:
        return packed({"append", key(), std::string(prng_.below(40), 'a')}, database);
      case 3:
        return packed({"set", key(), std::string(prng_.below(80), 's')}, database);
      case 4:
        return packed({"bitop", prng_.chance(1, 2) ? "and" : "xor", key(), key(), key()}, database);
      case 5:
        return packed({"bitop", "not", key(), key()}, database);
      case 6:
        return packed({"bitfield", key(), "incrby", "u13", bit, number(), "set", "i5", bit, "-3"},
                      database);
      default:
        return packed({"getset", key(), number()}, database);
    }
  }
  std::string of_deadlines(uint32_t database) {
    switch (prng_.below(8)) {
      case 0:
      case 1:
        return packed({"hpexpire", key(), number(), "fields", "3", number(), number(), number()},
                      database);
      case 2:
        return packed({"hsetex", key(), "px", number(), "fields", "2", number(), number(), number(),
                       std::string(prng_.below(20), 'x')},
                      database);
      case 3:
        return packed({"hpersist", key(), "fields", "2", number(), number()}, database);
      case 4:
      case 5:
        return packed({"pexpire", key(), number()}, database);
      default:
        return packed({"kiwi.expire", std::to_string(1 + prng_.below(5))});
    }
  }
  // Entries of 50 ms mostly, so that what comes later finds them.
  std::string of_streams(uint32_t database) {
    const std::string id = "50-" + number();
    const std::string consumer = "c" + number().substr(0, 1);
    switch (prng_.below(16)) {
      case 0:
        return packed({"xgroup", "create", key(), "g", "0", "mkstream"}, database);
      case 1:
      case 2:
        return packed({"xreadgroup", "group", "g", consumer, "count", "5", "streams", key(), ">"},
                      database);
      case 3:
        return packed({"xreadgroup", "group", "g", consumer, "streams", key(), key(), id, "0"},
                      database);
      case 4:
        return packed({"xack", key(), "g", id, "50-1", "50-2"}, database);
      case 5:
        return packed({"xautoclaim", key(), "g", consumer, number(), id, "count", "3"}, database);
      case 6:
        return packed({"xclaim", key(), "g", consumer, "0", id, "force", "retrycount", number()},
                      database);
      case 7:
        return packed({"xgroup", "delconsumer", key(), "g", consumer}, database);
      case 8:
        return packed({"xdel", key(), id, "50-0", "50-3"}, database);
      case 9:
        return packed({"xtrim", key(), "minid", id}, database);
      case 10:
        return packed({"xsetid", key(), id, "maxdeletedid", "0-1"}, database);
      case 11:
        return prng_.chance(1, 3) ? packed({"xgroup", "destroy", key(), "g"}, database)
                                  : packed({"xadd", key(), "*", "f", number()}, database);
      case 12:
        return packed({"xadd", key(), "maxlen", "~", "9", "50-*", "f", number()}, database);
      default:
        return packed({"xadd", key(), "50-*", number(), std::string(prng_.below(40), 'x')},
                      database);
    }
  }
  std::string plain() {
    const auto database = static_cast<uint32_t>(prng_.below(3));
    switch (prng_.below(12)) {
      case 0:
        return of_hashes(database);
      case 1:
        return of_sorted_sets(database);
      case 2:
        return of_lists(database);
      case 3:
        return string_command(database);
      case 4:
        return of_deadlines(database);
      case 5:
        return from_several(database);
      case 6:
      case 7:
        return of_streams(database);
      default:
        return of_others(database);
    }
  }
  std::string of_others(uint32_t database) {
    switch (prng_.below(29)) {
      case 0:
        return packed({"incr", key()}, database);
      case 1:
        return packed({"append", key(), number()}, database);
      case 2:
        return packed({"del", key(), key()}, database);
      case 3:
        return packed({"rpush", key(), number(), number()}, database);
      case 4:
        return packed({"lpop", key(), "2"}, database);
      case 5:
        return packed({"sadd", key(), number(), number()}, database);
      case 6:
        return packed({"srem", key(), number(), number()}, database);
      case 8:
        return packed({"rename", key(), key()}, database);
      case 9:
        return packed({"copy", key(), key(), "replace"}, database);
      case 10:
        return prng_.chance(1, 8) ? packed({"flushdb"}, database)
                                  : packed({"get", key()}, database);
      case 11:
        return prng_.chance(1, 4) ? packed({"swapdb", "0", "1"}) : packed({"randomkey"}, database);
      case 12:
        return packed({"move", key(), "2"}, database);
      case 13:
        return packed({"kiwi.test.fail", key(), key()}, database);
      case 14:
        return packed({"ltrim", key(), "1", "-2"}, database);
      case 15:
        return packed({"incrbyfloat", key(), "0.1"}, database);
      case 17:
        return packed({"spop", key(), "2"}, database);
      case 18:
        return packed({"lrem", key(), "0", number()}, database);
      case 20:
        return packed({"sunionstore", key(), key(), key()}, database);
      case 22:
        return packed({"sadd", key(), number(), number(), number()}, database);
      case 16:
        return packed({"set", key(), number(), "px", number()}, database);
      case 27:
        return packed({"kiwi.setting", "active-expire", prng_.chance(1, 2) ? "yes" : "no"});
      case 28:
        return prng_.chance(1, 4) ? packed(raise)
                                  : packed({"kiwi.seed", "raft.auto-upgrade", "no"});
      default:
        return packed({"set", key(), number()}, database);
    }
  }
  std::string of_hashes(uint32_t database) {
    switch (prng_.below(4)) {
      case 0:
        return packed({"hset", key(), number(), number(), number(), number()}, database);
      case 1:
        return packed({"hset", key(), number(), std::string(prng_.below(40), 'h')}, database);
      case 2:
        return packed({"hincrby", key(), number(), number()}, database);
      default:
        return packed({"hdel", key(), number(), number(), number()}, database);
    }
  }
  std::string of_sorted_sets(uint32_t database) {
    switch (prng_.below(9)) {
      case 0:
        return packed({"zadd", key(), "gt", "ch", "0.1", number(), number(), number()}, database);
      case 1:
        return packed({"zincrby", key(), "0.1", number()}, database);
      case 2:
        return packed({"zrem", key(), number(), number(), number()}, database);
      case 3:
        return packed({"zpopmax", key(), "2"}, database);
      case 4:
        return packed({"zunionstore", key(), "2", key(), key(), "weights", "0.1", "3"}, database);
      case 5:
        return packed({"zrangestore", key(), key(), "-inf", number(), "byscore"}, database);
      case 6:
        return packed({"zremrangebyrank", key(), "1", "-3"}, database);
      default:
        return packed({"zadd", key(), number(), number(), "-0", number(), number(), number()},
                      database);
    }
  }
  std::string from_several(uint32_t database) {
    switch (prng_.below(7)) {
      case 0:
        return packed({"sort", key(), "alpha", "by", "k*", "limit", "0", "9", "store", key()},
                      database);
      case 1:
        return packed({"sort", key(), "by", "nosort", "get", "#", "get", "k*", "store", key()},
                      database);
      case 2:
        return packed({"lpush", key(), number(), std::string(prng_.below(60), 'e'), number()},
                      database);
      case 3:
        return packed({"lset", key(), number(), std::string(prng_.below(40), 's')}, database);
      case 4:
        return packed({"rpop", key(), "5"}, database);
      default:
        return packed({"restore", key(), number(), payload(), "replace"}, database);
    }
  }
  // Of a set, a hash, a list, a sorted set or a stream; now and then a damaged one.
  std::string payload() {
    constexpr std::string_view kBodies[] = {"\x02\x02\x01\x61\x01\x62",
                                            "\x04\x01\x01\x66\xc0\x07",
                                            "\x01\x02\x01\x61\x01\x62",
                                            "\x03\x02\x01\x61\x01\x37\x01\x62\x01\x31",
                                            // no entries; a group with one consumer
                                            {"\x0f\0\0\x32\0\x01\x01g\0\0\0\x01\x01"
                                             "c\0\0\0\0\0\0\0\0\0",
                                             23}};
    std::string body(kBodies[prng_.below(std::size(kBodies))]);
    if (prng_.chance(1, 4)) {
      body.back() = static_cast<char>(prng_.next());
      body[body.size() - 2] = static_cast<char>(prng_.below(4));
    }
    dump::close_payload(body);
    return body;
  }
  Prng prng_;
};

std::vector<raft::Entry> history(uint64_t seed, size_t entries) {
  Log log;
  Prng prng(seed);
  Commands commands(seed + 1);
  log.members({member(1), member(2)});
  commands.raise = log.raise_to("2");
  uint64_t sequence[3] = {0, 0, 0};
  for (size_t i = 0; i < entries; ++i) {
    log.stamp_ms += static_cast<int64_t>(prng.below(15));
    if (prng.chance(1, 20)) {
      log.add(prng.chance(1, 2) ? raft::EntryKind::kNoop : raft::EntryKind::kTick);
      continue;
    }
    uint64_t origin = 1 + prng.below(2);
    raft::ProposalNumber number{NodeId{origin}, incarnation_of(static_cast<uint8_t>(origin)), 1,
                                ++sequence[origin]};
    if (prng.chance(1, 30)) {
      log.add(raft::EntryKind::kVoid).number = number;
      continue;
    }
    std::vector<std::string> batch;
    for (uint64_t n = 1 + prng.below(8); n > 0; --n) {
      batch.push_back(commands.next());
    }
    log.batch(number, batch);
    if (prng.chance(1, 20)) {
      raft::Entry again = log.entries.back();  // a duplicate that also got into the log
      again.index = ++log.last;
      log.entries.push_back(again);
    }
  }
  return log.entries;
}

struct Outcome {
  std::string state;
  uint64_t checksum = 0;
  uint64_t commands = 0;
};

// Applies everything in steps of random sizes, with the given budget; `pause` is called between.
template <class Pause>
Outcome apply_all(rocks::Keyspace& keyspace,
                  const std::vector<raft::Entry>& entries,
                  const ExecutorOptions& options,
                  uint64_t seed,
                  Pause pause) {
  Prng prng(seed);
  auto executor = std::make_unique<Executor>(keyspace, options);
  Outcome outcome;
  while (executor->applied().value < entries.size()) {
    size_t from = executor->applied().value;
    size_t count = std::min<size_t>(1 + prng.below(40), entries.size() - from);
    auto begin = entries.begin() + static_cast<ptrdiff_t>(from);
    executor->apply({begin, begin + static_cast<ptrdiff_t>(count)});
    while (executor->work() || executor->held()) {
    }
    executor->take_effects();
    if (pause()) {  // a crash: a new executor on what is left
      outcome.commands += executor->counters().commands;
      executor = std::make_unique<Executor>(keyspace, options);
    }
  }
  outcome.commands += executor->counters().commands;
  outcome.checksum = executor->state_checksum();
  outcome.state = dump(keyspace);
  return outcome;
}

ExecutorOptions options_of(uint64_t node, size_t commands, size_t bytes) {
  ExecutorOptions options;
  options.node = NodeId{node};
  options.incarnation = incarnation_of(static_cast<uint8_t>(node));
  options.epoch = 1;
  options.turn_commands_max = commands;
  options.turn_bytes_max = bytes;
  options.shape = {24, 24, 24, 48, 24};  // so that collections come in both forms
  options.shape.chunk_bytes = 16;        // and strings
  return options;
}

TEST_CASE(
    "the same entries give the same bytes and checksum, whatever the turns and crashes [F34]") {
  for (uint64_t seed : {1, 2, 3, 4, 5}) {
    CAPTURE(seed);
    std::vector<raft::Entry> entries = history(seed, 400);

    InMemory one;
    Outcome whole = apply_all(one.keyspace(), entries, options_of(1, 100000, 1 << 30), seed,
                              [] { return false; });
    CHECK(whole.commands > 1000);
    CHECK(whole.state.size() > 500);

    InMemory two;
    Outcome small =
        apply_all(two.keyspace(), entries, options_of(2, 1, 1), seed + 10, [] { return false; });
    CHECK(small.state == whole.state);
    CHECK(small.checksum == whole.checksum);

    rocks::MemoryKeyspace three;  // loses what was not flushed, again and again
    Prng chaos(seed);
    Outcome crashed = apply_all(three, entries, options_of(3, 20, 1 << 20), seed + 20, [&] {
      if (chaos.chance(1, 3)) {
        three.flush();
      }
      if (chaos.chance(1, 4)) {
        three.crash();
        return true;
      }
      return false;
    });
    CHECK(crashed.state == whole.state);
    CHECK(crashed.checksum == whole.checksum);
    CHECK(crashed.commands > whole.commands);

    OnRocks four;
    Outcome rocks = apply_all(four.keyspace(), entries, options_of(1, 50, 1 << 20), seed + 30, [&] {
      if (chaos.chance(1, 10)) {
        four.keyspace().flush();
        four.keyspace().compact();
      }
      return false;
    });
    CHECK(rocks.state == whole.state);
    CHECK(rocks.checksum == whole.checksum);

    OnTable five;
    Outcome table = apply_all(five.keyspace(), entries, options_of(2, 7, 1 << 20), seed + 40, [&] {
      if (chaos.chance(1, 10)) {
        five.keyspace().flush();
        five.keyspace().compact();
      }
      return false;
    });
    CHECK(table.state == whole.state);
    CHECK(table.checksum == whole.checksum);
  }
}

TEST_CASE("an origin's attached reads and replies leave no trace in the state [F6, F10]") {
  auto entries = history(9, 200);
  InMemory plain;
  Outcome without =
      apply_all(plain.keyspace(), entries, options_of(3, 64, 1 << 20), 1, [] { return false; });

  InMemory keyspace;
  Executor executor(keyspace.keyspace(), options_of(1, 64, 1 << 20));
  for (const raft::Entry& entry : entries) {
    if (entry.kind != raft::EntryKind::kBatch || entry.number.node != NodeId{1}) {
      continue;
    }
    auto batch = std::make_shared<PendingBatch>();
    batch->sequence = entry.number.sequence;
    size_t commands = BatchReader(entry.payload.view()).count();
    for (size_t i = 0; i < commands; ++i) {
      batch->ops.push_back({{3, i}, RequestKind::kRead, 3, packed({"keys", "*"})});
      batch->ops.push_back({{3, i}, RequestKind::kWrite, 3, {}});
      batch->ops.push_back({{3, i}, RequestKind::kRead, 2, packed({"randomkey"})});
    }
    executor.expect(batch);
  }
  executor.apply(entries);
  while (executor.work() || executor.held()) {
  }
  CHECK(executor.state_checksum() == without.checksum);
  CHECK(dump(keyspace.keyspace()) == without.state);
}

TEST_CASE("the checksum tells different histories apart [F34]") {
  auto checksum = [](std::vector<std::string> commands) {
    InMemory keyspace;
    Node node(keyspace.keyspace());
    node.start();
    for (const std::string& command : commands) {
      node(command);
    }
    return node.executor().state_checksum();
  };
  uint64_t base = checksum({"set a 1", "set b 2"});
  CHECK(base == checksum({"set a 1", "set b 2"}));
  CHECK(base != checksum({"set a 1", "set b 3"}));
  CHECK(base != checksum({"set b 2", "set a 1"}));
  CHECK(base != checksum({"set a 1"}));
  CHECK(base != checksum({"set a 1", "set b 2", "del c"}));
}

}  // namespace
}  // namespace kiwi::resp
