#include "rocks/record_cache.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include "config/base/check.hpp"
#include "rocks/range_set.hpp"

namespace kiwi::rocks {

// Key and value follow the header in the same allocation.
struct RecordCache::Node {
  uint64_t hash;
  uint32_t key_size;
  uint16_t value_size;
  uint16_t value_capacity;
  Family family;
  bool present;
  bool used;  // since the eviction hand last passed

  char* key_data() { return reinterpret_cast<char*>(this + 1); }
  std::string_view key() { return {key_data(), key_size}; }
  char* value_data() { return key_data() + key_size; }
  size_t bytes() const { return sizeof(Node) + key_size + value_capacity; }
};

namespace {

constexpr size_t kBytesPerSlot = 64;  // sizes the slots once: they are never rehashed
// Of the slots one in so many is in use at most. The eviction hand sweeps the slots in order and
// takes at its second visit what was not used since the first, so under new keys alone the slots
// just before it hold two laps' worth of entries and those just behind it one: 4/3 of the average
// and 2/3. At an average of 3/4 that is a full table before the hand, where a probe has no end.
constexpr uint64_t kSlotsPerEntry = 2;
constexpr int kEvictionSteps = 256;    // bounds the work of one insertion
constexpr size_t kKeyBytesMax = 1024;  // a longer key is not worth its room
static_assert(((RecordCache::kValueBytesMax + 7) & ~size_t{7}) <= UINT16_MAX);
static_assert(kKeyBytesMax <= UINT32_MAX);
static_assert(kSlotsPerEntry > 1, "a probe ends at a free slot");

}  // namespace

void RecordCache::Free::operator()(void* p) const { std::free(p); }

RecordCache::RecordCache(uint64_t bytes_max) {
  slot_count_ =
      bytes_max == 0 ? 0 : std::bit_floor(std::max<uint64_t>(bytes_max / kBytesPerSlot, 16));
  if (slot_count_ != 0) {
    // calloc: pages that were never touched cost nothing.
    slots_.reset(static_cast<Node**>(std::calloc(slot_count_, sizeof(Node*))));
    CHECK_INVARIANT(slots_ != nullptr);
    CHECK_INVARIANT(std::has_single_bit(slot_count_));
    uint64_t slots_bytes = slot_count_ * sizeof(Node*);
    bytes_max_ = bytes_max > slots_bytes ? bytes_max - slots_bytes : 0;
  }
}

RecordCache::~RecordCache() {
  for (size_t i = 0; i < slot_count_; ++i) {
    std::free(slots_[i]);
  }
}

size_t RecordCache::slot_of(Family family, uint64_t hash, std::string_view key) const {
  CHECK_INVARIANT(entries_ < slot_count_);
  size_t mask = slot_count_ - 1;
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    Node* node = slots_[slot];
    if (node == nullptr || (node->hash == hash && node->family == family && node->key() == key)) {
      return slot;
    }
  }
}

bool RecordCache::find(Family family, uint64_t hash, std::string_view key, Hit& hit) {
  if (slot_count_ == 0) {
    return false;
  }
  Node* node = slots_[slot_of(family, hash, key)];
  if (node == nullptr) {
    return false;
  }
  node->used = true;
  hit.present = node->present;
  hit.value = {node->value_data(), node->value_size};
  return true;
}

void RecordCache::store(Family family, uint64_t hash, std::string_view key, Hit record) {
  if (slot_count_ != 0) {
    write(slot_of(family, hash, key), family, hash, key, record);
  }
}

void RecordCache::update(Family family, uint64_t hash, std::string_view key, Hit record) {
  if (slot_count_ == 0) {
    return;
  }
  size_t slot = slot_of(family, hash, key);
  if (slots_[slot] != nullptr) {
    write(slot, family, hash, key, record);
  }
}

void RecordCache::write(
    size_t slot, Family family, uint64_t hash, std::string_view key, Hit record) {
  std::string_view value = record.present ? record.value : std::string_view();
  Node* node = slots_[slot];
  if (value.size() > kValueBytesMax || key.size() > kKeyBytesMax) {
    if (node != nullptr) {
      remove(slot);  // must not answer with the old value
    }
    return;
  }
  if (node == nullptr || node->value_capacity < value.size()) {
    size_t capacity = (value.size() + 7) & ~size_t{7};
    void* room = std::malloc(sizeof(Node) + key.size() + capacity);
    if (room == nullptr) {
      throw std::bad_alloc();
    }
    Node* made = new (room) Node{
        hash, static_cast<uint32_t>(key.size()), 0, static_cast<uint16_t>(capacity), family, false,
        true};
    std::memcpy(made->key_data(), key.data(), key.size());
    if (node != nullptr) {
      CHECK_INVARIANT(used_bytes_ >= node->bytes());
      used_bytes_ -= node->bytes();
      std::free(node);
    } else {
      ++entries_;
    }
    used_bytes_ += made->bytes();
    slots_[slot] = node = made;
  }
  if (!value.empty()) {
    CHECK_INVARIANT(value.size() <= node->value_capacity);
    std::memcpy(node->value_data(), value.data(), value.size());
  }
  node->value_size = static_cast<uint16_t>(value.size());
  node->present = record.present;
  node->used = true;
  evict();
}

// Backward-shift deletion: no tombstones, probe chains stay whole.
void RecordCache::remove(size_t slot) {
  CHECK_INVARIANT(entries_ != 0 && used_bytes_ >= slots_[slot]->bytes());
  used_bytes_ -= slots_[slot]->bytes();
  --entries_;
  CHECK_INVARIANT((entries_ == 0) == (used_bytes_ == 0));
  std::free(slots_[slot]);
  size_t mask = slot_count_ - 1;
  size_t hole = slot;
  for (size_t next = (hole + 1) & mask; slots_[next] != nullptr; next = (next + 1) & mask) {
    size_t home = slots_[next]->hash & mask;
    if (((next - home) & mask) >= ((next - hole) & mask)) {
      slots_[hole] = slots_[next];
      hole = next;
    }
  }
  slots_[hole] = nullptr;
}

// Second chance. Free slots must remain, or a probe would never end.
void RecordCache::evict() {
  for (int step = 0; used_bytes_ > bytes_max_ || entries_ * kSlotsPerEntry > slot_count_; ++step) {
    CHECK_INVARIANT(entries_ != 0);  // who is over a bound has something to drop
    hand_ = (hand_ + 1) & (slot_count_ - 1);
    Node* node = slots_[hand_];
    if (node == nullptr) {
      continue;
    }
    if (node->used && step < kEvictionSteps) {
      node->used = false;
      continue;
    }
    remove(hand_);
    hand_ = (hand_ - 1) & (slot_count_ - 1);
  }
}

size_t RecordCache::longest_run() const {
  size_t longest = 0;
  size_t run = 0;
  for (size_t i = 0; i < 2 * slot_count_; ++i) {  // twice: a run may go over the end
    run = slots_[i % slot_count_] == nullptr ? 0 : std::min(run + 1, slot_count_);
    longest = std::max(longest, run);
  }
  return longest;
}

void RecordCache::forget(Family family, const RangeSet& ranges) {
  // Backward shift can move a later node into the slot just emptied: look at that slot again.
  for (size_t slot = 0; slot < slot_count_;) {
    Node* node = slots_[slot];
    if (node != nullptr && node->family == family && ranges.contains(node->key())) {
      remove(slot);
    } else {
      ++slot;
    }
  }
}

}  // namespace kiwi::rocks
