#include "rocks/merged_cursor.hpp"

#include <algorithm>
#include <iterator>

#include <rocksdb/db.h>

#include "config/base/check.hpp"
#include "rocks/overlay.hpp"
#include "rocks/rocksdb_support.hpp"
#include "rocks/table/state_table.hpp"

namespace kiwi::rocks {

namespace {

// A RocksDB iterator that owns its bounds and stops the process when RocksDB reports damage.
class RocksBase {
 public:
  RocksBase(const CursorSource& source, std::string_view from, std::string_view to)
      : path_(*source.path), from_(from), to_(to), lower_(from_), upper_(to_) {
    rocksdb::ReadOptions options;
    options.snapshot = source.snapshot;
    options.iterate_lower_bound = &lower_;
    options.iterate_upper_bound = to_.empty() ? nullptr : &upper_;
    iterator_.reset(source.db->NewIterator(options, source.family));
  }
  RocksBase(const RocksBase&) = delete;
  RocksBase& operator=(const RocksBase&) = delete;

  bool valid() const { return valid_; }
  std::string_view key() const { return iterator_->key().ToStringView(); }
  std::string_view value() const { return iterator_->value().ToStringView(); }
  std::string_view from() const { return from_; }
  std::string_view to() const { return to_; }

  void seek(std::string_view at) { iterator_->Seek(at), look(); }
  void seek_before(std::string_view end) {  // last key < end
    iterator_->SeekForPrev(end);
    look();
    if (valid_ && key() == end) {
      prev();
    }
  }
  void seek_last() { iterator_->SeekToLast(), look(); }
  void next() { iterator_->Next(), look(); }
  void prev() { iterator_->Prev(), look(); }
  void end() { valid_ = false; }

 private:
  void look() {
    valid_ = iterator_->Valid();
    if (!valid_ && !iterator_->status().ok()) {
      fatal_status("iterating", path_, iterator_->status());
    }
  }

  const std::string& path_;
  std::string from_;
  std::string to_;
  rocksdb::Slice lower_;
  rocksdb::Slice upper_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  bool valid_ = false;
};

bool below(std::string_view key, std::string_view to) { return to.empty() || key < to; }

// The table over RocksDB, in one direction. A record of the table is newer than RocksDB's, and what
// RocksDB holds in a range that the table erased is gone. While a cursor is open the table neither
// takes clean records in nor drops any, so places stay.
class TableBase {
 public:
  TableBase(const CursorSource& source, std::string_view from, std::string_view to)
      : base_(source, from, to),
        table_(*source.table),
        index_(table_.index(source.number)),
        family_(source.number) {
    table_.open_cursor();
    first_ = index_.lower_bound(from);
    last_ = to.empty() ? index_.end() : index_.lower_bound(to);
    place_ = last_;
  }
  ~TableBase() { table_.close_cursor(); }
  TableBase(const TableBase&) = delete;
  TableBase& operator=(const TableBase&) = delete;

  bool valid() const { return where_ != Where::kEnd; }
  std::string_view key() const { return where_ == Where::kTable ? node().key() : base_.key(); }
  std::string_view value() const {
    return where_ == Where::kTable ? node().value() : base_.value();
  }
  std::string_view from() const { return base_.from(); }
  std::string_view to() const { return base_.to(); }
  void end() { where_ = Where::kEnd; }

  // Forwards.
  void seek(std::string_view at) {
    base_.seek(at);
    place_ = below(at, to()) ? index_.lower_bound(at) : last_;
    settle();
  }
  void next() {
    if (where_ == Where::kTable) {
      place_ = index_.next(place_);
    } else {
      base_.next();
    }
    settle();
  }

  // Backwards: place_ is one past the record to come.
  void seek_last() {
    base_.seek_last();
    place_ = last_;
    settle_back();
  }
  void seek_before(std::string_view end) {
    base_.seek_before(end);
    place_ = below(end, to()) ? index_.lower_bound(std::max(end, from())) : last_;
    settle_back();
  }
  void prev() {
    if (where_ == Where::kTable) {
      place_ = index_.prev(place_);
    } else {
      base_.prev();
    }
    settle_back();
  }

 private:
  enum class Where { kEnd, kBase, kTable };

  TableNode& node() const { return *index_.at(back_ ? index_.prev(place_) : place_); }

