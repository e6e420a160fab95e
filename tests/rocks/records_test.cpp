#include <limits>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "raft/codec.hpp"
#include "rocks/log_entry.hpp"
#include "rocks/log_reader.hpp"
#include "rocks/metadata.hpp"
#include "rocks/wal_format.hpp"
#include "tests/rocks/log_storage_suite.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

namespace {

template <class Record>
std::string bytes_of(const Record& record) {
  std::string out = "left over";
  encode(out, record);
  return out;
}

Metadata sample(Type type) {
  Metadata metadata;
  metadata.type = type;
  metadata.version = 0x1234;
  metadata.last_modified = 0x1236;
  return metadata;
}

void check_same(const Metadata& a, const Metadata& b) {
  REQUIRE(a.type == b.type);
  REQUIRE(a.expire_at_ms == b.expire_at_ms);
  REQUIRE(a.indexed_at_ms == b.indexed_at_ms);
  REQUIRE(a.field_deadlines == b.field_deadlines);
  REQUIRE(a.version == b.version);
  REQUIRE(a.last_modified == b.last_modified);
  REQUIRE(a.size == b.size);
  REQUIRE(a.spread == b.spread);
  REQUIRE(a.converted == b.converted);
  REQUIRE(a.removed == b.removed);
  REQUIRE(a.tree_height == b.tree_height);
  REQUIRE(a.next_node == b.next_node);
  REQUIRE(a.stream == b.stream);
  REQUIRE(a.value == b.value);
}

}  // namespace

TEST_SUITE_BEGIN("rocks");

TEST_CASE("records: golden bytes of metadata") {
  Metadata string = sample(Type::kString);
  string.value = "val";
  CHECK(hex(bytes_of(string)) == "2100b4240276616c");
  string.expire_at_ms = 0x0102030405060708;
  string.indexed_at_ms = 0x0102030405060700;
  CHECK(hex(bytes_of(string)) == "210308070605040302010007060504030201b4240276616c");
  string.converted = true;
  CHECK(hex(bytes_of(string)) == "210b08070605040302010007060504030201b4240276616c");
  string.expire_at_ms = string.indexed_at_ms = 0;
  CHECK(!string.has_elements());
  string.spread = true;
  string.value = {};
  string.size = 300;
  CHECK(hex(bytes_of(string)) == "210cb42402ac02");
  CHECK(string.has_elements());
  Metadata list = sample(Type::kList);
  list.size = 2;
  list.value = "entries";
  CHECK(hex(bytes_of(list)) == "2200b424020200656e7472696573");
  CHECK(!list.has_elements());
  list.spread = true;
  list.size = 300;
  list.tree_height = 2;
  list.removed = 1;
  list.next_node = 0x81;
  list.value = "root";
  CHECK(hex(bytes_of(list)) == "2204b42402ac0202018101726f6f74");
  CHECK(list.has_nodes());
  CHECK(!list.has_fields());
  Metadata set = sample(Type::kSet);
  set.size = 2;
  set.value = "entries";
  CHECK(hex(bytes_of(set)) == "2300b4240202656e7472696573");
  set.converted = true;
  CHECK(hex(bytes_of(set)) == "2308b4240202656e7472696573");
  CHECK(!set.has_elements());
  set.spread = true;
  set.value = {};
  set.size = 300;
  set.removed = 2;
  set.expire_at_ms = set.indexed_at_ms = 0x0102030405060708;
  CHECK(hex(bytes_of(set)) == "230f08070605040302010807060504030201b42402ac0202");
  CHECK(set.has_elements());
}

TEST_CASE("records: a string's head and its bytes are its record") {
  Metadata string = sample(Type::kString);
  for (const int64_t deadline_ms : {int64_t{0}, int64_t{5}}) {
    string.value = "the string";
    string.expire_at_ms = string.indexed_at_ms = deadline_ms;
    std::string head = "left over";
    encode_head(head, string);
    CHECK(head + "the string" == bytes_of(string));
  }
}

