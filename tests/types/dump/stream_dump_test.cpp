// Streams as payloads: recorded by redis-server 7.0, made by hand, and parts that do not fit.
#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/bytes.hpp"
#include "resp/types/dump/key_loader.hpp"
#include "resp/types/dump/key_writer.hpp"
#include "resp/types/dump/object_writer.hpp"
#include "resp/types/dump/payload.hpp"
#include "resp/types/key_audit.hpp"
#include "tests/types/dump/bytes.hpp"
#include "tests/types/dump/recorded_payloads.hpp"
#include "tests/types/dump/stream_parts.hpp"
#include "tests/types/shapes.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::dump {
namespace {

using types_test::World;
using Lines = std::vector<std::string>;

std::string recorded_body(std::string_view name) {
  const std::string bytes = recorded_bytes(kRecordedPayloads, name);
  const auto payload = open_payload(bytes);
  REQUIRE(payload.has_value());
  REQUIRE(payload->type == kStreamListpacks2);
  return std::string(payload->body);
}

// Empty: the bytes are no such value.
Lines parts(uint8_t type, std::string_view body) {
  StreamParts found;
  RdbReader in(body);
  return read_stream(type, in, found) && in.rest().empty() ? found.lines : Lines{};
}

Lines without_deleted(Lines lines) {
  std::erase_if(lines, [](const std::string& line) { return line.starts_with("deleted "); });
  return lines;
}

// A key on a keyspace of its own, or nothing.
class Loaded {
 public:
  explicit Loaded(uint8_t type, std::string_view body, const Shape& shape = kShape) : w_(shape) {
    w_.begin();
    w_.database().mark();
    RdbReader in(body);
    LoadOptions options;
    options.free_bytes = body.size();
    const Key key = w_.find("k");
    done =
        load_key(w_.database(), key, type, in, options) == LoadOutcome::kDone && in.rest().empty();
    done ? w_.database().keep() : w_.database().undo();
    w_.begin();
    if (done) {
      const KeyReport report = audit_key(w_.database(), w_.find("k"));
      CHECK_MESSAGE(!report.fault, describe(report));
    }
  }

  const Stream& stream() { return w_.read<Stream>("k"); }
  Lines lines() { return types_test::stream_lines(stream()); }
  std::vector<uint64_t> blocks() {  // live entries of each
    std::vector<uint64_t> found;
    stream().each_block(
        [&](const StreamBlock& block) { return found.push_back(block.live), true; });
    return found;
  }
  WriteOutcome write(size_t bytes_max, std::string& out) {
    return write_key(w_.database(), w_.find("k"), bytes_max, out);
  }
  std::string body() {
    std::string out;
    REQUIRE(write(kPayloadBytes, out) == WriteOutcome::kDone);
    REQUIRE(out[0] == kStreamListpacks2);
    return out.substr(1);
  }
  World<InMemory>& world() { return w_; }

  bool done = false;

 private:
  World<InMemory> w_;
};

// ---------------------------------------------------------------- made by hand

std::string id_bytes(const StreamId& id) {
  std::string out;
  append_id(out, id);
  return out;
}

void put_id(std::string& out, const StreamId& id) {
  put_length(out, id.ms);
  put_length(out, id.sequence);
}

std::string time_bytes(int64_t ms) {
  std::string out;
  put_le(out, ms);
  return out;
}

struct Pending {
  StreamId id;
  int64_t delivered_ms = 0;
  uint64_t deliveries = 0;
};
struct Consumer {
  std::string name;
  int64_t seen_ms = 0;
  std::vector<StreamId> owned;
};
struct Group {
  std::string name;
  StreamId last_id;
  uint64_t entries_read = 0;
  std::vector<Pending> pending;
  std::vector<Consumer> consumers;
};
struct Node {
  std::string key;
  Lines elements;
};

// A stream of two nodes and a group; tests spoil it.
struct Made {
  uint8_t type = kStreamListpacks2;
  std::vector<Node> nodes = {
      {id_bytes({5, 0}), {"2", "1", "1", "f",    "0", "2", "0", "0",  "v", "4",  // 5-0 f=v
                          "3", "1", "0", "gone", "4",                            // 6-0, deleted
                          "0", "2", "1", "2",    "g", "w", "h", "-1", "8"}},     // 7-1 g=w h=-1
      {id_bytes({9, 0}), {"1", "0", "1", "f", "0", "2", "0", "5", "x", "4"}}};   // 9-5 f=x
  uint64_t length = 3;
  StreamId last_id{10, 0};
  StreamId first_id{5, 0};
  StreamId max_deleted_id{6, 0};
  uint64_t entries_added = 4;
  std::vector<Group> groups = {{"group",
                                {7, 1},
                                3,
                                {{{5, 0}, 1000, 1}, {{7, 1}, 2000, 300}},
                                {{"a", 2500, {{7, 1}}}, {"b", 1500, {{5, 0}}}, {"c", 7, {}}}}};