  void settle() {
    back_ = false;
    for (;;) {
      if (place_ != last_) {
        int order = base_.valid() ? node().key().compare(base_.key()) : -1;
        if (order == 0) {
          base_.next();
          continue;
        }
        if (order < 0) {
          if (node().present) {
            where_ = Where::kTable;
            return;
          }
          table_.passes(&node());
          place_ = index_.next(place_);
          continue;
        }
      }
      if (!base_.valid()) {
        where_ = Where::kEnd;
        return;
      }
      const auto* erased = table_.erased_range(family_, base_.key());
      if (erased == nullptr) {
        where_ = Where::kBase;
        return;
      }
      if (erased->second.never || !below(erased->second.key, to())) {
        base_.end();
      } else {
        base_.seek(erased->second.key);
      }
    }
  }

  void settle_back() {
    back_ = true;
    for (;;) {
      if (place_ != first_) {
        int order = base_.valid() ? node().key().compare(base_.key()) : 1;
        if (order == 0) {
          base_.prev();
          continue;
        }
        if (order > 0) {
          if (node().present) {
            where_ = Where::kTable;
            return;
          }
          table_.passes(&node());
          place_ = index_.prev(place_);
          continue;
        }
      }
      if (!base_.valid()) {
        where_ = Where::kEnd;
        return;
      }
      const auto* erased = table_.erased_range(family_, base_.key());
      if (erased == nullptr) {
        where_ = Where::kBase;
        return;
      }
      base_.seek_before(erased->first);
    }
  }

  RocksBase base_;
  StateTable& table_;
  const TableIndex& index_;
  Family family_;
  TableIndex::Place first_;
  TableIndex::Place last_;
  TableIndex::Place place_;
  bool back_ = false;
  Where where_ = Where::kEnd;
};

template <class Base>
class MergedCursor final : public Cursor {
 public:
  MergedCursor(const CursorSource& source, std::string_view from, std::string_view to)
      : base_(source, from, to), overlay_(source.overlay) {
    if (overlay_ != nullptr) {
      above_ = overlay_->order().end();
    }
    seek(from);
  }

  bool valid() const override { return where_ != Where::kEnd; }
  std::string_view key() const override {
    CHECK_INVARIANT(valid());
    return where_ == Where::kAbove ? above_->first : base_.key();
  }
  std::string_view value() const override {
    CHECK_INVARIANT(valid());
    return where_ == Where::kAbove ? overlay_->nodes()[above_->second].value() : base_.value();
  }
  void next() override {
    CHECK_INVARIANT(valid());
    if (where_ == Where::kAbove) {
      ++above_;
    } else {
      base_.next();
    }
    settle();
  }
  void seek(std::string_view at) override {
    at = std::max(at, base_.from());
    base_.seek(at);
    if (overlay_ != nullptr) {
      above_ = overlay_->order().lower_bound(at);
    }
    settle();
  }

 private:
  enum class Where { kEnd, kBase, kAbove };

  bool above_valid() {
    return overlay_ != nullptr && above_ != overlay_->order().end() &&
           below(above_->first, base_.to());
  }

  // Moves both sides up to the next key that exists.
  void settle() {
    for (;;) {
      if (above_valid()) {
        Overlay::State state = overlay_->nodes()[above_->second].state;
        if (state == Overlay::State::kNone) {
          ++above_;
          continue;
        }
        int order = base_.valid() ? above_->first.compare(base_.key()) : -1;
        if (order == 0) {
          base_.next();  // hidden by what lies above
          continue;
        }
        if (order < 0) {
          if (state == Overlay::State::kPut) {
            where_ = Where::kAbove;
            return;
          }
          ++above_;
          continue;
        }
      }
      if (!base_.valid()) {
        where_ = Where::kEnd;
        return;
      }
      const RangeSet::Map::value_type* erased =
          overlay_ == nullptr ? nullptr : overlay_->ranges().find(base_.key());
      if (erased == nullptr) {
        where_ = Where::kBase;
        return;
      }
      skip(*erased);
    }
  }

  void skip(const RangeSet::Map::value_type& erased) {
    if (erased.second.never || !below(erased.second.key, base_.to())) {
      base_.end();
    } else {
      base_.seek(erased.second.key);
    }
  }

