// What the index of deadlines, and that of the deadlines of fields, must be for the keys that are
// there (M5, M6 of the data model).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include <doctest/doctest.h>

#include "config/base/bytes.hpp"
#include "resp/types/database.hpp"
#include "resp/types/element_value.hpp"
#include "resp/types/packed.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp::types_test {

class DeadlineAudit {
 public:
  explicit DeadlineAudit(rocks::Keyspace& keyspace) : keyspace_(keyspace) {}

  // Compares everything; `database`: whose counts are compared, too.
  void look(const Database& database) {
    expected_ = {};
    counts_.clear();
    for (auto at = keyspace_.cursor(rocks::Family::kMeta, {}, {}); at->valid(); at->next()) {
      key(at->key(), at->value());
    }
    REQUIRE(found(rocks::Family::kSystem, "X", "Y") == expected_.index);
    REQUIRE(found_fields() == expected_.fields);
    for (auto at = keyspace_.cursor(rocks::Family::kSystem, "E", "F"); at->valid(); at->next()) {
      floor(at->key(), at->value());
    }
    for (const auto& [number, counts] : counts_) {
      const KeyCounts known = database.counts(rocks::DatabaseId{number});
      REQUIRE(known.keys == counts.keys);
      REQUIRE(known.keys_with_ttl == counts.keys_with_ttl);
      REQUIRE(known.indexed == counts.indexed);
      REQUIRE(known.deadlines == counts.deadlines);
    }
  }

 private:
  struct Expected {
    std::set<std::string> index;
    std::set<std::string> fields;
  };

  std::set<std::string> found(rocks::Family family, std::string_view from, std::string_view to) {
    std::set<std::string> keys;
    for (auto at = keyspace_.cursor(family, from, to); at->valid(); at->next()) {
      REQUIRE(at->value().empty());
      keys.emplace(at->key());
    }
    return keys;
  }
  std::set<std::string> found_fields() {
    std::set<std::string> keys;
    for (auto at = keyspace_.cursor(rocks::Family::kNode, {}, {}); at->valid(); at->next()) {
      if (rocks::keys::parse_field_deadline(at->key())) {
        keys.emplace(at->key());
      }
    }
    return keys;
  }

  void key(std::string_view record_key, std::string_view record) {
    const auto meta = rocks::decode_metadata(record);
    REQUIRE(meta.has_value());
    const rocks::DatabaseId database = rocks::keys::key_database(record_key);
    KeyCounts& counts = counts_[database.value];
    ++counts.keys;
    counts.keys_with_ttl += meta->expire_at_ms != 0 ? 1 : 0;
    counts.deadlines.add(meta->expire_at_ms);
    counts.indexed += meta->indexed_at_ms != 0 ? 1 : 0;
    REQUIRE((meta->indexed_at_ms != 0) == meta->has_deadline());
    REQUIRE((meta->expire_at_ms == 0 || meta->indexed_at_ms <= meta->expire_at_ms));
    if (meta->indexed_at_ms != 0) {
      rocks::keys::expiry(key_, database, meta->indexed_at_ms,
                          rocks::keys::meta_user_key(record_key));
      expected_.index.insert(key_);
    }
    if (meta->type == rocks::Type::kHash) {
      REQUIRE(fields(*meta, meta->collection(database)) == meta->field_deadlines);
    }
  }

  // How many have a deadline, none of which is before the key's place in the index.
  uint64_t fields(const rocks::Metadata& meta, rocks::CollectionId collection) {
    uint64_t count = 0;
    if (!meta.spread) {
      PackedEntry entry;
      for (PackedEntries entries(HashedKind::kHash, meta.value); entries.next(entry);) {
        count += entry.deadline_ms != 0 ? 1 : 0;
        REQUIRE((entry.deadline_ms == 0 || entry.deadline_ms >= meta.indexed_at_ms));
      }
      return count;
    }
    std::string from;
    std::string to;
    rocks::keys::collection_begin(from, collection);
    rocks::keys::collection_end(to, collection);
    uint64_t size = 0;
    for (auto at = keyspace_.cursor(rocks::Family::kElement, from, to); at->valid(); at->next()) {
      const auto field = decode_field(at->value());
      REQUIRE(field.has_value());
      ++size;
      if (field->deadline_ms != 0) {
        ++count;
        REQUIRE(field->deadline_ms >= meta.indexed_at_ms);
        rocks::keys::field_deadline(key_, collection, field->deadline_ms,
                                    rocks::keys::element_field(at->key()));
        expected_.fields.insert(key_);
      }
    }
    REQUIRE(size == meta.size);
    return count;
  }

  // Nothing of the database stands before it.
  void floor(std::string_view record_key, std::string_view value) {
    const rocks::DatabaseId database{get_be<uint32_t>(record_key.substr(1))};
    ByteReader in(value);
    const auto deadline_ms = in.le<int64_t>();
    rocks::keys::expiry(key_, database, deadline_ms, in.rest());
    std::string from;
    std::string to;
    rocks::keys::expiry_range(from, to, database);
    REQUIRE(found(rocks::Family::kSystem, from, key_).empty());
  }

  rocks::Keyspace& keyspace_;
  Expected expected_;
  std::map<uint32_t, KeyCounts> counts_;
  std::string key_;
};

}  // namespace kiwi::resp::types_test
