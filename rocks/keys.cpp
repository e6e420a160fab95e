#include "rocks/keys.hpp"

#include <array>
#include <bit>
#include <limits>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/checksum.hpp"

namespace kiwi::rocks {

namespace {

constexpr size_t kDatabaseBytes = 4;
constexpr size_t kHashBytes = 6;
constexpr size_t kCollectionBytes = 12;
constexpr size_t kScoreBytes = 8;
constexpr size_t kTreeBytes = 4;
constexpr size_t kGroupBytes = 4;  // of a stream
constexpr size_t kDeadlineBytes = 8;
// Where a tree's number would be.
constexpr uint32_t kStreamGroups = keys::kTreesEnd;
constexpr uint32_t kStreamConsumers = 0xfffffff2;
constexpr uint32_t kStreamConsumerNumbers = 0xfffffff3;
constexpr uint32_t kFieldDeadlines = 0xfffffff4;
constexpr unsigned kSlotShift = 34;
constexpr uint64_t kSignBit = uint64_t{1} << 63;
static_assert(kHashBits == 8 * kHashBytes);
static_assert(kCollectionBytes == kDatabaseBytes + sizeof(CollectionId::version));
static_assert(uint64_t{kSlots} << kSlotShift == kHashEnd, "a slot is one range of hashes");
static_assert((kHashEnd & (kHashEnd - 1)) == 0, "field_hash() masks");
static_assert(std::numeric_limits<double>::is_iec559, "scores are ordered by their bits");

// CRC16/XMODEM: polynomial 0x1021, initial value 0, nothing reflected (Redis Cluster
// specification).
//
// Table i is of a byte that i zero bytes follow. By them four bytes are taken in one step: each
// step waits for the one before, and keys are short enough that this is most of what a slot costs.
using Crc16Tables = std::array<std::array<uint16_t, 256>, 4>;

constexpr Crc16Tables make_crc16_tables() {
  Crc16Tables tables{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (std::array<uint16_t, 256>& table : tables) {
      for (int bit = 0; bit < 8; ++bit) {
        crc = ((crc & 0x8000U) != 0 ? (crc << 1) ^ 0x1021U : crc << 1) & 0xffffU;
      }
      table[byte] = static_cast<uint16_t>(crc);
    }
  }
  return tables;
}
constexpr Crc16Tables kCrc16 = make_crc16_tables();
static_assert(kCrc16[0][0] == 0 && kCrc16[0][1] == 0x1021);

uint16_t crc16(std::string_view bytes) {
  const auto at = [&bytes](size_t i) { return unsigned{static_cast<uint8_t>(bytes[i])}; };
  unsigned crc = 0;
  size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {
    crc = unsigned{kCrc16[3][(crc >> 8) ^ at(i)]} ^ kCrc16[2][(crc & 0xffU) ^ at(i + 1)] ^
          kCrc16[1][at(i + 2)] ^ kCrc16[0][at(i + 3)];
  }
  for (; i < bytes.size(); ++i) {
    crc = ((crc << 8) & 0xffffU) ^ kCrc16[0][(crc >> 8) ^ at(i)];
  }
  return static_cast<uint16_t>(crc);
}

// Redis Cluster: what stands between the first '{' and the first '}' after it, if not empty.
std::string_view hash_tag(std::string_view key) {
  size_t open = key.find('{');
  if (open == std::string_view::npos) {
    return key;
  }
  size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) {
    return key;
  }
  return key.substr(open + 1, close - open - 1);
}

void put_hash(std::string& out, uint64_t hash) {
  CHECK_INVARIANT(hash < kHashEnd);
  put_be(out, static_cast<uint16_t>(hash >> 32));
  put_be(out, static_cast<uint32_t>(hash));
}

uint64_t get_hash(std::string_view at) {
  return static_cast<uint64_t>(get_be<uint16_t>(at)) << 32 | get_be<uint32_t>(at.substr(2));
}

void put_collection(std::string& out, CollectionId collection) {
  out.clear();
  put_be(out, collection.database.value);
  put_be(out, collection.version);
}

// Signed integers in the order of their bytes: the sign bit turned over.
uint64_t ordered(int64_t value) { return static_cast<uint64_t>(value) ^ kSignBit; }
int64_t from_ordered(uint64_t bits) { return static_cast<int64_t>(bits ^ kSignBit); }

// Doubles in the order of their bytes: IEEE 754 orders magnitudes like integers, so positive
// numbers get their sign bit set and negative ones are turned over whole. -0 and 0 are one score.
uint64_t ordered_score(double value) {
  uint64_t bits = std::bit_cast<uint64_t>(value == 0 ? 0.0 : value);
  return (bits & kSignBit) != 0 ? ~bits : bits | kSignBit;
}
double score_from_ordered(uint64_t bits) {
  return std::bit_cast<double>((bits & kSignBit) != 0 ? bits & ~kSignBit : ~bits);
}

}  // namespace

