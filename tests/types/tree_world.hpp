// A tree on one of the keyspaces, driven as a key's handle does it: opened from its head, changed,
// saved, the head written beside it; commands that fail are undone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/types/audit.hpp"
#include "resp/types/tree.hpp"
#include "rocks/keys.hpp"
#include "rocks/metadata.hpp"
#include "tests/resp/keyspaces.hpp"
#include "tests/types/shapes.hpp"

namespace kiwi::resp::types_test {

inline constexpr TreeId kTree{{rocks::DatabaseId{3}, 1000}, 0};
inline constexpr std::string_view kHeadKey = "head";

inline std::string scored(double score, std::string_view member) {
  std::string out;
  append_scored(out, score, member);
  return out;
}
inline std::string scored_key(double score, std::string_view member) {
  std::string out;
  append_scored_key(out, score, member);
  return out;
}
inline std::string listed(std::string_view element) {
  std::string out;
  append_list_entry(out, element);
  return out;
}

// Nodes on a reader, and on its writer if it has one.
struct Store {
  explicit Store(rocks::Keyspace& keyspace)
      : reader(keyspace), effects(&keyspace, size_t{1} << 30), nodes(reader, effects, steps) {}
  explicit Store(rocks::Reader& view)
      : reader(view), effects(nullptr, 0), nodes(reader, effects, steps) {}

  TreeHead head() {
    const std::optional<std::string_view> found = reader.get(rocks::Family::kMeta, kHeadKey);
    if (!found) {
      return {};
    }
    head_bytes.assign(*found);
    const std::optional<TreeHead> decoded = decode_tree_head(head_bytes);
    REQUIRE(decoded.has_value());
    return *decoded;
  }

  rocks::Reader& reader;
  Effects effects;
  Steps steps;
  Nodes nodes;
  std::string head_bytes;
};

template <class On>
class TreeWorld {
 public:
  explicit TreeWorld(LeafKind kind, const Shape& shape = kTinyShape) : kind_(kind), shape_(shape) {
    start();
  }

  Tree& tree() { return *tree_; }
  Store& store() { return *store_; }
  rocks::Keyspace& keyspace() { return on_.keyspace(); }
  uint64_t stamp() const { return stamp_; }
  LeafKind kind() const { return kind_; }
  const Shape& shape() const { return shape_; }

  // Runs body(tree) as one command; the stamp rises by one. `fails`: it is taken back.
  template <class Body>
  void command(bool fails, Body body) {
    ++stamp_;
    tree_->open(kTree, store_->head(), stamp_);
    store_->effects.mark();
    body(*tree_);
    save();
    if (fails) {
      store_->effects.undo();
    } else {
      store_->effects.keep();
    }
    tree_->open(kTree, store_->head(), stamp_);
  }
  template <class Body>
  void command(Body body) {
    command(false, body);
  }
  // Of a tree that was built beside: what command() does in the end.
  void write_head(const TreeHead& head) {
    std::string bytes;
    encode(bytes, head);
    store_->effects.put(rocks::Family::kMeta, kHeadKey, bytes);
    tree_->open(kTree, store_->head(), stamp_);
  }
  void save() {
    tree_->save();
    write_head(tree_->head());
  }

  void commit() {
    rocks::AppliedRecord record;
    record.index = LogIndex{++index_};
    record.term = Term{1};
    std::string key;
    std::string value;
    rocks::keys::applied_record(key);
    encode(value, record);
    on_.keyspace().put(rocks::Family::kSystem, key, value);
    on_.keyspace().commit(record.index);
  }
  void reopen() {
    commit();
    tree_.reset();
    store_.reset();
    on_.reopen();
    start();
  }

  TreeReport audit() {
    const TreeHead head = store_->head();
    return audit_tree(store_->nodes, kind_, kTree, head, stamp_, shape_);
  }
  // All entries, in order.
  std::vector<std::string> entries() {
    std::vector<std::string> all;
    tree_->visit(0, tree_->size(), [&](const LeafEntry& entry) {
      all.emplace_back(entry.bytes);
      return true;
    });
    return all;
  }
  // Nodes that the last command wrote.
  uint64_t written() {
    uint64_t count = 0;
    for (const auto& [number, record] : records()) {
      count += static_cast<uint8_t>(record[1]) == (stamp_ & 0x7f) ? 1 : 0;  // stamps below 128 only
    }
    return count;
  }
  // Number and record of each node.
  std::vector<std::pair<uint64_t, std::string>> records() {
    std::vector<std::pair<uint64_t, std::string>> all;
    for (auto at = store_->nodes.cursor(kTree); at->valid(); at->next()) {
      all.emplace_back(rocks::keys::parse_node(at->key())->node, at->value());
    }
    return all;
  }

 private:
  void start() {
    store_ = std::make_unique<Store>(on_.keyspace());
    tree_ = std::make_unique<Tree>(store_->nodes, kind_, shape_);
    tree_->open(kTree, store_->head(), stamp_);
  }

  On on_;
  const LeafKind kind_;
  const Shape shape_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Tree> tree_;
  uint64_t stamp_ = 0;
  uint64_t index_ = 0;
};

inline void check_sound(const TreeReport& report) {
  INFO((report.found ? describe(report.found->fault) : "sound"));
  INFO((report.found ? report.found->node : 0));
  REQUIRE_FALSE(report.found.has_value());
}

}  // namespace kiwi::resp::types_test
