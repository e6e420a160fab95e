// What passes between a session, the router and the executor of one node (all on the client loop):
// requests forward, replies back. Plain values; the actors' messages carry them by shared_ptr.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/base/bytes.hpp"
#include "raft/types.hpp"
#include "resp/batch.hpp"
#include "resp/face.hpp"
#include "resp/push.hpp"

namespace kiwi::resp {

using ConnectionId = uint64_t;  // unique within the process, never reused; CLIENT ID
// Where an answer goes: replies leave a connection in slot order.
struct ReplySlot {
  ConnectionId connection = 0;
  uint64_t slot = 0;
  bool operator==(const ReplySlot&) const = default;
};

enum class RequestKind : uint8_t {
  kWrite,
  kRead,       // linearizable
  kStaleRead,  // READONLY connection: this node's state as it is
  kWatch,      // a linearizable read that also answers tokens
  kBlocking,   // a blocking command: a linearizable read that begins to wait (F31)
  kUnblock,    // CLIENT UNBLOCK: ends a wait of this node
  kAtLeast,    // this node's state once it has an index
  kMaxLag,     // a linearizable read that may be so many milliseconds old
};
// Answered from this node's state as it is, whoever leads.
constexpr bool is_local(RequestKind kind) {
  return kind == RequestKind::kStaleRead || kind == RequestKind::kUnblock ||
         kind == RequestKind::kAtLeast;
}
// Local reads of its connection behind it wait for it: they must not show an older state.
constexpr bool is_linear(RequestKind kind) {
  return !is_local(kind) || kind == RequestKind::kAtLeast;
}

// One command (or one MULTI/EXEC) on its way.
struct Request {
  uint64_t slot = 0;
  RequestKind kind = RequestKind::kRead;
  uint8_t resp_version = 2;
  bool may_be_long = false;  // a read that may look at any number of records
  uint32_t offset = 0;       // of its packed command in RequestBatch::buffer
  uint32_t size = 0;
  // kBlocking: monotonic; 0: for ever. kAtLeast: the index. kMaxLag: how old it may be.
  int64_t wait_until_ms = 0;
};

// Everything that one socket read produced for the router; program order.
struct RequestBatch {
  ConnectionId connection = 0;
  // They were checked by the users of this version, or of a later one (batch.hpp).
  uint64_t acl_version = kUnchecked;
  Face face = Face::kStandalone;  // of the connection
  std::string buffer;
  std::vector<Request> requests;
  bool tls = false;  // it is sent to addresses where TLS is spoken

  std::string_view packed(const Request& r) const {
    return std::string_view(buffer).substr(r.offset, r.size);
  }
};

// A packed read on its way to the executor: a part of the buffer that came from its session, which
// it keeps alive, or a copy.
class PackedBytes {
 public:
  PackedBytes() = default;
  PackedBytes(std::string bytes) : bytes_(std::move(bytes)) {}
  explicit PackedBytes(SharedBytes part) : bytes_(std::move(part)) {}
  static PackedBytes copy_of(std::string_view bytes) {
    return PackedBytes(SharedBytes::copy_of(bytes));
  }

  std::string_view view() const { return bytes_.view(); }
  operator std::string_view() const { return view(); }
  size_t size() const { return bytes_.size(); }
  const SharedBytes& shared() const { return bytes_; }
  friend bool operator==(const PackedBytes& a, std::string_view b) { return a.view() == b; }

