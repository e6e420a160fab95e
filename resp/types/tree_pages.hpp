// The nodes of one tree that are being edited: in memory from the first change until they are
// saved. Knows entries as bytes only. Owned by Tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/check.hpp"
#include "resp/types/nodes.hpp"
#include "resp/types/tree_node.hpp"

namespace kiwi::resp {

class TreePages {
 public:
  struct Page {
    uint64_t number = 0;
    unsigned level = 0;  // 0: a leaf
    bool stored = false;
    bool dirty = false;
    bool gone = false;
    std::string entries;
  };

  explicit TreePages(Nodes& nodes) : nodes_(nodes), pages_(1) {}

  // Of that tree from now on. The root has no number, and is in no record of its own.
  Page& open(const TreeId& id, unsigned height, std::string_view root);
  Page& root() { return pages_.front(); }
  const Page& root() const { return pages_.front(); }

  // Pages stay where they are until save() or forget().
  Page* find(uint64_t number) {  // nullptr: it is not being edited
    if (used_ == 1) {
      return nullptr;
    }
    const size_t mask = index_.size() - 1;
    for (size_t slot = number & mask; index_[slot] != 0; slot = (slot + 1) & mask) {
      Page& found = pages_[index_[slot] - 1];
      if (found.number == number) {
        CHECK_INVARIANT(!found.gone);
        return &found;
      }
    }
    return nullptr;
  }
  // As they are now, edited or not.
  std::string_view entries(uint64_t number, unsigned level) {
    if (const Page* edited = find(number)) {
      return edited->entries;
    }
    return nodes_.entries(id_, number, tree_node::kind_of(level));
  }
  Page& load(uint64_t number, unsigned level);
  Page& add(uint64_t number, unsigned level);  // a node that is new
  void drop(uint64_t number);                  // the node goes
  // Writes what is dirty, and forgets all but the root. How many bytes of entries it were.
  size_t save(uint64_t stamp);
  void forget();  // all but the root

  size_t used() const { return used_; }
  void give_back();  // buffers that a command made big

 private:
  Page& take();
  void index(size_t which);
  void add_to_index();

  Nodes& nodes_;
  TreeId id_;
  // The first used_ of them. index_ finds them by number: open addressing, 0 = free, else
  // 1 + which.
  std::deque<Page> pages_;
  size_t used_ = 1;
  std::vector<uint32_t> index_;
};

}  // namespace kiwi::resp
