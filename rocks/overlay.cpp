#include "rocks/overlay.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"

namespace kiwi::rocks {

// ---------------------------------------------------------------- Arena

char* Arena::allocate(size_t bytes) {
  used_bytes_ += bytes;
  if (bytes > kChunkBytes / 4) {
    large_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
    return large_.back().get();
  }
  if (chunks_.empty() || chunk_used_ + bytes > kChunkBytes) {
    chunk_ += chunks_.empty() ? 0 : 1;
    if (chunk_ == chunks_.size()) {
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunkBytes));
    }
    chunk_used_ = 0;
  }
  CHECK_INVARIANT(chunk_ < chunks_.size() && chunk_used_ + bytes <= kChunkBytes);
  char* at = chunks_[chunk_].get() + chunk_used_;
  chunk_used_ += bytes;
  return at;
}

void Arena::reset() {
  large_.clear();
  if (chunks_.size() > kChunksKept) {
    chunks_.resize(kChunksKept);
  }
  chunk_ = 0;
  chunk_used_ = 0;
  used_bytes_ = 0;
}

// ---------------------------------------------------------------- Overlay

Overlay::Overlay(Arena& arena, UndoLog& undo) : arena_(arena), undo_(undo), slots_(kSlotsMin) {
  static_assert(std::has_single_bit(kSlotsMin) && std::has_single_bit(kSlotsKept));
  static_assert(kSlotsMin <= kSlotsKept);
}

size_t Overlay::slot_of(uint64_t hash, std::string_view key) const {
  size_t mask = slots_.size() - 1;
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    if (slots_[slot] == 0) {
      return slot;
    }
    const Node& node = nodes_[slots_[slot] - 1];
    if (node.hash == hash && node.key() == key) {
      return slot;
    }
  }
}

const Overlay::Node* Overlay::find(uint64_t hash, std::string_view key) const {
  if (nodes_.empty()) {
    return nullptr;
  }
  uint32_t at = slots_[slot_of(hash, key)];
  return at == 0 ? nullptr : &nodes_[at - 1];
}

void Overlay::save(uint32_t index) {
  Node& node = nodes_[index];
  if (node.epoch >= undo_.epoch) {
    return;
  }
  undo_.saved.push_back(
      {this, node.epoch, node.value_data, node.value_size, node.value_capacity, index, node.state});
  node.epoch = undo_.epoch;
  // The saved bytes stay as they are: the next put must take new room.
  node.value_data = nullptr;
  node.value_size = 0;
  node.value_capacity = 0;
}

namespace {

void keep_spare(Overlay::Node& node, char* data, uint32_t capacity) {
  if (data != nullptr && capacity > node.spare_capacity) {
    node.spare_data = data;
    node.spare_capacity = capacity;
  }
}

}  // namespace

void Overlay::let_go(const SavedNode& saved) {
  CHECK_INVARIANT(saved.overlay == this && saved.node < nodes_.size());
  Node& node = nodes_[saved.node];
  // Of empty values many lie at one address.
  CHECK_INVARIANT(saved.value_capacity == 0 || node.value_capacity == 0 ||
                  saved.value_data != node.value_data);
  keep_spare(node, saved.value_data, saved.value_capacity);
}

// Safety: what another mark has saved is neither the node's value nor its spare room.
void Overlay::make_room(Node& node, size_t size) {
  if (node.value_data != nullptr && size <= node.value_capacity) {
    return;
  }
  char* const old = node.value_data;
  const uint32_t old_capacity = node.value_capacity;
  if (node.spare_data != nullptr && size <= node.spare_capacity) {
    node.value_data = node.spare_data;
    node.value_capacity = node.spare_capacity;
    node.spare_data = nullptr;
    node.spare_capacity = 0;
  } else {
    constexpr size_t kGrows = 64 << 10;  // such values may grow a little each time
    const bool again = old != nullptr || node.spare_data != nullptr;
    const size_t room = again && size <= kGrows ? size + size / 4 : size;
    node.value_data = arena_.allocate(room);
    node.value_capacity = static_cast<uint32_t>(room);
  }
  keep_spare(node, old, old_capacity);
}

void Overlay::put_back(const SavedNode& saved) {
  CHECK_INVARIANT(saved.overlay == this && saved.node < nodes_.size());
  Node& node = nodes_[saved.node];
  CHECK_INVARIANT(node.epoch > saved.epoch);
  keep_spare(node, node.value_data, node.value_capacity);
  node.state = saved.state;
  node.value_data = saved.value_data;
  node.value_size = saved.value_size;
  node.value_capacity = saved.value_capacity;
  node.epoch = saved.epoch;
}

Overlay::Node& Overlay::node_for_write(uint64_t hash, std::string_view key) {
  size_t slot = slot_of(hash, key);
  if (slots_[slot] == 0) {
    CHECK_INVARIANT(key.size() <= std::numeric_limits<uint32_t>::max());
    if ((nodes_.size() + 1) * 2 > slots_.size()) {
      grow();
      slot = slot_of(hash, key);
    }
    Node node;
    node.hash = hash;
    char* copy = arena_.allocate(key.size());
    if (!key.empty()) {
      std::memcpy(copy, key.data(), key.size());
    }
    node.key_data = copy;
    node.key_size = static_cast<uint32_t>(key.size());
    nodes_.push_back(node);
    CHECK_INVARIANT(nodes_.size() <= std::numeric_limits<uint32_t>::max());
    CHECK_INVARIANT(nodes_.size() * 2 <= slots_.size());  // or a probe would never end
    slots_[slot] = static_cast<uint32_t>(nodes_.size());
  }
  uint32_t index = slots_[slot] - 1;
  save(index);
  return nodes_[index];
}

