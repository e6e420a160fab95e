// Nodes that became too large.
#include <algorithm>

#include "config/base/reuse.hpp"
#include "resp/types/tree.hpp"

namespace kiwi::resp {

// The node at `depth` of the path (0: the root) holds whole_ from now on, in as many nodes as that
// takes, and its ancestors know.
void Tree::spread(size_t depth, Side side) {
  while (true) {
    Page& page = path_page(depth);
    const unsigned level = page.level;
    divide(level, depth == 0 && level == 0 ? shape_.root_leaf_bytes : node_limit(level), side);
    if (in_place(depth, level)) {
      page.entries.swap(whole_);
      touch(page);
      give_back_if_big(whole_);
      give_back_if_big(piece_);
      return;
    }
    if (depth == 0) {  // one level more
      to_nodes(nullptr, level, side, {});
      page.level = ++height_;
      whole_.swap(children_);
      continue;
    }
    --depth;
    const size_t at = path_[depth].at;
    const std::string& parent = path_[depth].page->entries;
    const InnerEntry old = inner_entry(kind_, std::string_view(parent).substr(at));
    const size_t behind = at + old.bytes.size();
    to_nodes(&page, level, side, old.separator);
    whole_.assign(parent, 0, at);
    whole_.append(children_);
    whole_.append(parent, behind);
  }
}

// One piece stays where it is, unless it is too large for the key's record: one element, or up to
// three children with long separators.
bool Tree::in_place(size_t depth, unsigned level) const {
  const size_t most = level == 0 ? shape_.root_leaf_bytes : shape_.root_inner_bytes();
  return ends_.size() == 1 && (depth > 0 || whole_.size() <= most);
}

// Divides whole_ if it is larger than `most`: ends_ of the pieces, which obey the node limit. A
// piece of an inner node has two entries, so that each level has fewer nodes than the one below,
// however large the separators; only the last one of a row may have one.
void Tree::divide(unsigned level, size_t most, Side side) {
  const size_t least = level == 0 ? 1 : 2;
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
      fill_from_right(node_limit(level), least);
      break;
    case Side::kMiddle:
      halve(0, starts_.size() - 1, node_limit(level), least);
      break;
    case Side::kRight:
      fill_from_left(node_limit(level), least);
      break;
  }
}

void Tree::find_starts(unsigned level) {
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
void Tree::halve(size_t first, size_t last, size_t limit, size_t least) {
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

void Tree::fill_from_left(size_t limit, size_t least) {
  size_t begin = 0;
  for (size_t next = 1; next < starts_.size(); ++next) {
    if (starts_[next] - starts_[begin] > limit && next - 1 - begin >= least) {
      begin = next - 1;
      ends_.push_back(starts_[begin]);
    }
  }
  ends_.push_back(starts_.back());
}

void Tree::fill_from_right(size_t limit, size_t least) {
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

// Gives each piece of whole_ a node: `keep` (null: none) holds the one that was there before. What
// their parent says of them: children_; `separator` is the first one's.
void Tree::to_nodes(Page* keep, unsigned level, Side side, std::string_view separator) {
  children_.clear();
  const size_t kept = side == Side::kLeft ? ends_.size() - 1 : 0;
  size_t begin = 0;
  for (size_t i = 0; i < ends_.size(); ++i) {
    const std::string_view piece = std::string_view(whole_).substr(begin, ends_[i] - begin);
    Page& page = keep != nullptr && i == kept ? *keep : new_page(level);
    append_inner(children_, kind_, page.number, count_of(piece, level),
                 i == 0 ? separator : separator_at(begin, level));
    store_piece(page, piece);
    begin = ends_[i];
  }
}

// Of the piece that begins there, which is not the first.
std::string_view Tree::separator_at(size_t begin, unsigned level) const {
  const std::string_view whole = whole_;
  if (level > 0) {
    return inner_entry(kind_, whole.substr(begin)).separator;
  }
  if (!keyed(kind_)) {
    return {};
  }
  const size_t before = *(std::lower_bound(starts_.begin(), starts_.end(), begin) - 1);
  return separator_between(leaf_entry(kind_, whole.substr(before)).key,
                           leaf_entry(kind_, whole.substr(begin)).key);
}

// A node that did not change, as the old one beside one that was opened, is not written.
void Tree::store_piece(Page& page, std::string_view piece) {
  if (page.level == 0) {
    piece_.assign(piece);
  } else {
    const InnerEntry first = inner_entry(kind_, piece);
    piece_.clear();
    append_inner(piece_, kind_, first.child, first.count, {});
    piece_.append(piece.substr(first.bytes.size()));
  }
  if (page.entries != piece_) {
    page.entries.swap(piece_);
    touch(page);
  }
}

}  // namespace kiwi::resp
