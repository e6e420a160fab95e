// The index of deadlines: an 'X' record for each key that has one, of its own or of its fields, by
// database and time. A key stands at a time that is not after any of its deadlines and may be
// before all of them: a deadline that becomes later moves nothing, reclaim does when it comes by
// (reclaim.hpp). Each database has a floor, below which there are no records: where walks begin, so
// that none crosses what earlier ones erased (F57).
//
// Owned by the Database, which decides where a key stands (Metadata::indexed_at_ms) and counts.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "resp/types/effects.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

// A place in a database's index, in the order of its records.
struct ExpiryPlace {
  int64_t deadline_ms = std::numeric_limits<int64_t>::min();
  std::string name;
  auto operator<=>(const ExpiryPlace&) const = default;
};

class ExpiryIndex {
 public:
  ExpiryIndex(rocks::Reader& reader, Effects& effects) : reader_(reader), effects_(effects) {}

  void load(rocks::DatabaseId database);  // its floor; not of a view

  void put(rocks::DatabaseId database, int64_t deadline_ms, std::string_view name);
  void erase(rocks::DatabaseId database, int64_t deadline_ms, std::string_view name);
  void erase_all(rocks::DatabaseId database);

  const ExpiryPlace& floor(rocks::DatabaseId database) const;
  // Nothing is below. Lowered by put() if need be: to what expired before it was set.
  void set_floor(rocks::DatabaseId database, ExpiryPlace floor);
  // Records from the floor on. No write while it is open.
  std::unique_ptr<rocks::Cursor> cursor(rocks::DatabaseId database);

  // The time of the first record, if it is not after now_ms. Remembers how long there is nothing,
  // for itself: no part of the state, so entries do not ask.
  std::optional<int64_t> first_due(rocks::DatabaseId database, int64_t now_ms);

  // ---- what is stored, whatever is remembered here: for audits, of a view, too
  bool holds(rocks::DatabaseId database, int64_t deadline_ms, std::string_view name);
  std::unique_ptr<rocks::Cursor> all(rocks::DatabaseId database);
  ExpiryPlace stored_floor(rocks::DatabaseId database);

  // Undo, as of rocks::Writer (F30): a place in what was done.
  size_t mark() const { return before_.size(); }
  void undo_to(size_t mark);
  void keep_all() { before_.clear(); }
  size_t buffer_bytes() const { return key_.capacity() + from_.capacity() + to_.capacity(); }
  void give_back_buffers();

 private:
  using Floors = std::unordered_map<uint32_t, ExpiryPlace>;  // by physical number
  void remember(rocks::DatabaseId database);

  rocks::Reader& reader_;
  Effects& effects_;
  Floors floors_;
  std::vector<std::pair<uint32_t, std::optional<ExpiryPlace>>> before_;
  std::unordered_map<uint32_t, int64_t> quiet_until_ms_;  // no record is before that
  // Buffers, reused.
  std::string key_;
  std::string from_;
  std::string to_;
  std::string value_;
};

}  // namespace kiwi::resp
