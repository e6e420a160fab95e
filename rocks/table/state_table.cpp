#include "rocks/table/state_table.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <sys/mman.h>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::rocks {

namespace {

constexpr uint64_t kBytesPerSlot = 96;  // sizes the slots once: they never grow
constexpr size_t kSlotsMin = 256;
constexpr size_t kSlotsMax = size_t{1} << 32;  // a node remembers the low half of its hash
constexpr uint64_t kRangeBytes = 256;  // what a range costs beside its keys, which are kept twice
// With each write, which can leave behind two: more than comes.
constexpr size_t kPiecesPerWrite = 4;
// A look at a page that was never touched is slow, and there may be millions of them.
constexpr size_t kBlockSlots = 4096;
static_assert(std::has_single_bit(kSlotsMin) && std::has_single_bit(kSlotsMax));
static_assert(kPiecesPerWrite > 2);

}  // namespace

// Pages that were never touched cost nothing, whatever the budget is.
StateTable::StateTable(uint64_t bytes_max, size_t erased_at_once)
    : bytes_max_(bytes_max), erased_at_once_(erased_at_once) {
  const size_t slots =
      std::min(std::bit_floor(std::max<uint64_t>(bytes_max / kBytesPerSlot, kSlotsMin)), kSlotsMax);
  const size_t bytes = slots * sizeof(uint64_t);
  void* pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) {
    fatal("no memory for a table of " + std::to_string(bytes_max) +
          " bytes; lower cache-state, or let the system give out more (vm.overcommit_memory)");
  }
  slots_ = static_cast<uint64_t*>(pages);
  mask_ = slots - 1;
  in_use_.resize((mask_ / kBlockSlots) + 1);
  CHECK_INVARIANT(mask_ <= UINT32_MAX);
}

StateTable::~StateTable() {
  for (size_t slot = 0; records_ != 0; ++slot) {
    while (in_use_[slot / kBlockSlots] == 0) {
      slot = (slot / kBlockSlots + 1) * kBlockSlots;
      CHECK_INVARIANT(slot <= mask_);
    }
    for (TableNode* node = pointer(slots_[slot]); node != nullptr;) {
      TableNode* next = pointer(node->next);
      free(node);
      --records_;
      node = next;
    }
  }
  for (const Frozen& frozen : frozen_) {
    std::ranges::for_each(frozen.superseded, [this](TableNode* node) { free(node); });
  }
  for (const Settling& settling : settling_) {
    std::ranges::for_each(settling.superseded, [this](TableNode* node) { free(node); });
  }
  CHECK_INVARIANT(node_bytes_ == 0);
  CHECK_INVARIANT(::munmap(slots_, (mask_ + 1) * sizeof(uint64_t)) == 0);
}

