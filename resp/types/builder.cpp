#include "resp/types/builder.hpp"

#include "config/base/check.hpp"

namespace kiwi::resp {

TreeBuilder::TreeBuilder(
    Nodes& nodes, LeafKind kind, const TreeId& id, uint64_t stamp, const Shape& shape)
    : nodes_(nodes), kind_(kind), id_(id), stamp_(stamp), shape_(shape), rows_(1) {}

void TreeBuilder::add(std::string_view entry) {
  ++size_;
  if (!spread_) {
    if (only_.size() + entry.size() <= shape_.root_leaf_bytes) {
      only_.append(entry);
      return;
    }
    spread_ = true;
    each_leaf_entry(kind_, only_, [&](const LeafEntry& one) {
      add_to_leaf(one.bytes);
      return true;
    });
  }
  add_to_leaf(entry);
}

void TreeBuilder::add_to_leaf(std::string_view entry) {
  const size_t limit = kind_ == LeafKind::kList ? shape_.list_leaf_bytes : shape_.leaf_bytes;
  Row& leaf = rows_.front();
  if (!leaf.entries.empty() && leaf.entries.size() + entry.size() > limit) {
    std::string_view separator;  // a part of `entry`
    if (keyed(kind_)) {
      const std::string_view last = std::string_view(leaf.entries).substr(last_at_);
      separator = separator_between(leaf_entry(kind_, last).key, leaf_entry(kind_, entry).key);
    }
    close(0);
    leaf.separator.assign(separator);
  }
  last_at_ = leaf.entries.size();
  leaf.entries.append(entry);
  ++leaf.elements;
}

void TreeBuilder::close(size_t level) {
  Row& row = rows_[level];
  const uint64_t node = next_node_++;
  nodes_.put(id_, node, {level == 0 ? NodeKind::kLeaf : NodeKind::kInner, stamp_, row.entries});
  add_child(level + 1, node, row.elements, row.separator);
  row.entries.clear();
  row.separator.clear();
  row.elements = row.children = 0;
}

// `separator` is a lower row's.
void TreeBuilder::add_child(size_t level,
                            uint64_t child,
                            uint64_t elements,
                            std::string_view separator) {
  if (level == rows_.size()) {
    rows_.emplace_back();
  }
  Row& row = rows_[level];
  entry_.clear();
  append_inner(entry_, kind_, child, elements, separator);
  if (row.children >= 2 && row.entries.size() + entry_.size() > shape_.inner_bytes) {
    close(level);
  }
  if (row.children == 0) {
    row.separator.assign(separator);
    append_inner(row.entries, kind_, child, elements, {});
  } else {
    append_inner(row.entries, kind_, child, elements, separator);
  }
  row.elements += elements;
  ++row.children;
}

TreeHead TreeBuilder::finish() {
  TreeHead head;
  head.size = size_;
  if (!spread_) {
    head.root = only_;
    return head;
  }
  size_t level = 0;
  for (close(0); ++level + 1 < rows_.size();) {
    close(level);
  }
  if (rows_[level].entries.size() > shape_.root_inner_bytes()) {
    close(level++);
  }
  head.height = static_cast<uint8_t>(level);
  head.next_node = next_node_;
  head.root = rows_[level].entries;
  return head;
}

}  // namespace kiwi::resp
