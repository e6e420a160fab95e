#include "rocks/table/state_table.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "base/check.hpp"

namespace kiwi::rocks {

namespace {

constexpr uint64_t kBytesPerSlot = 96;  // sizes the slots once: they never grow
constexpr size_t kSlotsMin = 256;
constexpr int kEvictionSteps = 32;     // bounds the work of one evict()
constexpr uint64_t kRangeBytes = 256;  // what a range costs beside its keys, which are kept twice
constexpr int kFreedAtOnce = 4;        // per write: more than one write can supersede

}  // namespace

// calloc: pages that were never touched cost nothing.
StateTable::StateTable(uint64_t bytes_max) : slots_(nullptr, &std::free), bytes_max_(bytes_max) {
  size_t slots = std::bit_floor(std::max<uint64_t>(bytes_max / kBytesPerSlot, kSlotsMin));
  slots_.reset(static_cast<uint64_t*>(std::calloc(slots, sizeof(uint64_t))));
  CHECK_INVARIANT(slots_ != nullptr);
  mask_ = slots - 1;
  CHECK_INVARIANT(mask_ <= UINT32_MAX);  // a node remembers the low half of its hash
}

StateTable::~StateTable() {
  for (size_t slot = 0; slot <= mask_; ++slot) {
    for (TableNode* node = pointer(slots_[slot]); node != nullptr;) {
      TableNode* next = pointer(node->next);
      TableNode::destroy(node);
      node = next;
    }
  }
  for (Frozen& frozen : frozen_) {
    std::ranges::for_each(frozen.superseded, &TableNode::destroy);
  }
  std::ranges::for_each(to_free_, &TableNode::destroy);
}

// ---------------------------------------------------------------- chains

// The link that leads to the node, or the empty one at the chain's end.
uint64_t* StateTable::find_link(uint64_t hash, Family family, std::string_view key) {
  uint64_t* link = &slots_[hash & mask_];
  while (*link != 0) {
    TableNode* node = pointer(*link);
    if (tag(*link) == tag(hash) && node->is(family, key)) {
      return link;
    }
    link = &node->next;
  }
  return link;
}

uint64_t* StateTable::link_to(const TableNode* node) {
  uint64_t* link = &slots_[node->hash & mask_];
  while (pointer(*link) != node) {
    CHECK_INVARIANT(*link != 0);
    link = &pointer(*link)->next;
  }
  return link;
}

const TableNode* StateTable::find(uint64_t hash, Family family, std::string_view key) {
  TableNode* node = pointer(*find_link(hash, family, key));
  if (node != nullptr) {
    node->used = true;
  }
  return node;
}

const RangeSet::Map::value_type* StateTable::erased_range(Family family,
                                                          std::string_view key) const {
  const RangeSet& active = ranges_[at(family)];
  if (!active.empty()) {
    if (const auto* range = active.find(key); range != nullptr) {
      return range;
    }
  }
  for (const Frozen& frozen : frozen_) {
    const RangeSet& ranges = frozen.epoch->ranges[at(family)];
    if (!ranges.empty()) {
      if (const auto* range = ranges.find(key); range != nullptr) {
        return range;
      }
    }
  }
  return nullptr;
}

TableNode* StateTable::make(uint64_t hash, Family family, std::string_view key, size_t size) {
  TableNode* node = TableNode::make(hash, family, key, size);
  node_bytes_ += node->bytes();
  return node;
}

void StateTable::destroy(TableNode* node) {
  node_bytes_ -= node->bytes();
  TableNode::destroy(node);
}

void StateTable::add(uint64_t hash, TableNode* node) {
  uint64_t& first = slots_[hash & mask_];
  node->next = first;
  first = link(hash, node);
  ++records_;
}

void StateTable::add_to_index(TableNode* node) {
  if (!node->indexed) {
    indexes_[at(node->family)].insert(node);
    node->indexed = true;
  }
}

// Takes the node out of its chain; the caller takes it out of the index.
void StateTable::unlink(uint64_t* link) {
  *link = pointer(*link)->next;
  --records_;
}

void StateTable::replace(uint64_t* link_of_old, uint64_t hash, TableNode* node) {
  const TableNode* old = pointer(*link_of_old);
  if (old->indexed) {
    indexes_[at(node->family)].replace(old, node);
    node->indexed = true;
  }
  node->next = old->next;
  *link_of_old = link(hash, node);
}

// A frozen node that the flusher may be reading: freed once its epoch is in RocksDB.
void StateTable::supersede(TableNode* node) {
  CHECK_INVARIANT(is_frozen(node));
  frozen_[node->epoch - flushed_ - 1].superseded.push_back(node);
}

// ---------------------------------------------------------------- writes

void StateTable::mark_dirty(TableNode* node) {
  node->epoch = active_;
  node->dirty_index = static_cast<uint32_t>(dirty_.size());
  dirty_.push_back(node);
  dirty_bytes_ += node->bytes();
}

void StateTable::drop_dirty(TableNode* node) {
  CHECK_INVARIANT(node->epoch == active_ && dirty_[node->dirty_index] == node);
  dirty_bytes_ -= node->bytes();
  dirty_[node->dirty_index] = dirty_.back();
  dirty_[node->dirty_index]->dirty_index = node->dirty_index;
  dirty_.pop_back();
}

void StateTable::write(
    uint64_t hash, Family family, std::string_view key, bool present, std::string_view value) {
  ++writes_;
  free_some();
  uint64_t* place = find_link(hash, family, key);
  TableNode* node = pointer(*place);
  if (node == nullptr) {
    evict();
    node = make(hash, family, key, value.size());
    add(hash, node);
    mark_dirty(node);
  } else if (is_frozen(node)) {  // I5: never touched
    TableNode* made = make(hash, family, key, value.size());
    replace(place, hash, made);
    supersede(node);
    mark_dirty(made);
    node = made;
  } else if (!node->fits(value.size())) {
    TableNode* made = make(hash, family, key, value.size());
    replace(place, hash, made);
    if (node->epoch == active_) {
      drop_dirty(node);
    }
    destroy(node);
    mark_dirty(made);
    node = made;
  } else if (node->epoch != active_) {
    mark_dirty(node);
  }
  CHECK_INVARIANT(node->epoch == active_);
  add_to_index(node);
  node->set(present, value);
  node->used = true;
}

// The nodes go at once, what lies in RocksDB is hidden from now on.
void StateTable::erase_range(Family family, std::string_view from, std::string_view to) {
  RangeEnd end = RangeEnd::of(to);
  if (!end.after(from)) {
    return;
  }
  ++writes_;
  TableIndex& index = indexes_[at(family)];
  TableIndex::Place place = index.lower_bound(from);
  while (place != index.end() && end.after(index.at(place)->key())) {
    TableNode* node = index.at(place);
    place = index.erase_at(place);
    unlink(link_to(node));
    if (is_frozen(node)) {
      supersede(node);
      continue;
    }
    if (node->epoch == active_) {
      drop_dirty(node);  // the range says it all
    }
    destroy(node);
  }
  ranges_[at(family)].add(from, to);
  dirty_bytes_ += 2 * (from.size() + to.size()) + kRangeBytes;
}

// ---------------------------------------------------------------- the cache

void StateTable::insert_clean(
    uint64_t hash, Family family, std::string_view key, bool present, std::string_view value) {
  evict();
  TableNode* node = make(hash, family, key, value.size());
  node->set(present, value);
  add(hash, node);
  if (present) {
    add_to_index(node);
  }
  CHECK_INVARIANT(!is_frozen(node) && node->epoch != active_);
}

bool StateTable::over() const { return memory_bytes() > bytes_max_; }

// Second chance, slot by slot.
void StateTable::evict() {
  for (int step = 0; step < kEvictionSteps && over(); ++step) {
    hand_ = (hand_ + 1) & mask_;
    for (uint64_t* link = &slots_[hand_]; *link != 0;) {
      TableNode* node = pointer(*link);
      if (node->epoch > flushed_ || node->used) {  // I6: what is not in RocksDB stays
        node->used = false;
        link = &node->next;
        continue;
      }
      CHECK_INVARIANT(node->epoch <= flushed_);
      if (node->indexed) {
        indexes_[at(node->family)].erase(node);
      }
      unlink(link);
      destroy(node);
    }
  }
}

void StateTable::free_some() {
  for (int i = 0; i < kFreedAtOnce && !to_free_.empty(); ++i) {
    destroy(to_free_.back());
    to_free_.pop_back();
  }
}

uint64_t StateTable::memory_bytes() const {
  uint64_t bytes = node_bytes_ + (mask_ + 1) * sizeof(uint64_t);
  for (const TableIndex& index : indexes_) {
    bytes += index.memory_bytes();
  }
  return bytes;
}

// ---------------------------------------------------------------- epochs

std::shared_ptr<const FrozenEpoch> StateTable::freeze(LogIndex applied) {
  CHECK_INVARIANT(dirty());
  CHECK_INVARIANT(applied > frozen_applied_);  // I1: each epoch ends at its own index
  auto epoch = std::make_shared<FrozenEpoch>();
  epoch->number = active_;
  epoch->applied = applied;
  epoch->bytes = dirty_bytes_;
  size_t records = dirty_.size();
  frozen_bytes_ += epoch->bytes;
  frozen_records_ += records;
  epoch->nodes.swap(dirty_);
  dirty_.reserve(records);
  std::swap(epoch->ranges, ranges_);
  dirty_bytes_ = 0;
  writes_ = 0;
  frozen_applied_ = applied;
  ++active_;
  frozen_.push_back({epoch, {}});
  return epoch;
}

void StateTable::flushed(uint32_t epoch) {
  CHECK_INVARIANT(!frozen_.empty() && frozen_.front().epoch->number == epoch);
  CHECK_INVARIANT(epoch == flushed_ + 1);
  flushed_ = epoch;
  frozen_bytes_ -= frozen_.front().epoch->bytes;
  frozen_records_ -= frozen_.front().epoch->nodes.size();
  std::vector<TableNode*>& superseded = frozen_.front().superseded;
  to_free_.insert(to_free_.end(), superseded.begin(), superseded.end());
  frozen_.pop_front();
}

}  // namespace kiwi::rocks
