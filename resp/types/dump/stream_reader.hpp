// A stream as RDB has it (types 15, 19 and 21), read part by part: the nodes of Redis' radix tree,
// each of them a listpack of entries, then what the stream counts, then its groups. Over bytes that
// anybody may have made. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "resp/types/dump/rdb_reader.hpp"
#include "resp/types/stream_block.hpp"

namespace kiwi::resp::dump {

inline constexpr uint8_t kStreamListpacks = 15;   // of Redis 5
inline constexpr uint8_t kStreamListpacks2 = 19;  // of 7.0: with a history of entries
inline constexpr uint8_t kStreamListpacks3 = 21;  // of 7.2: and when consumers were active

inline bool is_stream_type(uint8_t type) {
  return type == kStreamListpacks || type == kStreamListpacks2 || type == kStreamListpacks3;
}

struct StreamTotals {
  uint64_t length = 0;
  StreamId last_id;
  // What type 15 does not have: nothing was ever deleted then, as far as one can tell.
  std::optional<uint64_t> entries_added;
  StreamId max_deleted_id;
};

struct GroupTotals {
  std::string_view name;
  StreamId last_id;
  bool says_read = false;  // else of type 15: to be estimated
  std::optional<uint64_t> entries_read;
};

// False from any of them: it does not fit, and reading fails. Bytes are valid during the call.
class StreamVisitor {
 public:
  virtual ~StreamVisitor() = default;
  // A node, and then its entries in their order. Every second one of `names` is one; the others are
  // empty.
  virtual bool on_node(const StreamId& first, StreamFields names) = 0;
  virtual bool on_entry(const StreamId& id, StreamFields fields) = 0;
  // One that is marked as deleted, and how many bytes of the listpack it takes.
  virtual bool on_deleted_entry(const StreamId& id, uint64_t listpack_bytes) = 0;
  virtual bool on_totals(const StreamTotals& totals) = 0;  // behind all nodes
  virtual bool on_group(const GroupTotals& group) = 0;
  virtual bool on_pending(const StreamId& id, int64_t delivered_ms, uint64_t deliveries) = 0;
  virtual bool on_consumer(std::string_view name, int64_t seen_ms) = 0;  // behind all pending ones
  virtual bool on_owned(const StreamId& id) = 0;                         // by that consumer
  virtual bool on_group_end() = 0;
};

// Reads one body of that type off the front. False: the bytes are no such value, or the visitor did
// not want a part.
bool read_stream(uint8_t type, RdbReader& in, StreamVisitor& visitor);

}  // namespace kiwi::resp::dump