TEST_CASE("records: golden bytes of the metadata of sorted sets, hashes and streams") {
  Metadata sorted = sample(Type::kSortedSet);
  CHECK(hex(bytes_of(sorted)) == "2400b424020000");
  sorted.size = 2;
  sorted.value = "root";
  sorted.converted = true;
  CHECK(hex(bytes_of(sorted)) == "2408b424020200726f6f74");
  CHECK(!sorted.has_elements());
  sorted.spread = true;
  sorted.size = 300;
  sorted.tree_height = 2;
  sorted.removed = 1;
  sorted.next_node = 9;
  CHECK(hex(bytes_of(sorted)) == "240cb42402ac02020109726f6f74");
  CHECK(sorted.has_fields());
  CHECK(sorted.has_nodes());
  CHECK(hex(bytes_of(sample(Type::kHash))) == "2500b4240200");
  Metadata stream = sample(Type::kStream);
  CHECK(hex(bytes_of(stream)) ==
        "2600b4240200"
        "0000"
        "0000"
        "0000"
        "00"
        "01"
        "00"
        "00");
  CHECK(!stream.has_elements());
  stream.stream.next_group = 2;
  CHECK(stream.has_nodes());
  CHECK(!stream.has_fields());
  stream.size = 3;
  stream.stream = {{0x81, 5}, {0x80, 1}, {0x7f, 2}, 9, 4, 2};
  stream.value = "root";
  stream.spread = true;
  stream.tree_height = 1;
  stream.removed = 1;
  stream.next_node = 7;
  CHECK(hex(bytes_of(stream)) ==
        "2604b42402"
        "03"
        "810105"
        "800101"
        "7f02"
        "09"
        "04"
        "02"
        "01"
        "01"
        "07"
        "726f6f74");
  Metadata hash = sample(Type::kHash);
  hash.size = 2;
  hash.field_deadlines = 1;
  hash.indexed_at_ms = 0x0102030405060708;
  hash.value = "entries";
  CHECK(hex(bytes_of(hash)) == "25120807060504030201b424020201656e7472696573");
  hash.spread = true;
  hash.value = {};
  hash.removed = 2;
  CHECK(hex(bytes_of(hash)) == "25160807060504030201b42402020102");
  CHECK(!decode_metadata(std::string("\x25\x02", 2) + bytes_of(hash).substr(2)));  // why indexed?
  CHECK(!decode_metadata(std::string("\x25\x14", 2) + bytes_of(hash).substr(2)));  // and why not?
}

TEST_CASE("records: golden bytes of the applied and session records") {
  AppliedRecord applied;
  applied.index = LogIndex{1};
  applied.term = Term{2};
  applied.stamp_ms = 3;
  applied.mutation_counter = 4;
  applied.next_database = 5;
  applied.checksum = 6;
  CHECK(hex(bytes_of(applied)) ==
        "01"
        "0100000000000000"
        "0200000000000000"
        "0300000000000000"
        "0400000000000000"
        "05000000"
        "0600000000000000");
  CHECK(decode_applied(bytes_of(applied)) == applied);
  CHECK(hex(bytes_of(SessionValue{7, 8})) ==
        "01"
        "0700000000000000"
        "0800000000000000");
  auto session = decode_session(bytes_of(SessionValue{7, 8}));
  REQUIRE(session.has_value());
  CHECK(session->epoch == 7);
  CHECK(session->sequence == 8);
}

TEST_CASE("records: golden bytes of the log database") {
  CHECK(hex(log_keys::entry(LogIndex{0x0102})) == "450000000000000102");
  CHECK(hex(log_keys::configuration(LogIndex{3})) == "430000000000000003");
  CHECK(hex(log_keys::index_value(LogIndex{4})) == "0000000000000004");
  CHECK(std::string(log_keys::kFirst) + log_keys::kHardState + log_keys::kIdentity +
            log_keys::kCommit + log_keys::kSnapshot + log_keys::kFormat ==
        "FHIKMV");
  CHECK(std::string(log_keys::kFormatValue) == "kiwi-log-3");
  raft::Entry entry = make_entry(0x11, 0x22, "payload");
  entry.number.incarnation.bytes[0] = 0xee;
  std::string bytes;
  raft::append_entry(bytes, entry);
  CHECK(hex(bytes) ==  // version, checksum, kind, index, term, stamp, seed; number; payload
        "01"
        "5babf1f44579ac1c"
        "01"
        "1100000000000000"
        "2200000000000000"
        "8a42000000000000"
        "7700000000000000"
        "0300000000000000"
        "ee000000000000000000000000000000"
        "0200000000000000"
        "1100000000000000"
        "01000000"
        "7061796c6f6164");
}

