// The records of trees' nodes, by number. Knows entries as bytes only.
//
// Owned by whoever owns Effects. Bytes that are returned are valid until the next call that reads
// or writes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "resp/types/effects.hpp"
#include "resp/types/steps.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

struct TreeId {
  rocks::CollectionId collection;
  uint32_t tree = 0;  // 0: the key's own
};

// ON DISK, never renumber.
enum class NodeKind : uint8_t { kLeaf = 1, kInner = 2 };

struct NodeRecord {
  NodeKind kind = NodeKind::kLeaf;
  uint64_t stamp = 0;  // mutation counter of the last change - the collection's version
  std::string_view entries;
};

void encode_node(std::string& out, const NodeRecord& record);   // clears out first
std::optional<NodeRecord> decode_node(std::string_view bytes);  // nullopt: damaged

class Nodes {
 public:
  Nodes(rocks::Reader& reader, Effects& effects, Steps& steps)
      : reader_(reader), effects_(effects), steps_(steps) {}

  // A node that must exist and be of this kind: a step, and one point read.
  NodeRecord record(const TreeId& tree, uint64_t node, NodeKind kind);
  std::string_view entries(const TreeId& tree, uint64_t node, NodeKind kind) {
    return record(tree, node, kind).entries;
  }
  // Whether this entry wrote the record.
  bool wrote(const TreeId& tree, const NodeRecord& record) const {
    return effects_.wrote(tree.collection.version + record.stamp);
  }
  void put(const TreeId& tree, uint64_t node, const NodeRecord& record);
  void erase(const TreeId& tree, uint64_t node);  // counted as work (F61)
  void drop(const TreeId& tree);                  // all nodes of it
  // For the audit: every record of the tree.
  std::unique_ptr<rocks::Cursor> cursor(const TreeId& tree);

  Steps& steps() { return steps_; }
  // For the audit: nullopt if there is no such record, or it is none of a node.
  std::optional<NodeRecord> find(const TreeId& tree, uint64_t node);
  void give_back();  // buffers that a command made big

 private:
  rocks::Reader& reader_;
  Effects& effects_;
  Steps& steps_;
  // Buffers, reused.
  std::string key_;
  std::string to_;
  std::string value_;
};

}  // namespace kiwi::resp
