// Changes: entries that come, go and move.
#include <algorithm>

#include "config/base/bytes.hpp"
#include "resp/types/tree.hpp"

namespace kiwi::resp {

Tree::Page& Tree::new_page(unsigned level) {
  CHECK_INVARIANT(next_node_ < rocks::kHashEnd);
  changed_ = true;
  return pages_.add(next_node_++, level);
}

size_t Tree::save() {
  if (!changed_) {
    pages_.forget();
    return 0;
  }
  CHECK_INVARIANT(tree_node::count_of(kind_, root_entries(), height()) == size_);
  changed_ = false;
  return pages_.save(stamp_);
}

// ---------------------------------------------------------------- paths

Tree::Page& Tree::step_into(Page& page, const tree_node::Child& child) {
  path_.push_back({&page, child.at});
  return pages_.load(child.entry.child, page.level - 1);
}

Tree::Page& Tree::path_by_key(std::string_view key) {
  path_.clear();
  leaf_ = &root();
  while (leaf_->level > 0) {
    leaf_ = &step_into(*leaf_, tree_node::child_by_key(kind_, leaf_->entries, key));
  }
  return *leaf_;
}

Tree::Page& Tree::path_by_rank(uint64_t& rank) {
  path_.clear();
  leaf_ = &root();
  while (leaf_->level > 0) {
    const tree_node::Child child = tree_node::child_by_rank(kind_, leaf_->entries, rank);
    rank -= child.before;
    leaf_ = &step_into(*leaf_, child);
  }
  return *leaf_;
}

Tree::Page& Tree::path_page(size_t depth) {
  return depth < path_.size() ? *path_[depth].page : *leaf_;
}

// At an end of the whole tree?
Tree::Side Tree::side_of(const Page& leaf, size_t at) const {
  if (at == leaf.entries.size() && std::all_of(path_.begin(), path_.end(), [&](const Step& step) {
        const std::string_view rest = std::string_view(step.page->entries).substr(step.at);
        return inner_entry(kind_, rest).bytes.size() == rest.size();
      })) {
    return Side::kRight;
  }
  const bool first = at == 0 && std::all_of(path_.begin(), path_.end(),
                                            [](const Step& step) { return step.at == 0; });
  return first ? Side::kLeft : Side::kMiddle;
}

// Of the children that the path goes through. In place where the count keeps its length.
void Tree::add_to_counts(int64_t change) {
  for (const Step& step : path_) {
    std::string& inner = step.page->entries;
    const char* at = inner.data() + step.at;
    const char* const end = inner.data() + inner.size();
    entry_detail::varint(at, end);  // the child
    const auto from = static_cast<size_t>(at - inner.data());
    const uint64_t count = entry_detail::varint(at, end);
    const size_t old_bytes = static_cast<size_t>(at - inner.data()) - from;
    children_.clear();
    put_varint(children_, count + static_cast<uint64_t>(change));
    if (children_.size() == old_bytes) {
      std::copy(children_.begin(), children_.end(), inner.begin() + static_cast<ptrdiff_t>(from));
    } else {
      inner.replace(from, old_bytes, children_);
    }
    touch(*step.page);
  }
}

// ---------------------------------------------------------------- entries

void Tree::put_in(Page& leaf, size_t at, std::string_view entry) {
  ++size_;
  add_to_counts(+1);
  if (leaf.entries.size() + entry.size() <= leaf_limit()) {
    leaf.entries.insert(at, entry);
    touch(leaf);
    return;
  }
  const Side side = side_of(leaf, at);
  std::string& whole = cut_.whole();
  whole.assign(leaf.entries, 0, at);
  whole.append(entry);
  whole.append(leaf.entries, at);
  spread(path_.size(), side);
}

void Tree::take_out(Page& leaf, size_t at) {
  const size_t bytes = leaf_entry(kind_, std::string_view(leaf.entries).substr(at)).bytes.size();
  leaf.entries.erase(at, bytes);
  touch(leaf);
  --size_;
  add_to_counts(-1);
  shrink();
}

LeafEntry Tree::at_for_change(uint64_t rank) {
  CHECK_INVARIANT(rank < size_);
  const Page& leaf = path_by_rank(rank);
  const size_t at = tree_node::offset_of(kind_, leaf.entries, rank);
  if (at == leaf.entries.size()) {
    damaged_tree();
  }
  return leaf_entry(kind_, std::string_view(leaf.entries).substr(at));
}

std::optional<LeafEntry> Tree::find_for_change(std::string_view key) {
  CHECK_INVARIANT(keyed(kind_));
  const Page& leaf = path_by_key(key);
  size_t at = 0;
  return tree_node::locate(kind_, leaf.entries, key, at)
             ? std::optional(leaf_entry(kind_, std::string_view(leaf.entries).substr(at)))
             : std::nullopt;
}

void Tree::insert(std::string_view entry) {
  CHECK_INVARIANT(keyed(kind_));
  const std::string_view key = leaf_entry(kind_, entry).key;
  Page& leaf = path_by_key(key);
  size_t at = 0;
  CHECK_INVARIANT(!tree_node::locate(kind_, leaf.entries, key, at));
  put_in(leaf, at, entry);
}

bool Tree::remove(std::string_view key) {
  CHECK_INVARIANT(keyed(kind_));
  Page& leaf = path_by_key(key);
  size_t at = 0;
  if (!tree_node::locate(kind_, leaf.entries, key, at)) {
    return false;
  }
  take_out(leaf, at);
  return true;
}

bool Tree::move(std::string_view key, std::string_view entry) {
  CHECK_INVARIANT(keyed(kind_));
  const std::string_view new_key = leaf_entry(kind_, entry).key;
  Page& target = path_by_key(new_key);
  Page& leaf = path_by_key(key);
  size_t at = 0;
  if (!tree_node::locate(kind_, leaf.entries, key, at)) {
    return false;
  }
  const size_t old_bytes =
      leaf_entry(kind_, std::string_view(leaf.entries).substr(at)).bytes.size();
  const size_t bytes = leaf.entries.size() - old_bytes + entry.size();
  const bool fits =
      entry.size() == old_bytes || (entry.size() > old_bytes && bytes <= leaf_limit());
  if (&target != &leaf || !fits) {
    take_out(leaf, at);
    insert(entry);
    return true;
  }
  // Within one leaf no ancestor changes.
  leaf.entries.erase(at, old_bytes);
  CHECK_INVARIANT(!tree_node::locate(kind_, leaf.entries, new_key, at));
  leaf.entries.insert(at, entry);
  touch(leaf);
  return true;
}

void Tree::insert_at(uint64_t rank, std::string_view entry) {
  CHECK_INVARIANT(!keyed(kind_) && rank <= size_);
  Page& leaf = path_by_rank(rank);
  put_in(leaf, tree_node::offset_of(kind_, leaf.entries, rank), entry);
}

void Tree::replace_at(uint64_t rank, std::string_view entry) {
  CHECK_INVARIANT(rank < size_);
  Page& leaf = path_by_rank(rank);
  const size_t at = tree_node::offset_of(kind_, leaf.entries, rank);
  const LeafEntry old = leaf_entry(kind_, std::string_view(leaf.entries).substr(at));
  CHECK_INVARIANT(old.key == leaf_entry(kind_, entry).key);
  const size_t old_bytes = old.bytes.size();
  const size_t bytes = leaf.entries.size() - old_bytes + entry.size();
  if (entry.size() > old_bytes && bytes > leaf_limit()) {
    std::string& whole = cut_.whole();
    whole = leaf.entries;
    whole.replace(at, old_bytes, entry);
    spread(path_.size(), Side::kMiddle);
    return;
  }
  leaf.entries.replace(at, old_bytes, entry);
  touch(leaf);
  if (entry.size() < old_bytes) {
    shrink();
  }
}

void Tree::remove_at(uint64_t rank) {
  CHECK_INVARIANT(rank < size_);
  Page& leaf = path_by_rank(rank);
  take_out(leaf, tree_node::offset_of(kind_, leaf.entries, rank));
}

}  // namespace kiwi::resp
