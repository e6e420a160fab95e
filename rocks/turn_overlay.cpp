#include "rocks/turn_overlay.hpp"

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "rocks/keys.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::rocks {

TurnOverlay::TurnOverlay(std::optional<uint64_t> hash_seed)
    : hash_(hash_seed),
      overlays_{Overlay(arena_, undo_), Overlay(arena_, undo_), Overlay(arena_, undo_),
                Overlay(arena_, undo_)} {
  keys::applied_record(applied_key_);
}

void TurnOverlay::mark() {
  static_assert(kFamilies == 4, "the constructor makes an overlay for each");
  Mark mark{undo_.epoch, undo_.saved.size(), {}};
  for (size_t i = 0; i < overlays_.size(); ++i) {
    mark.ranges[i] = overlays_[i].ranges().additions();
  }
  marks_.push_back(mark);
  undo_.epoch = ++last_epoch_;
  CHECK_INVARIANT(undo_.epoch > mark.epoch_around);
}

void TurnOverlay::undo() {
  CHECK_INVARIANT(!marks_.empty());
  const Mark& mark = marks_.back();
  CHECK_INVARIANT(undo_.saved.size() >= mark.saved);
  for (size_t i = undo_.saved.size(); i-- > mark.saved;) {
    undo_.saved[i].overlay->put_back(undo_.saved[i]);
  }
  undo_.saved.resize(mark.saved);
  for (size_t i = 0; i < overlays_.size(); ++i) {
    overlays_[i].forget_ranges(mark.ranges[i]);
  }
  close();
}

void TurnOverlay::keep() {
  CHECK_INVARIANT(!marks_.empty());
  const Mark& mark = marks_.back();
  CHECK_INVARIANT(undo_.saved.size() >= mark.saved && (marks_.size() > 1 || mark.saved == 0));
  size_t left = mark.saved;
  for (size_t i = mark.saved; i < undo_.saved.size(); ++i) {
    const SavedNode& saved = undo_.saved[i];
    // The mark around, if there is one, has what the node was before it: it needs no more.
    if (marks_.size() == 1 || saved.epoch >= mark.epoch_around) {
      saved.overlay->let_go(saved);
    } else {
      undo_.saved[left++] = saved;
    }
  }
  undo_.saved.resize(left);
  close();
}

void TurnOverlay::close() {
  CHECK_INVARIANT(undo_.epoch > marks_.back().epoch_around);
  undo_.epoch = marks_.back().epoch_around;
  marks_.pop_back();
  CHECK_INVARIANT(marks_.empty() == (undo_.epoch == 0));
}

void TurnOverlay::check_applied(LogIndex applied) const {
  const Look look = this->look(Family::kSystem, hash_(applied_key_), applied_key_);
  CHECK_INVARIANT(look.value.has_value());
  const std::optional<AppliedRecord> record = decode_applied(*look.value);
  CHECK_INVARIANT(record.has_value() && record->index == applied);
}

void TurnOverlay::clear() {
  CHECK_INVARIANT(marks_.empty());
  CHECK_INVARIANT(undo_.saved.empty() && undo_.epoch == 0);  // nobody left anything to take back
  for (Overlay& overlay : overlays_) {
    overlay.clear();
  }
  arena_.reset();
  range_bytes_ = 0;
  give_back_if_big(undo_.saved);
}

size_t TurnOverlay::capacity_bytes() const {
  size_t bytes = undo_.saved.capacity() * sizeof(SavedNode);
  for (const Overlay& overlay : overlays_) {
    bytes += overlay.capacity_bytes();
  }
  return bytes;
}

}  // namespace kiwi::rocks
