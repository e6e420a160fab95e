#include "rocks/keys.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "tests/rocks/support.hpp"

namespace kiwi::rocks::test {

namespace {

Incarnation incarnation() {
  Incarnation made;
  for (size_t i = 0; i < made.bytes.size(); ++i) {
    made.bytes[i] = static_cast<uint8_t>(0xf0 + i);
  }
  return made;
}

template <class... Args>
std::string made(void (*maker)(std::string&, Args...), Args... args) {
  std::string out = "left over";
  maker(out, args...);
  return out;
}

}  // namespace

TEST_SUITE_BEGIN("rocks");

TEST_CASE("keys: slots are those of Redis Cluster") {
  // "123456789" -> 0x31c3 is the check value of CRC16/XMODEM; the others answered by redis-cli
  // CLUSTER KEYSLOT.
  CHECK(key_slot("123456789") == 0x31c3 % kSlots);
  CHECK(key_slot("") == 0);
  CHECK(key_slot("foo") == 12182);
  CHECK(key_slot("bar") == 5061);
  CHECK(key_slot("hello") == 866);
  CHECK(key_slot("somekey") == 11058);
  CHECK(key_slot("{user1000}.following") == 3443);
  CHECK(key_slot("foo{}{bar}") == 8363);
  CHECK(key_slot("foo{{bar}}zap") == 4015);
}

TEST_CASE("keys: slots of keys of any length") {
  const auto slow = [](std::string_view key) {
    unsigned crc = 0;
    for (char c : key) {
      crc ^= unsigned{static_cast<uint8_t>(c)} << 8;
      for (int bit = 0; bit < 8; ++bit) {
        crc = ((crc & 0x8000U) != 0 ? (crc << 1) ^ 0x1021U : crc << 1) & 0xffffU;
      }
    }
    return crc % kSlots;
  };
  std::string key;
  for (unsigned i = 0; i < 70; ++i) {
    CAPTURE(i);
    CHECK(key_slot(key) == slow(key));
    key.push_back(static_cast<char>((i * 43 + 7) & 0xffU));
  }
  REQUIRE(key.find('{') == std::string::npos);
}

TEST_CASE("keys: a hash tag decides the slot, an empty one does not") {
  CHECK(key_slot("{user1000}.following") == key_slot("user1000"));
  CHECK(key_slot("foo{hash_tag}") == 2515);
  CHECK(key_slot("somekey{foo}bar{zap}") == key_slot("foo"));
  CHECK(key_slot("foo{}{bar}") != key_slot("bar"));
  CHECK(key_slot("foo{{bar}}zap") == key_slot("{bar"));
  CHECK(key_slot("foo}bar{") != key_slot(""));
  CHECK(key_slot("a{b") != key_slot("b"));
}

TEST_CASE("keys: golden bytes of the grammar [F33] [F40]") {
  using namespace keys;
  DatabaseId db{0x01020304};
  CollectionId collection{db, 0x1112131415161718};
  CHECK(hex(made(meta, db, std::string_view("foo"))) == "01020304be58077e7d8a666f6f");
  CHECK(hex(made(meta_from, db, uint64_t{0x123456789abc})) == "01020304123456789abc");
  CHECK(hex(made(database_end, db)) == "01020305");
  CHECK(hex(made(element, collection, std::string_view("field"))) ==
        "010203041112131415161718"
        "52b17cc98a39"
        "6669656c64");
  CHECK(hex(made(element_from, collection, uint64_t{7})) ==
        "010203041112131415161718"
        "000000000007");
  CHECK(hex(made(string_chunk, collection, uint32_t{0x21222324})) ==
        "010203041112131415161718"
        "21222324");
  CHECK(hex(made(collection_begin, collection)) == "010203041112131415161718");
  CHECK(hex(made(collection_end, collection)) == "010203041112131415161719");

  CHECK(hex(made(applied_record)) == "41");
  CHECK(hex(made(configuration_record)) == "43");
  std::string out;
  session(out, GroupId{3}, NodeId{0x0102}, incarnation());
  CHECK(hex(out) == "53000000030000000000000102f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  CHECK(hex(made(setting, std::string_view("foo"))) == "47666f6f");
  CHECK(setting_name(made(setting, std::string_view("foo"))) == "foo");
  CHECK(hex(made(script, std::string_view("01234567890123456789"))) ==
        "503031323334353637383930313233343536373839");
  CHECK(hex(made(script_order, uint64_t{0x0102})) == "510000000000000102");
  CHECK(hex(made(library, std::string_view("foo"))) == "4c666f6f");
  CHECK(library_name(made(library, std::string_view("foo"))) == "foo");
  CHECK(hex(made(function, std::string_view("foo"))) == "46666f6f");
  CHECK(hex(made(user, std::string_view("foo"))) == "553a666f6f");
  CHECK(user_name(made(user, std::string_view())) == "");
  CHECK_FALSE(user_name(made(users_total)).has_value());
  CHECK(hex(made(database_map, uint32_t{9})) == "4400000009");
  CHECK(hex(made(key_count, db)) == "4e01020304");
  CHECK(hex(made(deletion_bucket, db, uint16_t{0x3fff})) == "42010203043fff");
  CHECK(hex(made(expiry, db, int64_t{0x0a0b}, std::string_view("foo"))) ==
        "58010203048000000000000a0b666f6f");
  CHECK(hex(made(expiry_floor, db)) == "4501020304");
  std::string to;
  deletion_bucket(out, db, 0x1234);
  REQUIRE(parse_deletion_bucket(out).has_value());
  CHECK(parse_deletion_bucket(out)->database == db);
  CHECK(parse_deletion_bucket(out)->bucket == 0x1234);
  CHECK(!parse_deletion_bucket("B").has_value());
  CHECK(deletion_bucket_of("foo") == field_hash("foo") % 16384);
  expiry_range(out, to, db);
  CHECK(hex(out) == "5801020304");
  CHECK(hex(to) == "5801020305");
  expiry_range(out, to, DatabaseId{UINT32_MAX});
  CHECK(hex(to) == "59");
  session_range(out, to);
  CHECK(hex(out) + hex(to) == "5354");
  database_map_range(out, to);
  CHECK(hex(out) + hex(to) == "4445");
  setting_range(out, to);
  CHECK(hex(out) + hex(to) == "4748");
  script_range(out, to);
  CHECK(hex(out) + hex(to) == "5052");
  library_range(out, to);
  CHECK(hex(out) + hex(to) == "4c4d");
  function_range(out, to);
  CHECK(hex(out) + hex(to) == "4647");
  user_range(out, to);
  CHECK(hex(out) + hex(to) == "5556");
}

TEST_CASE("keys: golden bytes of tokens and producers") {
  using namespace keys;
  std::string out;
  once_record(out, {0x0102, 7, "foo"});
  CHECK(hex(out) == "4f00000000000001020000000000000007666f6f");
  REQUIRE(parse_once_record(out).has_value());
  CHECK(parse_once_record(out)->ms == 0x0102);
  CHECK(parse_once_record(out)->user == 7);
  CHECK(parse_once_record(out)->name == "foo");
  CHECK(!parse_once_record("O123456789012345").has_value());
  CHECK(hex(made(once_second, uint64_t{0x0102})) == "6f0000000000000102");
  CHECK(parse_once_second(made(once_second, uint64_t{0x0102})) == 0x0102);
  CHECK(!parse_once_second(made(once_floor)).has_value());
  CHECK(hex(made(once_floor)) == "6f");
  CHECK(hex(made(producer, uint64_t{7}, std::string_view("foo"))) == "520000000000000007666f6f");
  CHECK(producer_name(made(producer, uint64_t{7}, std::string_view("foo"))) == "foo");
  CHECK(hex(made(producers_total)) == "52");
}

TEST_CASE("keys: what was put in comes out") {
  std::string key;
  DatabaseId db{7};
  CollectionId collection{db, 99};
  Prng random(5);
  for (int i = 0; i < 1000; ++i) {
    std::string user(random.below(40), '\0');
    for (char& c : user) {
      c = static_cast<char>(random.next());
    }
    keys::meta(key, db, user);
    REQUIRE(keys::meta_user_key(key) == user);
    REQUIRE(keys::meta_hash(key) == key_hash(user));
    REQUIRE((key_hash(user) >> 34) == key_slot(user));
    keys::element(key, collection, user);
    REQUIRE(keys::element_field(key) == user);
    REQUIRE(keys::element_hash(key) == field_hash(user));
    int64_t number = static_cast<int64_t>(random.next());
    key.clear();
    keys::append_score(key, static_cast<double>(number));
    REQUIRE(keys::score_at(key) == static_cast<double>(number));
    keys::string_chunk(key, collection, static_cast<uint32_t>(number));
    REQUIRE(keys::chunk_index(key) == static_cast<uint32_t>(number));
    keys::expiry(key, db, number, user);
    auto expiry = keys::parse_expiry(key);
    REQUIRE(expiry.has_value());
    REQUIRE(expiry->deadline_ms == number);
    REQUIRE(expiry->database == db);
    REQUIRE(expiry->user_key == user);
  }
  CHECK(!keys::parse_expiry("X1234567890").has_value());
  CHECK(!keys::parse_expiry("S12345678901234").has_value());
}

TEST_CASE("keys: deadlines of fields, in the order of time, beside a hash's trees") {
  const CollectionId collection{DatabaseId{1}, 0x0203};
  std::string key;
  keys::field_deadline(key, collection, 0x0a0b, "field");
  CHECK(
      hex(key).starts_with("00000001"
                           "0000000000000203"
                           "fffffff4"
                           "8000000000000a0b"));
  CHECK(key.size() == 12 + 4 + 8 + 6 + 5);
  const auto parsed = keys::parse_field_deadline(key);
  REQUIRE(parsed.has_value());
  CHECK(parsed->deadline_ms == 0x0a0b);
  CHECK(parsed->field == "field");
  CHECK(!keys::parse_node(key));
  std::string later;
  keys::field_deadline(later, collection, 0x0a0c, "a");
  CHECK(key < later);
  std::string from;
  std::string to;
  keys::field_deadlines(from, to, collection);
  CHECK((from < key && later < to));
  keys::field_deadlines_from(from, collection, 0x0a0c);
  CHECK((key < from && from < later));
  keys::node(key, collection, 4, 5);
  CHECK(!keys::parse_field_deadline(key));
}

TEST_CASE("keys: groups of streams by name, their consumers by name and by number") {
  const CollectionId stream{DatabaseId{1}, 0x0203};
  const std::string begin = "000000010000000000000203";
  std::string group;
  keys::stream_group(group, stream, "g");
  CHECK(hex(group) == begin + "fffffff167");
  CHECK(keys::stream_group_name(group) == "g");
  CHECK(keys::is_stream_group(group));
  std::string consumer;
  keys::stream_consumer(consumer, stream, 4, "c");
  CHECK(hex(consumer) == begin + "fffffff20000000463");
  CHECK(keys::stream_consumer_name(consumer) == "c");
  CHECK(!keys::is_stream_group(consumer));
  std::string number;
  keys::stream_consumer_number(number, stream, 4, 0x0506);
  CHECK(hex(number) == begin + "fffffff300000004000000000506");
  keys::stream_group(group, stream, "sixsix");  // as long as the number of a node
  CHECK(!keys::parse_node(group));
  std::string from;
  std::string to;
  keys::stream_groups(from, to, stream);
  CHECK((from < group && group < to && to <= consumer));
  keys::stream_consumers(from, to, stream, 4);
  CHECK((from < consumer && consumer < to));
  keys::stream_consumers(from, to, stream, 3);
  CHECK(to <= consumer);
  keys::stream_consumer_numbers(from, to, stream, 4);
  CHECK((from < number && number < to));
}

TEST_CASE("keys: nodes of trees, in the order of their numbers") {
  const CollectionId collection{DatabaseId{1}, 0x0203};
  std::string key;
  keys::node(key, collection, 0x04, 0x050607);
  CHECK(hex(key) ==
        "00000001"
        "0000000000000203"
        "00000004"
        "000000050607");
  const auto parsed = keys::parse_node(key);
  REQUIRE(parsed.has_value());
  CHECK(parsed->collection == collection);
  CHECK(parsed->tree == 4);
  CHECK(parsed->node == 0x050607);
  CHECK_FALSE(keys::parse_node(std::string_view(key).substr(1)).has_value());

  std::string begin;
  std::string end;
  keys::tree_begin(begin, collection, 4);
  keys::tree_end(end, collection, 4);
  CHECK(begin < key);
  CHECK(key < end);
  keys::node(key, collection, 4, kHashEnd - 1);
  CHECK(key < end);
  keys::node(key, collection, 5, 0);
  CHECK(key > end);
  std::string past;
  keys::tree_end(end, collection, 0xffffffff);
  keys::collection_end(past, collection);
  CHECK(end == past);
}

TEST_CASE("keys: a score of its own comes back, -0 as 0") {
  std::string out;
  keys::append_score(out, 1.0);
  CHECK(hex(out) == "bff0000000000000");
  CHECK(keys::score_at(out) == 1.0);
  out.clear();
  keys::append_score(out, -1.5);
  CHECK(hex(out) == "4007ffffffffffff");
  out.clear();
  keys::append_score(out, -0.0);
  CHECK(hex(out) == "8000000000000000");
  CHECK_FALSE(std::signbit(keys::score_at(out)));
}

TEST_CASE("keys: byte order is the order of scores and deadlines") {
  double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> scores = {-infinity, -1e300, -2.5, -1,  -1e-300, 0,
                                5e-324,    1e-300, 1,    2.5, 1e300,   infinity};
  std::string low;
  std::string high;
  for (size_t i = 1; i < scores.size(); ++i) {
    low.clear();
    high.clear();
    keys::append_score(low, scores[i - 1]);
    keys::append_score(high, scores[i]);
    CHECK(low < high);
    CHECK(keys::score_at(high) == scores[i]);
  }
  std::vector<int64_t> numbers = {std::numeric_limits<int64_t>::min(), -1000, -1, 0, 1, 1000,
                                  std::numeric_limits<int64_t>::max()};
  for (size_t i = 1; i < numbers.size(); ++i) {
    keys::expiry(low, DatabaseId{9}, numbers[i - 1], "z");
    keys::expiry(high, DatabaseId{9}, numbers[i], "a");
    CHECK(low < high);
    std::string from;
    std::string to;
    keys::expiry_range(from, to, DatabaseId{9});
    CHECK((from <= low && high < to));
    keys::expiry(high, DatabaseId{10}, numbers[i - 1], "");
    CHECK(to <= high);
  }
}

TEST_CASE("keys: the ends of ranges hold all of a database or collection and nothing else") {
  std::string key;
  std::string end;
  std::string next;
  keys::meta(key, DatabaseId{5}, std::string(100, '\xff'));
  keys::database_end(end, DatabaseId{5});
  keys::meta_from(next, DatabaseId{6}, 0);
  CHECK((key < end && end <= next));
  keys::meta_from(next, DatabaseId{5}, kHashEnd);  // a SCAN cursor past the last hash
  CHECK(next == end);
  keys::database_end(end, DatabaseId{std::numeric_limits<uint32_t>::max()});
  CHECK(end.empty());  // the end of the family
  CollectionId last{DatabaseId{5}, std::numeric_limits<uint64_t>::max()};
  keys::element(key, last, "f");
  keys::collection_end(end, last);
  CHECK(key < end);
  keys::database_end(next, DatabaseId{5});
  CHECK(end == next);
  keys::element_from(next, {DatabaseId{5}, 8}, kHashEnd);
  keys::collection_end(end, {DatabaseId{5}, 8});
  CHECK(next == end);
}

TEST_CASE("keys: a cursor of hash + 1 walks every key once, equal hashes together [F33]") {
  std::vector<std::string> all;
  std::string key;
  for (int i = 0; i < 3000; ++i) {
    keys::meta(key, DatabaseId{3}, (i % 3 == 0 ? "{tag}" : "") + std::to_string(i));
    all.push_back(key);
  }
  std::sort(all.begin(), all.end());
  uint64_t cursor = 0;
  size_t seen = 0;
  while (true) {
    keys::meta_from(key, DatabaseId{3}, cursor);
    auto it = std::lower_bound(all.begin(), all.end(), key);
    if (it == all.end()) {
      break;
    }
    uint64_t hash = keys::meta_hash(*it);
    for (; it != all.end() && keys::meta_hash(*it) == hash; ++it) {
      ++seen;
    }
    cursor = hash + 1;
    REQUIRE(cursor <= kHashEnd);
  }
  CHECK(seen == all.size());
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
