#include "rocks/table/table_index.hpp"

#include <algorithm>
#include <cstring>

#include "config/base/check.hpp"
#include "rocks/table/table_node.hpp"

namespace kiwi::rocks {

namespace {

uint64_t big_endian(const char* bytes) {
  uint64_t number = 0;
  std::memcpy(&number, bytes, sizeof number);
  return __builtin_bswap64(number);
}

// Of millions of records hardly a leaf is in the processor's cache. The first three steps of a
// search may go to these; one after the other they would wait for memory three times.
template <class Entry>
void prefetch_search(const Entry* first, size_t count) {
  for (size_t eighth = 1; eighth < 8; ++eighth) {
    __builtin_prefetch(first + count * eighth / 8);
  }
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

TableIndex::TableIndex() = default;

TableIndex::~TableIndex() {
  if (root_ != nullptr) {
    destroy({root_, levels_});
  }
  for (const Subtree& subtree : dropped_) {
    destroy(subtree);
  }
  CHECK_INVARIANT(leaves_ == 0 && inners_ == 0);
}

void TableIndex::destroy(Subtree subtree) {
  if (subtree.level == 0) {
    drop_leaf(static_cast<Leaf*>(subtree.node));
    return;
  }
  auto* inner = static_cast<Inner*>(subtree.node);
  for (size_t i = 0; i < inner->count; ++i) {
    destroy({inner->children[i], subtree.level - 1});
  }
  drop_inner(inner);
}

void TableIndex::drop_leaf(Leaf* leaf) {
  CHECK_INVARIANT(leaves_ != 0);
  --leaves_;
  delete leaf;
}

void TableIndex::drop_inner(Inner* inner) {
  CHECK_INVARIANT(inners_ != 0);
  --inners_;
  delete inner;
}

// ---------------------------------------------------------------- search

// Equal prefixes say nothing: zeros of the padding may be bytes of the key.
bool TableIndex::less(const Entry& entry, const Key& key) {
  if (entry.prefix != key.prefix) {
    return entry.prefix < key.prefix;
  }
  return entry.node->key() < key.bytes;
}

// The last child that begins at or before the key, else the first one.
size_t TableIndex::child_of(const Inner& inner, const Key& key) {
  const Entry* first = inner.firsts.data();
  prefetch_search(first, inner.count);
  const Entry* above = std::partition_point(first, first + inner.count, [&](const Entry& entry) {
    if (entry.prefix != key.prefix) {
      return entry.prefix < key.prefix;
    }
    return entry.node->key() <= key.bytes;
  });
  return above == first ? 0 : static_cast<size_t>(above - first) - 1;
}

// Of the first entry that is not below the key.
size_t TableIndex::position(const Leaf& leaf, const Key& key) {
  const Entry* first = leaf.entries.data();
  prefetch_search(first, leaf.count);
  return static_cast<size_t>(
      std::partition_point(first, first + leaf.count,
                           [&](const Entry& entry) { return less(entry, key); }) -
      first);
}

TableIndex::Leaf* TableIndex::descend(const Key& key) const {
  void* node = root_;
  for (size_t level = 0; level < levels_; ++level) {
    const Inner& inner = *static_cast<Inner*>(node);
    node = inner.children[child_of(inner, key)];
  }
  return static_cast<Leaf*>(node);
}

TableIndex::Leaf* TableIndex::descend(const Key& key, Path& path) {
  void* node = root_;
  for (size_t level = 0; level < levels_; ++level) {
    auto* inner = static_cast<Inner*>(node);
    path[level] = {inner, child_of(*inner, key)};
    node = inner->children[path[level].child];
  }
  return static_cast<Leaf*>(node);
}

TableIndex::Place TableIndex::lower_bound(std::string_view bytes) const {
  if (root_ == nullptr) {
    return end();
  }
  const Key key{key_prefix(bytes), bytes};
  const Leaf* leaf = descend(key);
  const size_t entry = position(*leaf, key);
  return entry == leaf->count ? Place{leaf->next, 0} : Place{leaf, entry};
}

TableIndex::Place TableIndex::next(Place place) const {
  CHECK_INVARIANT(place.leaf != nullptr && place.entry < place.leaf->count);
  ++place.entry;
  return place.entry == place.leaf->count ? Place{place.leaf->next, 0} : place;
}

TableIndex::Place TableIndex::prev(Place place) const {
  CHECK_INVARIANT(place != begin());
  if (place.entry == 0) {
    place.leaf = place.leaf == nullptr ? last_leaf_ : place.leaf->prev;
    place.entry = place.leaf->count;
  }
  --place.entry;
  return place;
}

TableNode* TableIndex::at(Place place) const {
  CHECK_INVARIANT(place.leaf != nullptr && place.entry < place.leaf->count);
  return place.leaf->entries[place.entry].node;
}

bool TableIndex::contains(const TableNode* node) const {
  const Place place = lower_bound(node->key());
  return place != end() && at(place) == node;
}

const TableIndex::Entry& TableIndex::first_of(Subtree subtree) {
  return subtree.level == 0 ? static_cast<Leaf*>(subtree.node)->entries[0]
                            : static_cast<Inner*>(subtree.node)->firsts[0];
}

// ---------------------------------------------------------------- inserts

// The subtree that the path leads to, `level` steps from the root, begins with another entry now.
void TableIndex::first_changed(Path& path, size_t level, const Entry& first) {
  while (level-- > 0) {
    path[level].inner->firsts[path[level].child] = first;
    if (path[level].child != 0) {
      return;
    }
  }
}

void TableIndex::insert(TableNode* node) {
  const Entry entry{key_prefix(node->key()), node};
  if (root_ == nullptr) {
    auto* leaf = new Leaf;
    ++leaves_;
    leaf->entries[0] = entry;
    leaf->count = 1;
    root_ = first_leaf_ = last_leaf_ = leaf;
    return;
  }
  const Key key{entry.prefix, node->key()};
  Path path;
  Leaf* leaf = descend(key, path);
  size_t at = position(*leaf, key);
  CHECK_INVARIANT(at == leaf->count || leaf->entries[at].node->key() != key.bytes);
  if (leaf->count == kLeafEntries) {
    Leaf* right = split(*leaf, path);
    if (at > leaf->count) {  // never the first of it: nothing above has to know
      at -= leaf->count;
      leaf = right;
    }
  }
  CHECK_INVARIANT(at <= leaf->count && leaf->count < kLeafEntries);
  std::move_backward(leaf->entries.data() + at, leaf->entries.data() + leaf->count,
                     leaf->entries.data() + leaf->count + 1);
  leaf->entries[at] = entry;
  ++leaf->count;
  if (at == 0) {  // only of the very first leaf: the others' keys are not below their first
    CHECK_INVARIANT(leaf == first_leaf_);
    void* above = root_;
    for (size_t level = 0; level < levels_; ++level) {
      auto* inner = static_cast<Inner*>(above);
      inner->firsts[0] = entry;
      above = inner->children[0];
    }
  }
}

// Keys that come in order leave full nodes behind.
TableIndex::Leaf* TableIndex::split(Leaf& leaf, Path& path) {
  static_assert(kLeafEntries > 8 && kChildren > 4, "both halves keep something");
  static_assert(kLeafEntries * 3 / 4 < kLeafEntries - 8 && kChildren * 3 / 4 < kChildren - 4,
                "what was merged is not split at once");
  CHECK_INVARIANT(leaf.count == kLeafEntries);
  const bool last = &leaf == last_leaf_;
  const size_t keep = last ? kLeafEntries - 8 : kLeafEntries / 2;
  auto* right = new Leaf;
  ++leaves_;
  right->count = leaf.count - keep;
  std::copy_n(leaf.entries.data() + keep, right->count, right->entries.data());
  leaf.count = keep;
  right->prev = &leaf;
  right->next = leaf.next;
  (last ? last_leaf_ : leaf.next->prev) = right;
  leaf.next = right;
  const size_t at = levels_ == 0 ? 0 : path[levels_ - 1].child + 1;
  add_child(path, levels_, at, right->entries[0], right, last);
  return right;
}

// To the inner node that is `level` - 1 steps from the root; level 0: the root gets a parent.
void TableIndex::add_child(
    Path& path, size_t level, size_t at, const Entry& first, void* child, bool last) {
  if (level == 0) {
    CHECK_INVARIANT(levels_ + 1 < kLevelsMax);
    auto* root = new Inner;
    ++inners_;
    root->firsts[0] = first_of({root_, levels_});
    root->children[0] = root_;
    root->firsts[1] = first;
    root->children[1] = child;
    root->count = 2;
    root_ = root;
    ++levels_;
    return;
  }
  Inner* inner = path[level - 1].inner;
  if (inner->count == kChildren) {
    const size_t keep = last ? kChildren - 4 : kChildren / 2;
    auto* right = new Inner;
    ++inners_;
    right->count = inner->count - keep;
    std::copy_n(inner->firsts.data() + keep, right->count, right->firsts.data());
    std::copy_n(inner->children.data() + keep, right->count, right->children.data());
    inner->count = keep;
    const size_t above = level == 1 ? 0 : path[level - 2].child + 1;
    add_child(path, level - 1, above, right->firsts[0], right, last);
    if (at > keep) {
      at -= keep;
      inner = right;
    }
  }
  CHECK_INVARIANT(at <= inner->count && inner->count < kChildren);
  std::move_backward(inner->firsts.data() + at, inner->firsts.data() + inner->count,
                     inner->firsts.data() + inner->count + 1);
  std::move_backward(inner->children.data() + at, inner->children.data() + inner->count,
                     inner->children.data() + inner->count + 1);
  inner->firsts[at] = first;
  inner->children[at] = child;
  ++inner->count;
}

void TableIndex::replace(const TableNode* old, TableNode* node) {
  const Key key{key_prefix(node->key()), node->key()};
  CHECK_INVARIANT(root_ != nullptr);
  Path path;
  Leaf* leaf = descend(key, path);
  const size_t at = position(*leaf, key);
  CHECK_INVARIANT(at < leaf->count && leaf->entries[at].node == old);
  leaf->entries[at].node = node;
  if (at == 0) {
    first_changed(path, levels_, leaf->entries[0]);
  }
}

// ---------------------------------------------------------------- erases

bool TableIndex::erase(const TableNode* node) {
  if (root_ == nullptr) {
    return false;
  }
  const Key key{key_prefix(node->key()), node->key()};
  Path path;
  Leaf* leaf = descend(key, path);
  const size_t at = position(*leaf, key);
  if (at == leaf->count || leaf->entries[at].node != node) {
    return false;
  }
  close_gap(leaf->entries, at, at + 1, leaf->count);
  --leaf->count;
  if (leaf->count == 0) {
    unlink(leaf);
    drop_leaf(leaf);
    if (levels_ == 0) {
      root_ = nullptr;
    } else {
      remove_child(path, levels_, path[levels_ - 1].child);
    }
  } else {
    if (at == 0) {
      first_changed(path, levels_, leaf->entries[0]);
    }
    merge_leaf(*leaf, path);
  }
  lower_root();
  CHECK_INVARIANT((root_ == nullptr) == (first_leaf_ == nullptr));
  return true;
}

void TableIndex::unlink(Leaf* leaf) {
  (leaf->prev == nullptr ? first_leaf_ : leaf->prev->next) = leaf->next;
  (leaf->next == nullptr ? last_leaf_ : leaf->next->prev) = leaf->prev;
}

// From the inner node that is `level` - 1 steps from the root; the child itself is gone already.
void TableIndex::remove_child(Path& path, size_t level, size_t child) {
  CHECK_INVARIANT(level != 0);
  Inner* inner = path[level - 1].inner;
  CHECK_INVARIANT(child < inner->count);
  close_gap(inner->firsts, child, child + 1, inner->count);
  close_gap(inner->children, child, child + 1, inner->count);
  --inner->count;
  if (inner->count == 0) {
    drop_inner(inner);
    if (level == 1) {
      root_ = nullptr;
      levels_ = 0;
    } else {
      remove_child(path, level - 1, path[level - 2].child);
    }
    return;
  }
  if (child == 0) {
    first_changed(path, level - 1, inner->firsts[0]);
  }
  merge_inner(path, level);
}

// Nodes that lost most of what they held go together again.
void TableIndex::merge_leaf(Leaf& leaf, Path& path) {
  if (leaf.count > kLeafEntries / 4 || levels_ == 0) {
    return;
  }
  const auto& [parent, child] = path[levels_ - 1];
  for (const size_t left : {child, child - 1}) {  // with the one behind it, or before it
    if (left >= parent->count || left + 1 >= parent->count) {
      continue;
    }
    Leaf& into = *static_cast<Leaf*>(parent->children[left]);
    auto* right = static_cast<Leaf*>(parent->children[left + 1]);
    if (into.count + right->count > kLeafEntries * 3 / 4) {
      continue;
    }
    std::copy_n(right->entries.data(), right->count, into.entries.data() + into.count);
    into.count += right->count;
    unlink(right);
    drop_leaf(right);
    remove_child(path, levels_, left + 1);
    return;
  }
}

// The inner node that is `level` - 1 steps from the root.
void TableIndex::merge_inner(Path& path, size_t level) {
  if (level < 2 || path[level - 1].inner->count > kChildren / 4) {
    return;
  }
  const auto& [parent, child] = path[level - 2];
  for (const size_t left : {child, child - 1}) {
    if (left >= parent->count || left + 1 >= parent->count) {
      continue;
    }
    Inner& into = *static_cast<Inner*>(parent->children[left]);
    auto* right = static_cast<Inner*>(parent->children[left + 1]);
    if (into.count + right->count > kChildren * 3 / 4) {
      continue;
    }
    std::copy_n(right->firsts.data(), right->count, into.firsts.data() + into.count);
    std::copy_n(right->children.data(), right->count, into.children.data() + into.count);
    into.count += right->count;
    drop_inner(right);
    remove_child(path, level - 1, left + 1);
    return;
  }
}

void TableIndex::lower_root() {
  while (levels_ != 0) {
    auto* root = static_cast<Inner*>(root_);
    if (root->count > 1) {
      return;
    }
    root_ = root->children[0];
    --levels_;
    drop_inner(root);
  }
}

// ---------------------------------------------------------------- the whole

size_t TableIndex::memory_bytes() const {
  return leaves_ * sizeof(Leaf) + inners_ * sizeof(Inner) + loose_.capacity() * sizeof(TableNode*) +
         dropped_.capacity() * sizeof(Subtree);
}

size_t TableIndex::check() const {
  const Leaf* expected = first_leaf_;
  const size_t records = root_ == nullptr ? 0 : check({root_, levels_}, expected);
  CHECK_INVARIANT(expected == nullptr);
  CHECK_INVARIANT((root_ == nullptr) == (last_leaf_ == nullptr));
  for (Place place = begin(), ahead; place != end(); place = ahead) {
    ahead = next(place);
    CHECK_INVARIANT(ahead == end() || at(place)->key() < at(ahead)->key());
  }
  return records;
}

size_t TableIndex::check(Subtree subtree, const Leaf*& expected) const {
  if (subtree.level == 0) {
    const Leaf& leaf = *static_cast<Leaf*>(subtree.node);
    CHECK_INVARIANT(&leaf == expected && leaf.count != 0);
    CHECK_INVARIANT(leaf.next != nullptr ? leaf.next->prev == &leaf : &leaf == last_leaf_);
    expected = leaf.next;
    return leaf.count;
  }
  const Inner& inner = *static_cast<Inner*>(subtree.node);
  CHECK_INVARIANT(inner.count != 0);
  size_t records = 0;
  for (size_t i = 0; i < inner.count; ++i) {
    const Subtree child{inner.children[i], subtree.level - 1};
    CHECK_INVARIANT(inner.firsts[i].node == first_of(child).node);
    records += check(child, expected);
  }
  return records;
}

}  // namespace kiwi::rocks
