// The records of streams and their groups: their bytes, how many of them commands read and write,
// and what becomes of them when whole keys move, are copied or go.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/types/key_audit.hpp"
#include "resp/types/stream.hpp"
#include "tests/resp/counting_keyspace.hpp"
#include "tests/types/shapes.hpp"
#include "tests/types/stream_content.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

using rocks::Family;
using Texts = std::vector<std::string>;

class Counted {
 public:
  CountingKeyspace& keyspace() { return keyspace_; }
  void reopen() {
    keyspace_.flush();
    keyspace_.crash();
  }

 private:
  CountingKeyspace keyspace_;
};

class Streams {
 public:
  explicit Streams(const Shape& shape = kShape) : w(shape) {}

  CountingKeyspace& keyspace() { return static_cast<CountingKeyspace&>(w.keyspace()); }
  // Runs body(stream) as one command, and counts what it reads and writes.
  template <class Body>
  void change(std::string_view name, Body body) {
    keyspace().reset();
    w.command(false, [&] {
      Stream& stream = w.open<Stream>(name);
      body(stream);
      stream.save();
    });
  }
  // So many entries of about 60 bytes, each of a ms.
  void fill(std::string_view name, uint64_t from, uint64_t count) {
    change(name, [&](Stream& stream) {
      for (uint64_t ms = from; ms < from + count; ++ms) {
        append(stream, {ms, 0});
      }
    });
  }
  static void append(Stream& stream, const StreamId& id) {
    const std::string value = std::string(40, 'v') + std::to_string(id.ms);
    const std::string_view fields[] = {"field", value};
    stream.append(id, fields);
  }
  Texts lines(std::string_view name) {
    w.begin();
    return stream_lines(w.read<Stream>(name));
  }
  void audit() {
    w.begin();
    const DatabaseReport report = audit_database(w.database(), w.database().physical(0));
    REQUIRE_MESSAGE(!report.found, report.found->key << ": " << report.found->fault);
    REQUIRE(report.unreachable == 0);
  }

  World<Counted> w;
};

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out.push_back(kDigits[static_cast<uint8_t>(c) & 0x0f]);
  }
  return out;
}

std::string joined(std::string text) {
  std::erase(text, ' ');
  return text;
}

using Records = std::vector<std::pair<std::string, std::string>>;
Records records(rocks::Keyspace& keyspace, Family family) {
  Records all;
  for (auto at = keyspace.cursor(family, {}, {}); at->valid(); at->next()) {
    all.emplace_back(hex(at->key()), hex(at->value()));
  }
  return all;
}

TEST_SUITE_BEGIN("types/stream");

// ---------------------------------------------------------------- bytes

TEST_CASE("stream bytes: packed, the block stands in the key's record") {
  Streams streams;
  const auto record = [&] {
    const Records all = records(streams.keyspace(), Family::kMeta);
    REQUIRE(all.size() == 1);
    return all[0].second;
  };
  streams.change("s", [](Stream& stream) {
    stream.append({5, 1}, std::vector<std::string_view>{"f", "v"});
  });
  // format and type, flags, version, changed, size; last id, first id, largest deleted one, added,
  // next group, blocks; height
  CHECK(record() ==
        joined("26 00 01 00 01  05 01 05 01 00 00 01 01 01  00"
               // the block's id and size; live, deleted, bytes of the listpack, its last id
               "0000000000000005 0000000000000001 0d  01 00 12 00 00"
               // its names; the entry: flags, distance, value
               "01 0166  01 00 00 0176"));
  streams.change("s", [](Stream& stream) {
    stream.append({6, 0}, std::vector<std::string_view>{"g", "-1"});
  });
  CHECK(record() == joined("26 00 01 01 02  06 00 05 01 00 00 02 01 01  00"
                           "0000000000000005 0000000000000001 16  02 00 23 01 01"
                           "01 0166  01 00 00 0176  00 01 01 01 0167 022d31"));
  streams.change("s", [](Stream& stream) { REQUIRE(stream.erase({5, 1})); });
  CHECK(record() == joined("26 00 01 02 01  06 00 06 00 05 01 02 01 01  00"
                           "0000000000000005 0000000000000001 11  01 01 23 01 01"
                           "01 0166  00 01 01 01 0167 022d31"));
  CHECK(records(streams.keyspace(), Family::kNode).empty());
}

