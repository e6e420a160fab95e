// The records of collections, as bytes: elements by the hash of their field (hashes and sets; the
// members of sorted sets will be) and by position (lists). What they mean is their type's business;
// which key they belong to, and its record, are the Database's.
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

  // ---- by position: each of a list's positions holds an element
  std::string_view at(rocks::CollectionId list, int64_t position);
  void put_at(rocks::CollectionId list, int64_t position, std::string_view value);
  void erase_at(rocks::CollectionId list, int64_t from, int64_t to);  // [from, to)
  // Calls visit(position, value) for the elements at [from, to), upwards or downwards, until it
  // answers false.
  template <class Visit>
  void walk(rocks::CollectionId list, int64_t from, int64_t to, Visit visit);
  template <class Visit>
  void walk_back(rocks::CollectionId list, int64_t from, int64_t to, Visit visit);

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
  void bounds(rocks::CollectionId list, int64_t from, int64_t to);  // to from_ and to_

  rocks::Reader& reader_;
  Effects& effects_;
  Steps& steps_;
  // Buffers, reused.
  std::string key_;
  std::string from_;
  std::string to_;
  std::string value_;
};

template <class Visit>
void Elements::walk(rocks::CollectionId list, int64_t from, int64_t to, Visit visit) {
  bounds(list, from, to);
  auto cursor = reader_.cursor(rocks::Family::kElement, from_, to_);
  for (int64_t position = from; position < to; ++position, cursor->next()) {
    steps_.step();
    if (!cursor->valid()) {
      damaged("an element of a list is missing");
    }
    if (!visit(position, cursor->value())) {
      return;
    }
  }
}

template <class Visit>
void Elements::walk_back(rocks::CollectionId list, int64_t from, int64_t to, Visit visit) {
  bounds(list, from, to);
  auto cursor = reader_.reverse_cursor(rocks::Family::kElement, from_, to_);
  for (int64_t position = to; position-- > from; cursor->next()) {
    steps_.step();
    if (!cursor->valid()) {
      damaged("an element of a list is missing");
    }
    if (!visit(position, cursor->value())) {
      return;
    }
  }
}

}  // namespace kiwi::resp
