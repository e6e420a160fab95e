// The key grammar of the state. NORMATIVE and ON DISK: frozen by golden bytes in
// tests/rocks/, described in rocks/FORMAT.md.
//
//   meta     [database:4 BE] [hash:6] [user key]                  -> Metadata (metadata.hpp)
//   element  [collection:12] [hash:6] [field or member]           hash, set, sorted set by member
//            [collection:12] [index:4 BE]                         chunk of a long string
//   node     [collection:12] [tree:4 BE] [node:6 BE]              node of a tree
//            [collection:12] fffffff1 [group name]                stream: one of its groups
//            [collection:12] fffffff2 [group:4 BE] [consumer name]       a group's consumer
//            [collection:12] fffffff3 [group:4 BE] [consumer:6 BE]       its name, by number
//            [collection:12] fffffff4 [deadline:8 BE] [hash:6] [field]   hash: index of the
//            deadlines of its fields
//   system   one tag byte, then what the record needs             (below)
//
// `hash` is 48 bits: the key's Redis Cluster slot (14 bits, hash tags honoured) and 34 bits of XXH3
// of the user key; for elements 48 bits of XXH3 of the field. So a slot is one range of meta keys,
// and a SCAN cursor is hash + 1, valid on every node (F33). A collection is
// [database:4][version:8]: the version is unique for ever (F10), so RENAME and DEL never touch
// elements (F40) and FLUSHDB is one range per family.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/ids.hpp"

