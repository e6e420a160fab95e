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
// Owned by the handle of a key. Bytes that are returned are valid until the next call that reads or
// writes the state; visitors do neither.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/check.hpp"
#include "resp/types/nodes.hpp"
#include "resp/types/shape.hpp"
#include "resp/types/tree_entry.hpp"

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

  // The tree that this one stands for from now on. `stamp`: of what will be changed, the key's next
  // last_modified - version (its records must not seem older than the entry that wrote them).
  void open(const TreeId& id, const TreeHead& head, uint64_t stamp);
  // Of what is changed from here on.
  void set_stamp(uint64_t stamp) { stamp_ = stamp; }
  // Forgets all entries. The records of the nodes are the caller's to drop.
  void clear();
  TreeHead head() const;  // as of the last save(), its root valid until the next change
  uint64_t size() const { return size_; }
  unsigned height() const { return height_; }
  std::string_view root_entries() const { return root().entries; }  // until the next change

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
  // it were, but for what records that this log entry wrote before had.
  size_t save();
  bool changed() const { return changed_; }
  size_t pages() const { return used_; }  // nodes in memory until save()
  void give_back();                       // buffers that a command made big

 private:
  // Where new entries came: what decides how a node that is too large is cut.
  enum class Side : uint8_t { kLeft, kMiddle, kRight };
  enum class Way : uint8_t { kUp, kDown };

  // A node that is being edited. The first one is the root, which has no number.
  struct Page {
    uint64_t number = 0;
    unsigned level = 0;  // 0: a leaf
    bool stored = false;
    bool dirty = false;
    bool gone = false;
    size_t paid_bytes = 0;  // of its record, if this entry wrote it: room that it has
    std::string entries;
  };
  struct Step {
    Page* page;
    size_t at;  // where in it the entry of the child begins
  };
  struct Child {
    InnerEntry entry;
    size_t at = 0;
    uint64_t before = 0;  // elements below the children in front of it
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
  // One level of a walk.
  struct Level {
    std::string entries;
    size_t at = 0;
  };

  size_t node_limit(unsigned level) const;
  size_t leaf_limit() const { return height_ == 0 ? shape_.root_leaf_bytes : node_limit(0); }
  NodeKind node_kind(unsigned level) const {
    return level == 0 ? NodeKind::kLeaf : NodeKind::kInner;
  }

  // ---- reading (tree.cpp)
  Page& root() { return pages_.front(); }
  const Page& root() const { return pages_.front(); }
  Page* page(uint64_t number);  // nullptr: it is not being edited
  std::string_view entries(uint64_t number, unsigned level);
  Child child_by_key(std::string_view inner, std::string_view key) const;
  Child child_by_rank(std::string_view inner, uint64_t rank) const;
  Leaf leaf_by_key(std::string_view key);
  Leaf leaf_by_rank(uint64_t rank);
  bool locate(std::string_view leaf, std::string_view key, size_t& at) const;
  size_t offset_of(std::string_view leaf, uint64_t index) const;
  uint64_t count_of(std::string_view entries, unsigned level) const;

  // ---- walking (tree.cpp)
  std::string_view walk_to(uint64_t rank, uint64_t& before);
  std::string_view walk_on(Way way);
  std::string_view walk_down(unsigned level, Way way);
  size_t last_child(std::string_view inner, size_t before) const;
  void entries_of(std::string_view leaf);  // to backwards_

  // ---- editing (tree_edit.cpp)
  Page& load(uint64_t number, unsigned level);
  Page& new_page(unsigned level);
  Page& take_page();
  void index(size_t which);
  void add_to_index();
  void forget_pages();
  void touch(Page& page) { page.dirty = changed_ = true; }
  Page& path_by_key(std::string_view key);
  Page& path_by_rank(uint64_t& rank);  // becomes the index in the leaf
  Page& step_into(Page& page, const Child& child);
  Page& path_page(size_t depth);
  Side side_of(const Page& leaf, size_t at) const;
  void add_to_counts(int64_t change);
  void put_in(Page& leaf, size_t at, std::string_view entry);
  void take_out(Page& leaf, size_t at);

  // ---- too large (tree_split.cpp)
  void spread(size_t depth, Side side);
  void divide(unsigned level, size_t most, Side side);
  bool in_place(size_t depth, unsigned level) const;
  void find_starts(unsigned level);
  void halve(size_t first, size_t last, size_t limit, size_t least);
  void fill_from_left(size_t limit, size_t least);
  void fill_from_right(size_t limit, size_t least);
  void to_nodes(Page* keep, unsigned level, Side side, std::string_view separator);
  std::string_view separator_at(size_t begin, unsigned level) const;
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

  Nodes& nodes_;
  const LeafKind kind_;
  const Shape shape_;
  TreeId id_;
  uint64_t stamp_ = 0;
  uint64_t size_ = 0;
  unsigned height_ = 0;
  uint64_t removed_ = 0;
  uint64_t next_node_ = 1;
  bool changed_ = false;

  // What is being edited: the first used_ pages, which do not move. index_ finds them by number:
  // open addressing, 0 = free, else 1 + which.
  std::deque<Page> pages_;
  size_t used_ = 1;
  std::vector<uint32_t> index_;
  std::vector<Step> path_;  // inner nodes from the root down to the leaf that is edited
  Page* leaf_ = nullptr;    // behind the path

  // Buffers of one edit or walk, reused.
  std::string whole_;           // a node that may be too large
  std::string piece_;           // one of the nodes that it becomes
  std::string children_;        // entries of inner nodes
  std::vector<size_t> starts_;  // of whole_'s entries, and its end
  std::vector<size_t> ends_;    // of the pieces that whole_ is cut into
  std::vector<Level> levels_;   // of a walk; [0] is not used
  std::vector<LeafEntry> backwards_;
};

template <class Visit>
void Tree::visit(uint64_t first, uint64_t count, Visit tell) {
  CHECK_INVARIANT(first <= size_ && count <= size_ - first);
  if (count == 0) {
    return;
  }
  uint64_t before = 0;
  std::string_view leaf = walk_to(first, before);
  uint64_t skip = first - before;
  while (true) {
    bool more = true;
    each_leaf_entry(kind_, leaf, [&](const LeafEntry& entry) {
      if (skip > 0) {
        --skip;
        return true;
      }
      nodes_.steps().step();
      more = tell(entry) && --count > 0;
      return more;
    });
    if (!more) {
      return;
    }
    leaf = walk_on(Way::kUp);
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
  entries_of(walk_to(last, before));
  size_t at = static_cast<size_t>(last - before) + 1;
  while (true) {
    for (; at > 0; --at) {
      nodes_.steps().step();
      if (!tell(backwards_[at - 1]) || --count == 0) {
        return;
      }
    }
    entries_of(walk_on(Way::kDown));
    at = backwards_.size();
  }
}

}  // namespace kiwi::resp
