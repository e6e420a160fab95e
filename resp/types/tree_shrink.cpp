// Nodes that became small, and ranges that go.
#include <algorithm>
#include <utility>

#include "resp/types/tree.hpp"

namespace kiwi::resp {

// Entries left the leaf that the path leads to.
void Tree::shrink() {
  for (size_t depth = path_.size(); depth > 0; --depth) {
    const Step& up = path_[depth - 1];
    if (!mend(*up.page, up.at, up.page->level - 1)) {
      break;
    }
  }
  lower_root();
}

// The child at `at`, which is at `level`, may be empty or small. True: `parent` has an entry less.
bool Tree::mend(Page& parent, size_t at, unsigned level) {
  const InnerEntry child = inner_entry(kind_, std::string_view(parent.entries).substr(at));
  if (child.count == 0) {
    drop_node(child.child);
    remove_child(parent, at);
    return true;
  }
  if (4 * load(child.child, level).entries.size() >= node_limit(level)) {
    return false;
  }
  if (at + child.bytes.size() < parent.entries.size() && merge(parent, at, level)) {
    return true;
  }
  return at > 0 && merge(parent, last_child(parent.entries, at), level);
}

// The child at `left_at` takes what its right neighbour holds, if that fits well.
bool Tree::merge(Page& parent, size_t left_at, unsigned level) {
  const std::string_view inner = parent.entries;
  const InnerEntry left = inner_entry(kind_, inner.substr(left_at));
  const InnerEntry right = inner_entry(kind_, inner.substr(left_at + left.bytes.size()));
  const size_t here = entries(left.child, level).size();
  const size_t there = entries(right.child, level).size();
  if (4 * (here + there + (level > 0 ? right.separator.size() : 0)) > 3 * node_limit(level)) {
    return false;
  }
  Page& into = load(left.child, level);
  const Page& from = load(right.child, level);
  if (level == 0) {
    into.entries.append(from.entries);
  } else {  // its first separator is known to the parent only
    const InnerEntry first = inner_entry(kind_, from.entries);
    append_inner(into.entries, kind_, first.child, first.count, right.separator);
    into.entries.append(from.entries, first.bytes.size());
  }
  touch(into);
  children_.clear();
  append_inner(children_, kind_, left.child, left.count + right.count, left.separator);
  parent.entries.replace(left_at, left.bytes.size() + right.bytes.size(), children_);
  touch(parent);
  drop_node(right.child);
  return true;
}

void Tree::remove_child(Page& parent, size_t at) {
  const InnerEntry child = inner_entry(kind_, std::string_view(parent.entries).substr(at));
  parent.entries.erase(at, child.bytes.size());
  if (at == 0) {
    clear_first_separator(parent.entries);
  }
  touch(parent);
}

void Tree::clear_first_separator(std::string& inner) {
  if (inner.empty()) {
    return;
  }
  const InnerEntry first = inner_entry(kind_, inner);
  if (!first.separator.empty()) {
    children_.clear();
    append_inner(children_, kind_, first.child, first.count, {});
    inner.replace(0, first.bytes.size(), children_);
  }
}

void Tree::drop_node(uint64_t number) {
  changed_ = true;
  removed_ = stamp_;
  Page* edited = page(number);
  if (edited != nullptr) {
    edited->gone = true;
  }
  if (edited == nullptr || edited->stored) {
    nodes_.erase(id_, number);
  }
}

// A node and all below it. Leaves are not read.
void Tree::drop_below(uint64_t number, unsigned level) {
  if (level > 0) {
    std::vector<uint64_t> children;
    each_inner_entry(kind_, entries(number, level), [&](const InnerEntry& entry) {
      children.push_back(entry.child);
      return true;
    });
    for (uint64_t child : children) {
      drop_below(child, level - 1);
    }
  }
  drop_node(number);
}

void Tree::lower_root() {
  Page& top = root();
  if (size_ == 0) {
    CHECK_INVARIANT(top.entries.empty());
    top.level = height_ = 0;
    return;
  }
  while (height_ > 1) {
    const InnerEntry only = inner_entry(kind_, top.entries);
    if (only.bytes.size() != top.entries.size()) {
      return;
    }
    const uint64_t number = only.child;
    top.entries = load(number, height_ - 1).entries;
    top.level = --height_;
    touch(top);
    drop_node(number);
  }
}

// ---------------------------------------------------------------- ranges

void Tree::remove_range(uint64_t first, uint64_t count) {
  CHECK_INVARIANT(first <= size_ && count <= size_ - first);
  if (count == 0) {
    return;
  }
  size_ -= count;
  if (height_ == 0) {
    cut_leaf(root(), first, first + count);
  } else {
    cut_inner(root(), first, first + count);
  }
  lower_root();
}

// Entries [from, to) of a leaf.
void Tree::cut_leaf(Page& leaf, uint64_t from, uint64_t to) {
  const size_t begin = offset_of(leaf.entries, from);
  const size_t end = begin + offset_of(std::string_view(leaf.entries).substr(begin), to - from);
  leaf.entries.erase(begin, end - begin);
  touch(leaf);
}

// Elements [from, to) below an inner node: children that hold nothing else go as they are, one at
// each edge is cut.
void Tree::cut_inner(Page& inner, uint64_t from, uint64_t to) {
  const unsigned below = inner.level - 1;
  std::string kept;
  std::vector<size_t> edges;  // where in it the children that were cut begin
  uint64_t before = 0;
  each_inner_entry(kind_, inner.entries, [&](const InnerEntry& entry) {
    const uint64_t cut_from = std::clamp(from, before, before + entry.count) - before;
    const uint64_t cut_to = std::clamp(to, before, before + entry.count) - before;
    before += entry.count;
    const uint64_t stay = entry.count - (cut_to - cut_from);
    if (stay == 0) {
      drop_below(entry.child, below);
      return true;
    }
    if (stay < entry.count) {
      Page& child = load(entry.child, below);
      below == 0 ? cut_leaf(child, cut_from, cut_to) : cut_inner(child, cut_from, cut_to);
      edges.push_back(kept.size());
    }
    append_inner(kept, kind_, entry.child, stay,
                 kept.empty() ? std::string_view() : entry.separator);
    return true;
  });
  inner.entries = std::move(kept);
  touch(inner);
  for (; !edges.empty(); edges.pop_back()) {  // from the right, so that the other one stays put
    mend(inner, edges.back(), below);
  }
}

}  // namespace kiwi::resp