TEST_CASE("records: golden bytes of a write's note and of the log's mark [F59]") {
  const WalMark mark{'\x01', '\x23', '\x45', '\x67', '\x89', '\xab', '\xcd', '\xef'};
  const WalNote note{{{0x11, 0x2233}, 0x556677}, 0x44};
  std::string bytes = "left over";
  append_wal_note(bytes, note, mark);
  bytes.erase(0, 9);
  REQUIRE(bytes.size() == kWalNoteBytes);
  CHECK(hex(bytes) ==  // file, offset, filled, bytes; checksum; mark; end
        "0000000000000011"
        "0000000000002233"
        "0000000000556677"
        "0000000000000044"
        "b49c7418"
        "0123456789abcdef"
        "a5");
  CHECK(parse_wal_note(bytes, mark) == note);
  CHECK(hex(encode_wal_mark(mark)) ==
        "6b6977692d77616c2d310a"
        "0123456789abcdef"
        "853b1318");
  CHECK(decode_wal_mark(encode_wal_mark(mark)) == mark);
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    CHECK(!parse_wal_note(damaged, mark));
    CHECK(mend_wal_note(damaged, mark) == note);
    damaged[(at + 9) % damaged.size()] ^= 0x01;
    CHECK(!mend_wal_note(damaged, mark));
  }
  for (size_t at = 0; at < encode_wal_mark(mark).size(); ++at) {
    std::string damaged = encode_wal_mark(mark);
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    CHECK(!decode_wal_mark(damaged));
    CHECK(!decode_wal_mark(damaged.substr(0, at)));
  }
}

TEST_CASE("records: golden bytes of an entry under a mask; it is as it was behind it [F59]") {
  raft::Entry entry = make_entry(0x11, 0x22, std::string(64, '\0'));
  std::string header;
  raft::append_entry_header(header, entry);
  const std::string mask = "f2db0a8376643556";
  const std::string hidden = hex(hidden_entry(header, entry.payload.view(), 5));
  CHECK(hidden.substr(0, 2 + 16) == "ff" + mask);
  CHECK(hidden.size() == 2 * (1 + 8 + header.size() + 64));
  CHECK(hidden.substr(2 + 16, 16) == "f3b7223852722df2");  // version and checksum under the mask
  CHECK(hidden.find(mask + mask + mask + mask + mask + mask + mask) != std::string::npos);
  Prng random(5);
  for (size_t size = 0; size < 2000; size += 1 + random.below(9)) {
    const char filler = size % 2 == 0 ? '\0' : kWalRoom;
    std::string payload(size, filler);
    for (char& byte : payload) {
      byte = random.chance(1, 40) ? 'x' : filler;
    }
    const bool many = payload.find(std::string(kLongRun, filler)) != std::string::npos;
    REQUIRE(has_long_run(payload) == many);
    std::string stored = hidden_entry(header, payload, random.next());
    REQUIRE(!has_long_run(stored));
    REQUIRE(revealed_entry(stored) == header + payload);
    REQUIRE(revealed_entry(header + payload) == header + payload);
  }
}

TEST_CASE("records: whatever is encoded is decoded, whatever is cut short is not") {
  Prng random(11);
  for (int i = 0; i < 3000; ++i) {
    Metadata metadata;
    metadata.type = static_cast<Type>(1 + random.below(6));
    metadata.expire_at_ms = random.chance(1, 2) ? static_cast<int64_t>(random.next()) : 0;
    metadata.version = random.next() >> random.below(64);
    metadata.last_modified = random.next() >> random.below(64);
    std::string value(random.below(50), 'v');
    const bool hashed = metadata.type == Type::kHash || metadata.type == Type::kSet;
    const bool list = metadata.type == Type::kList;
    const bool sorted = metadata.type == Type::kSortedSet;
    const bool stream = metadata.type == Type::kStream;
    const bool tree = list || sorted || stream;
    const bool string = metadata.type == Type::kString;
    metadata.spread = (hashed || tree || string) && random.chance(1, 2);
    metadata.converted = (hashed || sorted || string) && random.chance(1, 2);
    metadata.removed = metadata.spread && !string ? random.next() >> random.below(64) : 0;
    if (metadata.type == Type::kHash && random.chance(1, 2)) {
      metadata.field_deadlines = random.next() >> random.below(64);
    }
    metadata.indexed_at_ms = metadata.has_deadline() ? static_cast<int64_t>(random.next() | 1) : 0;
    if (tree) {
      value += 'v';
      metadata.tree_height = static_cast<uint8_t>(metadata.spread ? random.below(9) : 0);
      metadata.next_node = metadata.spread ? 1 + (random.next() >> (16 + random.below(48))) : 1;
    }
    const bool to_the_end = tree || !metadata.has_elements();
    if (to_the_end) {
      metadata.value = value;
    }
    if (stream) {
      metadata.stream = {{random.next(), random.next()},
                         {1, random.next()},
                         {},
                         random.next(),
                         1 + random.below(9),
                         1 + random.below(9)};
      metadata.stream.last_id.ms |= 2;
      metadata.stream.max_deleted_id.ms = random.next() >> random.below(64);
    }
    if (!string || metadata.spread) {
      metadata.size = 1 + (random.next() >> (1 + random.below(63)));
    }
    std::string bytes = bytes_of(metadata);
    auto decoded = decode_metadata(bytes);
    REQUIRE(decoded.has_value());
    check_same(*decoded, metadata);
    if (!to_the_end) {
      REQUIRE(!decode_metadata(bytes.substr(0, bytes.size() - 1)).has_value());
      REQUIRE(!decode_metadata(bytes + "x").has_value());
    }
  }
}

