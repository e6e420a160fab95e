// The audit of keys: nothing to say of what commands made, and every kind of damage is found.
#include "resp/types/key_audit.hpp"

#include <string>

#include "config/base/bytes.hpp"
#include "resp/types/element_value.hpp"
#include "resp/types/group_records.hpp"
#include "resp/types/packed.hpp"
#include "resp/types/stream.hpp"
#include "resp/types/zset.hpp"
#include "rocks/keys.hpp"
#include "tests/types/hashed_audit.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

using rocks::Family;

// Keys of every type, packed and spread, one of them with a deadline, in a database that holds
// nothing else.
struct Filled {
  World<InMemory> w{kTinyShape};

  Filled() {
    w.command(false, [&] {
      for (int i = 0; i < 30; ++i) {
        const std::string text = "element " + std::to_string(i);
        w.open<Set>("spread set").add(text);
        w.open<Hash>("spread hash").set(text, "v");
        w.open<List>("list").push(i % 2 == 0 ? ListEnd::kHead : ListEnd::kTail, text);
      }
      for (const char* number : {"3", "-1", "20"}) {
        w.open<Set>("numbers").add(number);
      }
      w.open<Hash>("hash").set("f", "v");
      for (const char* name : {"spread set", "numbers"}) {
        w.open<Set>(name).save();
      }
      for (const char* name : {"spread hash", "hash"}) {
        w.open<Hash>(name).save();
      }
      w.open<List>("list").save();
      w.open<List>("packed list").push(ListEnd::kTail, "element");
      w.open<List>("packed list").save();
      for (int i = 0; i < 40; ++i) {
        w.open<ZSet>("spread zset").add(i % 7, "member " + std::to_string(i));
      }
      w.open<ZSet>("spread zset").save();
      w.open<ZSet>("zset").add(-0.0, "m");
      w.open<ZSet>("zset").save();
      add_streams();
      Key key = w.find("text");
      String::assign(w.database(), key, "value", 9000);
      Key in_chunks = w.find("long text");
      String::assign(w.database(), in_chunks, std::string(20'000, 't'), 0);
    });
    w.end_turn();
    w.begin();
  }

  // One of them has nothing at all.
  void add_streams() {
    w.open<Stream>("empty stream").create();
    w.open<Stream>("empty stream").save();
    Stream& stream = w.open<Stream>("stream");
    for (uint64_t ms = 1; ms <= 20; ++ms) {
      const std::string value = "value " + std::to_string(ms);
      const std::string_view fields[] = {"field", value};
      stream.append({ms, 0}, fields);
    }
    StreamGroup& group = *stream.create_group("group", {});
    StreamConsumer* consumers[] = {&group.create_consumer("a", 1), &group.create_consumer("b", 1)};
    for (uint64_t ms = 3; ms <= 15; ++ms) {
      group.deliver(*consumers[ms % 2], {ms, 0}, 1, 1);
    }
    stream.save();
  }

  DatabaseReport report() { return audit_database(w.database(), w.database().physical(0)); }
  std::optional<KeyFault> fault(std::string_view name) {
    return audit_key(w.database(), w.find(name)).fault;
  }
  // Writes the key's record as it is not.
  template <class Change>
  void damage(std::string_view name, Change change) {
    Key key = w.find(name);
    const std::string value(key.meta.value);
    key.meta.value = value;
    std::string kept;
    change(key.meta, kept);
    std::string record;
    std::string where;
    rocks::encode(record, key.meta);
    rocks::keys::meta(where, key.database, name);
    w.keyspace().put(Family::kMeta, where, record);
  }
};

TEST_CASE("what commands made has no fault, and is counted") {
  Filled f;
  const DatabaseReport report = f.report();
  CHECK_FALSE(report.found.has_value());
  CHECK(report.keys == 12);
  CHECK(report.keys_with_ttl == 1);
  CHECK(report.counts_fit);
  CHECK(report.indexed == 1);
  CHECK(report.index_fits);
  CHECK(report.elements == 30 + 30 + 30 + 3 + 1 + 1 + 1 + 40 + 1 + 1 + 20);
  CHECK(report.records == 30 + 30 + 40 + 3);
  CHECK(report.nodes > 6);
  CHECK(report.unreachable == 0);
  CHECK(report.bytes > 90 * 10);
}

TEST_CASE("[M1] a string is not shorter than its chunks; [M8] none is newer than its key") {
  Filled shorter;
  shorter.damage("long text", [](rocks::Metadata& meta, std::string&) { meta.size = 19'999; });
  CHECK(shorter.fault("long text") == KeyFault::kSize);
  Filled longer;  // which ends in zeros then
  longer.damage("long text", [](rocks::Metadata& meta, std::string&) { meta.size = 50'000; });
  CHECK_FALSE(longer.fault("long text").has_value());
  Filled newer;
  const Key key = newer.w.find("long text");
  std::string where;
  std::string record;
  rocks::keys::string_chunk(where, key.collection(), 1);
  encode_chunk(record, key.meta.last_modified - key.meta.version + 1, "t");
  newer.w.keyspace().put(Family::kElement, where, record);
  CHECK(newer.fault("long text") == KeyFault::kStamp);
}

TEST_CASE("[M1] a size that is not what a walk finds") {
  for (const char* name : {"spread set", "spread hash", "numbers", "hash"}) {
    Filled f;
    f.damage(name, [](rocks::Metadata& meta, std::string&) { ++meta.size; });
    CHECK(f.fault(name) == KeyFault::kSize);
    CHECK(f.report().found->key == name);
  }
  for (const char* name : {"list", "packed list", "spread zset", "zset"}) {
    Filled f;
    f.damage(name, [](rocks::Metadata& meta, std::string&) { ++meta.size; });
    CHECK(f.fault(name) == KeyFault::kTree);
    CHECK(f.report().found->fault == "its tree has a fault: a node's count of elements is wrong");
  }
}

TEST_CASE("[M2] members and leaves of a sorted set that do not say the same") {
  Filled f;
  const Key zset = f.w.find("spread zset");
  std::string where;
  rocks::keys::element(where, zset.collection(), "member 7");
  std::string record;
  encode_scored(record, {0.5, 0});
  f.w.keyspace().put(Family::kElement, where, record);
  CHECK(f.fault("spread zset") == KeyFault::kMembers);
  encode_scored(record, {-0.0, 0});  // the leaf has 0
  f.w.keyspace().put(Family::kElement, where, record);
  CHECK(f.fault("spread zset") == KeyFault::kMembers);
  encode_scored(record, {0.0, 0});
  f.w.keyspace().put(Family::kElement, where, record);
  CHECK_FALSE(f.fault("spread zset").has_value());
  f.w.keyspace().erase(Family::kElement, where);
  CHECK(f.fault("spread zset") == KeyFault::kMembers);
}

TEST_CASE("[M1] a stream counts the entries of its blocks, and knows the first and the last one") {
  using Damage = void (*)(rocks::Metadata & meta, std::string & kept);
  const std::pair<Damage, KeyFault> damages[] = {
      {[](rocks::Metadata& meta, std::string&) { ++meta.size; }, KeyFault::kSize},
      {[](rocks::Metadata& meta, std::string&) {
         meta.stream.first_id = {2, 0};
       },
       KeyFault::kSize},
      {[](rocks::Metadata& meta, std::string&) {
         meta.stream.last_id = {19, 9};
       },
       KeyFault::kSize},
      {[](rocks::Metadata& meta, std::string&) { ++meta.stream.blocks; }, KeyFault::kTree},
  };
  for (const auto& [damage, fault] : damages) {
    Filled f;
    f.damage("stream", [damage = damage](rocks::Metadata& meta, std::string& kept) {
      kept.assign(meta.value);
      meta.value = kept;
      damage(meta, kept);
    });
    CHECK(f.fault("stream") == fault);
  }
}

TEST_CASE("[M7] a group, its consumers, their names and what is pending that do not say the same") {
  constexpr uint32_t kGroup = 1;
  const auto consumer = [](Filled& f, auto change) {
    std::string where;
    rocks::keys::stream_consumer(where, f.w.find("stream").collection(), kGroup, "a");
    ConsumerRecord record = decode_consumer(*f.w.keyspace().get(Family::kNode, where));
    change(record);
    std::string bytes;
    encode_consumer(bytes, record);
    f.w.keyspace().put(Family::kNode, where, bytes);
    return f.fault("stream");
  };
  {
    Filled f;
    CHECK_FALSE(consumer(f, [](ConsumerRecord&) {}).has_value());
    CHECK(consumer(f, [](ConsumerRecord& record) { ++record.pending; }) == KeyFault::kGroups);
  }
  {
    Filled f;
    CHECK(consumer(f, [](ConsumerRecord& record) { record.floor = {5, 0}; }) == KeyFault::kGroups);
  }
  {
    Filled f;
    CHECK(consumer(f, [](ConsumerRecord& record) { record.number = 7; }) == KeyFault::kGroups);
  }
  Filled nameless;
  std::string where;
  const Key key = nameless.w.find("stream");
  rocks::keys::stream_consumer_number(where, key.collection(), kGroup, 1);
  nameless.w.keyspace().erase(Family::kNode, where);
  CHECK(nameless.fault("stream") == KeyFault::kGroups);
  Filled torn;
  rocks::keys::node(where, torn.w.find("stream").collection(), kGroup, 1);
  torn.w.keyspace().erase(Family::kNode, where);
  CHECK(torn.fault("stream") == KeyFault::kTree);
  Filled orphan;
  rocks::keys::stream_consumer(where, orphan.w.find("stream").collection(), kGroup + 1, "a");
  orphan.w.keyspace().put(Family::kNode, where, "consumer");
  CHECK_FALSE(orphan.fault("stream").has_value());
  CHECK(orphan.report().unreachable == 1);
}

TEST_CASE("[M4] records that belong to no key") {
  Filled f;
  const Key set = f.w.find("spread set");
  std::string where;
  rocks::keys::element(where, {set.database, set.meta.version + 1000}, "member");
  std::string record;
  encode_member(record, 0);
  f.w.keyspace().put(Family::kElement, where, record);
  CHECK(f.report().unreachable == 1);
  rocks::keys::node(where, {set.database, set.meta.version + 1000}, 0, 1);
  f.w.keyspace().put(Family::kNode, where, record);
  CHECK(f.report().unreachable == 2);
  CHECK_FALSE(f.report().found.has_value());
}

TEST_CASE("[M5] the index of deadlines and the keys that have one") {
  Filled f;
  std::string at;
  rocks::keys::expiry(at, {0}, 9000, "text");
  REQUIRE(f.w.keyspace().get(Family::kSystem, at).has_value());
  std::string elsewhere;
  rocks::keys::expiry(elsewhere, {0}, 9001, "text");
  SUBCASE("it is not where the key says") {
    f.w.keyspace().erase(Family::kSystem, at);
    CHECK(f.fault("text") == KeyFault::kIndex);
    CHECK(f.report().found->key == "text");
    CHECK_FALSE(f.report().index_fits);
  }
  SUBCASE("it is there twice") {
    f.w.keyspace().put(Family::kSystem, elsewhere, {});
    CHECK_FALSE(f.fault("text").has_value());
    CHECK_FALSE(f.report().index_fits);
    CHECK(f.report().counts_fit);
  }
  SUBCASE("it is behind the key's deadline") {
    f.w.keyspace().erase(Family::kSystem, at);
    f.w.keyspace().put(Family::kSystem, elsewhere, {});
    f.damage("text", [](rocks::Metadata& meta, std::string&) { meta.indexed_at_ms = 9001; });
    CHECK(f.fault("text") == KeyFault::kIndex);
    CHECK(f.report().index_fits);
  }
  SUBCASE("it is below the floor") {
    std::string floor;
    std::string place;
    rocks::keys::expiry_floor(floor, {0});
    put_le(place, int64_t{9000});
    f.w.keyspace().put(Family::kSystem, floor, place + "s");
    CHECK(f.report().index_fits);
    f.w.keyspace().put(Family::kSystem, floor, place + "texts");
    CHECK_FALSE(f.report().index_fits);
  }
  SUBCASE("a key is not counted") {
    f.damage("hash", [](rocks::Metadata& meta, std::string&) {
      meta.expire_at_ms = meta.indexed_at_ms = 9000;
    });
    CHECK_FALSE(f.report().counts_fit);
    CHECK(f.fault("hash") == KeyFault::kIndex);
  }
}

TEST_CASE("[M5] no field's deadline is before its hash's place in the index") {
  for (const int fields : {1, 40}) {  // packed and spread
    Filled f;
    f.w.command(false, [&] {
      Hash& hash = f.w.open<Hash>("h");
      for (int i = 0; i < fields; ++i) {
        hash.set("field " + std::to_string(i), "v", 5000 + i);
      }
      hash.save();
    });
    f.w.begin();
    CHECK_FALSE(f.fault("h").has_value());
    CHECK(f.report().index_fits);
    std::string where;
    rocks::keys::expiry(where, {0}, 5000, "h");
    f.w.keyspace().erase(Family::kSystem, where);
    rocks::keys::expiry(where, {0}, 5001, "h");
    f.w.keyspace().put(Family::kSystem, where, {});
    f.damage("h", [](rocks::Metadata& meta, std::string&) { meta.indexed_at_ms = 5001; });
    CHECK(f.fault("h") == KeyFault::kIndex);
  }
}

TEST_CASE("[M8] a record that is newer than its key; [M9] a key that is newer than the state") {
  Filled f;
  const Key set = f.w.find("spread set");
  std::string where;
  rocks::keys::element(where, set.collection(), "element 7");
  std::string record;
  encode_member(record, set.meta.last_modified - set.meta.version + 1);
  f.w.keyspace().put(Family::kElement, where, record);
  CHECK(f.fault("spread set") == KeyFault::kStamp);
  f.damage("hash", [&](rocks::Metadata& meta, std::string&) {
    meta.last_modified = f.w.database().record().mutation_counter + 1;
  });
  CHECK(f.fault("hash") == KeyFault::kVersion);
}

TEST_CASE("[M10] what is packed is small, and has no records; what is spread has nothing packed") {
  Filled f;
  const Key numbers = f.w.find("numbers");
  std::string where;
  rocks::keys::element(where, numbers.collection(), "7");
  std::string record;
  encode_member(record, 0);
  f.w.keyspace().put(Family::kElement, where, record);
  CHECK(f.fault("numbers") == KeyFault::kForm);
  f.damage("hash", [](rocks::Metadata& meta, std::string& kept) {
    packing::append(kept, HashedKind::kHash, {.name = "f", .value = std::string_view()});
    const std::string longer(100, 'x');
    packing::append(kept, HashedKind::kHash, {.name = "g", .value = longer});
    meta.value = kept;
    meta.size = 2;
  });
  CHECK(f.fault("hash") == KeyFault::kForm);
}

TEST_CASE("a packed set holds nothing twice, and its integers ascend") {
  auto with = [](std::initializer_list<const char*> members, bool converted) {
    Filled f;
    f.damage("numbers", [&](rocks::Metadata& meta, std::string& kept) {
      for (const char* member : members) {
        packing::append(kept, HashedKind::kSet, {.name = member});
      }
      meta.value = kept;
      meta.size = members.size();
      meta.converted = converted;
    });
    return f.fault("numbers");
  };
  CHECK_FALSE(with({"-1", "3", "20"}, false).has_value());
  CHECK(with({"3", "-1", "20"}, false) == KeyFault::kOrder);
  CHECK(with({"1", "x"}, false) == KeyFault::kOrder);
  CHECK_FALSE(with({"b", "a"}, true).has_value());
  CHECK(with({"b", "a", "b"}, true) == KeyFault::kTwice);
}

}  // namespace
}  // namespace kiwi::resp::types_test