  std::string body() const {
    std::string out;
    put_length(out, nodes.size());
    for (const Node& node : nodes) {
      put_length(out, node.key.size());
      out += node.key;
      ListpackWriter list;
      for (const std::string& element : node.elements) {
        list.add(element);
      }
      const std::string packed = list.finish();
      put_length(out, packed.size());
      out += packed;
    }
    put_length(out, length);
    put_id(out, last_id);
    if (type != kStreamListpacks) {
      put_id(out, first_id);
      put_id(out, max_deleted_id);
      put_length(out, entries_added);
    }
    put_length(out, groups.size());
    for (const Group& group : groups) {
      add_group(out, group);
    }
    return out;
  }

 private:
  void add_group(std::string& out, const Group& group) const {
    put_string(out, group.name);
    put_id(out, group.last_id);
    if (type != kStreamListpacks) {
      put_length(out, group.entries_read);
    }
    put_length(out, group.pending.size());
    for (const Pending& pending : group.pending) {
      out += id_bytes(pending.id) + time_bytes(pending.delivered_ms);
      put_length(out, pending.deliveries);
    }
    put_length(out, group.consumers.size());
    for (const Consumer& consumer : group.consumers) {
      put_string(out, consumer.name);
      out += time_bytes(consumer.seen_ms);
      if (type == kStreamListpacks3) {
        out += time_bytes(consumer.seen_ms - 1);
      }
      put_length(out, consumer.owned.size());
      for (const StreamId& id : consumer.owned) {
        out += id_bytes(id);
      }
    }
  }
};

const Lines kMade = {"size 3 last 10-0 first 5-0 deleted 6-0 added 4",
                     "5-0 f=v",
                     "7-1 g=w h=-1",
                     "9-5 f=x",
                     "group group last 7-1 read 3 pending 2",
                     "pending 5-0 of b at 1000 times 1",
                     "pending 7-1 of a at 2000 times 300",
                     "consumer a pending 1 seen 2500",
                     "consumer b pending 1 seen 1500",
                     "consumer c pending 0 seen 7"};

TEST_SUITE_BEGIN("types/dump: streams");

// ---------------------------------------------------------------- recorded

TEST_CASE("a recorded stream is read part by part") {
  CHECK(parts(19, recorded_body("stream")) ==
        Lines{"node 1-1 f", "entry 1-1 f=v",
              "entry 2-0 f=w g=", "entry 18446744073709551614-7 f=-7",
              "totals 3 last 18446744073709551614-7 added 3 deleted 0-0"});
  CHECK(parts(19, recorded_body("stream without entries")) ==
        Lines{"totals 0 last 0-0 added 0 deleted 0-0", "group g last 0-0 read ?"});
}

TEST_CASE("what is written of a recorded stream says the same, but for what was deleted") {
  size_t streams = 0;
  for (const RecordedPayload& one : kRecordedPayloads) {
    if (!one.name.starts_with("stream")) {
      continue;
    }
    ++streams;
    INFO(one.name);
    const std::string body = recorded_body(one.name);
    for (const Shape& shape : {kShape, types_test::kTinyShape}) {
      Loaded loaded(19, body, shape);
      REQUIRE(loaded.done);
      CHECK(parts(19, loaded.body()) == without_deleted(parts(19, body)));
      Loaded again(19, loaded.body(), shape);
      REQUIRE(again.done);
      CHECK(again.lines() == loaded.lines());
    }
  }
  CHECK(streams == 5);
}

TEST_CASE("a node becomes a block, which counts what was deleted from it") {
  Loaded loaded(19, recorded_body("stream of several nodes"));
  REQUIRE(loaded.done);
  std::vector<uint64_t> sizes;
  loaded.stream().each_block([&](const StreamBlock& block) {
    sizes.push_back(block.live + block.deleted);
    return true;
  });
  REQUIRE(sizes.size() == 4);
  uint64_t all = 0;
  for (const uint64_t size : sizes) {
    CHECK(size <= kBlockEntries);
    all += size;
  }
  CHECK(all == 250);
  CHECK(loaded.stream().size() == 245);
  CHECK(loaded.stream().tail().first_id == StreamId{5000, 2});
  Loaded last(19, recorded_body("stream with its last entries deleted"));
  REQUIRE(last.done);
  CHECK(last.blocks() == std::vector<uint64_t>{0});
  CHECK(last.lines()[0] == "size 0 last 8-0 first 0-0 deleted 8-0 added 8");
}

// ---------------------------------------------------------------- versions

TEST_CASE("types 19 and 21 say the same; 15 has no history, and what was read is estimated") {
  Made made;
  for (const uint8_t type : {kStreamListpacks2, kStreamListpacks3}) {
    made.type = type;
    Loaded loaded(type, made.body());
    REQUIRE(loaded.done);
    CHECK(loaded.lines() == kMade);
  }
  made.type = kStreamListpacks;
  made.groups.push_back({"at the end", {10, 0}, 0, {}, {}});
  made.groups.push_back({"in the middle", {6, 0}, 0, {}, {}});
  Loaded loaded(kStreamListpacks, made.body());
  REQUIRE(loaded.done);
  Lines lines = loaded.lines();
  CHECK(lines[0] == "size 3 last 10-0 first 5-0 deleted 0-0 added 3");
  const auto has = [&](const std::string& line) {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  };
  CHECK(has("group at the end last 10-0 read 3 pending 0"));
  CHECK(has("group in the middle last 6-0 read ? pending 0"));
  CHECK(has("group group last 7-1 read ? pending 2"));
}

// ---------------------------------------------------------------- what does not fit

void set_element(Made& made, size_t node, size_t at, const char* to) {
  REQUIRE(at < made.nodes[node].elements.size());
  made.nodes[node].elements[at] = to;
}

struct SpoiltElement {  // of the first node's listpack
  const char* what;
  size_t at;
  const char* to;
};

constexpr SpoiltElement kSpoiltElements[] = {
    {"more entries are said", 0, "3"},
    {"fewer entries are said", 0, "1"},
    {"a count that is none", 0, "x"},
    {"fewer deleted ones are said", 1, "0"},
    {"more deleted ones are said", 1, "2"},
    {"a negative count", 1, "-1"},
    {"more names are said", 2, "2"},
    {"no names, but an entry that has them", 2, "0"},
    {"more names than a command can have", 2, "600000"},
    {"the names do not end", 4, "1"},
    {"an unknown flag", 5, "6"},
    {"an entry before its node", 6, "-1"},
    {"the number of an entry's elements", 9, "5"},
    {"an entry without fields", 18, "0"},
    {"a negative number of fields", 18, "-2"},
};

struct Spoil {
  const char* what;
  void (*change)(Made& made);
};

constexpr Spoil kSpoiltNodes[] = {
    {"a node's id is cut off", [](Made& m) { m.nodes[0].key.pop_back(); }},
    {"a node begins at an entry before it",
     [](Made& m) {
       m.nodes[1].key = id_bytes(StreamId{7, 1});
     }},
    {"a node of 0-0", [](Made& m) { m.nodes[0].key = id_bytes(StreamId{}); }},
    {"an entry that does not ascend",
     [](Made& m) { m.nodes[0].elements[16] = m.nodes[0].elements[17] = "0"; }},
    {"a deleted entry at a live one", [](Made& m) { m.nodes[0].elements[11] = "0"; }},
    {"an entry is cut off", [](Made& m) { m.nodes[0].elements.pop_back(); }},
    {"something behind the entries", [](Made& m) { m.nodes[1].elements.emplace_back("2"); }},
    {"a node without anything", [](Made& m) { m.nodes[1].elements.clear(); }},
    {"a length that is not theirs", [](Made& m) { m.length = 4; }},
    {"a last id below the last entry",
     [](Made& m) {
       m.last_id = StreamId{9, 4};
     }},
    {"fewer entries were added than there are", [](Made& m) { m.entries_added = 2; }},
};

constexpr Spoil kSpoiltGroups[] = {
    {"a group comes twice", [](Made& m) { m.groups.push_back(m.groups[0]); }},
    {"a group read less than nothing", [](Made& m) { m.groups[0].entries_read = UINT64_MAX - 1; }},
    {"an entry is pending twice",
     [](Made& m) { m.groups[0].pending.push_back(m.groups[0].pending[0]); }},
    {"nobody owns a pending entry", [](Made& m) { m.groups[0].consumers[1].owned.clear(); }},
    {"two own a pending entry",
     [](Made& m) {
       m.groups[0].consumers[2].owned.assign(1, StreamId{5, 0});
     }},
    {"one owns what is not pending",
     [](Made& m) {
       m.groups[0].consumers[2].owned.assign(1, StreamId{6, 0});
     }},
    {"a consumer comes twice", [](Made& m) { m.groups[0].consumers[2].name = "a"; }},
    {"delivered before all time", [](Made& m) { m.groups[0].pending[0].delivered_ms = -1; }},
    {"seen before all time", [](Made& m) { m.groups[0].consumers[0].seen_ms = INT64_MIN; }},
};

void must_be_refused(const char* what, const Made& made) {
  INFO(what);
  Loaded loaded(19, made.body());
  CHECK_FALSE(loaded.done);
  loaded.world().end_turn();
  CHECK(loaded.world().records(rocks::Family::kNode) == 0);
  CHECK(loaded.world().records(rocks::Family::kMeta) == 0);
}

TEST_CASE("parts that do not fit each other are refused, and nothing stays of them") {
  {
    Loaded whole(19, Made().body());
    REQUIRE(whole.done);
    REQUIRE(whole.lines() == kMade);
  }
  for (const SpoiltElement& spoil : kSpoiltElements) {
    Made made;
    set_element(made, 0, spoil.at, spoil.to);
    must_be_refused(spoil.what, made);
  }
  for (const std::span<const Spoil> spoils :
       {std::span<const Spoil>(kSpoiltNodes), std::span<const Spoil>(kSpoiltGroups)}) {
    for (const Spoil& spoil : spoils) {
      Made made;
      spoil.change(made);
      must_be_refused(spoil.what, made);
    }
  }
  const std::string whole = Made().body();
  for (size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(Loaded(19, whole.substr(0, size)).done);
  }
  CHECK_FALSE(Loaded(19, whole + "x").done);
}

TEST_CASE("names are compared as they are: fields of a node's names and of others' [F61]") {
  Made made;
  set_element(made, 0, 19, "f");  // an entry with one of the node's names, and another
  Loaded loaded(19, made.body());
  REQUIRE(loaded.done);
  CHECK(loaded.lines()[2] == "7-1 f=w h=-1");
}

// ---------------------------------------------------------------- sizes

TEST_CASE("a node larger than any of Redis' default is cut, so that no edit writes much [F61]") {
  Made made;
  made.groups.clear();
  made.nodes.resize(1);
  Lines& elements = made.nodes[0].elements;
  elements = {"5000", "0", "1", "f", "0"};
  for (int i = 0; i < 5000; ++i) {
    for (const std::string& one : {std::string("2"), std::to_string(i), std::string("0"),
                                   "value " + std::to_string(i), std::string("4")}) {
      elements.push_back(one);
    }
  }
  made.length = made.entries_added = 5000;
  made.last_id = {5004, 0};
  made.max_deleted_id = {};
  Loaded loaded(19, made.body());
  REQUIRE(loaded.done);
  const std::vector<uint64_t> blocks = loaded.blocks();
  CHECK(blocks.size() >= 25);
  CHECK(*std::max_element(blocks.begin(), blocks.end()) <= 200);
  const Lines lines = loaded.lines();
  REQUIRE(lines.size() == 5001);
  for (int i = 0; i < 5000; ++i) {
    CHECK(lines[static_cast<size_t>(i) + 1] ==
          std::to_string(5 + i) + "-0 f=value " + std::to_string(i));
  }
  uint64_t found = 0;
  loaded.stream().range({1500, 0}, {2499, 9}, [&](const StreamEntry&) { return ++found, true; });
  CHECK(found == 1000);
}

TEST_CASE("consumers of any number come and go as they were, and audits agree [M7]") {
  Made made;
  Group& group = made.groups[0];
  group.pending.clear();
  group.consumers.clear();
  constexpr uint64_t kConsumers = 1000;
  for (uint64_t i = 0; i < kConsumers; ++i) {
    group.consumers.push_back({"consumer " + std::to_string(1000 + i), 7, {}});
  }
  for (uint64_t i = 0; i < 5000; ++i) {
    const StreamId id{1 + i, i % 3};
    group.pending.push_back({id, static_cast<int64_t>(i), i});
    group.consumers[i * 7919 % kConsumers].owned.push_back(id);
  }
  for (const Shape& shape : {kShape, types_test::kTinyShape}) {
    Loaded loaded(19, made.body(), shape);
    REQUIRE(loaded.done);
    CHECK(loaded.lines().size() == 1 + 3 + 1 + 5000 + kConsumers);
    CHECK(parts(19, loaded.body()) == without_deleted(parts(19, made.body())));
  }
}

TEST_CASE("a stream that is too large for a payload says so, wherever it is large") {
  Made made;
  Group& group = made.groups[0];
  for (uint64_t i = 0; i < 1000; ++i) {
    group.pending.push_back({{100 + i, 0}, 1, 1});
    group.consumers[2].owned.push_back({100 + i, 0});
  }
  Loaded loaded(19, made.body());
  REQUIRE(loaded.done);
  const size_t whole = loaded.body().size() + 1;
  for (size_t most = 1; most < whole; most += 97) {
    std::string out;
    CHECK(loaded.write(most, out) == WriteOutcome::kTooLarge);
    CHECK(out.size() <= most + 8192);
  }
  std::string out;
  CHECK(loaded.write(whole, out) == WriteOutcome::kDone);
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::dump
