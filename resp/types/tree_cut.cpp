#include "resp/types/tree_cut.hpp"

#include <algorithm>

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/tree_node.hpp"

namespace kiwi::resp {

// A piece of an inner node has two entries, so that each level has fewer nodes than the one below,
// however large the separators; only the last one of a row may have one.
void TreeCut::divide(unsigned level, size_t most, Side side) {
  const size_t least = level == 0 ? 1 : 2;
  const size_t limit = tree_node::limit(kind_, shape_, level);
  ends_.clear();
  if (whole_.size() > most) {
    find_starts(level);
  }
  if (whole_.size() <= most || starts_.size() - 1 < 2 * least) {
    ends_.push_back(whole_.size());
    return;
  }
  switch (side) {
    case Side::kLeft:
      fill_from_right(limit, least);
      break;
    case Side::kMiddle:
      halve(0, starts_.size() - 1, limit, least);
      break;
    case Side::kRight:
      fill_from_left(limit, least);
      break;
  }
  CHECK_INVARIANT(!ends_.empty() && ends_.back() == whole_.size());
}

void TreeCut::find_starts(unsigned level) {
  starts_.clear();
  const std::string_view whole = whole_;
  for (size_t at = 0; at < whole.size();) {
    starts_.push_back(at);
    at += level == 0 ? leaf_entry(kind_, whole.substr(at)).bytes.size()
                     : inner_entry(kind_, whole.substr(at)).bytes.size();
  }
  starts_.push_back(whole.size());
}

// [first, last) of the entries, at the first boundary past half until they fit.
void TreeCut::halve(size_t first, size_t last, size_t limit, size_t least) {
  const size_t bytes = starts_[last] - starts_[first];
  if (bytes <= limit || last - first < 2 * least) {
    ends_.push_back(starts_[last]);
    return;
  }
  size_t middle = first + least;
  while (middle < last - least && 2 * (starts_[middle] - starts_[first]) < bytes) {
    ++middle;
  }
  halve(first, middle, limit, least);
  halve(middle, last, limit, least);
}

void TreeCut::fill_from_left(size_t limit, size_t least) {
  size_t begin = 0;
  for (size_t next = 1; next < starts_.size(); ++next) {
    if (starts_[next] - starts_[begin] > limit && next - 1 - begin >= least) {
      begin = next - 1;
      ends_.push_back(starts_[begin]);
    }
  }
  ends_.push_back(starts_.back());
}

void TreeCut::fill_from_right(size_t limit, size_t least) {
  size_t end = starts_.size() - 1;
  ends_.push_back(starts_[end]);
  for (size_t first = end; first-- > 0;) {
    if (starts_[end] - starts_[first] > limit && end - (first + 1) >= least) {
      end = first + 1;
      ends_.push_back(starts_[end]);
    }
  }
  std::reverse(ends_.begin(), ends_.end());
}

std::string_view TreeCut::separator_at(size_t begin, unsigned level) const {
  const std::string_view whole = whole_;
  if (level > 0) {
    return inner_entry(kind_, whole.substr(begin)).separator;
  }
  if (!keyed(kind_)) {
    return {};
  }
  CHECK_INVARIANT(begin > 0);
  const size_t before = *(std::lower_bound(starts_.begin(), starts_.end(), begin) - 1);
  return separator_between(leaf_entry(kind_, whole.substr(before)).key,
                           leaf_entry(kind_, whole.substr(begin)).key);
}

void TreeCut::give_back() {
  give_back_if_big(whole_);
  give_back_if_big(starts_);
}

}  // namespace kiwi::resp