namespace kiwi::rocks {

// The physical number of a database. FLUSHDB gives a logical database a new one, SWAPDB swaps two
// (F11: it is the database incarnation of WATCH tokens).
struct DatabaseId {
  uint32_t value = 0;
  auto operator<=>(const DatabaseId&) const = default;
};
struct CollectionId {
  DatabaseId database;
  uint64_t version = 0;
  auto operator<=>(const CollectionId&) const = default;
};

inline constexpr uint64_t kHashBits = 48;
inline constexpr uint64_t kHashEnd = uint64_t{1} << kHashBits;
inline constexpr uint16_t kSlots = 16384;

uint16_t key_slot(std::string_view user_key);  // CRC16 (XMODEM) of the hash tag or key, mod 16384
uint64_t key_hash(std::string_view user_key);  // slot << 34 | 34 bits of XXH3
uint64_t field_hash(std::string_view field);   // 48 bits of XXH3

// F11: deletions are remembered per bucket of keys. Part of the state's format.
inline constexpr uint16_t kDeletionBuckets = 16384;
uint16_t deletion_bucket_of(std::string_view user_key);

namespace keys {

// Each writes into `out` (cleared first), so that callers reuse one buffer.
void meta(std::string& out, DatabaseId database, std::string_view user_key);
void meta_from(std::string& out,
               DatabaseId database,
               uint64_t hash);                             // first key with hash >= this
void database_end(std::string& out, DatabaseId database);  // first key past the database
void element(std::string& out, CollectionId collection, std::string_view field);
void element_from(std::string& out, CollectionId collection, uint64_t hash);
void string_chunk(std::string& out, CollectionId collection, uint32_t index);
// A node of one of a collection's trees; node < kHashEnd. Tree 0 is the key's own.
void node(std::string& out, CollectionId collection, uint32_t tree, uint64_t node);
void tree_begin(std::string& out, CollectionId collection, uint32_t tree);
void tree_end(std::string& out, CollectionId collection, uint32_t tree);
void collection_begin(std::string& out, CollectionId collection);
void collection_end(std::string& out, CollectionId collection);

// Parts of keys found by a cursor.
DatabaseId key_database(std::string_view key);      // of a meta, element or node key
CollectionId key_collection(std::string_view key);  // of an element or node key
std::string_view meta_user_key(std::string_view key);
uint64_t meta_hash(std::string_view key);
std::string_view element_field(std::string_view key);
uint64_t element_hash(std::string_view key);
uint32_t chunk_index(std::string_view key);
// Deadlines of fields: those of a spread hash, in the order of time.
void field_deadline(std::string& out,
                    CollectionId collection,
                    int64_t deadline_ms,
                    std::string_view field);
void field_deadlines(std::string& from, std::string& to, CollectionId collection);
void field_deadlines_from(std::string& out, CollectionId collection, int64_t deadline_ms);
struct FieldDeadlineKey {
  int64_t deadline_ms = 0;
  std::string_view field;
};
std::optional<FieldDeadlineKey> parse_field_deadline(std::string_view key);
// Groups of streams, by name; their consumers, by name and by number (< kHashEnd). A group's number
// is that of its tree: above 0 and below kTreesEnd.
inline constexpr uint32_t kTreesEnd = 0xfffffff1;
void stream_group(std::string& out, CollectionId stream, std::string_view name);
void stream_groups(std::string& from, std::string& to, CollectionId stream);
std::string_view stream_group_name(std::string_view key);
bool is_stream_group(std::string_view key);  // of the keys in the family of nodes
void stream_consumer(std::string& out, CollectionId stream, uint32_t group, std::string_view name);
void stream_consumers(std::string& from, std::string& to, CollectionId stream, uint32_t group);
std::string_view stream_consumer_name(std::string_view key);
void stream_consumer_number(std::string& out,
                            CollectionId stream,
                            uint32_t group,
                            uint64_t consumer);
void stream_consumer_numbers(std::string& from,
                             std::string& to,
                             CollectionId stream,
                             uint32_t group);
uint32_t node_tree(std::string_view key);  // of a node key: a tree's number, or what stands there
struct NodeKey {
  CollectionId collection;
  uint32_t tree = 0;
  uint64_t node = 0;
};
std::optional<NodeKey> parse_node(std::string_view key);

// A score in the order of its bytes, eight of them. -0 is written as 0; NaN has no place.
void append_score(std::string& out, double score);
double score_at(std::string_view bytes);  // of the first eight

// System records. Tags are ON DISK, never reuse.
void applied_record(std::string& out);        // 'A' -> AppliedRecord
void configuration_record(std::string& out);  // 'C' -> raft::encode_configuration()
void session(std::string& out, GroupId group, NodeId node, const Incarnation& inc);  // 'S'
void session_range(std::string& from, std::string& to);
// 'G' and its name -> the value of a cluster setting, as text; few and small (types/settings.hpp).
void setting(std::string& out, std::string_view name);
void setting_range(std::string& from, std::string& to);
std::string_view setting_name(std::string_view key);    // empty: the record is damaged
void database_map(std::string& out, uint32_t logical);  // 'D' -> DatabaseId, u64 incarnation
void database_map_range(std::string& from, std::string& to);
// 'N' -> u64 keys, u64 with TTL, u64 'X', u64 and u64 the sum of their deadlines (DeadlineSum)
void key_count(std::string& out, DatabaseId database);
void deletion_bucket(std::string& out, DatabaseId database, uint16_t bucket);  // 'B' -> u64 (F11)
struct DeletionBucketKey {
  DatabaseId database;
  uint16_t bucket = 0;
};
std::optional<DeletionBucketKey> parse_deletion_bucket(std::string_view key);
// 'X': index of deadlines, by database first, so that FLUSHDB takes it along.
void expiry(std::string& out, DatabaseId database, int64_t deadline_ms, std::string_view user_key);
void expiry_range(std::string& from, std::string& to, DatabaseId database);
struct ExpiryKey {
  DatabaseId database;
  int64_t deadline_ms = 0;
  std::string_view user_key;
};
std::optional<ExpiryKey> parse_expiry(std::string_view key);
// 'E' -> i64 deadline, user key: no 'X' of the database lies before that one.
void expiry_floor(std::string& out, DatabaseId database);
// 'P' and a SHA-1 (20 bytes) -> a script; 'P' alone -> what all take together; 'Q' and its order ->
// the SHA-1 of one that EVAL left (types/scripts.hpp).
void script(std::string& out, std::string_view sha1);
void script_order(std::string& out, uint64_t order);
void scripts_total(std::string& out);
void script_range(std::string& from, std::string& to);  // all of them
// 'L' and a name -> a library of functions; 'L' alone -> what all take together; 'F' and the name
// of a function -> its library (types/libraries.hpp).
void library(std::string& out, std::string_view name);
void library_range(std::string& from, std::string& to);  // what all take comes first
std::string_view library_name(std::string_view key);
void function(std::string& out, std::string_view name);
void function_range(std::string& from, std::string& to);
// 'U:' and a name -> a user's number and rights; 'U' alone -> what all take together
// (types/user_records.hpp).
void user(std::string& out, std::string_view name);
void users_total(std::string& out);
void user_range(std::string& from, std::string& to);              // what all take comes first
std::optional<std::string_view> user_name(std::string_view key);  // none: what all take
// 'O', the milliseconds that the token names, user and name -> what became of that attempt
// (types/once.hpp). 'o' and a second -> how many of its tokens are kept, and their bytes; 'o' alone
// -> up to which millisecond all are forgotten.
struct OnceKey {
  uint64_t ms = 0;
  uint64_t user = 0;
  std::string_view name;
};
void once_record(std::string& out, const OnceKey& key);
void once_range(std::string& from, std::string& to, uint64_t from_ms, uint64_t to_ms);
std::optional<OnceKey> parse_once_record(std::string_view key);
void once_second(std::string& out, uint64_t second);
void once_second_range(std::string& from, std::string& to);
std::optional<uint64_t> parse_once_second(std::string_view key);
void once_floor(std::string& out);
// 'R', user and name -> the last command of that producer; 'R' alone -> how many there are.
void producer(std::string& out, uint64_t user, std::string_view name);
void producer_range(std::string& from, std::string& to, uint64_t user);
std::string_view producer_name(std::string_view key);
void producers_total(std::string& out);

}  // namespace keys
}  // namespace kiwi::rocks
