// ON DISK. Key: rocks/keys.hpp. Value: u8 format 1 << 4 | kind, varint stamp, entries
// (tree_entry.hpp).
#include "resp/types/nodes.hpp"

#include "config/base/bytes.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/tree_entry.hpp"

namespace kiwi::resp {

using rocks::Family;
namespace keys = rocks::keys;

namespace {

constexpr uint8_t kNodeFormat = 1;

}  // namespace

void encode_node(std::string& out, const NodeRecord& record) {
  out.clear();
  put_u8(out, static_cast<uint8_t>(kNodeFormat << 4 | static_cast<uint8_t>(record.kind)));
  put_varint(out, record.stamp);
  out.append(record.entries);
}

std::optional<NodeRecord> decode_node(std::string_view bytes) {
  ByteReader in(bytes);
  const auto head = in.le<uint8_t>();
  NodeRecord record;
  record.kind = static_cast<NodeKind>(head & 0x0f);
  record.stamp = in.varint();
  record.entries = in.rest();
  const bool known = record.kind == NodeKind::kLeaf || record.kind == NodeKind::kInner;
  if (!in.ok() || head >> 4 != kNodeFormat || !known || record.entries.empty()) {
    return std::nullopt;
  }
  return record;
}

std::optional<NodeRecord> Nodes::find(const TreeId& tree, uint64_t node) {
  steps_.step();
  keys::node(key_, tree.collection, tree.tree, node);
  const std::optional<std::string_view> found = reader_.get(Family::kNode, key_);
  return found ? decode_node(*found) : std::nullopt;
}

NodeRecord Nodes::record(const TreeId& tree, uint64_t node, NodeKind kind) {
  const std::optional<NodeRecord> record = find(tree, node);
  if (!record || record->kind != kind) {
    damaged_tree();
  }
  return *record;
}

void Nodes::put(const TreeId& tree, uint64_t node, const NodeRecord& record) {
  keys::node(key_, tree.collection, tree.tree, node);
  encode_node(value_, record);
  effects_.put(Family::kNode, key_, value_);
  give_back_if_big(value_);
}

void Nodes::erase(const TreeId& tree, uint64_t node) {
  effects_.spend_written(0);  // nodes that stay may be written
  keys::node(key_, tree.collection, tree.tree, node);
  effects_.erase(Family::kNode, key_);
}

void Nodes::drop(const TreeId& tree) {
  keys::tree_begin(key_, tree.collection, tree.tree);
  keys::tree_end(to_, tree.collection, tree.tree);
  effects_.erase_range(Family::kNode, key_, to_);
}

std::unique_ptr<rocks::Cursor> Nodes::cursor(const TreeId& tree) {
  keys::tree_begin(key_, tree.collection, tree.tree);
  keys::tree_end(to_, tree.collection, tree.tree);
  return reader_.cursor(Family::kNode, key_, to_);
}

void Nodes::give_back() {
  for (std::string* buffer : {&key_, &to_, &value_}) {
    give_back_if_big(*buffer);
  }
}

}  // namespace kiwi::resp
