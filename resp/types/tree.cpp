// Heads, search and walks.
#include "resp/types/tree.hpp"

#include <algorithm>

#include "config/base/bytes.hpp"
#include "config/base/reuse.hpp"

namespace kiwi::resp {

namespace {

constexpr unsigned kHeightMax = 64;  // each level has at least twice the nodes of the one above

}  // namespace

void encode(std::string& out, const TreeHead& head) {
  put_varint(out, head.size);
  put_u8(out, head.height);
  put_varint(out, head.removed);
  put_varint(out, head.next_node);
  out.append(head.root);
}

std::optional<TreeHead> decode_tree_head(std::string_view in) {
  ByteReader reader(in);
  TreeHead head;
  head.size = reader.varint();
  head.height = reader.le<uint8_t>();
  head.removed = reader.varint();
  head.next_node = reader.varint();
  head.root = reader.rest();
  if (!reader.ok() || head.height > kHeightMax || head.next_node == 0 ||
      head.root.empty() != (head.size == 0)) {
    return std::nullopt;
  }
  return head;
}

Tree::Tree(Nodes& nodes, LeafKind kind, const Shape& shape)
    : nodes_(nodes), kind_(kind), shape_(shape), pages_(1) {}

void Tree::open(const TreeId& id, const TreeHead& head, uint64_t stamp) {
  CHECK_INVARIANT(head.height <= kHeightMax && head.root.empty() == (head.size == 0));
  id_ = id;
  stamp_ = stamp;
  size_ = head.size;
  height_ = head.height;
  removed_ = head.removed;
  next_node_ = head.next_node;
  changed_ = false;
  forget_pages();
  Page& top = root();
  top.number = 0;
  top.level = height_;
  top.stored = top.dirty = top.gone = false;
  top.entries.assign(head.root);
}

void Tree::clear() {
  size_ = 0;
  height_ = 0;
  removed_ = stamp_;
  changed_ = true;
  forget_pages();
  root().level = 0;
  root().entries.clear();
}

TreeHead Tree::head() const {
  CHECK_INVARIANT(!changed_);
  return {size_, static_cast<uint8_t>(height_), removed_, next_node_, root().entries};
}

size_t Tree::node_limit(unsigned level) const {
  if (level > 0) {
    return shape_.inner_bytes;
  }
  return kind_ == LeafKind::kList ? shape_.list_leaf_bytes : shape_.leaf_bytes;
}

void Tree::give_back() {
  for (std::string* buffer : {&whole_, &piece_, &children_}) {
    give_back_if_big(*buffer);
  }
  for (Page& page : pages_) {
    give_back_if_big(page.entries);
  }
  for (Level& level : levels_) {
    give_back_if_big(level.entries);
  }
  constexpr size_t kPagesKept = 64;
  while (pages_.size() > std::max(used_, kPagesKept)) {
    pages_.pop_back();
  }
  give_back_if_big(index_);
  give_back_if_big(starts_);
  give_back_if_big(backwards_);
}

// ---------------------------------------------------------------- search

Tree::Page* Tree::page(uint64_t number) {
  if (used_ == 1) {
    return nullptr;
  }
  const size_t mask = index_.size() - 1;
  for (size_t slot = number & mask; index_[slot] != 0; slot = (slot + 1) & mask) {
    Page& found = pages_[index_[slot] - 1];
    if (found.number == number) {
      CHECK_INVARIANT(!found.gone);
      return &found;
    }
  }
  return nullptr;
}

std::string_view Tree::entries(uint64_t number, unsigned level) {
  if (const Page* edited = page(number)) {
    return edited->entries;
  }
  return nodes_.entries(id_, number, node_kind(level));
}

Tree::Child Tree::child_by_key(std::string_view inner, std::string_view key) const {
  Child chosen;
  uint64_t before = 0;
  for (size_t at = 0; at < inner.size();) {
    const InnerEntry entry = inner_entry(kind_, inner.substr(at));
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
Tree::Child Tree::child_by_rank(std::string_view inner, uint64_t rank) const {
  Child chosen;
  uint64_t before = 0;
  for (size_t at = 0; at < inner.size();) {
    const InnerEntry entry = inner_entry(kind_, inner.substr(at));
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

Tree::Leaf Tree::leaf_by_key(std::string_view key) {
  Leaf leaf{root().entries, 0};
  for (unsigned level = height_; level > 0; --level) {
    const Child child = child_by_key(leaf.entries, key);
    leaf = {entries(child.entry.child, level - 1), leaf.before + child.before};
  }
  return leaf;
}

Tree::Leaf Tree::leaf_by_rank(uint64_t rank) {
  Leaf leaf{root().entries, 0};
  for (unsigned level = height_; level > 0; --level) {
    const Child child = child_by_rank(leaf.entries, rank - leaf.before);
    leaf = {entries(child.entry.child, level - 1), leaf.before + child.before};
  }
  return leaf;
}

// Where the entry with this key begins, or would. False: it is not there.
bool Tree::locate(std::string_view leaf, std::string_view key, size_t& at) const {
  for (at = 0; at < leaf.size();) {
    const LeafEntry entry = leaf_entry(kind_, leaf.substr(at));
    const int order = compare_keys(entry.key, key);
    if (order >= 0) {
      return order == 0;
    }
    at += entry.bytes.size();
  }
  return false;
}

size_t Tree::offset_of(std::string_view leaf, uint64_t index) const {
  size_t at = 0;
  for (; index > 0; --index) {
    if (at == leaf.size()) {
      damaged_tree();
    }
    at += leaf_entry(kind_, leaf.substr(at)).bytes.size();
  }
  return at;
}

uint64_t Tree::count_of(std::string_view entries, unsigned level) const {
  uint64_t count = 0;
  if (level == 0) {
    each_leaf_entry(kind_, entries, [&](const LeafEntry&) {
      ++count;
      return true;
    });
  } else {
    each_inner_entry(kind_, entries, [&](const InnerEntry& entry) {
      count += entry.count;
      return true;
    });
  }
  return count;
}

LeafEntry Tree::at(uint64_t rank) {
  CHECK_INVARIANT(rank < size_);
  const Leaf leaf = leaf_by_rank(rank);
  const size_t at = offset_of(leaf.entries, rank - leaf.before);
  if (at == leaf.entries.size()) {
    damaged_tree();
  }
  return leaf_entry(kind_, leaf.entries.substr(at));
}

uint64_t Tree::rank(std::string_view key) {
  CHECK_INVARIANT(keyed(kind_));
  const Leaf leaf = leaf_by_key(key);
  uint64_t rank = leaf.before;
  each_leaf_entry(kind_, leaf.entries, [&](const LeafEntry& entry) {
    if (compare_keys(entry.key, key) >= 0) {
      return false;
    }
    ++rank;
    return true;
  });
  return rank;
}

std::optional<LeafEntry> Tree::find(std::string_view key) {
  CHECK_INVARIANT(keyed(kind_));
  const Leaf leaf = leaf_by_key(key);
  size_t at = 0;
  if (!locate(leaf.entries, key, at)) {
    return std::nullopt;
  }
  return leaf_entry(kind_, leaf.entries.substr(at));
}

// ---------------------------------------------------------------- walks

// The leaf that holds this rank; `before`: elements in front of the leaf. The inner nodes above it
// are copied, for the walk goes on by them.
std::string_view Tree::walk_to(uint64_t rank, uint64_t& before) {
  if (levels_.size() <= height_) {
    levels_.resize(height_ + 1);
  }
  before = 0;
  std::string_view at = root().entries;
  for (unsigned level = height_; level > 0; --level) {
    levels_[level].entries.assign(at);
    const Child child = child_by_rank(levels_[level].entries, rank - before);
    levels_[level].at = child.at;
    before += child.before;
    at = entries(child.entry.child, level - 1);
  }
  return at;
}

// The next leaf on that way, which must exist.
std::string_view Tree::walk_on(Way way) {
  for (unsigned level = 1; level <= height_; ++level) {
    Level& here = levels_[level];
    const std::string_view inner = here.entries;
    if (way == Way::kUp) {
      const size_t next = here.at + inner_entry(kind_, inner.substr(here.at)).bytes.size();
      if (next == inner.size()) {
        continue;
      }
      here.at = next;
    } else {
      if (here.at == 0) {
        continue;
      }
      here.at = last_child(inner, here.at);
    }
    return walk_down(level, way);
  }
  damaged_tree();  // counts promised more
}

// From the child that `level` is at, along the edge, to the leaf.
std::string_view Tree::walk_down(unsigned level, Way way) {
  while (true) {
    const Level& here = levels_[level];
    const uint64_t child = inner_entry(kind_, std::string_view(here.entries).substr(here.at)).child;
    const std::string_view found = entries(child, level - 1);
    if (--level == 0) {
      return found;
    }
    levels_[level].entries.assign(found);
    levels_[level].at = way == Way::kUp ? 0 : last_child(found, found.size());
  }
}

// Where the last entry in front of `before` begins.
size_t Tree::last_child(std::string_view inner, size_t before) const {
  size_t last = 0;
  for (size_t at = 0; at < before;) {
    last = at;
    at += inner_entry(kind_, inner.substr(at)).bytes.size();
  }
  return last;
}

void Tree::entries_of(std::string_view leaf) {
  backwards_.clear();
  each_leaf_entry(kind_, leaf, [&](const LeafEntry& entry) {
    backwards_.push_back(entry);
    return true;
  });
}

}  // namespace kiwi::resp
