// The key grammar of the state. NORMATIVE and ON DISK: frozen by golden bytes in
// tests/rocks/, described in rocks/README.md.
//
//   meta     [database:4 BE] [hash:6] [user key]                  -> Metadata (metadata.hpp)
//   element  [collection:12] [hash:6] [field or member]           hash, set, sorted set by member
//            [collection:12] [position:8 BE]                      list
//            [collection:12] [stream id: 8 BE ms, 8 BE seq]       stream
//   score    [collection:12] [score:8 order-preserving] [member]  sorted set by score
//            [collection:12] [tree:4 BE] [node:6 BE]              node of a tree (the family's new
//            use)
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
void list_element(std::string& out, CollectionId collection, int64_t position);
void score(std::string& out, CollectionId collection, double score, std::string_view member);
// A node of one of a collection's trees; node < kHashEnd. Tree 0 is the key's own.
void node(std::string& out, CollectionId collection, uint32_t tree, uint64_t node);
void tree_begin(std::string& out, CollectionId collection, uint32_t tree);
void tree_end(std::string& out, CollectionId collection, uint32_t tree);
void collection_begin(std::string& out, CollectionId collection);
void collection_end(std::string& out, CollectionId collection);

// Parts of keys found by a cursor.
DatabaseId key_database(std::string_view key);      // of a meta, element or score key
CollectionId key_collection(std::string_view key);  // of an element or score key
std::string_view meta_user_key(std::string_view key);
uint64_t meta_hash(std::string_view key);
std::string_view element_field(std::string_view key);
uint64_t element_hash(std::string_view key);
int64_t list_position(std::string_view key);
double score_value(std::string_view key);
std::string_view score_member(std::string_view key);
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
void key_count(std::string& out, DatabaseId database);  // 'N' -> u64 keys, u64 with TTL
void deletion_bucket(std::string& out, DatabaseId database, uint16_t bucket);  // 'B' -> u64 (F11)
struct DeletionBucketKey {
  DatabaseId database;
  uint16_t bucket = 0;
};
std::optional<DeletionBucketKey> parse_deletion_bucket(std::string_view key);
void expiry(std::string& out,
            int64_t expire_at_ms,
            DatabaseId database,
            std::string_view user_key);  // 'X'
void expiry_range(std::string& from, std::string& to, int64_t not_after_ms);
struct ExpiryKey {
  int64_t expire_at_ms = 0;
  DatabaseId database;
  std::string_view user_key;
};
std::optional<ExpiryKey> parse_expiry(std::string_view key);

}  // namespace keys
}  // namespace kiwi::rocks
