// The bytes of a logical delta (F17), between DeltaStream and DeltaTarget. Private to the two.
//
// ON THE WIRE, never renumber. A chunk is a version byte and operations, one after the other:
//   kPut    u8 family, sized key, sized value
//   kPart   u8 family, sized key, varint size of the whole value, sized piece: a value that is
//           longer than a chunk, piece by piece; nothing stands between the pieces of one
//   kKeep   varint database, 6 bytes hash: the keys with this hash are still there unchanged
//   kPhase  u8 phase that begins
//   kEnd    u64 LE low, high: digest of the whole state; nothing follows
//
// Phases, in this order, keys ascending within each:
//   kSystem   system records: all but 'X'; of 'B' those that are newer than the base's mutation
//             counter, of 'O' those that changed behind the base's index
//   kMeta     kPut for every key with last_modified above the base's mutation counter, and for its
//             bucket if that has a counter but did not move; kKeep for the other keys that are
//             suspect: a deletion bucket that moved, or a deadline that passed, may mean that the
//             receiver's key of that name is gone
//   kElement, kNode    all records of the collections that kMeta put; what is packed has none. The
//             deadlines of a hash's fields are of kNode
// All else the receiver derives: the 'X' of the keys that it puts and drops, the bucket of a key
// that expired, what FLUSHDB took, and that 'O' are gone up to the millisecond that 'o' names: a
// token's record leaves in no other way.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "rocks/keyspace.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::rocks::delta {

// 1: another digest; 2: 'X' of all databases that are gone; 3: metadata of format 1; 4: elements of
// lists by position; 5: 'X' by deadline first; 6: all of 'O'
inline constexpr uint8_t kVersion = 7;

enum Op : uint8_t { kPut = 1, kPart = 2, kKeep = 3, kPhase = 4, kEnd = 5 };
enum class Phase : uint8_t { kSystem = 1, kMeta = 2, kElement = 3, kNode = 4 };

// Which deletion buckets moved, per database.
class Buckets {
 public:
  void add(DatabaseId database, uint16_t bucket);
  bool has(DatabaseId database, std::string_view user_key) const;

 private:
  std::vector<std::pair<uint32_t, std::vector<bool>>> moved_;  // few databases
};

// Physical numbers that logical databases stand for now, ordered.
std::vector<uint32_t> live_databases(Reader& state);

// May a database be gone that the base had? FLUSHDB puts a new number in a database's place.
bool any_flushed(const AppliedRecord& base, const AppliedRecord& now);

// May a receiver's key be gone at the snapshot though nothing newer has its name?
bool suspect(const Buckets& moved,
             DatabaseId database,
             std::string_view user_key,
             const Metadata& metadata,
             int64_t stamp_ms);

// Whether a system record belongs to the snapshot's answer whatever the base was.
bool is_deletion_bucket(std::string_view key);
bool is_expiry(std::string_view key);  // derived from the key that it is of
uint64_t bucket_counter(std::string_view value);
bool is_once(std::string_view key);
LogIndex once_changed(std::string_view value);  // the entry that wrote the record last
uint64_t once_floor(Reader& state);  // no 'O' of a millisecond up to there; 0: none was dropped

}  // namespace kiwi::rocks::delta
