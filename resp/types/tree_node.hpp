// Search among the entries of one node of a tree (tree_entry.hpp). Free functions over its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "resp/types/nodes.hpp"
#include "resp/types/shape.hpp"
#include "resp/types/tree_entry.hpp"

namespace kiwi::resp::tree_node {

inline NodeKind kind_of(unsigned level) { return level == 0 ? NodeKind::kLeaf : NodeKind::kInner; }

// The most bytes of a node that is not the root.
inline size_t limit(LeafKind kind, const Shape& shape, unsigned level) {
  if (level > 0) {
    return shape.inner_bytes;
  }
  return kind == LeafKind::kList ? shape.list_leaf_bytes : shape.leaf_bytes;
}

struct Child {
  InnerEntry entry;
  size_t at = 0;        // where it begins
  uint64_t before = 0;  // elements below the children in front of it
};

inline Child child_by_key(LeafKind kind, std::string_view inner, std::string_view key) {
  Child chosen;
  uint64_t before = 0;
  for (size_t at = 0; at < inner.size();) {
    const InnerEntry entry = inner_entry(kind, inner.substr(at));
    if (at != 0 && compare_keys(entry.separator, key) > 0) {
      break;
    }
    chosen = {entry, at, before};
    before += entry.count;
    at += entry.bytes.size();
  }
  if (chosen.entry.child == 0) {
    damaged_tree();
  }
  return chosen;
}

// Of the last element + 1: the last child.
inline Child child_by_rank(LeafKind kind, std::string_view inner, uint64_t rank) {
  Child chosen;
  uint64_t before = 0;
  for (size_t at = 0; at < inner.size();) {
    const InnerEntry entry = inner_entry(kind, inner.substr(at));
    chosen = {entry, at, before};
    if (rank < before + entry.count) {
      return chosen;
    }
    before += entry.count;
    at += entry.bytes.size();
  }
  if (chosen.entry.child == 0 || rank != before) {
    damaged_tree();
  }
  return chosen;
}

// Where the last entry in front of `before` begins.
inline size_t last_child(LeafKind kind, std::string_view inner, size_t before) {
  size_t last = 0;
  for (size_t at = 0; at < before;) {
    last = at;
    at += inner_entry(kind, inner.substr(at)).bytes.size();
  }
  return last;
}

// Where the entry with this key begins, or would. False: it is not there.
inline bool locate(LeafKind kind, std::string_view leaf, std::string_view key, size_t& at) {
  for (at = 0; at < leaf.size();) {
    const LeafEntry entry = leaf_entry(kind, leaf.substr(at));
    const int order = compare_keys(entry.key, key);
    if (order >= 0) {
      return order == 0;
    }
    at += entry.bytes.size();
  }
  return false;
}

inline size_t offset_of(LeafKind kind, std::string_view leaf, uint64_t index) {
  size_t at = 0;
  for (; index > 0; --index) {
    if (at == leaf.size()) {
      damaged_tree();
    }
    at += leaf_entry(kind, leaf.substr(at)).bytes.size();
  }
  return at;
}

// Elements below a node.
inline uint64_t count_of(LeafKind kind, std::string_view entries, unsigned level) {
  uint64_t count = 0;
  if (level == 0) {
    each_leaf_entry(kind, entries, [&](const LeafEntry&) {
      ++count;
      return true;
    });
  } else {
    each_inner_entry(kind, entries, [&](const InnerEntry& entry) {
      count += entry.count;
      return true;
    });
  }
  return count;
}

}  // namespace kiwi::resp::tree_node
