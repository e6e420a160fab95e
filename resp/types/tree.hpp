// A counted B+-tree whose leaves hold the elements: what sorted sets (order), lists (position) and
// pending entries (order) are made of once they are spread. Every node is a record, the root stands
// in the record of the key; inner nodes know how many elements lie below each child, so search by
// key and by rank reads one record a level.
//
//   Split    at the first entry that begins past half of the bytes; what is appended at the tree's
//            right end, or prepended at the left, opens a node instead, so that queues fill theirs.
//   Merge    a node below a quarter, with its right, else its left neighbour under the same parent,
//            if both fit into three quarters. Empty nodes go. A root with one inner child takes its
//            entries.
//   Limits   those of Shape, when entries come: counts that grow later may add a byte or two each.
//            A leaf of one entry, and an inner node of three, may be larger. The root may not, for
//            it stands in the key's record, which every look at the key reads and every change
//            writes: an element, or separators, that are too large for it have a node of their own,
//            the only one below it.
//
// The shape is a function of the history alone, so it is the same on every node. Changes stand in
// memory until save(), which writes each changed node once: between the first change and save() the
// records do not fit each other.
//
// Tree knows the order of operations: TreePages has the nodes that are being edited, TreeCut cuts
// those that became too large, TreeWalk goes from leaf to leaf.
//
// Owned by the handle of a key. Bytes that are returned are valid until the next call that reads or
// writes the state; visitors do neither.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/check.hpp"
#include "resp/types/nodes.hpp"
#include "resp/types/shape.hpp"
#include "resp/types/tree_cut.hpp"
#include "resp/types/tree_entry.hpp"
#include "resp/types/tree_node.hpp"
#include "resp/types/tree_pages.hpp"
#include "resp/types/tree_walk.hpp"

namespace kiwi::resp {

// What the record of the key, or of the group, says of its tree.
struct TreeHead {
  uint64_t size = 0;       // elements
  uint8_t height = 0;      // inner levels; 0: the root is the only leaf
  uint64_t removed = 0;    // stamp of the last removal of a node, 0: none
  uint64_t next_node = 1;  // numbers below were used; never again within a version
  std::string_view root;   // its entries
};
// ON DISK: varint size, u8 height, varint removed, varint next node, root's entries, to the end.
// Appends.
void encode(std::string& out, const TreeHead& head);
// nullopt: damaged.
std::optional<TreeHead> decode_tree_head(std::string_view in);

class Tree {
 public:
  Tree(Nodes& nodes, LeafKind kind, const Shape& shape = kShape);
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // The tree that this one stands for from now on. `stamp`: of what will be changed, the key's next
  // last_modified - version (its records must not seem older than the entry that wrote them).
  void open(const TreeId& id, const TreeHead& head, uint64_t stamp);
  // Of what is changed from here on.
  void set_stamp(uint64_t stamp) { stamp_ = stamp; }
  // Forgets all entries. The records of the nodes are the caller's to drop.
  void clear();
  TreeHead head() const;  // as of the last save(), its root valid until the next change
  uint64_t size() const { return size_; }
  unsigned height() const { return pages_.root().level; }
  std::string_view root_entries() const {  // until the next change
    return pages_.root().entries;
  }

  // ---- by rank, from 0
  LeafEntry at(uint64_t rank);  // rank < size()
  // Calls tell(const LeafEntry&) for `count` entries from `first` on until it answers false;
  // first + count <= size(). The second walks the same entries from the last one back.
  template <class Visit>
  void visit(uint64_t first, uint64_t count, Visit tell);
  template <class Visit>
  void visit_back(uint64_t first, uint64_t count, Visit tell);
  // As at(), of one that is about to be changed or removed: its node is read once. Its bytes stay
  // valid until the next change of the tree, or save().
  LeafEntry at_for_change(uint64_t rank);
  // Entries that are given are not the tree's own bytes.
  void insert_at(uint64_t rank, std::string_view entry);   // in front of it; lists only
  void replace_at(uint64_t rank, std::string_view entry);  // its key stays
  void remove_at(uint64_t rank);
  // Leaves of which all elements go are dropped unread. Ranks ascend.
  void remove_range(uint64_t first, uint64_t count);
  void remove_many(std::span<const uint64_t> ranks);

  // ---- by key; not lists
  uint64_t rank(std::string_view key);  // entries with smaller keys
  std::optional<LeafEntry> find(std::string_view key);
  std::optional<LeafEntry> find_for_change(std::string_view key);  // as at_for_change()
  void insert(std::string_view entry);                             // whose key is not there
  // False, and nothing was done: there is no such key.
  [[nodiscard]] bool remove(std::string_view key);
  // `entry` takes the place of the one with this key; its own is the same or not there.
  [[nodiscard]] bool move(std::string_view key, std::string_view entry);

