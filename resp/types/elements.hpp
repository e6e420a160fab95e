// The records of collections, as bytes: elements by the hash of their field (hashes, sets, members
// of sorted sets); and all records of a collection at once, nodes of trees (nodes.hpp) among them.
// What they mean is their type's business; which key they belong to, and its record, are the
// Database's.
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
  Elements(rocks::Reader& reader, Effects& effects, Steps& steps)
      : reader_(reader), effects_(effects), steps_(steps) {}

  // ---- by field
  std::optional<std::string_view> get(rocks::CollectionId collection, std::string_view field);
  void put(rocks::CollectionId collection, std::string_view field, std::string_view value);
  void erase(rocks::CollectionId collection, std::string_view field);
  // From the first field with hash >= `hash` to the collection's end.
  std::unique_ptr<rocks::Cursor> cursor(rocks::CollectionId collection, uint64_t hash);

  // Every record of a database in one of the families of elements and nodes, whatever it belongs
  // to.
  std::unique_ptr<rocks::Cursor> all(rocks::Family family, rocks::DatabaseId database);

  // ---- whole collections
  void drop(const Key& key);  // of a key of any type
  // Counted as work (F61).
  void copy(rocks::Type type, rocks::CollectionId from, rocks::CollectionId to);

  [[noreturn]] static void damaged(const char* what);  // "... is missing", say

  size_t buffer_bytes() const;  // kept for the next command
  void give_back_key();         // what reads may have made big
  void give_back_buffers();

 private:
  // In steps: no write may happen under a cursor.
  void copy_family(rocks::Family family,
                   rocks::Type type,
                   rocks::CollectionId from,
                   rocks::CollectionId to);
  void put_copy(rocks::Family family,
                rocks::Type type,
                std::string_view key,
                std::string_view value);
  void put_node_copy(std::string_view key, std::string_view value);
  void drop_nodes(const Key& key);

  rocks::Reader& reader_;
  Effects& effects_;
  Steps& steps_;
  // Buffers, reused.
  std::string key_;
  std::string from_;
  std::string to_;
  std::string value_;
};

}  // namespace kiwi::resp
