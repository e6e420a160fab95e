#include "resp/types/tree_pages.hpp"

#include <algorithm>

#include "config/base/reuse.hpp"

namespace kiwi::resp {

namespace {

constexpr size_t kSlotsMin = 32;  // a power of two, as all sizes of the index
constexpr size_t kPagesKept = 64;

}  // namespace

TreePages::Page& TreePages::open(const TreeId& id, unsigned height, std::string_view root_entries) {
  id_ = id;
  forget();
  Page& top = root();
  top.number = 0;
  top.level = height;
  top.stored = top.dirty = top.gone = false;
  top.entries.assign(root_entries);
  return top;
}

TreePages::Page& TreePages::take() {
  if (used_ == pages_.size()) {
    pages_.emplace_back();
  }
  Page& page = pages_[used_++];
  page.stored = page.dirty = page.gone = false;
  return page;
}

void TreePages::index(size_t which) {
  CHECK_INVARIANT(which > 0 && which < used_ && 2 * used_ <= index_.size());
  const size_t mask = index_.size() - 1;
  size_t slot = pages_[which].number & mask;
  while (index_[slot] != 0) {
    slot = (slot + 1) & mask;
  }
  index_[slot] = static_cast<uint32_t>(which + 1);
}

// The last page taken becomes known. At least half of the slots stay free.
void TreePages::add_to_index() {
  if (2 * used_ <= index_.size()) {
    index(used_ - 1);
    return;
  }
  index_.assign(std::max(kSlotsMin, 2 * index_.size()), 0);
  for (size_t which = 1; which < used_; ++which) {
    index(which);
  }
}

void TreePages::forget() {
  if (used_ > 1) {
    index_.assign(std::min(index_.size(), kSlotsMin), 0);
  }
  used_ = 1;
}

TreePages::Page& TreePages::load(uint64_t number, unsigned level) {
  if (Page* edited = find(number)) {
    return *edited;
  }
  const std::string_view found = nodes_.entries(id_, number, tree_node::kind_of(level));
  Page& page = take();
  page.number = number;
  page.level = level;
  page.stored = true;
  page.entries.assign(found);
  add_to_index();
  return page;
}

TreePages::Page& TreePages::add(uint64_t number, unsigned level) {
  CHECK_INVARIANT(number != 0 && find(number) == nullptr);
  Page& page = take();
  page.number = number;
  page.level = level;
  page.dirty = true;
  page.entries.clear();
  add_to_index();
  return page;
}

void TreePages::drop(uint64_t number) {
  Page* edited = find(number);
  if (edited != nullptr) {
    edited->gone = true;
  }
  if (edited == nullptr || edited->stored) {
    nodes_.erase(id_, number);
  }
}

size_t TreePages::save(uint64_t stamp) {
  size_t bytes = 0;
  for (size_t which = 1; which < used_; ++which) {
    Page& page = pages_[which];
    if (page.dirty && !page.gone) {
      nodes_.put(id_, page.number, {tree_node::kind_of(page.level), stamp, page.entries});
      bytes += page.entries.size();
      give_back_if_big(page.entries);
    }
  }
  forget();
  root().dirty = false;
  return bytes;
}

void TreePages::give_back() {
  for (Page& page : pages_) {
    give_back_if_big(page.entries);
  }
  while (pages_.size() > std::max(used_, kPagesKept)) {
    pages_.pop_back();
  }
  give_back_if_big(index_);
}

}  // namespace kiwi::resp
