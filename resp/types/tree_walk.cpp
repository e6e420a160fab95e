#include "resp/types/tree_walk.hpp"

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/tree_node.hpp"

namespace kiwi::resp {

std::string_view TreeWalk::to(uint64_t rank, uint64_t& before) {
  height_ = pages_.root().level;
  if (levels_.size() <= height_) {
    levels_.resize(height_ + 1);
  }
  before = 0;
  std::string_view at = pages_.root().entries;
  for (unsigned level = height_; level > 0; --level) {
    levels_[level].entries.assign(at);
    const tree_node::Child child =
        tree_node::child_by_rank(kind_, levels_[level].entries, rank - before);
    levels_[level].at = child.at;
    before += child.before;
    at = pages_.entries(child.entry.child, level - 1);
  }
  return at;
}

std::string_view TreeWalk::on(Way way) {
  CHECK_INVARIANT(height_ == pages_.root().level);
  for (unsigned level = 1; level <= height_; ++level) {
    Level& here = levels_[level];
    const std::string_view inner = here.entries;
    if (way == Way::kUp) {
      const size_t next = here.at + inner_entry(kind_, inner.substr(here.at)).bytes.size();
      if (next == inner.size()) {
        continue;
      }
      here.at = next;
    } else {
      if (here.at == 0) {
        continue;
      }
      here.at = tree_node::last_child(kind_, inner, here.at);
    }
    return down(level, way);
  }
  damaged_tree();  // counts promised more
}

// From the child that `level` is at, along the edge, to the leaf.
std::string_view TreeWalk::down(unsigned level, Way way) {
  while (true) {
    const Level& here = levels_[level];
    const uint64_t child = inner_entry(kind_, std::string_view(here.entries).substr(here.at)).child;
    const std::string_view found = pages_.entries(child, level - 1);
    if (--level == 0) {
      return found;
    }
    levels_[level].entries.assign(found);
    levels_[level].at = way == Way::kUp ? 0 : tree_node::last_child(kind_, found, found.size());
  }
}

const std::vector<LeafEntry>& TreeWalk::entries_of(std::string_view leaf) {
  entries_.clear();
  each_leaf_entry(kind_, leaf, [&](const LeafEntry& entry) {
    entries_.push_back(entry);
    return true;
  });
  return entries_;
}

void TreeWalk::give_back() {
  for (Level& level : levels_) {
    give_back_if_big(level.entries);
  }
  give_back_if_big(entries_);
}

}  // namespace kiwi::resp
