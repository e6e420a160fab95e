#include "rocks/table/table_index.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.hpp"
#include "rocks/table/table_node.hpp"

namespace kiwi::rocks {

namespace {

constexpr size_t kLeafEntries = 128;

uint64_t big_endian(const char* bytes) {
  uint64_t number = 0;
  std::memcpy(&number, bytes, sizeof number);
  return __builtin_bswap64(number);
}

}  // namespace

KeyPrefix key_prefix(std::string_view key) {
  if (key.size() >= 16) {
    return {big_endian(key.data()), big_endian(key.data() + 8)};
  }
  std::array<char, 16> padded{};
  key.copy(padded.data(), key.size());
  return {big_endian(padded.data()), big_endian(padded.data() + 8)};
}

struct TableIndex::Leaf {
  size_t count = 0;
  std::array<Entry, kLeafEntries> entries;
};

TableIndex::TableIndex() = default;
TableIndex::~TableIndex() = default;

// Equal prefixes say nothing: zeros of the padding may be bytes of the key.
bool TableIndex::less(const Entry& entry, const KeyPrefix& prefix, std::string_view key) {
  if (entry.prefix != prefix) {
    return entry.prefix < prefix;
  }
  return entry.node->key() < key;
}

TableIndex::Place TableIndex::lower_bound(std::string_view key) const {
  KeyPrefix prefix = key_prefix(key);
  // The last leaf whose first key is below `key` holds the answer, or the next one begins with it.
  size_t above = static_cast<size_t>(
      std::partition_point(firsts_.begin(), firsts_.end(),
                           [&](const Entry& first) { return less(first, prefix, key); }) -
      firsts_.begin());
  if (above == 0) {
    return begin();
  }
  const Leaf& leaf = *leaves_[above - 1];
  const Entry* first = leaf.entries.data();
  // Of millions of records hardly a leaf is in the processor's cache. The first three steps may go
  // to these; one after the other they would wait for memory three times.
  for (size_t eighth = 1; eighth < 8; ++eighth) {
    __builtin_prefetch(first + leaf.count * eighth / 8);
  }
  auto entry = static_cast<size_t>(
      std::partition_point(first, first + leaf.count,
                           [&](const Entry& e) { return less(e, prefix, key); }) -
      first);
  return entry == leaf.count ? Place{above, 0} : Place{above - 1, entry};
}

TableIndex::Place TableIndex::next(Place place) const {
  ++place.entry;
  return place.entry == leaves_[place.leaf]->count ? Place{place.leaf + 1, 0} : place;
}

TableIndex::Place TableIndex::prev(Place place) const {
  CHECK_INVARIANT(place != begin());
  if (place.entry == 0) {
    --place.leaf;
    place.entry = leaves_[place.leaf]->count;
  }
  --place.entry;
  return place;
}

TableNode* TableIndex::at(Place place) const {
  return leaves_[place.leaf]->entries[place.entry].node;
}

void TableIndex::split(size_t index) {
  Leaf& leaf = *leaves_[index];
  auto right = std::make_unique<Leaf>();
  // Keys that come in order leave full leaves behind.
  size_t keep = index + 1 == leaves_.size() ? kLeafEntries - 8 : kLeafEntries / 2;
  right->count = leaf.count - keep;
  std::copy_n(leaf.entries.data() + keep, right->count, right->entries.data());
  leaf.count = keep;
  firsts_.insert(firsts_.begin() + static_cast<ptrdiff_t>(index) + 1, right->entries[0]);
  leaves_.insert(leaves_.begin() + static_cast<ptrdiff_t>(index) + 1, std::move(right));
}

void TableIndex::insert(TableNode* node) {
  Entry entry{key_prefix(node->key()), node};
  if (leaves_.empty()) {
    leaves_.push_back(std::make_unique<Leaf>());
    leaves_[0]->entries[0] = entry;
    leaves_[0]->count = 1;
    firsts_.push_back(entry);
    ++size_;
    return;
  }
  Place place = lower_bound(node->key());
  CHECK_INVARIANT(place == end() || at(place)->key() != node->key());
  if (place.entry == 0 && place.leaf > 0) {
    place = {place.leaf - 1, leaves_[place.leaf - 1]->count};  // behind the last of the leaf before
  }
  if (leaves_[place.leaf]->count == kLeafEntries) {
    split(place.leaf);
    size_t kept = leaves_[place.leaf]->count;
    if (place.entry > kept) {
      place = {place.leaf + 1, place.entry - kept};
    }
  }
  Leaf& leaf = *leaves_[place.leaf];
  std::move_backward(leaf.entries.data() + place.entry, leaf.entries.data() + leaf.count,
                     leaf.entries.data() + leaf.count + 1);
  leaf.entries[place.entry] = entry;
  ++leaf.count;
  if (place.entry == 0) {
    firsts_[place.leaf] = entry;
  }
  ++size_;
}

TableIndex::Place TableIndex::find(const TableNode* node) const {
  Place place = lower_bound(node->key());
  CHECK_INVARIANT(place != end() && at(place) == node);
  return place;
}

TableIndex::Place TableIndex::erase_at(Place place) {
  Leaf& leaf = *leaves_[place.leaf];
  std::move(leaf.entries.data() + place.entry + 1, leaf.entries.data() + leaf.count,
            leaf.entries.data() + place.entry);
  --leaf.count;
  --size_;
  if (leaf.count == 0) {
    firsts_.erase(firsts_.begin() + static_cast<ptrdiff_t>(place.leaf));
    leaves_.erase(leaves_.begin() + static_cast<ptrdiff_t>(place.leaf));
    return {place.leaf, 0};
  }
  if (place.entry == 0) {
    firsts_[place.leaf] = leaf.entries[0];
  }
  merge_next(place.leaf);
  return place.entry == leaf.count ? Place{place.leaf + 1, 0} : place;
}

// Leaves that lost most of their entries go together again.
void TableIndex::merge_next(size_t index) {
  Leaf& leaf = *leaves_[index];
  if (leaf.count > kLeafEntries / 4 || index + 1 == leaves_.size() ||
      leaf.count + leaves_[index + 1]->count > kLeafEntries * 3 / 4) {
    return;
  }
  const Leaf& right = *leaves_[index + 1];
  std::copy_n(right.entries.data(), right.count, leaf.entries.data() + leaf.count);
  leaf.count += right.count;
  firsts_.erase(firsts_.begin() + static_cast<ptrdiff_t>(index) + 1);
  leaves_.erase(leaves_.begin() + static_cast<ptrdiff_t>(index) + 1);
}

void TableIndex::erase(const TableNode* node) { erase_at(find(node)); }

void TableIndex::replace(const TableNode* old, TableNode* node) {
  Place place = find(old);
  leaves_[place.leaf]->entries[place.entry].node = node;
  if (place.entry == 0) {
    firsts_[place.leaf].node = node;
  }
}

size_t TableIndex::memory_bytes() const {
  return leaves_.size() * (sizeof(Leaf) + sizeof(Entry) + sizeof(void*));
}

}  // namespace kiwi::rocks
