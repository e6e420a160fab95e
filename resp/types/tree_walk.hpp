// A walk over the leaves of a tree, one way, from the leaf that holds a rank. It has its own copy
// of the inner nodes above the leaf, for it goes on by them. Owned by Tree; nothing may be written
// while it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/tree_entry.hpp"
#include "resp/types/tree_pages.hpp"

namespace kiwi::resp {

class TreeWalk {
 public:
  enum class Way : uint8_t { kUp, kDown };

  TreeWalk(TreePages& pages, LeafKind kind) : pages_(pages), kind_(kind) {}

  // The leaf that holds this rank; `before`: elements in front of the leaf.
  std::string_view to(uint64_t rank, uint64_t& before);
  std::string_view on(Way way);  // the next leaf on that way, which must exist
  // The entries of such a leaf, for who wants them from the last one back.
  const std::vector<LeafEntry>& entries_of(std::string_view leaf);
  void give_back();  // buffers that a command made big

 private:
  struct Level {
    std::string entries;
    size_t at = 0;
  };
  std::string_view down(unsigned level, Way way);

  TreePages& pages_;
  const LeafKind kind_;
  unsigned height_ = 0;
  // Buffers, reused.
  std::vector<Level> levels_;  // [0] is not used
  std::vector<LeafEntry> entries_;
};

}  // namespace kiwi::resp
