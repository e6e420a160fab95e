#include "resp/types/audit.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/types/tree_entry.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

namespace {

// What keys below a node may be: from `from` on, and below `to`; empty: no bound.
struct Bounds {
  std::string_view from;
  std::string_view to;
};

class TreeAudit {
 public:
  TreeAudit(Nodes& nodes,
            LeafKind kind,
            const TreeId& id,
            const TreeHead& head,
            uint64_t newest,
            const Shape& shape)
      : nodes_(nodes), kind_(kind), id_(id), head_(head), newest_(newest), shape_(shape) {}

  TreeReport run() {
    const std::string root(head_.root);
    const bool empty_fits = root.empty() == (head_.size == 0);
    if (!empty_fits || (root.empty() && head_.height != 0)) {
      fault(TreeFault::kFill, 0);
    } else if (!root.empty()) {
      const uint64_t count = node(0, head_.height, root, {});
      if (count != head_.size) {
        fault(TreeFault::kCount, 0);
      }
    }
    if (head_.removed > newest_) {
      fault(TreeFault::kStamp, 0);
    }
    compare_records();
    return report_;
  }

 private:
  void fault(TreeFault what, uint64_t at) {
    if (!report_.found) {
      report_.found = TreeReport::Found{what, at};
    }
  }

  size_t limit(uint64_t number, unsigned level) const {
    if (level > 0) {
      return shape_.inner_bytes;
    }
    if (number == 0) {
      return shape_.root_leaf_bytes;
    }
    return kind_ == LeafKind::kList ? shape_.list_leaf_bytes : shape_.leaf_bytes;
  }

  // The elements below it.
  uint64_t node(uint64_t number, unsigned level, const std::string& entries, Bounds bounds) {
    uint64_t held = 0;  // entries
    const uint64_t count = level == 0 ? leaf(number, entries, bounds, held)
                                      : inner(number, level, entries, bounds, held);
    const uint64_t most_if_larger = level > 0 ? 3 : number == 0 ? 0 : 1;
    // Counts that grew since the last child came: a byte or two each.
    const size_t slack = level == 0 ? 0 : 2 * static_cast<size_t>(held);
    const bool large_root =
        number == 0 && level > 0 && entries.size() > shape_.root_inner_bytes() + slack;
    if (held == 0 || large_root ||
        (entries.size() > limit(number, level) + slack && held > most_if_larger)) {
      fault(TreeFault::kFill, number);
    }
    return count;
  }

  uint64_t leaf(uint64_t number, const std::string& entries, Bounds bounds, uint64_t& count) {
    each_leaf_entry(kind_, entries, [&](const LeafEntry& entry) {
      ++count;
      if (keyed(kind_)) {
        if (report_.elements + count > 1 && last_key_ >= entry.key) {
          fault(TreeFault::kOrder, number);
        }
        if (entry.key < bounds.from || (!bounds.to.empty() && entry.key >= bounds.to)) {
          fault(TreeFault::kSeparator, number);
        }
        last_key_.assign(entry.key);
      }
      return true;
    });
    report_.elements += count;
    return count;
  }

  uint64_t inner(uint64_t number,
                 unsigned level,
                 const std::string& entries,
                 Bounds bounds,
                 uint64_t& children) {
    uint64_t elements = 0;
    std::string_view rest = entries;
    while (!rest.empty()) {
      const InnerEntry entry = inner_entry(kind_, rest);
      rest.remove_prefix(entry.bytes.size());
      Bounds below = bounds;
      if (children++ > 0) {
        below.from = entry.separator;
      } else if (!entry.separator.empty()) {
        fault(TreeFault::kSeparator, number);
      }
      if (keyed(kind_) && !rest.empty()) {
        below.to = inner_entry(kind_, rest).separator;
        if (below.to <= below.from || (!bounds.to.empty() && below.to >= bounds.to)) {
          fault(TreeFault::kSeparator, number);
        }
      }
      if (child(entry.child, level - 1, below) != entry.count || entry.count == 0) {
        fault(TreeFault::kCount, number);
      }
      elements += entry.count;
    }
    return elements;
  }

  uint64_t child(uint64_t number, unsigned level, Bounds bounds) {
    if (number == 0 || number >= head_.next_node) {
      fault(TreeFault::kNumber, number);
    }
    reached_.push_back(number);
    const std::optional<NodeRecord> found = nodes_.find(id_, number);
    const NodeKind kind = level == 0 ? NodeKind::kLeaf : NodeKind::kInner;
    if (!found || found->kind != kind) {
      fault(TreeFault::kMissing, number);
      return 0;
    }
    if (found->stamp > newest_) {
      fault(TreeFault::kStamp, number);
    }
    ++(level == 0 ? report_.leaves : report_.inner_nodes);
    (level == 0 ? report_.leaf_bytes : report_.inner_bytes) += found->entries.size();
    return node(number, level, std::string(found->entries), bounds);
  }

  void compare_records() {
    std::sort(reached_.begin(), reached_.end());
    const auto twice = std::adjacent_find(reached_.begin(), reached_.end());
    if (twice != reached_.end()) {
      fault(TreeFault::kReached, *twice);
    }
    auto next = reached_.begin();
    for (auto at = nodes_.cursor(id_); at->valid(); at->next()) {
      const std::optional<rocks::keys::NodeKey> key = rocks::keys::parse_node(at->key());
      const uint64_t number = key ? key->node : 0;
      if (next == reached_.end() || *next != number) {
        fault(TreeFault::kUnreachable, number);
        return;
      }
      ++next;
    }
  }

  Nodes& nodes_;
  const LeafKind kind_;
  const TreeId id_;
  const TreeHead head_;
  const uint64_t newest_;
  const Shape shape_;
  TreeReport report_;
  std::string last_key_;
  std::vector<uint64_t> reached_;
};

}  // namespace

const char* describe(TreeFault fault) {
  switch (fault) {
    case TreeFault::kMissing:
      return "a node is missing";
    case TreeFault::kCount:
      return "a node's count of elements is wrong";
    case TreeFault::kOrder:
      return "keys are out of order";
    case TreeFault::kSeparator:
      return "a separator does not lie between its neighbours";
    case TreeFault::kFill:
      return "a node is empty, or too large";
    case TreeFault::kNumber:
      return "a node has a number that was never given out";
    case TreeFault::kReached:
      return "a node has two parents";
    case TreeFault::kUnreachable:
      return "a node has no parent";
    case TreeFault::kStamp:
      return "a node is newer than its key";
  }
  return "";
}

TreeReport audit_tree(Nodes& nodes,
                      LeafKind kind,
                      const TreeId& id,
                      const TreeHead& head,
                      uint64_t newest,
                      const Shape& shape) {
  return TreeAudit(nodes, kind, id, head, newest, shape).run();
}

}  // namespace kiwi::resp
