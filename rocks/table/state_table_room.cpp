// StateTable: how memory stays within its budget. What nobody needs any more goes first, then clean
// records, by second chance.
#include <algorithm>

#include "config/base/check.hpp"
#include "rocks/table/state_table.hpp"

namespace kiwi::rocks {

namespace {

constexpr size_t kAhead = 8;
// Slots looked at for a new record: so many, and one more for each so many bytes of it. A slot
// stands for 96 bytes; of what lies there up to two thirds may be dirty, and it takes two looks
// until a record goes. So twice as much goes as comes, whatever the records' size is, and the walk
// over empty slots reads a small part of the bytes that are copied.
constexpr size_t kSlotsPerRecord = 32;
constexpr uint64_t kBytesPerLook = 8;
constexpr size_t kPiecesForRoom = 64;
constexpr size_t kPassedMax = 4096;  // that one close_cursor() takes out of the order

}  // namespace

uint64_t StateTable::memory_bytes() const {
  uint64_t bytes = node_bytes_ + slot_bytes() +
                   (dirty_.capacity() + dirty_tombstones_.capacity()) * sizeof(TableNode*);
  for (const TableIndex& index : indexes_) {
    bytes += index.memory_bytes();
  }
  return bytes;
}

bool StateTable::over() const { return memory_bytes() > bytes_max_; }

// ---------------------------------------------------------------- the cache

void StateTable::insert_clean(
    uint64_t hash, Family family, std::string_view key, bool present, std::string_view value) {
  CHECK_INVARIANT(open_cursors_ == 0);
  CHECK_INVARIANT(present || value.empty());
  TableNode* node = make(hash, family, key, value.size());
  node->set(present, value);
  add(hash, node);
  if (present) {
    add_to_index(node);
  }
  CHECK_INVARIANT(!is_frozen(node) && node->epoch != active_);
  make_room_for(node);
}

void StateTable::make_room_for(const TableNode* node) {
  if (over()) {
    const uint64_t bytes = node->bytes();
    make_room(2 * bytes, kSlotsPerRecord + bytes / kBytesPerLook);
  }
}

void StateTable::evict(size_t slots) {
  if (open_cursors_ == 0 && over()) {
    make_room(UINT64_MAX, slots);
  }
}

// Until so much is free, or the table is within its budget.
void StateTable::make_room(uint64_t bytes, size_t slots) {
  const uint64_t before = node_bytes_;
  const auto enough = [&] { return before - std::min(before, node_bytes_) >= bytes || !over(); };
  for (size_t left = kPiecesForRoom + slots / 8; left != 0 && !enough(); --left) {
    if (!work_off_one()) {
      break;
    }
  }
  for (size_t left = std::min(slots, 2 * (mask_ + 1)); left != 0 && !enough(); --left) {
    hand_ = (hand_ + 1) & mask_;
    __builtin_prefetch(pointer(slots_[(hand_ + kAhead) & mask_]));
    evict_slot(hand_);
  }
}

// Second chance.
void StateTable::evict_slot(size_t slot) {
  for (uint64_t* link = &slots_[slot]; *link != 0;) {
    TableNode* node = pointer(*link);
    if (node->epoch > flushed_ || node->used) {  // I6: what is not in RocksDB stays
      node->used = false;
      link = &node->next;
      continue;
    }
    CHECK_INVARIANT(node->epoch <= flushed_);
    if (node->indexed && !indexes_[at(node->family)].erase(node)) {
      CHECK_INVARIANT(erasing_ != 0);  // it will be taken with its range
      link = &node->next;
      continue;
    }
    unlink(link);
    discard(node);
  }
}

// ---------------------------------------------------------------- what nobody needs any more

bool StateTable::tidy(size_t pieces) {
  if (open_cursors_ != 0) {
    return true;
  }
  for (; pieces != 0; --pieces) {
    if (!work_off_one()) {
      return false;
    }
  }
  return has_leftovers();
}

bool StateTable::work_off_one() {
  CHECK_INVARIANT(open_cursors_ == 0);
  return settle_one() || take_erased_one();
}

// A clean tombstone says what RocksDB says: it may answer a read, but cursors need not meet it.
bool StateTable::settle_one() {
  if (settling_.empty()) {
    return false;
  }
  Settling& settling = settling_.front();
  CHECK_INVARIANT(settling.number <= flushed_);
  CHECK_INVARIANT(settling.next <= settling.tombstones.size());
  if (settling.next < settling.tombstones.size()) {
    if (settling.next + kAhead < settling.tombstones.size()) {
      __builtin_prefetch(settling.tombstones[settling.next + kAhead]);
    }
    TableNode* node = settling.tombstones[settling.next++];
    if (node == nullptr) {
      return true;
    }
    CHECK_INVARIANT(!node->present && node->epoch == settling.number);
    if (node->indexed && indexes_[at(node->family)].erase(node)) {
      node->indexed = false;
    }
    node->used = false;
    node->epoch = kCleanEpoch;
  } else if (!settling.superseded.empty()) {
    free(settling.superseded.back());
    settling.superseded.pop_back();
  } else {
    settling_.pop_front();
  }
  return true;
}

bool StateTable::take_erased_one() {
  for (int family = 0; erasing_ != 0 && family < kFamilies; ++family) {
    if (!erased_[static_cast<size_t>(family)].empty() && take_erased(static_cast<Family>(family))) {
      return true;
    }
  }
  return false;
}

// A record of a range that was erased. False: there is none any more.
bool StateTable::take_erased(Family family) {
  TableNode* node = indexes_[at(family)].take_erased();
  if (node == nullptr) {
    RangeSet& erased = erased_[at(family)];
    CHECK_INVARIANT(erased.empty() || erasing_ != 0);
    erasing_ -= erased.empty() ? 0 : 1;
    erased.clear();
    return false;
  }
  CHECK_INVARIANT(node->indexed && node->family == family);
  node->indexed = false;
  unlink(link_to(node));
  discard(node);
  return true;
}

// ---------------------------------------------------------------- cursors

void StateTable::passes(TableNode* tombstone) {
  CHECK_INVARIANT(!tombstone->present);
  CHECK_INVARIANT(open_cursors_ > 0);
  ++tombstones_passed_;
  if (tombstone->epoch <= flushed_ && passed_.size() < kPassedMax) {
    passed_.push_back(tombstone);
  }
}

// Places of other cursors would not outlive it earlier. Two may have passed the same.
void StateTable::close_cursor() {
  CHECK_INVARIANT(open_cursors_ > 0);
  if (--open_cursors_ != 0) {
    return;
  }
  for (TableNode* node : passed_) {
    if (node->indexed) {
      CHECK_INVARIANT(indexes_[at(node->family)].erase(node));
      node->indexed = false;
    }
  }
  passed_.clear();
}

}  // namespace kiwi::rocks
