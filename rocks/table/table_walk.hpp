// A walk over a family of the StateTable and, below it, of RocksDB, in either direction. A record
// of the table is newer than RocksDB's, and what RocksDB holds in a range that the table erased is
// gone. While a walk is open the table neither takes clean records in nor drops any, so places
// stay. Apply thread only.
#pragma once

#include <algorithm>
#include <string_view>

#include "rocks/keyspace.hpp"
#include "rocks/stored_walk.hpp"
#include "rocks/table/state_table.hpp"

namespace kiwi::rocks {

class TableWalk {
 public:
  struct Source {
    StoredWalk::Source stored;
    StateTable* table = nullptr;
    Family family = Family::kMeta;
  };
  TableWalk(const Source& source, std::string_view from, std::string_view to)
      : stored_(source.stored, from, to),
        table_(*source.table),
        index_(table_.index(source.family)),
        family_(source.family) {
    table_.open_cursor();
    first_ = index_.lower_bound(from);
    last_ = to.empty() ? index_.end() : index_.lower_bound(to);
    place_ = last_;
  }
  ~TableWalk() { table_.close_cursor(); }
  TableWalk(const TableWalk&) = delete;
  TableWalk& operator=(const TableWalk&) = delete;

  bool valid() const { return where_ != Where::kEnd; }
  std::string_view key() const { return where_ == Where::kTable ? node().key() : stored_.key(); }
  std::string_view value() const {
    return where_ == Where::kTable ? node().value() : stored_.value();
  }
  std::string_view from() const { return stored_.from(); }
  std::string_view to() const { return stored_.to(); }
  void end() { where_ = Where::kEnd; }

  void seek(std::string_view at) {
    stored_.seek(at);
    place_ = below(at, to()) ? index_.lower_bound(at) : last_;
    settle<Forwards>();
  }
  void next() { step<Forwards>(); }
  void seek_last() {
    stored_.seek_last();
    place_ = last_;
    settle<Backwards>();
  }
  void seek_before(std::string_view end) {
    stored_.seek_before(end);
    place_ = below(end, to()) ? index_.lower_bound(std::max(end, from())) : last_;
    settle<Backwards>();
  }
  void prev() { step<Backwards>(); }

 private:
  enum class Where { kEnd, kStored, kTable };

  // Backwards place_ is one past the record to come.
  TableNode& node() const { return *index_.at(back_ ? index_.prev(place_) : place_); }
  void leave_node() { place_ = back_ ? index_.prev(place_) : index_.next(place_); }

  template <class Way>
  void step() {
    if (where_ == Where::kTable) {
      leave_node();
    } else {
      Way::step(stored_);
    }
    settle<Way>();
  }

  // Moves both sides up to the next key that exists.
  template <class Way>
  void settle() {
    back_ = Way::kBack;
    for (;;) {
      if (place_ != (Way::kBack ? first_ : last_)) {
        const int order = stored_.valid() ? Way::order(node().key(), stored_.key()) : -1;
        if (order == 0) {
          Way::step(stored_);  // hidden by what the table has
          continue;
        }
        if (order < 0) {
          if (node().present) {
            where_ = Where::kTable;
            return;
          }
          table_.passes(&node());
          leave_node();
          continue;
        }
      }
      if (!stored_.valid()) {
        where_ = Where::kEnd;
        return;
      }
      const RangeSet::Map::value_type* erased = table_.erased_range(family_, stored_.key());
      if (erased == nullptr) {
        where_ = Where::kStored;
        return;
      }
      Way::pass(stored_, *erased);
    }
  }

  StoredWalk stored_;
  StateTable& table_;
  const TableIndex& index_;
  Family family_;
  TableIndex::Place first_;
  TableIndex::Place last_;
  TableIndex::Place place_;
  bool back_ = false;
  Where where_ = Where::kEnd;
};

}  // namespace kiwi::rocks
