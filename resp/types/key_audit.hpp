// Do the records of a key fit each other, and those of a database? What RAFT.DEBUG AUDIT asks of a
// node that serves, and tests of theirs. Reads everything, changes nothing; a record of which the
// bytes do not parse stops the process, as any read of it would. Trees: audit.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "resp/types/audit.hpp"
#include "resp/types/database.hpp"

namespace kiwi::resp {

enum class KeyFault : uint8_t {
  kSize,       // it counts what is not there (M1)
  kForm,       // packed though it is too large for that, or with records beside it (M10)
  kTwice,      // a member or field is there twice
  kOrder,      // integers of a packed set do not ascend
  kStamp,      // an element's record is newer than its key (M8)
  kVersion,    // the key, or its last change, is newer than the state (M9)
  kTree,       // KeyReport::tree_fault (M3, M4)
  kDeadlines,  // records of fields' deadlines and the fields do not say the same (M6)
  kMembers,    // records of members and the tree do not say the same (M2)
  kIndex,      // it does not stand in the index of deadlines, or behind one of its own (M5)
  kGroups,     // a stream's groups, their consumers and pending entries do not fit (M7)
};
const char* describe(KeyFault fault);

struct KeyReport {
  std::optional<KeyFault> fault;  // the first
  std::optional<TreeFault> tree_fault;
  uint64_t elements = 0;
  uint64_t records = 0;  // in the family of elements
  uint64_t nodes = 0;    // of its tree, the root not counted
  uint64_t bytes = 0;    // of all its records, names and values
};
std::string describe(const KeyReport& report);  // its fault; empty without one
// Of a key that is present, expired or not, as it was just found.
KeyReport audit_key(Database& database, const Key& key);

struct DatabaseReport {
  struct Found {
    std::string key;
    std::string fault;
  };
  std::optional<Found> found;  // the first key with a fault
  uint64_t keys = 0;
  uint64_t keys_with_ttl = 0;
  DeadlineSum deadlines;
  uint64_t indexed = 0;  // that stand in the index of deadlines
  uint64_t elements = 0;
  uint64_t records = 0;
  uint64_t nodes = 0;
  uint64_t bytes = 0;
  bool counts_fit = false;   // what the state says of keys and deadlines is what is there
  bool index_fits = false;   // the index of deadlines holds these keys only, none below its floor
  uint64_t unreachable = 0;  // records that belong to no key (M4)
};
DatabaseReport audit_database(Database& database, rocks::DatabaseId id);

}  // namespace kiwi::resp