TEST_CASE("records: a list whose parts do not fit each other is damage") {
  Metadata list = sample(Type::kList);
  list.size = 2;
  list.value = "entries";
  const std::string packed = bytes_of(list);  // 22 00 version, size 02, height 00, entries
  list.spread = true;
  list.next_node = 2;
  const std::string spread = bytes_of(list);
  const auto changed = [](std::string bytes, size_t at, char to) {
    bytes[at] = to;
    return decode_metadata(bytes).has_value();
  };
  REQUIRE(decode_metadata(packed).has_value());
  REQUIRE(decode_metadata(spread).has_value());
  CHECK(!changed(packed, 5, 0));                             // no elements, but entries
  CHECK(!changed(packed, 6, 1));                             // inner nodes in a packed list
  CHECK(!changed(packed, 1, 8));                             // converted
  CHECK(!changed(spread, 8, 0));                             // node 0
  CHECK(!decode_metadata(packed.substr(0, 7)).has_value());  // elements, but no entries
  CHECK(!decode_metadata(spread.substr(0, 9)).has_value());
}

TEST_CASE("records: foreign formats and types are refused") {
  std::string good = bytes_of(sample(Type::kString));
  for (char head : {'\x00', '\x20', '\x27', '\x11', '\x31', '\x01', '\xff'}) {
    std::string bad = good;
    bad[0] = head;
    CHECK(!decode_metadata(bad).has_value());
  }
  for (char unknown : {'\x02', '\x04', '\x10', '\x12', '\x20', '\x80'}) {  // 4, 16: of no string
    std::string flags = good;
    flags[1] = unknown;
    CHECK(!decode_metadata(flags).has_value());
  }
  for (char unknown : {'\x02', '\x10', '\x20'}) {
    std::string flags = bytes_of(sample(Type::kHash));
    flags[1] = unknown;
    CHECK(!decode_metadata(flags).has_value());
  }
  CHECK(!decode_metadata("").has_value());
  std::string applied = bytes_of(AppliedRecord{});
  CHECK(decode_applied(applied).has_value());
  CHECK(!decode_applied(applied + "x").has_value());
  CHECK(!decode_applied(applied.substr(1)).has_value());
  applied[0] = 2;
  CHECK(!decode_applied(applied).has_value());
  CHECK(!decode_session("").has_value());
}

TEST_CASE("records: types answer as TYPE does; expiry is reached at its millisecond") {
  CHECK(std::string(type_name(Type::kString)) == "string");
  CHECK(std::string(type_name(Type::kList)) == "list");
  CHECK(std::string(type_name(Type::kSet)) == "set");
  CHECK(std::string(type_name(Type::kSortedSet)) == "zset");
  CHECK(std::string(type_name(Type::kHash)) == "hash");
  CHECK(std::string(type_name(Type::kStream)) == "stream");
  Metadata metadata;
  CHECK(!metadata.expired(std::numeric_limits<int64_t>::max()));
  metadata.expire_at_ms = 100;
  CHECK(!metadata.expired(99));
  CHECK(metadata.expired(100));
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
