// Do the records of a stream fit each other, beside its tree of blocks (audit.hpp)? Its counts and
// ids, its groups, and M7: what is pending in a group is what its consumers have together.
#pragma once

#include <cstdint>
#include <optional>

#include "resp/types/audit.hpp"
#include "resp/types/database.hpp"

namespace kiwi::resp {

struct StreamReport {
  bool sizes_fit = true;                // entries, blocks and ids are what the key's record says
  bool groups_fit = true;               // M7; and names, numbers and floors of consumers
  std::optional<TreeFault> tree_fault;  // of a group's tree
  uint64_t entries = 0;
  uint64_t records = 0;  // of groups: nodes, consumers, names, the groups' own
  uint64_t bytes = 0;    // of them
};
// Of a key that is present and whose tree of blocks has no fault.
StreamReport audit_stream(Database& database, const Key& key);

}  // namespace kiwi::resp
