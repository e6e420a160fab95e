// TableIndex: ranges that are erased, and what becomes of the records that were in them.
#include "config/base/check.hpp"
#include "rocks/table/table_index.hpp"
#include "rocks/table/table_node.hpp"

namespace kiwi::rocks {

namespace {

constexpr size_t kErasedAhead = 8;

}  // namespace

void TableIndex::erase_range(std::string_view from, std::string_view to) {
  const Place begins = lower_bound(from);
  const Place ends = to.empty() ? end() : lower_bound(to);
  if (begins == ends) {
    return;
  }
  // The leaves that remain on both sides, maybe the same one, become neighbours.
  auto* before = const_cast<Leaf*>(begins.entry == 0 ? begins.leaf->prev : begins.leaf);
  auto* after = const_cast<Leaf*>(ends.leaf);
  const Key first{key_prefix(from), from};
  const Key last{key_prefix(to), to};
  if (!cut({root_, levels_}, &first, to.empty() ? nullptr : &last)) {
    root_ = nullptr;
    levels_ = 0;
  }
  if (before != after || before == nullptr) {
    (before == nullptr ? first_leaf_ : before->next) = after;
    (after == nullptr ? last_leaf_ : after->prev) = before;
  }
  mend(first);
  mend(last);
  CHECK_INVARIANT((root_ == nullptr) == (first_leaf_ == nullptr));
  CHECK_INVARIANT((first_leaf_ == nullptr) == (last_leaf_ == nullptr));
}

// What was cut through at the key may be small: from the leaf upwards, each on a way of its own,
// since a merge below changes it.
void TableIndex::mend(const Key& key) {
  for (size_t level = levels_ + 1; level > 0 && root_ != nullptr; --level) {
    Path path;
    Leaf* leaf = descend(key, path);
    if (level > levels_) {
      merge_leaf(*leaf, path);
    } else {
      merge_inner(path, level);
    }
  }
  lower_root();
}

// Takes [from, to) out of the subtree; nullptr: from its beginning, to its end. False: nothing is
// left of it, and it belongs to others now.
bool TableIndex::cut(Subtree subtree, const Key* from, const Key* to) {
  if (from == nullptr && to == nullptr) {
    dropped_.push_back(subtree);
    return false;
  }
  if (subtree.level == 0) {
    return cut_leaf(*static_cast<Leaf*>(subtree.node), from, to);
  }
  auto* inner = static_cast<Inner*>(subtree.node);
  const size_t first = from == nullptr ? 0 : child_of(*inner, *from);
  const size_t last = to == nullptr ? inner->count - 1 : child_of(*inner, *to);
  CHECK_INVARIANT(first <= last && last < inner->count);
  size_t kept = first;
  for (size_t i = first; i <= last; ++i) {
    const Subtree child{inner->children[i], subtree.level - 1};
    if (cut(child, i == first ? from : nullptr, i == last ? to : nullptr)) {
      inner->firsts[kept] = first_of(child);
      inner->children[kept] = child.node;
      ++kept;
    }
  }
  close_gap(inner->firsts, kept, last + 1, inner->count);
  close_gap(inner->children, kept, last + 1, inner->count);
  inner->count -= last + 1 - kept;
  if (inner->count == 0) {
    drop_inner(inner);
    return false;
  }
  return true;
}

bool TableIndex::cut_leaf(Leaf& leaf, const Key* from, const Key* to) {
  const size_t first = from == nullptr ? 0 : position(leaf, *from);
  const size_t last = to == nullptr ? leaf.count : position(leaf, *to);
  CHECK_INVARIANT(first <= last);
  for (size_t i = first; i < last; ++i) {
    loose_.push_back(leaf.entries[i].node);
  }
  close_gap(leaf.entries, first, last, leaf.count);
  leaf.count -= last - first;
  if (leaf.count == 0) {
    drop_leaf(&leaf);
    return false;
  }
  return true;
}

TableNode* TableIndex::take_erased() {
  if (!loose_.empty()) {
    TableNode* node = loose_.back();
    loose_.pop_back();
    return node;
  }
  while (!dropped_.empty()) {
    const Subtree subtree = dropped_.back();
    if (subtree.level != 0) {
      dropped_.pop_back();
      auto* inner = static_cast<Inner*>(subtree.node);
      for (size_t i = 0; i < inner->count; ++i) {
        dropped_.push_back({inner->children[i], subtree.level - 1});
      }
      drop_inner(inner);
      continue;
    }
    auto* leaf = static_cast<Leaf*>(subtree.node);
    if (leaf->count != 0) {
      if (leaf->count > kErasedAhead) {
        __builtin_prefetch(leaf->entries[leaf->count - 1 - kErasedAhead].node);
      }
      return leaf->entries[--leaf->count].node;
    }
    dropped_.pop_back();
    drop_leaf(leaf);
  }
  return nullptr;
}

}  // namespace kiwi::rocks
