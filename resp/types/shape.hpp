// The sizes that decide how values lie in records. They are part of the state's format: nodes whose
// shapes differ write different states. So they are constants, never options; only tests pass
// others, tiny ones, with which a few elements reach every form. All in bytes of entries; what a
// record holds beside them does not count.
#pragma once

#include <algorithm>
#include <cstddef>

namespace kiwi::resp {

struct Shape {
  size_t packed_bytes =
      2048;  // most bytes of a collection's elements that stand in the key's record
  // Trees (tree.hpp): the most that a node holds, unless it holds very few entries.
  size_t leaf_bytes = 512;  // of sorted sets and of pending entries
  size_t list_leaf_bytes = 2048;
  size_t inner_bytes = 1024;
  size_t root_leaf_bytes = 2048;  // a root that is the only leaf; no smaller than other leaves
  size_t chunk_bytes = 8192;      // of a string: a longer one is cut into such pieces

  // A root that is an inner node, however few entries it has.
  size_t root_inner_bytes() const { return std::max(root_leaf_bytes, inner_bytes); }
};

inline constexpr Shape kShape;

}  // namespace kiwi::resp
