// Changes: the nodes that are being edited, and entries that come, go and move.
#include <algorithm>

#include "config/base/bytes.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/tree.hpp"

namespace kiwi::resp {

namespace {

constexpr size_t kSlotsMin = 32;  // a power of two, as all sizes of the index

}  // namespace

// ---------------------------------------------------------------- pages

Tree::Page& Tree::take_page() {
  if (used_ == pages_.size()) {
    pages_.emplace_back();
  }
  Page& page = pages_[used_++];
  page.stored = page.dirty = page.gone = false;
  page.paid_bytes = 0;
  return page;
}

void Tree::index(size_t which) {
  const size_t mask = index_.size() - 1;
  size_t slot = pages_[which].number & mask;
  while (index_[slot] != 0) {
    slot = (slot + 1) & mask;
  }
  index_[slot] = static_cast<uint32_t>(which + 1);
}

// The last page taken becomes known. At least half of the slots stay free.
void Tree::add_to_index() {
  if (2 * used_ <= index_.size()) {
    index(used_ - 1);
    return;
  }
  index_.assign(std::max(kSlotsMin, 2 * index_.size()), 0);
  for (size_t which = 1; which < used_; ++which) {
    index(which);
  }
}

void Tree::forget_pages() {
  if (used_ > 1) {
    index_.assign(std::min(index_.size(), kSlotsMin), 0);
  }
  used_ = 1;
}

Tree::Page& Tree::load(uint64_t number, unsigned level) {
  if (Page* edited = page(number)) {
    return *edited;
  }
  const NodeRecord found = nodes_.record(id_, number, node_kind(level));
  Page& page = take_page();
  page.number = number;
  page.level = level;
  page.stored = true;
  page.paid_bytes = nodes_.wrote(id_, found) ? found.entries.size() : 0;
  page.entries.assign(found.entries);
  add_to_index();
  return page;
}

Tree::Page& Tree::new_page(unsigned level) {
  CHECK_INVARIANT(next_node_ < rocks::kHashEnd);
  Page& page = take_page();
  page.number = next_node_++;
  page.level = level;
  page.entries.clear();
  touch(page);
  add_to_index();
  return page;
}

size_t Tree::save() {
  if (!changed_) {
    forget_pages();
    return 0;
  }
  size_t bytes = 0;
  for (size_t which = 1; which < used_; ++which) {
    Page& page = pages_[which];
    if (page.dirty && !page.gone) {
      nodes_.put(id_, page.number, {node_kind(page.level), stamp_, page.entries});
      bytes += page.entries.size() - std::min(page.entries.size(), page.paid_bytes);
      give_back_if_big(page.entries);
    }
  }
  CHECK_INVARIANT(count_of(root().entries, height_) == size_);
  forget_pages();
  root().dirty = changed_ = false;
  return bytes;
}

// ---------------------------------------------------------------- paths

Tree::Page& Tree::step_into(Page& page, const Child& child) {
  path_.push_back({&page, child.at});
  return load(child.entry.child, page.level - 1);
}

Tree::Page& Tree::path_by_key(std::string_view key) {
  path_.clear();
  leaf_ = &root();
  while (leaf_->level > 0) {
    leaf_ = &step_into(*leaf_, child_by_key(leaf_->entries, key));
  }
  return *leaf_;
}

Tree::Page& Tree::path_by_rank(uint64_t& rank) {
  path_.clear();
  leaf_ = &root();
  while (leaf_->level > 0) {
    const Child child = child_by_rank(leaf_->entries, rank);
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
  whole_.assign(leaf.entries, 0, at);
  whole_.append(entry);
  whole_.append(leaf.entries, at);
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
  const size_t at = offset_of(leaf.entries, rank);
  if (at == leaf.entries.size()) {
    damaged_tree();
  }
  return leaf_entry(kind_, std::string_view(leaf.entries).substr(at));
}

std::optional<LeafEntry> Tree::find_for_change(std::string_view key) {
  CHECK_INVARIANT(keyed(kind_));
  const Page& leaf = path_by_key(key);
  size_t at = 0;
  return locate(leaf.entries, key, at)
             ? std::optional(leaf_entry(kind_, std::string_view(leaf.entries).substr(at)))
             : std::nullopt;
}

void Tree::insert(std::string_view entry) {
  CHECK_INVARIANT(keyed(kind_));
  const std::string_view key = leaf_entry(kind_, entry).key;
  Page& leaf = path_by_key(key);
  size_t at = 0;
  CHECK_INVARIANT(!locate(leaf.entries, key, at));
  put_in(leaf, at, entry);
}

bool Tree::remove(std::string_view key) {
  CHECK_INVARIANT(keyed(kind_));
  Page& leaf = path_by_key(key);
  size_t at = 0;
  if (!locate(leaf.entries, key, at)) {
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
  if (!locate(leaf.entries, key, at)) {
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
  CHECK_INVARIANT(!locate(leaf.entries, new_key, at));
  leaf.entries.insert(at, entry);
  touch(leaf);
  return true;
}

void Tree::insert_at(uint64_t rank, std::string_view entry) {
  CHECK_INVARIANT(!keyed(kind_) && rank <= size_);
  Page& leaf = path_by_rank(rank);
  put_in(leaf, offset_of(leaf.entries, rank), entry);
}

void Tree::replace_at(uint64_t rank, std::string_view entry) {
  CHECK_INVARIANT(rank < size_);
  Page& leaf = path_by_rank(rank);
  const size_t at = offset_of(leaf.entries, rank);
  const LeafEntry old = leaf_entry(kind_, std::string_view(leaf.entries).substr(at));
  CHECK_INVARIANT(old.key == leaf_entry(kind_, entry).key);
  const size_t old_bytes = old.bytes.size();
  const size_t bytes = leaf.entries.size() - old_bytes + entry.size();
  if (entry.size() > old_bytes && bytes > leaf_limit()) {
    whole_ = leaf.entries;
    whole_.replace(at, old_bytes, entry);
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
  take_out(leaf, offset_of(leaf.entries, rank));
}

}  // namespace kiwi::resp