std::string_view Overlay::put_joined(uint64_t hash,
                                     std::string_view key,
                                     std::string_view head,
                                     std::string_view tail) {
  const size_t size = head.size() + tail.size();
  CHECK_INVARIANT(size <= std::numeric_limits<uint32_t>::max());
  Node& node = node_for_write(hash, key);
  make_room(node, size);
  CHECK_INVARIANT(size == 0 || (node.value_data != nullptr && size <= node.value_capacity));
  if (!tail.empty()) {  // may be this node's own bytes, so it goes first
    std::memmove(node.value_data + head.size(), tail.data(), tail.size());
  }
  if (!head.empty()) {
    std::memcpy(node.value_data, head.data(), head.size());
  }
  node.value_size = static_cast<uint32_t>(size);
  node.state = State::kPut;
  return node.value();
}

void Overlay::erase(uint64_t hash, std::string_view key) {
  node_for_write(hash, key).state = State::kErase;
}

void Overlay::erase_range(std::string_view from, std::string_view to) {
  RangeEnd end = RangeEnd::of(to);
  if (!end.after(from)) {
    return;
  }
  const auto erase_node = [this](uint32_t index) {
    if (nodes_[index].state != State::kNone) {
      save(index);
      nodes_[index].state = State::kErase;
    }
  };
  if (order_pays()) {
    const Order& sorted = order();
    for (auto it = sorted.lower_bound(from); it != sorted.end() && end.after(it->first); ++it) {
      erase_node(it->second);
    }
  } else {
    for (uint32_t index = 0; index < nodes_.size(); ++index) {
      if (nodes_[index].key() >= from && end.after(nodes_[index].key())) {
        erase_node(index);
      }
    }
  }
  ranges_.add(from, to);
}

// A look at each node costs far less than to put each into the order: what a turn of millions of
// records erases now and then needs none.
bool Overlay::order_pays() {
  constexpr size_t kLooksPerNode = 16;
  CHECK_INVARIANT(ordered_ <= nodes_.size());
  const size_t behind = nodes_.size() - ordered_;
  looks_ += nodes_.size();
  return behind * kLooksPerNode <= looks_;
}

const Overlay::Order& Overlay::order() {
  constexpr size_t kFew = 64;
  if (nodes_.size() - ordered_ <= kFew) {
    order_few();
  } else {
    order_many();
  }
  CHECK_INVARIANT(order_.size() == nodes_.size());  // no key has two nodes
  return order_;
}

void Overlay::order_few() {
  for (; ordered_ < nodes_.size(); ++ordered_) {
    order_.emplace(nodes_[ordered_].key(), static_cast<uint32_t>(ordered_));
    looks_ = 0;
  }
}

// Sorted beside it, by the bytes behind what all keys share (database, collection), and put in from
// the last one down, each before the one behind it: to search a place for each would take some five
// times as long.
void Overlay::order_many() {
  const std::string_view first = nodes_[ordered_].key();
  size_t shared = first.size();
  for (size_t index = ordered_; index < nodes_.size(); ++index) {
    const std::string_view key = nodes_[index].key();
    shared = std::min(shared, key.size());
    while (key.substr(0, shared) != first.substr(0, shared)) {
      --shared;
    }
  }
  struct Item {
    uint64_t head;
    uint32_t node;
  };
  std::vector<Item> items;
  items.reserve(nodes_.size() - ordered_);
  for (; ordered_ < nodes_.size(); ++ordered_) {
    const std::string_view rest = nodes_[ordered_].key().substr(shared);
    uint64_t head = 0;
    for (size_t i = 0; i < sizeof(head); ++i) {
      head = head << 8 | (i < rest.size() ? static_cast<uint8_t>(rest[i]) : 0);
    }
    items.push_back({head, static_cast<uint32_t>(ordered_)});
  }
  std::ranges::sort(items, [this](const Item& a, const Item& b) {
    return a.head != b.head ? a.head < b.head : nodes_[a.node].key() < nodes_[b.node].key();
  });
  auto behind = order_.end();
  for (size_t left = items.size(); left-- > 0;) {
    const uint32_t node = items[left].node;
    behind = order_.emplace_hint(behind, nodes_[node].key(), node);
  }
  looks_ = 0;
}

void Overlay::grow() {
  slots_.assign(slots_.size() * 2, 0);
  CHECK_INVARIANT(std::has_single_bit(slots_.size()));
  for (size_t i = 0; i < nodes_.size(); ++i) {
    slots_[slot_of(nodes_[i].hash, nodes_[i].key())] = static_cast<uint32_t>(i + 1);
  }
}

void Overlay::clear() {
  if (!nodes_.empty()) {
    clear_slots();
    nodes_.clear();
    give_back_if_big(nodes_);
  }
  order_.clear();
  ordered_ = 0;
  looks_ = 0;
  ranges_.clear();
}

// A big turn leaves many slots: small ones behind it should not pay for all of them.
void Overlay::clear_slots() {
  if (slots_.size() > kSlotsKept) {
    slots_.assign(kSlotsMin, 0);
    slots_.shrink_to_fit();
    return;
  }
  if (nodes_.size() > slots_.size() / kFewSlots) {
    std::fill(slots_.begin(), slots_.end(), 0);
    return;
  }
  const size_t mask = slots_.size() - 1;
  for (uint32_t number = 1; number <= nodes_.size(); ++number) {
    size_t slot = nodes_[number - 1].hash & mask;
    while (slots_[slot] != number) {  // an emptied slot before it says nothing
      slot = (slot + 1) & mask;
    }
    slots_[slot] = 0;
  }
}

size_t Overlay::capacity_bytes() const {
  return nodes_.capacity() * sizeof(Node) + slots_.capacity() * sizeof(uint32_t) +
         ranges_.capacity_bytes();
}

}  // namespace kiwi::rocks