  Base base_;
  Overlay* overlay_;
  Overlay::Order::const_iterator above_;
  Where where_ = Where::kEnd;
};

template <class Base>
class MergedReverseCursor final : public ReverseCursor {
 public:
  MergedReverseCursor(const CursorSource& source, std::string_view from, std::string_view to)
      : base_(source, from, to), overlay_(source.overlay) {
    base_.seek_last();
    if (overlay_ != nullptr) {
      const Overlay::Order& order = overlay_->order();
      above_ = std::make_reverse_iterator(to.empty() ? order.end() : order.lower_bound(to));
    }
    settle();
  }

  bool valid() const override { return where_ != Where::kEnd; }
  std::string_view key() const override {
    CHECK_INVARIANT(valid());
    return where_ == Where::kAbove ? above_->first : base_.key();
  }
  std::string_view value() const override {
    CHECK_INVARIANT(valid());
    return where_ == Where::kAbove ? overlay_->nodes()[above_->second].value() : base_.value();
  }
  void next() override {
    CHECK_INVARIANT(valid());
    if (where_ == Where::kAbove) {
      ++above_;
    } else {
      base_.prev();
    }
    settle();
  }

 private:
  enum class Where { kEnd, kBase, kAbove };

  bool above_valid() {
    return overlay_ != nullptr && above_ != overlay_->order().rend() &&
           above_->first >= base_.from();
  }

  void settle() {
    for (;;) {
      if (above_valid()) {
        Overlay::State state = overlay_->nodes()[above_->second].state;
        if (state == Overlay::State::kNone) {
          ++above_;
          continue;
        }
        int order = base_.valid() ? above_->first.compare(base_.key()) : 1;
        if (order == 0) {
          base_.prev();
          continue;
        }
        if (order > 0) {
          if (state == Overlay::State::kPut) {
            where_ = Where::kAbove;
            return;
          }
          ++above_;
          continue;
        }
      }
      if (!base_.valid()) {
        where_ = Where::kEnd;
        return;
      }
      const RangeSet::Map::value_type* erased =
          overlay_ == nullptr ? nullptr : overlay_->ranges().find(base_.key());
      if (erased == nullptr) {
        where_ = Where::kBase;
        return;
      }
      base_.seek_before(erased->first);
    }
  }

  Base base_;
  Overlay* overlay_;
  std::reverse_iterator<Overlay::Order::const_iterator> above_;
  Where where_ = Where::kEnd;
};

class EmptyReverseCursor final : public ReverseCursor {
 public:
  bool valid() const override { return false; }
  void next() override { CHECK_INVARIANT(false); }
  std::string_view key() const override { return CHECK_INVARIANT(false), std::string_view(); }
  std::string_view value() const override { return CHECK_INVARIANT(false), std::string_view(); }
};

class EmptyForwardCursor final : public Cursor {
 public:
  bool valid() const override { return false; }
  void next() override { CHECK_INVARIANT(false); }
  void seek(std::string_view) override {}
  std::string_view key() const override { return CHECK_INVARIANT(false), std::string_view(); }
  std::string_view value() const override { return CHECK_INVARIANT(false), std::string_view(); }
};

// The families have no key between: RocksDB rejects a lower bound at or above the upper one.
bool no_room(std::string_view from, std::string_view to) { return !to.empty() && to <= from; }

CursorSource without_empty_overlay(CursorSource source) {
  if (source.overlay != nullptr && source.overlay->empty()) {
    source.overlay = nullptr;
  }
  return source;
}

}  // namespace

std::unique_ptr<Cursor> make_cursor(const CursorSource& source,
                                    std::string_view from,
                                    std::string_view to) {
  if (no_room(from, to)) {
    return std::make_unique<EmptyForwardCursor>();
  }
  CursorSource merged = without_empty_overlay(source);
  if (source.table != nullptr) {
    return std::make_unique<MergedCursor<TableBase>>(merged, from, to);
  }
  return std::make_unique<MergedCursor<RocksBase>>(merged, from, to);
}

std::unique_ptr<ReverseCursor> make_reverse_cursor(const CursorSource& source,
                                                   std::string_view from,
                                                   std::string_view to) {
  if (no_room(from, to)) {
    return std::make_unique<EmptyReverseCursor>();
  }
  CursorSource merged = without_empty_overlay(source);
  if (source.table != nullptr) {
    return std::make_unique<MergedReverseCursor<TableBase>>(merged, from, to);
  }
  return std::make_unique<MergedReverseCursor<RocksBase>>(merged, from, to);
}

}  // namespace kiwi::rocks
