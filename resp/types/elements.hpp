// The records of collections, as bytes: elements by the hash of their field (hashes, sets, members
// of sorted sets) and by number (chunks of strings); and all records of a collection at once, nodes
// of trees (nodes.hpp) among them. What they mean is their type's business; which key they belong
// to, and its record, are the Database's.
//
// Owned by the Database. Values that are returned are valid until the next call that reads or
// writes; no write may happen while a cursor is open or a walk visits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "resp/types/effects.hpp"
#include "resp/types/key.hpp"
#include "resp/types/steps.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

class Elements {
 public:
  Elements(rocks::Reader& reader, Effects& effects, Steps& steps, size_t chunk_bytes)
      : reader_(reader), effects_(effects), steps_(steps), chunk_bytes_(chunk_bytes) {}

  // ---- by field
  std::optional<std::string_view> get(rocks::CollectionId collection, std::string_view field);
  void put(rocks::CollectionId collection, std::string_view field, std::string_view value);
  void erase(rocks::CollectionId collection, std::string_view field);
  // From the first field with hash >= `hash` to the collection's end.
  std::unique_ptr<rocks::Cursor> cursor(rocks::CollectionId collection, uint64_t hash);

  // ---- by number: a string's chunks (string_value.hpp), of which any may be missing
  std::string_view chunk(rocks::CollectionId string, uint32_t index);  // missing: empty
  void put_chunk(rocks::CollectionId string,
                 uint32_t index,
                 uint64_t stamp,
                 std::string_view bytes);
  // Those there are from `index` on.
  std::unique_ptr<rocks::Cursor> chunk_cursor(rocks::CollectionId string, uint32_t index);
  static std::string_view chunk_bytes(std::string_view record);

  // Every record of a database in one of the families of elements and nodes, whatever it belongs
  // to.
  std::unique_ptr<rocks::Cursor> all(rocks::Family family, rocks::DatabaseId database);

  // ---- whole collections
  void drop(const Key& key);  // of a key of any type
  // Beside the turn, so it costs no memory (Effects::Build). Of a hash without the fields that are
  // due at now_ms.
  struct Copied {
    uint64_t due = 0;               // fields that were left out
    int64_t first_deadline_ms = 0;  // of those that were not; 0: none
  };
  Copied copy(rocks::Type type, rocks::CollectionId from, rocks::CollectionId to, int64_t now_ms);

  // Every record of one family that a collection has.
  std::unique_ptr<rocks::Cursor> records(rocks::Family family, rocks::CollectionId collection);

  [[noreturn]] static void damaged(const char* what);  // "... is missing", say

  size_t buffer_bytes() const;  // kept for the next command
  void give_back_buffers();

 private:
  // Who finds an element and then writes it has its key made and hashed once.
  const rocks::LookupKey& element_key(rocks::CollectionId collection, std::string_view field);
  bool drop_few_chunks(const Key& key);
  // In steps: no write may happen under a cursor.
  template <class Put>
  void copy_family(rocks::Family family, rocks::CollectionId from, rocks::CollectionId to, Put put);
  void put_copy(rocks::Family family,
                rocks::Type type,
                std::string_view key,
                std::string_view value);
  void put_field_copy(std::string_view key, std::string_view value, int64_t now_ms, Copied& copied);
  void put_node_copy(std::string_view key, std::string_view value);
  void put_group_copy(std::string_view key, std::string_view value);
  void drop_nodes(const Key& key);

  rocks::Reader& reader_;
  Effects& effects_;
  Steps& steps_;
  const size_t chunk_bytes_;  // of a string (Shape)
  // Buffers, reused.
  std::string field_key_;
  rocks::LookupKey element_{std::string_view()};  // of field_key_
  std::string key_;
  std::string from_;
  std::string to_;
  std::string value_;
};

}  // namespace kiwi::resp
