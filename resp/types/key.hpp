// A key as it was found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rocks/keys.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::resp {

// Valid until the command ends; meta.value only until the next call into the Database that reads or
// writes.
struct Key {
  std::string_view name;
  rocks::DatabaseId database;
  bool present = false;  // it has a record, maybe an expired one, which no client can tell (F34)
  bool live = false;     // it exists for clients
  rocks::Metadata meta;
  int64_t now_ms = 0;  // when it was looked for: what is due then is absent
  // The record's, as long as meta's are edited before update().
  int64_t stored_expire_at_ms = 0;
  int64_t stored_indexed_at_ms = 0;
  size_t paid_bytes = 0;  // of the record's value, if this entry wrote it: room that it has
  // The earliest deadline that a field has been given since then; 0: none.
  int64_t fields_due_ms = 0;
  bool index_anew = false;  // it stands in the index at the earliest of those and its own

  bool is(rocks::Type type) const { return live && meta.type == type; }
  rocks::CollectionId collection() const { return meta.collection(database); }
};

// How commands name one.
struct KeyName {
  uint32_t database = 0;  // logical
  std::string_view bytes;
};

}  // namespace kiwi::resp
