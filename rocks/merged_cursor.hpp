// Cursors over a family as the apply thread sees it: this turn's overlay above, below it a walk
// (StoredWalk, TableWalk) over what was committed. Apply thread, or the thread of a View, which has
// no overlay.
#pragma once

#include <algorithm>
#include <iterator>
#include <memory>
#include <string_view>
#include <type_traits>

#include "config/base/check.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/overlay.hpp"
#include "rocks/stored_walk.hpp"

namespace kiwi::rocks {

// Port: Cursor or ReverseCursor; Way: Forwards or Backwards.
template <class Port, class Way, class Walk>
class Merged : public Port {
 public:
  Merged(const typename Walk::Source& source,
         Overlay* overlay,
         std::string_view from,
         std::string_view to)
      : walk_(source, from, to), overlay_(overlay) {}

  bool valid() const final { return where_ != Where::kEnd; }
  std::string_view key() const final {
    CHECK_INVARIANT(valid());
    return where_ == Where::kAbove ? above_->first : walk_.key();
  }
  std::string_view value() const final {
    CHECK_INVARIANT(valid());
    if (where_ == Where::kWalk) {
      return walk_.value();
    }
    CHECK_INVARIANT(overlay_->nodes()[above_->second].state == Overlay::State::kPut);
    return overlay_->nodes()[above_->second].value();
  }
  void next() final {
    CHECK_INVARIANT(valid());
    if (where_ == Where::kAbove) {
      CHECK_INVARIANT(above_valid());
      ++above_;
    } else {
      CHECK_INVARIANT(walk_.valid());
      Way::step(walk_);
    }
    settle();
  }

 protected:
  enum class Where { kEnd, kWalk, kAbove };
  using InOrder = Overlay::Order::const_iterator;
  using Above = std::conditional_t<Way::kBack, std::reverse_iterator<InOrder>, InOrder>;

  bool above_valid() {
    if (overlay_ == nullptr) {
      return false;
    }
    if constexpr (Way::kBack) {
      return above_ != overlay_->order().rend() && above_->first >= walk_.from();
    } else {
      return above_ != overlay_->order().end() && below(above_->first, walk_.to());
    }
  }

  // Moves both sides up to the next key that exists.
  void settle() {
    for (;;) {
      if (above_valid()) {
        const Overlay::State state = overlay_->nodes()[above_->second].state;
        if (state == Overlay::State::kNone) {
          ++above_;
          continue;
        }
        const int order = walk_.valid() ? Way::order(above_->first, walk_.key()) : -1;
        if (order == 0) {
          Way::step(walk_);  // hidden by what lies above
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
      if (!walk_.valid()) {
        where_ = Where::kEnd;
        return;
      }
      const RangeSet::Map::value_type* erased =
          overlay_ == nullptr ? nullptr : overlay_->ranges().find(walk_.key());
      if (erased == nullptr) {
        where_ = Where::kWalk;
        return;
      }
      Way::pass(walk_, *erased);
    }
  }

  Walk walk_;
  Overlay* overlay_;
  Above above_;
  Where where_ = Where::kEnd;
};

template <class Walk>
class MergedCursor final : public Merged<Cursor, Forwards, Walk> {
 public:
  MergedCursor(const typename Walk::Source& source,
               Overlay* overlay,
               std::string_view from,
               std::string_view to)
      : Merged<Cursor, Forwards, Walk>(source, overlay, from, to) {
    seek(from);
  }
  void seek(std::string_view at) override {
    at = std::max(at, this->walk_.from());
    this->walk_.seek(at);
    if (this->overlay_ != nullptr) {
      this->above_ = this->overlay_->order().lower_bound(at);
    }
    this->settle();
  }
};

template <class Walk>
class MergedReverseCursor final : public Merged<ReverseCursor, Backwards, Walk> {
 public:
  MergedReverseCursor(const typename Walk::Source& source,
                      Overlay* overlay,
                      std::string_view from,
                      std::string_view to)
      : Merged<ReverseCursor, Backwards, Walk>(source, overlay, from, to) {
    this->walk_.seek_last();
    if (overlay != nullptr) {
      const Overlay::Order& order = overlay->order();
      this->above_ = std::make_reverse_iterator(to.empty() ? order.end() : order.lower_bound(to));
    }
    this->settle();
  }
};

// Over no key at all.
template <class Port>
class NothingFound : public Port {
 public:
  bool valid() const final { return false; }
  void next() final { CHECK_INVARIANT(false); }
  std::string_view key() const final { return CHECK_INVARIANT(false), std::string_view(); }
  std::string_view value() const final { return CHECK_INVARIANT(false), std::string_view(); }
};
class EmptyCursor final : public NothingFound<Cursor> {
 public:
  void seek(std::string_view) override {}
};
class EmptyReverseCursor final : public NothingFound<ReverseCursor> {};

// The families have no key between: RocksDB rejects a lower bound at or above the upper one.
inline bool no_room(std::string_view from, std::string_view to) {
  return !to.empty() && to <= from;
}

template <class Port, class Made, class Nothing, class Source>
std::unique_ptr<Port> make_over(const Source& source,
                                Overlay* overlay,
                                std::string_view from,
                                std::string_view to) {
  if (no_room(from, to)) {
    return std::make_unique<Nothing>();
  }
  const bool nothing_above = overlay == nullptr || overlay->empty();
  return std::make_unique<Made>(source, nothing_above ? nullptr : overlay, from, to);
}

// overlay: nullptr = none.
template <class Walk>
std::unique_ptr<Cursor> make_cursor(const typename Walk::Source& source,
                                    Overlay* overlay,
                                    std::string_view from,
                                    std::string_view to) {
  return make_over<Cursor, MergedCursor<Walk>, EmptyCursor>(source, overlay, from, to);
}
template <class Walk>
std::unique_ptr<ReverseCursor> make_reverse_cursor(const typename Walk::Source& source,
                                                   Overlay* overlay,
                                                   std::string_view from,
                                                   std::string_view to) {
  return make_over<ReverseCursor, MergedReverseCursor<Walk>, EmptyReverseCursor>(source, overlay,
                                                                                 from, to);
}

}  // namespace kiwi::rocks