uint64_t StateTable::touched_bytes() const {
  const auto blocks = static_cast<uint64_t>(std::ranges::count(in_use_, uint8_t{1}));
  return std::min(slot_bytes(), blocks * kBlockSlots * sizeof(uint64_t));
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
  if (node == nullptr || is_erased(node)) {
    return nullptr;
  }
  node->used = true;
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

void StateTable::free(TableNode* node) {
  CHECK_INVARIANT(node_bytes_ >= node->bytes());
  node_bytes_ -= node->bytes();
  TableNode::destroy(node);
}

// It is neither in its chain nor in the order any more. A frozen one may be read by the flusher:
// freed once its epoch is in RocksDB (I5).
void StateTable::discard(TableNode* node) {
  if (is_frozen(node)) {
    CHECK_INVARIANT(node->epoch - flushed_ - 1 < frozen_.size());
    frozen_[node->epoch - flushed_ - 1].superseded.push_back(node);
    return;
  }
  if (node->epoch == active_) {
    drop_dirty(node);
  } else {
    forget_tombstone(node);
  }
  free(node);
}

void StateTable::add(uint64_t hash, TableNode* node) {
  uint64_t& first = slots_[hash & mask_];
  in_use_[(hash & mask_) / kBlockSlots] = 1;
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
  CHECK_INVARIANT(*link != 0 && records_ != 0);
  *link = pointer(*link)->next;
  --records_;
}

void StateTable::replace(uint64_t* link_of_old, uint64_t hash, TableNode* node) {
  TableNode* old = pointer(*link_of_old);
  CHECK_INVARIANT(old != nullptr && old != node && !node->indexed);
  CHECK_INVARIANT(old->family == node->family && old->key_size == node->key_size);
  if (old->indexed) {
    indexes_[at(node->family)].replace(old, node);
    node->indexed = true;
    old->indexed = false;
  }
  node->next = old->next;
  *link_of_old = link(hash, node);
}

// ---------------------------------------------------------------- writes

void StateTable::mark_dirty(TableNode* node, bool present) {
  CHECK_INVARIANT(!is_frozen(node));  // I5
  node->present = present;
  std::vector<TableNode*>& list = dirty_list(node);
  CHECK_INVARIANT(list.size() < UINT32_MAX);
  node->epoch = active_;
  node->dirty_index = static_cast<uint32_t>(list.size());
  list.push_back(node);
  dirty_bytes_ += node->bytes();
}

void StateTable::drop_dirty(TableNode* node) {
  std::vector<TableNode*>& list = dirty_list(node);
  CHECK_INVARIANT(node->dirty_index < list.size());
  CHECK_INVARIANT(node->epoch == active_ && list[node->dirty_index] == node);
  CHECK_INVARIANT(dirty_bytes_ >= node->bytes());
  dirty_bytes_ -= node->bytes();
  if (node->present && !cuts_.empty()) {  // where a record stands says whether a cut is for it
    list[node->dirty_index] = nullptr;
    return;
  }
  list[node->dirty_index] = list.back();
  list[node->dirty_index]->dirty_index = node->dirty_index;
  list.pop_back();
}

// A clean one that is about to change or to go.
void StateTable::forget_tombstone(TableNode* node) {
  if (node->present || node->epoch == kCleanEpoch) {
    return;  // in no list
  }
  CHECK_INVARIANT(!settling_.empty() && node->epoch >= settling_.front().number);
  CHECK_INVARIANT(node->epoch - settling_.front().number < settling_.size());
  Settling& settling = settling_[node->epoch - settling_.front().number];
  CHECK_INVARIANT(node->dirty_index < settling.tombstones.size());
  CHECK_INVARIANT(settling.tombstones[node->dirty_index] == node);
  settling.tombstones[node->dirty_index] = nullptr;
}

void StateTable::write(
    uint64_t hash, Family family, std::string_view key, bool present, std::string_view value) {
  CHECK_INVARIANT(open_cursors_ == 0);
  ++writes_;
  if (has_leftovers()) {
    tidy(kPiecesPerWrite);
  }
  uint64_t* place = find_link(hash, family, key);
  TableNode* node = pointer(*place);
  if (node != nullptr && is_erased(node)) {
    node = nullptr;  // the new one comes to lie before it in the chain
  }
  bool made = false;
  if (node == nullptr) {
    node = make(hash, family, key, value.size());
    add(hash, node);
    mark_dirty(node, present);
    made = true;
  } else if (node->epoch == active_ && node->fits(value.size())) {
    if (node->present != present) {
      drop_dirty(node);
      mark_dirty(node, present);
    }
  } else if (node->epoch > flushed_ || !node->fits(value.size())) {
    // I5: a frozen one is never touched.
    TableNode* old = std::exchange(node, make(hash, family, key, value.size()));
    replace(place, hash, node);
    discard(old);
    mark_dirty(node, present);
    made = true;
  } else {
    forget_tombstone(node);
    mark_dirty(node, present);
  }
  CHECK_INVARIANT(node->epoch == active_);
  node->set(present, value);
  node->used = true;
  add_to_index(node);
  if (made) {
    make_room_for(node);
  }
}

// What lies in RocksDB is hidden from now on. The table's own records leave the order at once.
void StateTable::erase_range(Family family, std::string_view from, std::string_view to) {
  CHECK_INVARIANT(open_cursors_ == 0);
  RangeEnd end = RangeEnd::of(to);
  if (!end.after(from)) {
    return;
  }
  ++writes_;
  tidy(kPiecesPerWrite);
  TableIndex& index = indexes_[at(family)];
  index.erase_range(from, to);
  size_t left = erased_at_once_;
  while (left != 0 && take_erased(family)) {
    --left;
  }
  if (index.has_erased()) {
    RangeSet& erased = erased_[at(family)];
    erasing_ += erased.empty() ? 1 : 0;
    erased.add(from, to);
    CHECK_INVARIANT(cuts_.empty() || cuts_.back().before <= dirty_.size());
    cuts_.push_back({family, std::string(from), end, dirty_.size()});
  }
  ranges_[at(family)].add(from, to);
  dirty_bytes_ += 2 * (from.size() + to.size()) + kRangeBytes;
}

// ---------------------------------------------------------------- epochs

bool HoldsAtEnd::operator()(size_t position) {
  CHECK_INVARIANT(position < epoch_.nodes.size());
  for (; cuts_left_ != 0 && position < epoch_.cuts[cuts_left_ - 1].before; --cuts_left_) {
    const FrozenEpoch::Cut& cut = epoch_.cuts[cuts_left_ - 1];
    erased_[static_cast<size_t>(cut.family)].add(
        cut.from, cut.end.never ? std::string_view() : std::string_view(cut.end.key));
  }
  const TableNode* node = epoch_.nodes[position];
  return node != nullptr && !erased_[static_cast<size_t>(node->family)].contains(node->key());
}

std::shared_ptr<const FrozenEpoch> StateTable::freeze(LogIndex applied) {
  CHECK_INVARIANT(dirty());
  CHECK_INVARIANT(applied >= frozen_applied_);  // I1: equal behind a spill
  auto epoch = std::make_shared<FrozenEpoch>();
  epoch->number = active_;
  epoch->applied = applied;
  epoch->bytes = dirty_bytes_;
  epoch->records = dirty_records();
  frozen_bytes_ += epoch->bytes;
  frozen_records_ += epoch->records;
  epoch->nodes.swap(dirty_);
  dirty_.reserve(epoch->nodes.size());
  epoch->tombstones.swap(dirty_tombstones_);
  std::swap(epoch->ranges, ranges_);
  epoch->cuts.swap(cuts_);
  dirty_bytes_ = 0;
  writes_ = 0;
  frozen_applied_ = applied;
  ++active_;
  frozen_.push_back({epoch, {}});
  CHECK_INVARIANT(frozen_.size() == active_ - flushed_ - 1);
  return epoch;
}

// The flusher is done with the epoch: what hung on it may go, bit by bit.
void StateTable::flushed(uint32_t epoch) {
  CHECK_INVARIANT(!frozen_.empty() && frozen_.front().epoch->number == epoch);
  CHECK_INVARIANT(epoch == flushed_ + 1);
  CHECK_INVARIANT(settling_.empty() || settling_.back().number == flushed_);
  flushed_ = epoch;
  Frozen& frozen = frozen_.front();
  CHECK_INVARIANT(frozen_bytes_ >= frozen.epoch->bytes);
  CHECK_INVARIANT(frozen_records_ >= frozen.epoch->records);
  frozen_bytes_ -= frozen.epoch->bytes;
  frozen_records_ -= frozen.epoch->records;
  settling_.push_back(
      {epoch, std::move(frozen.epoch->tombstones), std::move(frozen.superseded), 0});
  frozen_.pop_front();
  CHECK_INVARIANT(frozen_.size() == active_ - flushed_ - 1);
  CHECK_INVARIANT(!frozen_.empty() || (frozen_bytes_ == 0 && frozen_records_ == 0));
}

}  // namespace kiwi::rocks
