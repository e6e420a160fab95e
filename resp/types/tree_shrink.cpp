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
  if (4 * pages_.load(child.child, level).entries.size() >= node_limit(level)) {
    return false;
  }
  if (at + child.bytes.size() < parent.entries.size() && merge(parent, at, level)) {
    return true;
  }
  return at > 0 && merge(parent, tree_node::last_child(kind_, parent.entries, at), level);
}

// The child at `left_at` takes what its right neighbour holds, if that fits well.
bool Tree::merge(Page& parent, size_t left_at, unsigned level) {
  const std::string_view inner = parent.entries;
  const InnerEntry left = inner_entry(kind_, inner.substr(left_at));
  const InnerEntry right = inner_entry(kind_, inner.substr(left_at + left.bytes.size()));
  const size_t here = pages_.entries(left.child, level).size();
  const size_t there = pages_.entries(right.child, level).size();
  if (4 * (here + there + (level > 0 ? right.separator.size() : 0)) > 3 * node_limit(level)) {
    return false;
  }
  Page& into = pages_.load(left.child, level);
  const Page& from = pages_.load(right.child, level);
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
  pages_.drop(number);
}

// A node and all below it. Leaves are not read.
void Tree::drop_below(uint64_t number, unsigned level) {
  if (level > 0) {
    std::vector<uint64_t> children;
    each_inner_entry(kind_, pages_.entries(number, level), [&](const InnerEntry& entry) {
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
    top.level = 0;
    return;
  }
  while (top.level > 1) {
    const InnerEntry only = inner_entry(kind_, top.entries);
    if (only.bytes.size() != top.entries.size()) {
      return;
    }
    const uint64_t number = only.child;
    const std::string& below = pages_.load(number, top.level - 1).entries;
    if (below.size() > shape_.root_inner_bytes()) {
      return;
    }
    top.entries = below;
    --top.level;
    touch(top);
    drop_node(number);
  }
}

// ---------------------------------------------------------------- many at once

void Tree::remove_range(uint64_t first, uint64_t count) {
  CHECK_INVARIANT(first <= size_ && count <= size_ - first);
  if (count > 0) {
    remove(Gone{first, first + count, {}});
  }
}

void Tree::remove_many(std::span<const uint64_t> ranks) {
  if (!ranks.empty()) {
    CHECK_INVARIANT(ranks.front() <= ranks.back() && ranks.back() < size_);
    remove(Gone{ranks.front(), ranks.back() + 1, ranks});
  }
}

uint64_t Tree::Gone::between(uint64_t first, uint64_t last) const {
  if (ranks.empty()) {
    return std::clamp(to, first, last) - std::clamp(from, first, last);
  }
  const auto begin = std::lower_bound(ranks.begin(), ranks.end(), first);
  return static_cast<uint64_t>(std::lower_bound(begin, ranks.end(), last) - begin);
}

void Tree::remove(const Gone& gone) {
  size_ -= gone.between(0, size_);
  cut(root(), 0, gone);
  lower_root();
}

// `before`: elements in front of the page's.
void Tree::cut(Page& page, uint64_t before, const Gone& gone) {
  if (page.level == 0) {
    cut_leaf(page, before, gone);
  } else {
    cut_inner(page, before, gone);
  }
  touch(page);
}

void Tree::cut_leaf(Page& leaf, uint64_t before, const Gone& gone) {
  if (gone.ranks.empty()) {
    const size_t begin =
        tree_node::offset_of(kind_, leaf.entries, std::max(gone.from, before) - before);
    const std::string_view rest = std::string_view(leaf.entries).substr(begin);
    uint64_t left = gone.to - std::max(gone.from, before);
    size_t end = begin;
    each_leaf_entry(kind_, rest, [&](const LeafEntry& entry) {
      end += left > 0 ? entry.bytes.size() : 0;
      return left > 0 && --left > 0;
    });
    leaf.entries.erase(begin, end - begin);
    return;
  }
  std::string& left = cut_.whole();
  left.clear();
  auto next = std::lower_bound(gone.ranks.begin(), gone.ranks.end(), before);
  uint64_t rank = before;
  each_leaf_entry(kind_, leaf.entries, [&](const LeafEntry& entry) {
    if (next != gone.ranks.end() && *next == rank) {
      ++next;
    } else {
      left.append(entry.bytes);
    }
    ++rank;
    return true;
  });
  leaf.entries.swap(left);
}

// Children that hold nothing else go as they are, others are cut. What stands in front of the first
// of them and behind the last one stays untouched.
void Tree::cut_inner(Page& inner, uint64_t before, const Gone& gone) {
  const unsigned below = inner.level - 1;
  const std::string_view entries = inner.entries;
  std::string kept;           // what takes the place of [begin, end)
  std::vector<size_t> edges;  // where children begin that were cut
  size_t begin = 0;
  size_t end = 0;
  for (size_t at = 0; at < entries.size() && before < gone.to;) {
    const InnerEntry entry = inner_entry(kind_, entries.substr(at));
    const uint64_t first = before;
    const uint64_t going = gone.between(first, first + entry.count);
    before += entry.count;
    at += entry.bytes.size();
    if (going == 0 && end == 0) {
      begin = at;
      continue;
    }
    end = at;
    if (going == entry.count) {
      drop_below(entry.child, below);
      continue;
    }
    if (going > 0) {
      cut(pages_.load(entry.child, below), first, gone);
      edges.push_back(begin + kept.size());
    }
    const bool leads = begin == 0 && kept.empty();
    append_inner(kept, kind_, entry.child, entry.count - going,
                 leads ? std::string_view() : entry.separator);
  }
  inner.entries.replace(begin, end - begin, kept);
  if (begin == 0) {
    clear_first_separator(inner.entries);
  }
  for (; !edges.empty(); edges.pop_back()) {  // from the right, so that the others stay put
    mend(inner, edges.back(), below);
  }
}

}  // namespace kiwi::resp
