// What the records of a sorted set promise, whatever happened to them before: members and leaves
// say the same.
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "resp/types/audit.hpp"
#include "resp/types/element_value.hpp"
#include "resp/types/zset.hpp"
#include "tests/types/tree_world.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {

// Records that a keyspace should hold.
struct Records {
  uint64_t members = 0;
  uint64_t nodes = 0;
};

class ZSetAudit {
 public:
  // Of one that is live.
  template <class On>
  Records look(World<On>& w, std::string_view name) {
    const Key key = w.find(name);
    REQUIRE(key.is(rocks::Type::kSortedSet));
    const std::string root(key.meta.value);  // a view that dies with the next read
    const rocks::Metadata& meta = key.meta;
    bool& was_spread = spread_[meta.version];
    REQUIRE((meta.spread || !was_spread));  // M10: once spread, for ever
    was_spread = meta.spread;
    const uint64_t last = meta.last_modified - meta.version;
    REQUIRE(meta.removed <= last);
    const TreeId id{key.collection()};
    const TreeHead head{meta.size, meta.tree_height, meta.removed, meta.next_node, root};
    const TreeReport report =
        audit_tree(w.database().nodes(), LeafKind::kSortedSet, id, head, last, w.shape());
    check_sound(report);
    REQUIRE(report.elements == meta.size);  // M1
    if (!meta.spread) {
      REQUIRE(root.size() <= w.shape().packed_bytes);
    }
    return {members(w, key, head, last), report.leaves + report.inner_nodes};
  }

 private:
  // Each entry of a leaf has its member's record with the same score, down to the sign of 0, and
  // there are no others.
  template <class On>
  static uint64_t members(World<On>& w, const Key& key, const TreeHead& head, uint64_t last) {
    std::map<std::string, double> records;
    std::string from;
    std::string to;
    rocks::keys::collection_begin(from, key.collection());
    rocks::keys::collection_end(to, key.collection());
    for (auto at = w.keyspace().cursor(rocks::Family::kElement, from, to); at->valid();
         at->next()) {
      const auto member = decode_scored(at->value());
      REQUIRE(member.has_value());
      REQUIRE(member->stamp <= last);  // M8
      records.emplace(rocks::keys::element_field(at->key()), member->score);
    }
    REQUIRE(records.size() == (key.meta.spread ? key.meta.size : 0));
    Tree tree(w.database().nodes(), LeafKind::kSortedSet, w.shape());
    tree.open({key.collection()}, head, last);
    tree.visit(0, head.size, [&](const LeafEntry& entry) {
      const ScoredMember one = scored_member(entry);
      if (key.meta.spread) {
        const auto found = records.find(std::string(one.member));
        REQUIRE(found != records.end());
        REQUIRE(std::bit_cast<uint64_t>(found->second) == std::bit_cast<uint64_t>(one.score));
      }
      return true;
    });
    return records.size();
  }

  std::map<uint64_t, bool> spread_;  // by version
};

}  // namespace kiwi::resp::types_test