  // Writes the changed nodes. The caller writes head() into its record. How many bytes of entries
  // it were.
  size_t save();
  bool changed() const { return changed_; }
  size_t pages() const { return pages_.used(); }  // nodes in memory until save()
  void give_back();                               // buffers that a command made big

 private:
  using Page = TreePages::Page;
  using Side = TreeCut::Side;
  using Way = TreeWalk::Way;
  struct Step {
    Page* page;
    size_t at;  // where in it the entry of the child begins
  };
  struct Leaf {
    std::string_view entries;
    uint64_t before = 0;  // elements in front of it
  };
  // Elements that go: a range of ranks, or single ones of it, which ascend.
  struct Gone {
    uint64_t from = 0;
    uint64_t to = 0;
    std::span<const uint64_t> ranks;
    // How many stand from `first` on and before `last`.
    uint64_t between(uint64_t first, uint64_t last) const;
  };

  size_t node_limit(unsigned level) const { return tree_node::limit(kind_, shape_, level); }
  Leaf leaf_by_key(std::string_view key);
  Leaf leaf_by_rank(uint64_t rank);

  // ---- editing (tree_edit.cpp)
  Page& root() { return pages_.root(); }
  Page& new_page(unsigned level);
  void touch(Page& page) { page.dirty = changed_ = true; }
  Page& path_by_key(std::string_view key);
  Page& path_by_rank(uint64_t& rank);  // becomes the index in the leaf
  Page& step_into(Page& page, const tree_node::Child& child);
  Page& path_page(size_t depth);
  Side side_of(const Page& leaf, size_t at) const;
  size_t leaf_limit() const { return height() == 0 ? shape_.root_leaf_bytes : node_limit(0); }
  void add_to_counts(int64_t change);
  void put_in(Page& leaf, size_t at, std::string_view entry);
  void take_out(Page& leaf, size_t at);

  // ---- too large (tree_split.cpp)
  void spread(size_t depth, Side side);
  bool in_place(size_t depth, unsigned level);
  void to_nodes(Page* keep, unsigned level, Side side, std::string_view separator);
  void store_piece(Page& page, std::string_view piece);

  // ---- too small (tree_shrink.cpp)
  void shrink();
  bool mend(Page& parent, size_t at, unsigned level);
  bool merge(Page& parent, size_t left_at, unsigned level);
  void remove_child(Page& parent, size_t at);
  void clear_first_separator(std::string& inner);
  void drop_node(uint64_t number);
  void drop_below(uint64_t number, unsigned level);
  void lower_root();
  void remove(const Gone& gone);
  void cut(Page& page, uint64_t before, const Gone& gone);
  void cut_leaf(Page& leaf, uint64_t before, const Gone& gone);
  void cut_inner(Page& inner, uint64_t before, const Gone& gone);

  Steps& steps_;
  const LeafKind kind_;
  const Shape shape_;
  uint64_t stamp_ = 0;
  uint64_t size_ = 0;
  uint64_t removed_ = 0;
  uint64_t next_node_ = 1;
  bool changed_ = false;

  TreePages pages_;  // the root's level is the tree's height
  TreeWalk walk_;
  TreeCut cut_;
  std::vector<Step> path_;  // inner nodes from the root down to the leaf that is edited
  Page* leaf_ = nullptr;    // behind the path

  // Buffers of one edit, reused.
  std::string piece_;     // one of the nodes that one becomes
  std::string children_;  // entries of inner nodes
};

template <class Visit>
void Tree::visit(uint64_t first, uint64_t count, Visit tell) {
  CHECK_INVARIANT(first <= size_ && count <= size_ - first);
  if (count == 0) {
    return;
  }
  uint64_t before = 0;
  std::string_view leaf = walk_.to(first, before);
  uint64_t skip = first - before;
  while (true) {
    bool more = true;
    each_leaf_entry(kind_, leaf, [&](const LeafEntry& entry) {
      if (skip > 0) {
        --skip;
        return true;
      }
      steps_.step();
      more = tell(entry) && --count > 0;
      return more;
    });
    if (!more) {
      return;
    }
    leaf = walk_.on(Way::kUp);
  }
}

template <class Visit>
void Tree::visit_back(uint64_t first, uint64_t count, Visit tell) {
  CHECK_INVARIANT(first <= size_ && count <= size_ - first);
  if (count == 0) {
    return;
  }
  const uint64_t last = first + count - 1;
  uint64_t before = 0;
  const std::vector<LeafEntry>& entries = walk_.entries_of(walk_.to(last, before));
  size_t at = static_cast<size_t>(last - before) + 1;
  while (true) {
    for (; at > 0; --at) {
      steps_.step();
      if (!tell(entries[at - 1]) || --count == 0) {
        return;
      }
    }
    walk_.entries_of(walk_.on(Way::kDown));
    at = entries.size();
  }
}

}  // namespace kiwi::resp