 private:
  SharedBytes bytes_;
};

// One command of a pending proposal, or a read evaluated between them (F6).
struct PendingOp {
  ReplySlot to;                            // connection 0: nobody waits (internal commands)
  RequestKind kind = RequestKind::kWrite;  // kWrite takes the next command of the payload
  uint8_t resp_version = 2;
  PackedBytes packed;  // reads only
  int64_t wait_until_ms = 0;
  uint64_t waiter = 0;  // of a serve (waiters.hpp), else 0
};
// A waiter's command as a write of this node: its reply goes to the client at once.
struct Serve {
  uint64_t waiter = 0;
  ReplySlot to;
  uint8_t resp_version = 2;
  std::string packed;
};
// This node's proposal until it is applied here.
struct PendingBatch {
  uint64_t sequence = 0;   // within this boot's epoch
  int64_t arrival_ms = 0;  // of its oldest request; monotonic
  SharedBytes payload;
  std::vector<PendingOp> ops;
};

// Linearizable or stale reads that may run now (applied >= index is the executor's to wait for).
struct ReadOp {
  ReplySlot to;
  RequestKind kind = RequestKind::kRead;
  uint8_t resp_version = 2;
  PackedBytes packed;
  int64_t wait_until_ms = 0;
};
struct ReadBatch {
  uint64_t id = 0;
  LogIndex index;        // 0 for stale reads
  int64_t now_ms = 0;    // the reader's clock (F9); 0: the applied stamp
  bool clamped = false;  // now_ms was held back
  uint64_t seed = 0;     // of reads that draw, beside the state's index
  std::vector<ReadOp> ops;
};

// A read was put aside: its batch goes on without it. What its connection asks behind it has to
// wait for it or is put aside too (F44).
struct SplitRead {
  uint64_t batch = 0;  // it came with
  uint64_t id = 0;     // a batch of its own from now on, that ReadOutcomes::done will tell
  ConnectionId connection = 0;
  bool linear = false;
};

// What became of reads in one turn of the executor, for Router::take(), which knows the order.
struct ReadOutcomes {
  std::vector<SplitRead> split;
  // Need a tick: a clamped clock met a key with a TTL (F9), or a long read. Those operations of the
  // batch that were not answered (for each connection the rest of its operations, so that its order
  // holds), with the batch's id; `done` also tells the id only if others of the batch were
  // answered.
  std::vector<ReadBatch> again;
  std::vector<uint64_t> done;  // ids of ReadBatches that were answered

  bool empty() const { return split.empty() && again.empty() && done.empty(); }
};

// What happened to this node's proposals, for the router; in apply order, one per sequence, also
// for sequences that were forgotten.
struct Settled {
  uint64_t sequence = 0;
  // false: it was void. The router answers its writes; its reads were executed at the void's own
  // place in the log (they are linearizable there too, and must not see later writes, F6).
  bool applied = false;
  std::vector<ReadOp> reads;  // reads of a void batch that could not be executed there
};

// From the router to Raft: at which index may reads run?
struct ReadIndexAsk {
  uint64_t id = 0;
  bool with_tick = false;
};

// What a router lets wait, for others or because a state lags behind.
enum class Waiting : uint8_t { kWrites, kReads };

// Replies to one connection. `bytes` of one part are one complete RESP reply, or a piece of one.
struct ReplyPart {
  uint64_t slot = 0;
  uint32_t offset = 0;
  uint32_t size = 0;
};
struct ReplyBatch {
  ConnectionId connection = 0;
  std::string bytes;
  std::vector<ReplyPart> parts;
  std::vector<WatchToken> tokens;  // of kWatch requests among the parts
  bool failed_watch = false;
  std::vector<Push> pushes;  // behind the parts
  // The reply of a write is too large to be kept: its fate must not be told wrong, so the
  // connection ends (F45). So it does when a long reply ends in the middle. There is nothing else
  // in the batch then.
  bool lost = false;
  // Its only part is not the end of that reply. Whoever makes it waits to hear how much of it has
  // left (Session::take_taken()).
  bool more = false;
  uint64_t read = 0;  // what comes in pieces: the long read's id, also with the last one
};
// So much of the reply to a long read is on its way to the client, and no more this node's to keep.
struct ReplyTaken {
  uint64_t read = 0;
  size_t bytes = 0;
};

}  // namespace kiwi::resp
