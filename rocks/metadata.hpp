// The record of a key and the system records: what the meta and system families hold as values.
// ON DISK: type numbers and layouts are frozen by golden bytes in tests/rocks/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/ids.hpp"
#include "raft/types.hpp"
#include "rocks/keys.hpp"

namespace kiwi::rocks {

// ON DISK, never renumber.
enum class Type : uint8_t {
  kString = 1,
  kList = 2,
  kSet = 3,
  kSortedSet = 4,
  kHash = 5,
  kStream = 6
};

const char* type_name(Type type);  // as TYPE answers: string list set zset hash stream

// Of an entry of a stream.
struct StreamId {
  uint64_t ms = 0;
  uint64_t sequence = 0;
  auto operator<=>(const StreamId&) const = default;
};

// What the record of a stream's key says beside the number of its entries.
struct StreamTail {
  StreamId last_id;         // the largest that was ever given out
  StreamId first_id;        // of the first entry; 0-0: there is none
  StreamId max_deleted_id;  // of what XDEL took
  uint64_t entries_added = 0;
  uint64_t next_group = 1;  // numbers below were used; never again within a version
  uint64_t blocks = 0;      // in which the entries stand: what its tree holds
  bool operator==(const StreamTail&) const = default;
};

struct Metadata {
  Type type = Type::kString;
  int64_t expire_at_ms = 0;  // cluster time; 0 = never
  // Where the index of deadlines has the key: never above a deadline of the key or of its fields. 0
  // = not there, exactly if there is none.
  int64_t indexed_at_ms = 0;
  uint64_t version = 0;        // mutation counter at creation; names the elements of a collection
  uint64_t last_modified = 0;  // mutation counter at the last change (WATCH, delta snapshots)
  // Strings, hashes, sets and sorted sets: Redis would have given up its compact form. Collections
  // stay so, a string until it is set anew.
  bool converted = false;
  uint64_t size = 0;  // elements of a collection; bytes of a spread string
  // The elements have records of their own, a string's bytes lie in chunks
  // (resp/types/string_value.hpp). Once spread a collection stays so.
  bool spread = false;
  // Spread: last_modified - version when an element or a node was last removed; 0 never.
  uint64_t removed = 0;
  uint64_t field_deadlines = 0;  // hashes: fields that have a deadline of their own
  StreamTail stream;
  // Lists, sorted sets, streams: the tree of their elements, or of a stream's blocks
  // (resp/types/tree.hpp), whose root is `value`.
  uint8_t tree_height = 0;
  uint64_t next_node = 1;
  // A string's bytes, the elements of a collection that is not spread (resp/types/packed.hpp,
  // tree_entry.hpp), or the root of its tree; a view into the record it was decoded from, or into
  // the caller's bytes.
  std::string_view value;

  bool expired(int64_t now_ms) const { return expire_at_ms != 0 && expire_at_ms <= now_ms; }
  bool has_deadline() const { return expire_at_ms != 0 || field_deadlines != 0; }
  // Something of it may be over. False costs no look at the fields.
  bool may_be_due(int64_t now_ms) const { return indexed_at_ms != 0 && indexed_at_ms <= now_ms; }
  // Records beside the key's own: any; in the element family; in the node family.
  bool has_elements() const;
  bool has_fields() const;
  bool has_nodes() const;
  uint64_t string_bytes() const { return spread ? size : value.size(); }
  CollectionId collection(DatabaseId database) const { return {database, version}; }
};

void encode(std::string& out, const Metadata& metadata);  // clears out first
// The same of a string that is not spread, but for its bytes, which follow.
void encode_head(std::string& out, const Metadata& string);
// Into one that is as made; what a damaged record leaves in it means nothing. False: damaged.
[[nodiscard]] bool decode(std::string_view record, Metadata& metadata);
std::optional<Metadata> decode_metadata(std::string_view record);  // nullopt: damaged

// One record, written by every turn: what the state is (F9, F10, F37).
struct AppliedRecord {
  LogIndex index;
  Term term;
  int64_t stamp_ms = 0;           // of the last entry applied
  uint64_t mutation_counter = 0;  // last one given out
  uint32_t next_database = 0;     // next DatabaseId for FLUSHDB; 0 = first use
  uint64_t checksum = 0;          // rolling, over logical effects (F34)
  bool operator==(const AppliedRecord&) const = default;
};
void encode(std::string& out, const AppliedRecord& record);
std::optional<AppliedRecord> decode_applied(std::string_view record);

struct SessionValue {
  uint64_t epoch = 0;
  uint64_t sequence = 0;
};
void encode(std::string& out, const SessionValue& value);
std::optional<SessionValue> decode_session(std::string_view record);
// Key and value of a session record, as one row.
std::optional<raft::SessionRow> decode_session_row(std::string_view key, std::string_view record);

}  // namespace kiwi::rocks
