// Trees built whole, for what is made anew: STORE, RESTORE, conversion, import. TreeBuilder takes
// entries in order and writes each node once, bottom-up, filled to the brim. TreeSorter takes them
// in any order: sorted runs, of which the first is built and the others are inserted.
//
// Both write under a tree that has no nodes yet. The shape depends on the entries and their order
// of arrival only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

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

class TreeSorter {
 public:
  // `run_bytes`: of entries, below 4 GiB; a run needs 16 bytes more for each.
  static constexpr size_t kRunBytes = size_t{64} << 20;
  TreeSorter(Nodes& nodes,
             LeafKind kind,  // with keys
             const TreeId& id,
             uint64_t stamp,
             const Shape& shape = kShape,
             size_t run_bytes = kRunBytes);

  void add(std::string_view entry);  // keys are distinct
  // Once, at the end. Its root is valid as long as the sorter.
  TreeHead finish();

 private:
  struct Place {
    uint64_t prefix;  // of the key: decides nearly always
    uint32_t at;      // in run_
  };
  std::string_view entry(const Place& place) const;
  void end_run();
  void build();
  void insert();

  Nodes& nodes_;
  const LeafKind kind_;
  const TreeId id_;
  const uint64_t stamp_;
  const Shape shape_;
  const size_t run_bytes_;
  Tree tree_;
  bool built_ = false;
  std::string run_;
  std::vector<Place> places_;
};

}  // namespace kiwi::resp