uint16_t key_slot(std::string_view user_key) {
  return static_cast<uint16_t>(crc16(hash_tag(user_key)) % kSlots);
}

uint64_t key_hash(std::string_view user_key) {
  constexpr uint64_t kLowMask = (uint64_t{1} << kSlotShift) - 1;
  return static_cast<uint64_t>(key_slot(user_key)) << kSlotShift |
         (checksum64(user_key) & kLowMask);
}

uint64_t field_hash(std::string_view field) { return checksum64(field) & (kHashEnd - 1); }

uint16_t deletion_bucket_of(std::string_view user_key) {
  return static_cast<uint16_t>(field_hash(user_key) % kDeletionBuckets);
}

namespace keys {

void meta(std::string& out, DatabaseId database, std::string_view user_key) {
  out.clear();
  put_be(out, database.value);
  put_hash(out, key_hash(user_key));
  out.append(user_key);
}

void meta_from(std::string& out, DatabaseId database, uint64_t hash) {
  if (hash >= kHashEnd) {
    database_end(out, database);
    return;
  }
  out.clear();
  put_be(out, database.value);
  put_hash(out, hash);
}

void database_end(std::string& out, DatabaseId database) {
  out.clear();
  if (database.value != std::numeric_limits<uint32_t>::max()) {
    put_be(out, database.value + 1);
  }  // else empty: the end of the family
}

void element(std::string& out, CollectionId collection, std::string_view field) {
  put_collection(out, collection);
  put_hash(out, field_hash(field));
  out.append(field);
}

void element_from(std::string& out, CollectionId collection, uint64_t hash) {
  if (hash >= kHashEnd) {
    collection_end(out, collection);
    return;
  }
  put_collection(out, collection);
  put_hash(out, hash);
}

void string_chunk(std::string& out, CollectionId collection, uint32_t index) {
  put_collection(out, collection);
  put_be(out, index);
}

void append_score(std::string& out, double score) {
  CHECK_INVARIANT(score == score);  // NaN has no place in an order
  put_be(out, ordered_score(score));
}

double score_at(std::string_view bytes) {
  CHECK_INVARIANT(bytes.size() >= kScoreBytes);
  return score_from_ordered(get_be<uint64_t>(bytes));
}

void node(std::string& out, CollectionId collection, uint32_t tree, uint64_t node) {
  tree_begin(out, collection, tree);
  put_hash(out, node);  // 48 bits, too
}

void tree_begin(std::string& out, CollectionId collection, uint32_t tree) {
  put_collection(out, collection);
  put_be(out, tree);
}

void tree_end(std::string& out, CollectionId collection, uint32_t tree) {
  if (tree == std::numeric_limits<uint32_t>::max()) {
    collection_end(out, collection);
    return;
  }
  tree_begin(out, collection, tree + 1);
}

void collection_begin(std::string& out, CollectionId collection) {
  put_collection(out, collection);
}

void collection_end(std::string& out, CollectionId collection) {
  if (collection.version == std::numeric_limits<uint64_t>::max()) {
    database_end(out, collection.database);
    return;
  }
  put_collection(out, {collection.database, collection.version + 1});
}

DatabaseId key_database(std::string_view key) {
  CHECK_INVARIANT(key.size() >= kDatabaseBytes);
  return DatabaseId{get_be<uint32_t>(key)};
}

CollectionId key_collection(std::string_view key) {
  CHECK_INVARIANT(key.size() >= kCollectionBytes);
  return {key_database(key), get_be<uint64_t>(key.substr(kDatabaseBytes))};
}

std::string_view meta_user_key(std::string_view key) {
  CHECK_INVARIANT(key.size() >= kDatabaseBytes + kHashBytes);
  return key.substr(kDatabaseBytes + kHashBytes);
}

uint64_t meta_hash(std::string_view key) {
  CHECK_INVARIANT(key.size() >= kDatabaseBytes + kHashBytes);
  return get_hash(key.substr(kDatabaseBytes));
}

std::string_view element_field(std::string_view key) {
  CHECK_INVARIANT(key.size() >= kCollectionBytes + kHashBytes);
  return key.substr(kCollectionBytes + kHashBytes);
}

uint64_t element_hash(std::string_view key) {
  CHECK_INVARIANT(key.size() >= kCollectionBytes + kHashBytes);
  return get_hash(key.substr(kCollectionBytes));
}

uint32_t chunk_index(std::string_view key) {
  CHECK_INVARIANT(key.size() == kCollectionBytes + sizeof(uint32_t));
  return get_be<uint32_t>(key.substr(kCollectionBytes));
}

std::optional<NodeKey> parse_node(std::string_view key) {
  if (key.size() != kCollectionBytes + kTreeBytes + kHashBytes || node_tree(key) >= kTreesEnd) {
    return std::nullopt;
  }
  return NodeKey{key_collection(key), node_tree(key),
                 get_hash(key.substr(kCollectionBytes + kTreeBytes))};
}

void field_deadline(std::string& out,
                    CollectionId collection,
                    int64_t deadline_ms,
                    std::string_view field) {
  field_deadlines_from(out, collection, deadline_ms);
  put_hash(out, field_hash(field));
  out.append(field);
}

void field_deadlines(std::string& from, std::string& to, CollectionId collection) {
  tree_begin(from, collection, kFieldDeadlines);
  tree_end(to, collection, kFieldDeadlines);
}

void field_deadlines_from(std::string& out, CollectionId collection, int64_t deadline_ms) {
  tree_begin(out, collection, kFieldDeadlines);
  put_be(out, ordered(deadline_ms));
}

std::optional<FieldDeadlineKey> parse_field_deadline(std::string_view key) {
  constexpr size_t kDeadlineAt = kCollectionBytes + kTreeBytes;
  if (key.size() < kDeadlineAt + kDeadlineBytes + kHashBytes ||
      get_be<uint32_t>(key.substr(kCollectionBytes)) != kFieldDeadlines) {
    return std::nullopt;
  }
  return FieldDeadlineKey{from_ordered(get_be<uint64_t>(key.substr(kDeadlineAt))),
                          key.substr(kDeadlineAt + kDeadlineBytes + kHashBytes)};
}

// ---------------------------------------------------------------- groups of streams

namespace {

// [from, to) of the records of one group.
void of_group(std::string& out, CollectionId stream, uint32_t records, uint32_t group) {
  tree_begin(out, stream, records);
  put_be(out, group);
}

void range_of_group(
    std::string& from, std::string& to, CollectionId stream, uint32_t records, uint32_t group) {
  CHECK_INVARIANT(group < kTreesEnd);
  of_group(from, stream, records, group);
  of_group(to, stream, records, group + 1);
}

}  // namespace

void stream_group(std::string& out, CollectionId stream, std::string_view name) {
  tree_begin(out, stream, kStreamGroups);
  out.append(name);
}

void stream_groups(std::string& from, std::string& to, CollectionId stream) {
  tree_begin(from, stream, kStreamGroups);
  tree_end(to, stream, kStreamGroups);
}

bool is_stream_group(std::string_view key) { return node_tree(key) == kStreamGroups; }

std::string_view stream_group_name(std::string_view key) {
  CHECK_INVARIANT(node_tree(key) == kStreamGroups);
  return key.substr(kCollectionBytes + kTreeBytes);
}

void stream_consumer(std::string& out, CollectionId stream, uint32_t group, std::string_view name) {
  of_group(out, stream, kStreamConsumers, group);
  out.append(name);
}

void stream_consumers(std::string& from, std::string& to, CollectionId stream, uint32_t group) {
  range_of_group(from, to, stream, kStreamConsumers, group);
}

std::string_view stream_consumer_name(std::string_view key) {
  CHECK_INVARIANT(node_tree(key) == kStreamConsumers &&
                  key.size() >= kCollectionBytes + kTreeBytes + kGroupBytes);
  return key.substr(kCollectionBytes + kTreeBytes + kGroupBytes);
}

void stream_consumer_number(std::string& out,
                            CollectionId stream,
                            uint32_t group,
                            uint64_t consumer) {
  of_group(out, stream, kStreamConsumerNumbers, group);
  put_hash(out, consumer);  // 48 bits, too
}

void stream_consumer_numbers(std::string& from,
                             std::string& to,
                             CollectionId stream,
                             uint32_t group) {
  range_of_group(from, to, stream, kStreamConsumerNumbers, group);
}

uint32_t node_tree(std::string_view key) {
  CHECK_INVARIANT(key.size() >= kCollectionBytes + kTreeBytes);
  return get_be<uint32_t>(key.substr(kCollectionBytes));
}

}  // namespace keys
}  // namespace kiwi::rocks