TEST_CASE("stream bytes: a group, its consumer, and the consumer's name") {
  Streams streams;
  streams.fill("s", 5, 2);
  streams.change("s", [](Stream& stream) {
    StreamGroup* group = stream.create_group("gr", {5, 1});
    REQUIRE(group != nullptr);
    group->deliver(group->create_consumer("c", 1000), {6, 0}, 2, 1000);
  });
  const std::string stream = "00000000 0000000000000001 ";
  CHECK(records(streams.keyspace(), Family::kNode) ==
        Records{{joined(stream + "fffffff1 6772"),
                 // number, last id, entries read, consumers, next one
                 joined("01 0000000000000005 0000000000000001 00 01 02"
                        // size, height, removed, next node; id, consumer, deliveries, time
                        "01 00 00 01  0000000000000006 0000000000000000 01 02 c40f")},
                {joined(stream + "fffffff2 00000001 63"),
                 // number, pending, seen, nothing below and above
                 joined("01 01 e803000000000000 0000000000000006 0000000000000000"
                        "0000000000000006 0000000000000000")},
                {joined(stream + "fffffff3 00000001 000000000001"), "63"}});
}

TEST_CASE("a block counts the bytes that Redis' listpack would have") {
  CHECK(listpack_bytes(int64_t{0}) == 2);
  CHECK(listpack_bytes(int64_t{127}) == 2);
  CHECK(listpack_bytes(int64_t{128}) == 3);
  CHECK(listpack_bytes(int64_t{-1}) == 3);
  CHECK(listpack_bytes(int64_t{4095}) == 3);
  CHECK(listpack_bytes(int64_t{4096}) == 4);
  CHECK(listpack_bytes(int64_t{-4097}) == 4);
  CHECK(listpack_bytes(int64_t{32768}) == 5);
  CHECK(listpack_bytes(int64_t{8388608}) == 6);
  CHECK(listpack_bytes(int64_t{2147483648}) == 10);
  CHECK(listpack_bytes("") == 2);
  CHECK(listpack_bytes("12") == 2);
  CHECK(listpack_bytes("012") == 5);
  CHECK(listpack_bytes(std::string(63, 'x')) == 65);
  CHECK(listpack_bytes(std::string(64, 'x')) == 67);
  CHECK(listpack_bytes(std::string(125, 'x')) == 128);
  CHECK(listpack_bytes(std::string(126, 'x')) == 130);
  CHECK(listpack_bytes(std::string(4095, 'x')) == 4099);
  CHECK(listpack_bytes(std::string(4096, 'x')) == 4103);
}

// ---------------------------------------------------------------- reads and writes

