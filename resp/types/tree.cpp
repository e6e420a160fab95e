// Heads and search.
#include "resp/types/tree.hpp"

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
    : steps_(nodes.steps()),
      kind_(kind),
      shape_(shape),
      pages_(nodes),
      walk_(pages_, kind),
      cut_(kind, shape) {}

void Tree::open(const TreeId& id, const TreeHead& head, uint64_t stamp) {
  CHECK_INVARIANT(head.height <= kHeightMax && head.root.empty() == (head.size == 0));
  stamp_ = stamp;
  size_ = head.size;
  removed_ = head.removed;
  next_node_ = head.next_node;
  changed_ = false;
  pages_.open(id, head.height, head.root);
}

void Tree::clear() {
  size_ = 0;
  removed_ = stamp_;
  changed_ = true;
  pages_.forget();
  root().level = 0;
  root().entries.clear();
}

TreeHead Tree::head() const {
  CHECK_INVARIANT(!changed_);
  return {size_, static_cast<uint8_t>(height()), removed_, next_node_, root_entries()};
}

void Tree::give_back() {
  for (std::string* buffer : {&piece_, &children_}) {
    give_back_if_big(*buffer);
  }
  pages_.give_back();
  walk_.give_back();
  cut_.give_back();
}

// ---------------------------------------------------------------- search

Tree::Leaf Tree::leaf_by_key(std::string_view key) {
  Leaf leaf{root_entries(), 0};
  for (unsigned level = height(); level > 0; --level) {
    const tree_node::Child child = tree_node::child_by_key(kind_, leaf.entries, key);
    leaf = {pages_.entries(child.entry.child, level - 1), leaf.before + child.before};
  }
  return leaf;
}

Tree::Leaf Tree::leaf_by_rank(uint64_t rank) {
  Leaf leaf{root_entries(), 0};
  for (unsigned level = height(); level > 0; --level) {
    const tree_node::Child child =
        tree_node::child_by_rank(kind_, leaf.entries, rank - leaf.before);
    leaf = {pages_.entries(child.entry.child, level - 1), leaf.before + child.before};
  }
  return leaf;
}

LeafEntry Tree::at(uint64_t rank) {
  CHECK_INVARIANT(rank < size_);
  const Leaf leaf = leaf_by_rank(rank);
  const size_t at = tree_node::offset_of(kind_, leaf.entries, rank - leaf.before);
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
  if (!tree_node::locate(kind_, leaf.entries, key, at)) {
    return std::nullopt;
  }
  return leaf_entry(kind_, leaf.entries.substr(at));
}

}  // namespace kiwi::resp
