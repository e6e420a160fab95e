// Nodes that became too large.
#include "config/base/reuse.hpp"
#include "resp/types/tree.hpp"

namespace kiwi::resp {

// The node at `depth` of the path (0: the root) holds cut_.whole() from now on, in as many nodes as
// that takes, and its ancestors know.
void Tree::spread(size_t depth, Side side) {
  std::string& whole = cut_.whole();
  while (true) {
    Page& page = path_page(depth);
    const unsigned level = page.level;
    cut_.divide(level, depth == 0 && level == 0 ? shape_.root_leaf_bytes : node_limit(level), side);
    if (in_place(depth, level)) {
      page.entries.swap(whole);
      touch(page);
      give_back_if_big(whole);
      give_back_if_big(piece_);
      return;
    }
    if (depth == 0) {  // one level more
      to_nodes(nullptr, level, side, {});
      ++page.level;
      whole.swap(children_);
      continue;
    }
    --depth;
    const size_t at = path_[depth].at;
    const std::string& parent = path_[depth].page->entries;
    const InnerEntry old = inner_entry(kind_, std::string_view(parent).substr(at));
    const size_t behind = at + old.bytes.size();
    to_nodes(&page, level, side, old.separator);
    whole.assign(parent, 0, at);
    whole.append(children_);
    whole.append(parent, behind);
  }
}

// One piece stays where it is, unless it is too large for the key's record: one element, or up to
// three children with long separators.
bool Tree::in_place(size_t depth, unsigned level) {
  const size_t most = level == 0 ? shape_.root_leaf_bytes : shape_.root_inner_bytes();
  return cut_.ends().size() == 1 && (depth > 0 || cut_.whole().size() <= most);
}

// Gives each piece a node: `keep` (null: none) holds the one that was there before. What
// their parent says of them: children_; `separator` is the first one's.
void Tree::to_nodes(Page* keep, unsigned level, Side side, std::string_view separator) {
  const std::vector<size_t>& ends = cut_.ends();
  children_.clear();
  const size_t kept = side == Side::kLeft ? ends.size() - 1 : 0;
  size_t begin = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    const std::string_view piece = std::string_view(cut_.whole()).substr(begin, ends[i] - begin);
    Page& page = keep != nullptr && i == kept ? *keep : new_page(level);
    append_inner(children_, kind_, page.number, tree_node::count_of(kind_, piece, level),
                 i == 0 ? separator : cut_.separator_at(begin, level));
    store_piece(page, piece);
    begin = ends[i];
  }
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