TEST_CASE("an append reads and writes the last block, however many there are") {
  Streams streams;
  streams.fill("s", 1, 50'000);
  const uint64_t blocks = streams.w.find("s").meta.stream.blocks;
  CHECK(blocks > 500);
  size_t opened = 0;
  for (uint64_t ms = 60'000; ms < 60'200; ++ms) {
    streams.fill("s", ms, 1);
    CHECK(streams.keyspace().reads() <= 4);  // the key's record, two inner nodes, the block
    CHECK(streams.keyspace().puts <= 5);
    opened += streams.keyspace().puts > 2 ? 1 : 0;  // else the block and the key's record
  }
  CHECK(opened == streams.w.find("s").meta.stream.blocks - blocks);
  streams.audit();
}

TEST_CASE("an entry in the middle, and ten from there on, are a block away") {
  Streams streams;
  streams.fill("s", 1, 50'000);
  streams.keyspace().reset();
  streams.w.begin();
  const Stream& stream = streams.w.read<Stream>("s");
  uint64_t seen = 0;
  stream.range({25'000, 0}, kStreamIdMax, [&](const StreamEntry& entry) {
    REQUIRE(entry.id.ms == 25'000 + seen);
    return ++seen < 10;
  });
  CHECK(seen == 10);
  CHECK(streams.keyspace().reads() <= 8);  // down for the rank, down again, maybe one block more
  streams.keyspace().reset();
  CHECK(stream.has({40'000, 0}));
  CHECK_FALSE(stream.has({40'000, 1}));
  CHECK(streams.keyspace().reads() <= 12);
}

TEST_CASE("a delivery and an acknowledgement write four records each, whatever is pending") {
  Streams streams;
  streams.fill("s", 1, 20'000);
  streams.change("s", [](Stream& stream) {
    StreamGroup& group = *stream.create_group("g", {});
    StreamConsumer& one = group.create_consumer("one", 1);
    for (uint64_t ms = 1; ms <= 10'000; ++ms) {
      group.deliver(one, {ms, 0}, 1, 1);
    }
  });
  for (uint64_t ms = 10'001; ms < 10'100; ++ms) {
    streams.change("s", [&](Stream& stream) {
      StreamGroup& group = *stream.group("g");
      group.deliver(*group.consumer("one"), {ms, 0}, 1, 1);
    });
    CHECK(streams.keyspace().puts <= 6);  // the leaf, the group, the consumer, the key; now and
                                          // then a new leaf and the node above it
    CHECK(streams.keyspace().reads() <= 8);
    streams.change("s", [&](Stream& stream) {
      REQUIRE(stream.group("g")->acknowledge({ms - 10'000, 0}));
    });
    CHECK(streams.keyspace().puts <= 6);
    CHECK(streams.keyspace().reads() <= 9);
  }
  // The consumer's own history begins behind what was acknowledged in order.
  streams.keyspace().reset();
  streams.w.begin();
  const StreamGroup& group = *streams.w.read<Stream>("s").group("g");
  std::vector<PendingEntry> page;
  PendingWalk walk = StreamGroup::walk_of(group.consumer("one")->record, {});
  group.next(walk, 10, page);
  REQUIRE(page.size() == 10);
  CHECK(page[0].id == StreamId{100, 0});
  CHECK(streams.keyspace().reads() <= 12);
  streams.audit();
}

TEST_CASE("the end of a consumer's history is found beside any number of others' entries") {
  Streams streams;
  streams.fill("s", 1, 10);
  streams.change("s", [](Stream& stream) {
    StreamGroup& group = *stream.create_group("g", {});
    StreamConsumer& one = group.create_consumer("one", 1);
    StreamConsumer& other = group.create_consumer("other", 1);
    for (uint64_t ms = 1; ms <= 20'000; ++ms) {
      group.deliver(ms <= 5 || ms == 10 ? one : other, {ms, 0}, 1, 1);
    }
    REQUIRE(group.acknowledge({10, 0}));  // what lies between is not known yet
  });
  streams.keyspace().reset();
  streams.w.begin();
  const StreamGroup& group = *streams.w.read<Stream>("s").group("g");
  const ConsumerRecord one = group.consumer("one")->record;
  CHECK(one.pending == 5);
  CHECK(one.floor == StreamId{1, 0});
  CHECK(one.ceiling == StreamId{9, UINT64_MAX});
  std::vector<PendingEntry> page;
  PendingWalk rest = StreamGroup::walk_of(one, {5, 1});
  group.next(rest, 10, page);
  CHECK(page.empty());
  CHECK(rest.over);
  CHECK(StreamGroup::walk_of(one, {10, 0}).over);
  CHECK(streams.keyspace().reads() <= 12);
  streams.change("s", [](Stream& stream) {
    StreamGroup& changed = *stream.group("g");
    changed.lower_ceiling(*changed.consumer("one"), {5, 0});
    REQUIRE(changed.acknowledge({5, 0}));
  });
  streams.audit();
}

TEST_CASE("what is trimmed from the front goes unread in whole nodes") {
  Streams streams;
  streams.fill("s", 1, 50'000);
  const uint64_t blocks = streams.w.find("s").meta.stream.blocks;
  streams.change("s", [](Stream& stream) {
    CHECK(stream.trim({.by = StreamTrim::By::kLength, .length = 10'000}) == 40'000);
  });
  CHECK(streams.keyspace().reads() <= blocks + 40);  // each block says how many entries it has
  CHECK(streams.w.find("s").meta.stream.first_id == StreamId{40'001, 0});
  streams.audit();
  streams.change("s", [](Stream& stream) {
    CHECK(stream.trim({.by = StreamTrim::By::kLength, .length = 0}) == 10'000);
  });
  CHECK(streams.keyspace().reads() <= 4);
  CHECK(streams.keyspace().ranges == 1);
  CHECK(streams.w.records(Family::kNode) == 0);
  CHECK(streams.lines("s") == Texts{"size 0 last 50000-0 first 0-0 deleted 0-0 added 50000"});
}

// ---------------------------------------------------------------- ids that are taken back

TEST_CASE("ids go on where XSETID took them back to, though larger ones were deleted") {
  for (const bool all : {false, true}) {
    Streams streams;
    streams.fill("s", 1, 5);
    streams.change("s", [&](Stream& stream) {
      REQUIRE(stream.erase({5, 0}));
      if (all) {  // a block without entries stays, for its last one was not below that
        REQUIRE(stream.trim({.by = StreamTrim::By::kId, .id = {5, 0}}) == 4);
        REQUIRE(stream.tail().blocks == 1);
      }
      stream.set_max_deleted({0, 1});
      stream.set_last_id({all ? 0u : 4u, 5});
    });
    streams.change("s", [&](Stream& stream) {
      Streams::append(stream, {all ? 0u : 4u, 6});
      Streams::append(stream, {5, 0});
    });
    streams.audit();
    const Texts lines = streams.lines("s");
    REQUIRE(lines.size() == (all ? 3 : 7));
    CHECK(lines[lines.size() - 2].starts_with(all ? "0-6 " : "4-6 "));
    CHECK(lines.back().starts_with("5-0 "));
    streams.w.begin();
    CHECK(streams.w.read<Stream>("s").has({5, 0}));
    CHECK(streams.w.read<Stream>("s").last_entry() == StreamId{5, 0});
  }
}

// ---------------------------------------------------------------- whole keys

// A stream of several blocks, and two groups, one of them with a tree of pending entries.
void make(Streams& streams, std::string_view name) {
  streams.fill(name, 1, 2'000);
  streams.change(name, [](Stream& stream) {
    StreamGroup& group = *stream.create_group("large", {});
    StreamConsumer* consumers[] = {&group.create_consumer("a", 7), &group.create_consumer("b", 8)};
    for (uint64_t ms = 1; ms <= 500; ++ms) {
      group.deliver(*consumers[ms % 2], {ms, 0}, 1, 9);
    }
  });
  streams.change(name, [](Stream& stream) { stream.create_group("small", {3, 0}); });
}

TEST_CASE("copies have records of their own, a rename keeps them, a deletion leaves none [M4]") {
  for (const Shape& shape : {kTinyShape, kShape}) {
    Streams streams(shape);
    auto& w = streams.w;
    make(streams, "a");
    const uint64_t nodes = w.records(Family::kNode);
    const Texts content = streams.lines("a");
    w.command(false, [&] {
      Key b = w.find("b");
      const Key a = w.find("a");  // last: its root is a view
      w.database().copy(a, b);
    });
    CHECK(w.records(Family::kNode) == 2 * nodes);
    streams.audit();  // no stamp is newer than the copy
    CHECK(streams.lines("b") == content);
    streams.change("b", [](Stream& stream) {
      REQUIRE(stream.group("large")->acknowledge({7, 0}));
      REQUIRE(stream.erase({1'000, 0}));
    });
    CHECK(streams.lines("a") == content);
    w.command(false, [&] {
      Key a = w.find("a");
      Key c = w.find("c");
      w.database().rename(a, c);
    });
    CHECK(streams.lines("c") == content);
    CHECK(streams.lines("a").empty());
    streams.audit();
    for (const char* name : {"b", "c"}) {
      w.command(false, [&] {
        Key gone = w.find(name);
        w.database().remove(gone);
      });
    }
    CHECK(w.records(Family::kNode) == 0);
    CHECK(w.records(Family::kMeta) == 0);
  }
}

TEST_CASE("a stream that is due is gone with its groups, and a new one begins at nothing") {
  for (const Shape& shape : {kTinyShape, kShape}) {
    Streams streams(shape);
    auto& w = streams.w;
    make(streams, "s");
    w.command(false, [&] {
      Key key = w.find("s");
      key.meta.expire_at_ms = w.now_ms + 5;
      w.database().update(key);
    });
    w.now_ms += 5;
    CHECK(streams.lines("s").empty());
    streams.change("s", [](Stream& stream) {
      CHECK_FALSE(stream.there());
      CHECK(stream.size() == 0);
      CHECK(stream.tail() == rocks::StreamTail{});
      CHECK(stream.group("large") == nullptr);
      Streams::append(stream, {1, 0});
    });
    CHECK(w.records(Family::kNode) <= 1);  // tiny shapes: its own block
    CHECK(streams.lines("s").size() == 2);
    CHECK(w.find("s").meta.expire_at_ms == 0);
    streams.audit();
  }
}

TEST_CASE("a group that goes leaves no record, and its number is not used again") {
  Streams streams;
  make(streams, "s");
  const uint64_t before = streams.w.records(Family::kNode);
  streams.change("s", [](Stream& stream) { stream.drop_group(*stream.group("large")); });
  CHECK(streams.w.records(Family::kNode) < before - 10);
  streams.audit();
  streams.change("s", [](Stream& stream) {
    StreamGroup* again = stream.create_group("large", {});
    REQUIRE(again != nullptr);
    CHECK(again->number() == 3);
    CHECK(again->pending() == 0);
    CHECK(again->consumer("a") == nullptr);
  });
  streams.audit();
}

TEST_CASE("a consumer that has all that is pending takes it along unread") {
  Streams streams;
  streams.fill("s", 1, 5'000);
  streams.change("s", [](Stream& stream) {
    StreamGroup& group = *stream.create_group("g", {});
    group.create_consumer("idle", 1);
    StreamConsumer& one = group.create_consumer("one", 1);
    for (uint64_t ms = 1; ms <= 5'000; ++ms) {
      group.deliver(one, {ms, 0}, 1, 1);
    }
  });
  streams.change("s", [](Stream& stream) {
    StreamGroup& group = *stream.group("g");
    CHECK(group.remove_consumer(*group.consumer("one")) == 5'000);
    CHECK(group.pending() == 0);
  });
  CHECK(streams.keyspace().reads() <= 8);
  CHECK(streams.keyspace().ranges == 1);
  streams.audit();
  streams.change("s", [](Stream& stream) {
    StreamGroup& group = *stream.group("g");
    group.deliver(*group.consumer("idle"), {7, 0}, 1, 1);
  });
  streams.audit();
}

TEST_CASE("a consumer that goes takes its pending entries along, and no others [M7]") {
  Streams streams;
  make(streams, "s");
  streams.change("s", [](Stream& stream) {
    StreamGroup& group = *stream.group("large");
    CHECK(group.remove_consumer(*group.consumer("a")) == 250);
    CHECK(group.pending() == 250);
    CHECK(group.consumers() == 1);
  });
  streams.audit();
  const Texts lines = streams.lines("s");
  CHECK(std::none_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with("pending ") && line.find(" of a ") != std::string::npos;
  }));
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
