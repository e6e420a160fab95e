// What sender and receiver of a snapshot say to each other, and its bytes. Plain data; any thread.
//
//   sender (any member)                     receiver
//   Offer    index, size             ->
//                                    <-     Want     manifest | these parts of files | a delta
//   Chunk 0, 1, 2 ... last           ->
//                                    <-     Ack      next number wanted
//                                    <-     Want     the next round: files after the manifest ...
//                                    <-     Done     installed, or of no use
//
// A round is one stream of chunks that one Want asked for; chunks of earlier rounds are ignored.
// All may be lost, repeated or late: the sender offers again and sends again from what was
// acknowledged, the receiver answers an offer it knows with a new Want that says what it still
// lacks. So links, senders and receivers may go and come back (F32).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/base/ids.hpp"
#include "config/base/result.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::actors {

inline constexpr size_t kSnapshotRangesMax = 8000;   // of one Want; the rest in the next round
inline constexpr size_t kSnapshotHeaderBytes = 128;  // the most that goes around a chunk's bytes

struct SnapshotRange {
  uint32_t file = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  bool operator==(const SnapshotRange&) const = default;
};

struct SnapshotOffer {
  LogIndex index;        // of the state
  LogIndex useful_from;  // a snapshot below it does not help: the leader's log begins above
  uint64_t bytes = 0;    // of all files
  bool operator==(const SnapshotOffer&) const = default;
};
struct SnapshotWant {
  // ON THE WIRE, never renumber.
  enum class What : uint8_t { kManifest = 1, kFiles = 2, kDelta = 3 };
  uint64_t round = 0;
  What what = What::kManifest;
  std::vector<SnapshotRange> ranges;  // kFiles
  rocks::AppliedRecord base;          // kDelta: the receiver's own state
  uint64_t next = 0;                  // kDelta: the chunk to go on with
  bool operator==(const SnapshotWant&) const = default;
};
struct SnapshotChunk {
  uint64_t round = 0;
  uint64_t number = 0;  // 0, 1, 2 ... within the round
  Term sender_term;     // the term its sender is in now (F15)
  uint32_t file = 0;    // kFiles
  uint64_t offset = 0;  // kFiles
  bool last = false;    // of the round
  std::string bytes;    // at most rocks::kSnapshotChunkBytes
  bool operator==(const SnapshotChunk&) const = default;
};
// Rounds count from 1. One about round 0, from either side, acknowledges nothing: whoever sends it
// does something long for this transfer or another, and answers afterwards (signs_of_life.hpp).
struct SnapshotAck {
  uint64_t round = 0;
  uint64_t next = 0;  // all before it are written
  bool gap = false;   // a later one came: send again from `next`
  bool operator==(const SnapshotAck&) const = default;
};
// The receiver is at `installed` or above it, whether by this snapshot or not; or it was no use.
struct SnapshotDone {
  bool ok = false;
  LogIndex installed;
  bool operator==(const SnapshotDone&) const = default;
};
struct SnapshotBusy {  // another sender's snapshot of that index is on its way here
  LogIndex index;
  bool operator==(const SnapshotBusy&) const = default;
};
struct SnapshotRefused {  // what that round asks for cannot be had: ask for the manifest
  uint64_t round = 0;
  bool operator==(const SnapshotRefused&) const = default;
};
struct SnapshotUnknown {  // to the sender: no such transfer here, offer it again
  bool operator==(const SnapshotUnknown&) const = default;
};
struct SnapshotAbort {  // to the receiver: nothing more will come
  bool operator==(const SnapshotAbort&) const = default;
};
using SnapshotBody = std::variant<SnapshotOffer,
                                  SnapshotWant,
                                  SnapshotChunk,
                                  SnapshotAck,
                                  SnapshotDone,
                                  SnapshotBusy,
                                  SnapshotRefused,
                                  SnapshotUnknown,
                                  SnapshotAbort>;
struct SnapshotMessage {
  uint64_t transfer = 0;  // drawn at random by the sender
  SnapshotBody body;
  bool operator==(const SnapshotMessage&) const = default;
};

// ON THE WIRE. A chunk carries a checksum of its bytes; the files' own are compared at the end.
std::string encode_snapshot(const SnapshotMessage& message);
Result<SnapshotMessage> decode_snapshot(std::string_view bytes);

// A budget of bytes per second, shared by all transfers of a node. 0 = no limit.
class ByteRate {
 public:
  explicit ByteRate(uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  // May bytes go now? What is taken may overdraw the budget, by one chunk at most: a chunk that is
  // larger than a moment's budget must go one day.
  bool take(uint64_t bytes, int64_t now_ms);

 private:
  uint64_t bytes_per_second_;
  int64_t available_ = 0;
  int64_t filled_ms_ = -1;
};

}  // namespace kiwi::actors
