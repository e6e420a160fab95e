#include "rocks/merged_cursor.hpp"

#include <algorithm>
#include <iterator>

#include <rocksdb/db.h>

#include "base/check.hpp"
#include "rocks/overlay.hpp"
#include "rocks/rocksdb_support.hpp"

namespace kiwi::rocks {

namespace {

// A RocksDB iterator that owns its bounds and stops the process when RocksDB reports damage.
class Base {
 public:
  Base(const CursorSource& source, std::string_view from, std::string_view to)
      : path_(*source.path), from_(from), to_(to), lower_(from_), upper_(to_) {
    rocksdb::ReadOptions options;
    options.snapshot = source.snapshot;
    options.iterate_lower_bound = &lower_;
    options.iterate_upper_bound = to_.empty() ? nullptr : &upper_;
    iterator_.reset(source.db->NewIterator(options, source.family));
  }
  Base(const Base&) = delete;
  Base& operator=(const Base&) = delete;

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
  return std::make_unique<MergedCursor>(without_empty_overlay(source), from, to);
}

std::unique_ptr<ReverseCursor> make_reverse_cursor(const CursorSource& source,
                                                   std::string_view from,
                                                   std::string_view to) {
  if (no_room(from, to)) {
    return std::make_unique<EmptyReverseCursor>();
  }
  return std::make_unique<MergedReverseCursor>(without_empty_overlay(source), from, to);
}

}  // namespace kiwi::rocks
