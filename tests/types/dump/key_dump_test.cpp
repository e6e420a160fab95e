// Keys become payloads and payloads keys: what is written is read back as the same value, what is
// damaged leaves no trace, and a payload costs what it holds.
#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/bytes.hpp"
#include "resp/types/dump/key_loader.hpp"
#include "resp/types/dump/key_writer.hpp"
#include "resp/types/dump/object_writer.hpp"
#include "resp/types/dump/payload.hpp"
#include "resp/types/key_audit.hpp"
#include "resp/types/zset.hpp"
#include "tests/types/dump/bytes.hpp"
#include "tests/types/dump/recorded_payloads.hpp"
#include "tests/types/hashed_audit.hpp"
#include "tests/types/stream_content.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::dump {
namespace {

using rocks::Type;
using types_test::World;

// What a key holds, as text: its type, elements in an order that does not depend on where they lie.
template <class On>
std::vector<std::string> content(World<On>& w, std::string_view name) {
  const Key key = w.find(name);
  if (!key.live) {
    return {"none"};
  }
  std::vector<std::string> out;
  switch (key.meta.type) {
    case Type::kString: {
      std::string space;
      out.emplace_back(w.template read<String>(name).gather(space));
      break;
    }
    case Type::kList: {
      const List& list = w.template read<List>(name);
      list.range(0, list.size(), [&](std::string_view e) { return out.emplace_back(e), true; });
      break;
    }
    case Type::kSet:
      w.template read<Set>(name).each(
          [&](std::string_view e) { return out.emplace_back(e), true; });
      std::sort(out.begin(), out.end());
      break;
    case Type::kSortedSet: {
      const ZSet& set = w.template read<ZSet>(name);
      // -0 as 0: a sorted set keeps the sign only from the member on that made it a skiplist.
      set.each(set.all(), [&](std::string_view member, double score) {
        return out.emplace_back(std::string(member) + "=" +
                                std::to_string(std::bit_cast<uint64_t>(score + 0.0))),
               true;
      });
      break;
    }
    case Type::kStream:
      out = types_test::stream_lines(w.template read<Stream>(name));
      break;
    default:
      w.template read<Hash>(name).each([&](std::string_view field, std::string_view value) {
        return out.emplace_back(std::string(field) + "=" + std::string(value)), true;
      });
      std::sort(out.begin(), out.end());
  }
  out.insert(out.begin(), std::string(rocks::type_name(key.meta.type)) +
                              (key.meta.converted && key.meta.type != Type::kString ? "+" : "") +
                              " " + std::to_string(key.meta.expire_at_ms));
  return out;
}

template <class On>
std::string dumped(World<On>& w, std::string_view name) {
  std::string out;
  const Key key = w.find(name);
  REQUIRE(key.live);
  REQUIRE(write_key(w.database(), key, kPayloadBytes, out) == WriteOutcome::kDone);
  close_payload(out);
  return out;
}

template <class On>
LoadOutcome load(World<On>& w,
                 std::string_view name,
                 std::string_view bytes,
                 int64_t deadline = 0) {
  const auto payload = open_payload(bytes);
  REQUIRE(payload.has_value());
  RdbReader in(payload->body);
  LoadOptions options;
  options.expire_at_ms = deadline;
  options.now_ms = w.now_ms;
  options.free_bytes = bytes.size();
  const LoadOutcome outcome = load_key(w.database(), w.find(name), payload->type, in, options);
  return outcome == LoadOutcome::kDone && !in.rest().empty() ? LoadOutcome::kBadData : outcome;
}

std::string some_bytes(Prng& prng) {
  switch (prng.below(3)) {
    case 0:
      return std::to_string(static_cast<int64_t>(prng.next()) >> prng.below(63));
    case 1:
      return std::string(prng.below(100), static_cast<char>('a' + prng.below(26)));
    default:
      return std::to_string(prng.below(50));
  }
}

// Every bit pattern but NaN.
double any_score(Prng& prng) {
  constexpr double kSpecial[] = {0.0, -0.0, 1e308, 5e-324, INFINITY, -INFINITY, 0.1};
  const double score = prng.chance(1, 2) ? std::bit_cast<double>(prng.next())
                                         : kSpecial[prng.below(std::size(kSpecial))];
  return std::isnan(score) ? 0.5 : score;
}

// Some entries are deleted, some delivered, and one of the groups has nothing.
void make_stream(Stream& stream, uint64_t count, Prng& prng) {
  StreamId id{1 + prng.below(1000), 0};
  std::vector<StreamId> ids;
  for (uint64_t i = 0; i < count; ++i) {
    id.ms += prng.below(3);
    ++id.sequence;
    const std::string value = some_bytes(prng);
    const std::string_view fields[] = {"name", value, prng.chance(1, 9) ? "other" : "more", "7"};
    stream.append(id, StreamFields(fields).first(prng.chance(1, 5) ? 2 : 4));
    ids.push_back(id);
  }
  stream.create_group("nothing", {});
  stream.save();
  StreamGroup& group = *stream.create_group("group", ids[ids.size() / 2]);
  StreamConsumer* consumers[] = {&group.create_consumer("a", 5), &group.create_consumer("7", 6),
                                 &group.create_consumer("idle", 7)};
  for (const StreamId& one : ids) {
    if (prng.chance(1, 2)) {
      group.deliver(*consumers[prng.below(2)], one, 1 + prng.below(300), 1000);
    }
  }
  for (const StreamId& one : ids) {
    if (prng.chance(1, 4)) {
      stream.erase(one);
    }
  }
  stream.save();
}

template <class On>
void make_any(World<On>& w, std::string_view name, Prng& prng) {
  const uint64_t count = 1 + prng.below(prng.chance(1, 10) ? 700 : 20);
  const bool numbers = prng.chance(1, 2);
  switch (prng.below(6)) {
    case 4:
      return make_stream(w.template open<Stream>(name), count, prng);
    case 3: {
      ZSet& set = w.template open<ZSet>(name);
      for (uint64_t i = 0; i < count; ++i) {
        set.add(numbers ? static_cast<double>(prng.below(9)) - 4 : any_score(prng),
                some_bytes(prng));
      }
      set.save();
      break;
    }
    case 0: {
      Key key = w.find(name);
      const size_t repeats = prng.chance(1, 4) ? 20'000 : 1;  // in chunks
      std::string bytes = some_bytes(prng);
      for (size_t n = bytes.size(); n * 2 < repeats && n != 0; n *= 2) {
        bytes += bytes;
      }
      String::assign(w.database(), key, bytes, 0);
      break;
    }
    case 1: {
      List& list = w.template open<List>(name);
      for (uint64_t i = 0; i < count; ++i) {
        list.push(prng.chance(1, 2) ? ListEnd::kHead : ListEnd::kTail, some_bytes(prng));
      }
      list.save();
      break;
    }
    case 2: {
      Set& set = w.template open<Set>(name);
      for (uint64_t i = 0; i < count; ++i) {
        set.add(numbers ? std::to_string(static_cast<int64_t>(prng.next()) >> prng.below(63))
                        : some_bytes(prng));
      }
      set.save();
      break;
    }
    default: {
      Hash& hash = w.template open<Hash>(name);
      for (uint64_t i = 0; i < count; ++i) {
        hash.set(some_bytes(prng), some_bytes(prng));
      }
      hash.save();
    }
  }
}

template <class On>
void round_trips(uint64_t seed, const Shape& shape, int count) {
  World<On> w(shape);
  Prng prng(seed);
  for (int round = 0; round < count; ++round) {
    std::string payload;
    std::vector<std::string> before;
    w.command(false, [&] {
      make_any(w, "a", prng);
      before = content(w, "a");
      payload = dumped(w, "a");
    });
    const bool again = prng.chance(1, 2);
    w.command(false, [&] {
      REQUIRE(load(w, "b", payload) == LoadOutcome::kDone);
      CHECK(content(w, "b") == before);
      // The same value, though its history differs: the same payload, if its order is its own.
      if (before[0].starts_with("list") || before[0].starts_with("string")) {
        CHECK(dumped(w, "b") == payload);
      }
      for (const char* name : {"a", "b"}) {
        Key key = w.find(name);
        again ? w.database().remove(key) : void();
      }
    });
    if (!again) {
      w.reopen();
      w.command(false, [&] {
        CHECK(content(w, "b") == before);
        for (const char* name : {"a", "b"}) {
          Key key = w.find(name);
          w.database().remove(key);
        }
      });
    }
  }
  w.end_turn();
  CHECK(w.records(rocks::Family::kElement) == 0);
  CHECK(w.records(rocks::Family::kNode) == 0);
  CHECK(w.records(rocks::Family::kMeta) == 0);
}

TEST_CASE("any key is read back from its payload, packed or spread, on every keyspace") {
  round_trips<InMemory>(1, types_test::kTinyShape, 300);
  round_trips<InMemory>(2, kShape, 300);
  round_trips<OnRocks>(3, kShape, 20);
  round_trips<OnTable>(4, types_test::kTinyShape, 20);
}

TEST_CASE("golden payloads: the bytes that Redis 7.0 would write, but for compression") {
  World<InMemory> w;
  w.command(false, [&] {
    for (const char* member : {"3", "-2", "1000"}) {
      w.open<Set>("numbers").add(member);
    }
    w.open<Set>("numbers").save();
    w.open<Hash>("hash").set("f", "v");
    w.open<Hash>("hash").set("n", "17");
    w.open<Hash>("hash").set("", "empty");
    w.open<Hash>("hash").save();
  });
  w.begin();
  CHECK(dumped(w, "numbers") == recorded_bytes(kRecordedPayloads, "intset16"));
  // Redis packs that listpack with LZF, as it does all strings above 20 bytes that get shorter.
  std::string hash = dumped(w, "hash");
  CHECK(hash.substr(0, 8) == std::string("\x10\x1b\x1b\0\0\0\x06\0", 8));
  CHECK(recorded_bytes(kRecordedPayloads, "hash") == hash);
}

TEST_CASE("a deadline comes with the payload's key, and fields that are over are left out") {
  World<InMemory> w;
  w.command(false, [&] {
    const std::string list = recorded_bytes(kRecordedPayloads, "list");
    REQUIRE(load(w, "list", list, 5000) == LoadOutcome::kDone);
    CHECK(w.find("list").meta.expire_at_ms == 5000);
    REQUIRE(load(w, "text", recorded_bytes(kRecordedPayloads, "text"), 6000) == LoadOutcome::kDone);
    CHECK(w.find("text").meta.expire_at_ms == 6000);
    CHECK(w.database().counts(w.database().physical(0)).keys_with_ttl == 2);
  });
  auto hash_with = [](const char* deadline) {
    std::string body(1, '\x19');
    put_le(body, uint64_t{1});
    ListpackWriter fields;
    for (const char* part : {"gone", "x", "900", "stays", "y", deadline}) {
      fields.add(part);
    }
    const std::string packed = fields.finish();
    put_length(body, packed.size());
    body += packed;
    close_payload(body);
    return body;
  };
  w.command(false, [&] {
    REQUIRE(load(w, "hash", hash_with("0")) == LoadOutcome::kDone);
    CHECK(w.read<Hash>("hash").size() == 1);
    CHECK(w.read<Hash>("hash").get("stays") == "y");
  });
  w.command(false, [&] {
    REQUIRE(load(w, "h", hash_with("9000")) == LoadOutcome::kDone);
    CHECK(w.read<Hash>("h").deadline("stays") == 9000);
    const std::string payload = dumped(w, "h");
    CHECK(payload[0] == 24);
    CHECK(payload[payload.size() - 10] == 12);  // the version
    REQUIRE(load(w, "again", payload) == LoadOutcome::kDone);
    CHECK(w.read<Hash>("again").deadline("stays") == 9000);
    CHECK(w.read<Hash>("again").size() == 1);
  });
}

TEST_CASE("a short payload that unpacks to much is work of its entry [F61]") {
  rocks::MemoryKeyspace keyspace;
  Database database(keyspace, 500'000);
  database.begin_entry();
  database.begin_command();
  // 40,000 times the letter a, three bytes for 264 of them.
  std::string packed("\0a", 2);
  size_t size = 1;
  for (; size + 264 <= 40'000; size += 264) {
    packed.append("\xe0\xff\0", 3);
  }
  std::string element;
  put_u8(element, 0xc3);
  put_length(element, packed.size());
  put_length(element, size);
  element += packed;
  std::string list;
  put_length(list, 10);
  for (int i = 0; i < 10; ++i) {
    list += element;
  }
  auto load_with = [&](std::string_view name, size_t free) {
    RdbReader in(list);
    LoadOptions options;
    options.free_bytes = free;
    return load_key(database, database.find(rocks::DatabaseId{0}, name, 1), 1, in, options);
  };
  database.mark();
  CHECK_THROWS_AS(load_with("a", list.size()), TooMuchForOneEntry);
  database.undo();
  database.begin_entry();
  CHECK(load_with("b", 1'000'000) == LoadOutcome::kDone);
}

TEST_CASE("a value that is too large for a payload says so before it is built") {
  World<InMemory> w;
  w.command(false, [&] {
    List& list = w.open<List>("list");
    for (int i = 0; i < 100; ++i) {
      list.push(ListEnd::kTail, std::string(1000, 'x'));
    }
    list.save();
    Key key = w.find("text");
    String::assign(w.database(), key, std::string(5000, 'x'), 0);
  });
  w.begin();
  for (const char* name : {"list", "text"}) {
    std::string out;
    CHECK(write_key(w.database(), w.find(name), 4000, out) == WriteOutcome::kTooLarge);
    CHECK(out.size() < 8000);
  }
}

// ---------------------------------------------------------------- damage

std::string damaged(std::string body, Prng& prng) {
  for (uint64_t changes = 1 + prng.below(4); changes > 0 && !body.empty(); --changes) {
    const size_t at = prng.below(body.size());
    switch (prng.below(5)) {
      case 0:
        body[at] = static_cast<char>(prng.next());
        break;
      case 1:
        body[at] = static_cast<char>(body[at] ^ 1 << prng.below(8));
        break;
      case 2:
        body.erase(at, 1 + prng.below(4));
        break;
      case 3:
        body.insert(at, body.substr(prng.below(body.size()), 1 + prng.below(8)));
        break;
      default:
        body[at] = prng.chance(1, 2) ? '\xff' : '\0';
    }
  }
  return body;
}

// Whatever the bytes are, there is a key whose records fit each other and which can be dumped and
// read again, or there is what was before, and nothing of the attempt.
template <class On>
size_t fuzz(uint64_t seed, const Shape& shape, int count) {
  World<On> w(shape);
  Prng prng(seed);
  types_test::HashedAudit audit;
  size_t loaded = 0;
  for (int round = 0; round < count; ++round) {
    const RecordedPayload& chosen = kRecordedPayloads[prng.below(kRecordedPayloads.size())];
    std::string whole = from_hex(chosen.hex);
    const Payload payload = *open_payload(whole);
    std::string body(
        1, prng.chance(1, 8) ? static_cast<char>(prng.below(32)) : static_cast<char>(payload.type));
    body += damaged(std::string(payload.body), prng);
    close_payload(body);
    INFO("seed " << seed << ", round " << round << ": " << chosen.name);
    bool done = false;
    w.begin();
    w.database().mark();
    try {
      done = load(w, "key", body) == LoadOutcome::kDone;
    } catch (const TooMuchForOneEntry&) {
    }
    if (!done) {
      w.database().undo();
      REQUIRE(!w.find("key").present);
      continue;
    }
    w.database().keep();
    ++loaded;
    const Key key = w.find("key");
    if (!key.live) {
      continue;
    }
    const std::vector<std::string> value = content(w, "key");
    if (key.meta.type == Type::kSet) {
      audit.look(w, w.template read<Set>("key"), value.size() - 1);
    } else if (key.meta.type == Type::kHash) {
      audit.look(w, w.template read<Hash>("key"), value.size() - 1);
    }
    const KeyReport report = audit_key(w.database(), w.find("key"));
    REQUIRE_MESSAGE(!report.fault, describe(report));
    const std::string again = dumped(w, "key");
    w.command(false, [&] {
      REQUIRE(load(w, "again", again) == LoadOutcome::kDone);
      REQUIRE(content(w, "again") == value);
      for (const char* name : {"key", "again"}) {
        Key gone = w.find(name);
        w.database().remove(gone);
      }
    });
    if (round % 50 == 0) {
      w.end_turn();
    }
  }
  w.end_turn();
  CHECK(w.records(rocks::Family::kElement) == 0);
  CHECK(w.records(rocks::Family::kNode) == 0);
  CHECK(w.records(rocks::Family::kMeta) == 0);
  return loaded;
}

TEST_CASE("damaged payloads give a whole key or leave no trace") {
  CHECK(fuzz<InMemory>(21, types_test::kTinyShape, rounds(5000)) > 100);
  CHECK(fuzz<InMemory>(22, kShape, rounds(5000)) > 100);
}

}  // namespace
}  // namespace kiwi::resp::dump
