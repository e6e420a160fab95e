#include "resp/types/builder.hpp"

#include <algorithm>
#include <limits>

#include "config/base/bytes.hpp"
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

// ---------------------------------------------------------------- any order

TreeSorter::TreeSorter(Nodes& nodes,
                       LeafKind kind,
                       const TreeId& id,
                       uint64_t stamp,
                       const Shape& shape,
                       size_t run_bytes)
    : nodes_(nodes),
      kind_(kind),
      id_(id),
      stamp_(stamp),
      shape_(shape),
      run_bytes_(run_bytes),
      tree_(nodes, kind, shape) {
  CHECK_INVARIANT(keyed(kind) && run_bytes <= std::numeric_limits<uint32_t>::max());
}

void TreeSorter::add(std::string_view entry) {
  if (!run_.empty() && run_.size() + entry.size() > run_bytes_) {
    end_run();
  }
  const uint64_t prefix = get_be<uint64_t>(leaf_entry(kind_, entry).key);
  places_.push_back({prefix, static_cast<uint32_t>(run_.size())});
  run_.append(entry);
}

std::string_view TreeSorter::entry(const Place& place) const {
  return leaf_entry(kind_, std::string_view(run_).substr(place.at)).bytes;
}

void TreeSorter::end_run() {
  std::sort(places_.begin(), places_.end(), [&](const Place& a, const Place& b) {
    if (a.prefix != b.prefix) {
      return a.prefix < b.prefix;
    }
    const std::string_view run = run_;
    return leaf_entry(kind_, run.substr(a.at)).key < leaf_entry(kind_, run.substr(b.at)).key;
  });
  if (built_) {
    insert();
  } else {
    build();
  }
  run_.clear();
  places_.clear();
}

void TreeSorter::build() {
  TreeBuilder builder(nodes_, kind_, id_, stamp_, shape_);
  for (const Place& place : places_) {
    builder.add(entry(place));
  }
  tree_.open(id_, builder.finish(), stamp_);
  built_ = true;
}

// Neighbours come one after the other, so each leaf is read and written once or twice a run.
void TreeSorter::insert() {
  constexpr size_t kUnsavedMax = 512;  // entries: nodes stay in memory until then
  size_t unsaved = 0;
  for (const Place& place : places_) {
    tree_.insert(entry(place));
    if (++unsaved == kUnsavedMax) {
      tree_.save();
      unsaved = 0;
    }
  }
  tree_.save();
}

TreeHead TreeSorter::finish() {
  end_run();
  return tree_.head();
}

}  // namespace kiwi::resp
