// Do the records of a collection fit each other? What RAFT.DEBUG AUDIT and the tests ask. Reads
// everything, changes nothing; a node of which bytes do not parse stops the process, as any read of
// it would.
#pragma once

#include <cstdint>
#include <optional>

#include "resp/types/nodes.hpp"
#include "resp/types/shape.hpp"
#include "resp/types/tree.hpp"

namespace kiwi::resp {

enum class TreeFault : uint8_t {
  kMissing,      // a child has no record, or one of the wrong kind
  kCount,        // a node, or the head, counts what is not there (M1)
  kOrder,        // keys do not ascend
  kSeparator,    // it does not lie between its neighbours, or a first child has one (M3)
  kFill,         // a node is empty, or holds more than it may (M3)
  kNumber,       // a node's number was not given out yet
  kReached,      // a node is the child of two
  kUnreachable,  // a record belongs to no node of the tree (M4)
  kStamp         // a record is newer than its collection (M8)
};
const char* describe(TreeFault fault);

struct TreeReport {
  struct Found {
    TreeFault fault;
    uint64_t node;  // 0: the root
  };
  std::optional<Found> found;  // the first fault
  uint64_t elements = 0;
  uint64_t leaves = 0;      // records
  uint64_t leaf_bytes = 0;  // of their entries
  uint64_t inner_nodes = 0;
  uint64_t inner_bytes = 0;
};

// `newest`: the collection's last_modified - version.
TreeReport audit_tree(Nodes& nodes,
                      LeafKind kind,
                      const TreeId& id,
                      const TreeHead& head,
                      uint64_t newest,
                      const Shape& shape = kShape);

}  // namespace kiwi::resp
