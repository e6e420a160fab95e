// Lists: edits inside.
#include <algorithm>
#include <string>

#include "config/base/check.hpp"
#include "resp/types/list.hpp"

namespace kiwi::resp {

void List::replace(uint64_t index, std::string_view element) {
  CHECK_INVARIANT(index < size());
  begin_change();
  tree_.replace_at(index, entry_of(element));
  edited();
}

void List::insert(uint64_t index, std::string_view element) {
  CHECK_INVARIANT(index <= size() && !empty());
  begin_change();
  tree_.insert_at(index, entry_of(element));
  edited();
}

// ---------------------------------------------------------------- what stays

void List::trim(uint64_t first, uint64_t count) {
  CHECK_INVARIANT(first <= size() && count <= size() - first);
  if (count == size()) {
    begin_change();
    return;
  }
  if (count > 0 && is_little(first, count)) {
    return keep_only(first, count);
  }
  if (first + count < size()) {
    remove(first + count, size() - first - count);
  }
  if (first > 0) {
    remove(0, first);
  }
}

// Of a large list: to build it anew is less than to erase all other nodes.
bool List::is_little(uint64_t first, uint64_t count) const {
  constexpr unsigned kHeight = 2;     // below it has at most some hundred nodes
  constexpr uint64_t kPart = 16;      // so many times as much goes
  constexpr size_t kBytes = 1 << 20;  // is held in memory
  if (tree_.height() < kHeight || count > size() / kPart) {
    return false;
  }
  size_t bytes = 0;
  tree_.visit(first, count, [&](const LeafEntry& entry) {
    bytes += entry.bytes.size();
    return bytes <= kBytes;
  });
  return bytes <= kBytes;
}

void List::keep_only(uint64_t first, uint64_t count) {
  std::string kept;
  tree_.visit(first, count, [&](const LeafEntry& entry) {
    database().effects().spend(entry.bytes.size());
    kept.append(entry.bytes);
    return true;
  });
  begin_change();
  elements().drop(key_);
  tree_.clear();
  each_leaf_entry(LeafKind::kList, kept, [&](const LeafEntry& entry) {
    tree_.insert_at(tree_.size(), entry.bytes);
    return true;
  });
  edited();
}

// ---------------------------------------------------------------- LREM

uint64_t List::remove_equal(std::string_view element, ListEnd from, uint64_t most) {
  uint64_t removed = 0;
  uint64_t skip = 0;  // elements from that end that stay
  while (find_equal(element, from, most - removed, skip)) {
    begin_change();
    tree_.remove_many(equal_);
    removed += equal_.size();
    key_.meta.size = tree_.size();
    store_nodes();
  }
  CHECK_INVARIANT(removed <= most);
  return removed;
}

// The next ones go to equal_, few enough for their nodes to be in memory together. False: none.
bool List::find_equal(std::string_view element, ListEnd from, uint64_t most, uint64_t& skip) {
  constexpr uint64_t kAtOnce = 512;
  most = std::min(most, kAtOnce);
  equal_.clear();
  if (most == 0) {
    return false;
  }
  each_behind(skip, from, [&](uint64_t index, std::string_view found) {
    if (found == element) {
      equal_.push_back(index);
    } else {
      ++skip;
    }
    return equal_.size() < most;
  });
  if (from == ListEnd::kTail) {
    std::reverse(equal_.begin(), equal_.end());
  }
  return !equal_.empty();
}

}  // namespace kiwi::resp
