// Trees built whole, for what is made anew: STORE, RESTORE, conversion, import. TreeBuilder takes
// entries in order and writes each node once, bottom-up, filled to the brim, under a tree that has
// no nodes yet. The shape depends on the entries only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "resp/types/nodes.hpp"
#include "resp/types/shape.hpp"
#include "resp/types/tree.hpp"
#include "resp/types/tree_entry.hpp"

namespace kiwi::resp {

class TreeBuilder {
 public:
  TreeBuilder(
      Nodes& nodes, LeafKind kind, const TreeId& id, uint64_t stamp, const Shape& shape = kShape);

  void add(std::string_view entry);  // keys ascend
  // Once, at the end. Its root is valid as long as the builder.
  TreeHead finish();

 private:
  // The node of one level that is being filled.
  struct Row {
    std::string entries;
    std::string separator;
    uint64_t elements = 0;  // below it
    uint64_t children = 0;  // entries
  };

  void add_to_leaf(std::string_view entry);
  void add_child(size_t level, uint64_t child, uint64_t elements, std::string_view separator);
  void close(size_t level);

  Nodes& nodes_;
  const LeafKind kind_;
  const TreeId id_;
  const uint64_t stamp_;
  const Shape shape_;
  uint64_t size_ = 0;
  uint64_t next_node_ = 1;
  std::string only_;      // all there is, while the root holds it
  bool spread_ = false;   // it does not any more
  std::deque<Row> rows_;  // from the leaves up; references stay valid
  size_t last_at_ = 0;    // where the last entry of the leaf begins
  std::string entry_;     // a buffer
};

}  // namespace kiwi::resp
