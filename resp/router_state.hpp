// What the router keeps. Internal to resp/router*.cpp: placement and program order in router.cpp,
// proposals in router_writes.cpp, reads in router_reads.cpp.
//
// Where a request can be, each request in exactly one place:
//   queue      of its connection: program order does not allow more yet
//   open       in a batch without a number (F3): certainly not in any log
//   pending    in a batch with a number that was handed to Raft and is not applied here
//   stale, gathering, round, executing   reads on their way to the executor
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/base/check.hpp"
#include "resp/mutants.hpp"
#include "resp/resp_writer.hpp"
#include "resp/router.hpp"

namespace kiwi::resp {

namespace router {

// What the router itself answers, each with one text, whose first word tells the fate (texts.hpp).
enum class Answer : uint8_t {
  kNoCluster,
  kRemoved,
  kLoading,
  kNoLeader,
  kMoved,     // no proxy: the client is sent to the leader, or told kReadOnly
  kReadOnly,  // so, by its face
  kDiskFull,
  kLeaderDiskFull,
  kTooManyWrites,
  kTooLarge,
  kReadTimeout,  // a read: nothing happened
  kTimeout,      // a write: nobody knows
};

struct Item {
  ReplySlot to;
  RequestKind kind = RequestKind::kRead;
  uint8_t resp_version = 2;
  std::string_view packed;
  int64_t arrival_ms = 0;
  bool may_be_long = false;            // Request::may_be_long
  const SharedBytes* whole = nullptr;  // where `packed` lies, if a read may keep that
  int64_t wait_until_ms = 0;           // Request::wait_until_ms
  uint64_t waiter = 0;                 // PendingOp::waiter
  uint64_t acl_version = kUnchecked;   // RequestBatch::acl_version

  PackedBytes keep_packed() const {
    return whole != nullptr ? PackedBytes(whole->slice(packed)) : PackedBytes::copy_of(packed);
  }
};

// A request that waits for earlier ones of its connection.
struct Deferred {
  ReadOp op;
  int64_t arrival_ms = 0;
  bool may_be_long = false;
  uint64_t acl_version = kUnchecked;
};

// Gives back what was taken from it, whether it is ever empty or not (F47).
class DeferredQueue {
 public:
  bool empty() const { return head_ == items_.size(); }
  size_t size() const { return items_.size() - head_; }
  Deferred& front() {
    CHECK_INVARIANT(!empty());
    return items_[head_];
  }
  void push_back(Deferred&& item) { items_.push_back(std::move(item)); }
  void pop_front() {
    CHECK_INVARIANT(!empty());
    items_[head_++].op.packed = {};
    if (empty()) {
      clear();
    } else if (head_ >= kFew && head_ >= items_.size() / 2) {
      drop_taken();  // moves at most as many as were taken
    }
  }
  template <class Gone>  // gone(const Deferred&), asked once each, in order
  void remove_if(Gone&& gone) {
    drop_taken();
    std::erase_if(items_, gone);
    if (empty()) {
      clear();
    }
  }
  void clear() {
    items_.clear();
    head_ = 0;
    if (items_.capacity() > kFew) {
      std::vector<Deferred>().swap(items_);
    }
  }
  size_t capacity_bytes() const {
    size_t bytes = items_.capacity() * sizeof(Deferred);
    for (const Deferred& item : items_) {
      bytes += item.op.packed.size();
    }
    return bytes;
  }

 private:
  static constexpr size_t kFew = 64;

  void drop_taken() {
    CHECK_INVARIANT(head_ <= items_.size());
    items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
    if (items_.capacity() > kFew && items_.size() < items_.capacity() / 4) {
      items_.shrink_to_fit();
    }
  }

  std::vector<Deferred> items_;  // [head_, end)
  size_t head_ = 0;
};

struct Connection {
  ConnectionId id = 0;
  bool tls = false;
  Face face = Face::kStandalone;
  bool closed = false;
  bool may_wait = false;  // it asked a blocking command: when it is gone the executor has to know
  DeferredQueue queue;
  size_t open_ops = 0;          // in open batches
  uint64_t last_open = 0;       // the open batch that holds its latest operation
  size_t pending_ops = 0;       // in pending batches, not answered
  size_t reads_out = 0;         // in stale, gathering, round or executing
  size_t linear_reads_out = 0;  // those that are not stale
  size_t indexed_out = 0;       // of them, those that asked for no round (router_levels.cpp)
  LogIndex indexed_at;          // the highest index that one of those was given
  int64_t indexed_clock_ms = 0;
  size_t aside = 0;     // those that the executor put aside: later reads wait for them (F44)
  bool listed = false;  // in State::deferred
  // F31: whoever waited in a slot below was answered here, which the executor may not know yet.
  uint64_t waits_from = 0;

  bool idle() const { return queue.empty() && open_ops + pending_ops + reads_out == 0; }
};

// Of a sum of what is under way, a part is over.
inline void take_off(size_t& sum, size_t part) {
  CHECK_INVARIANT(sum >= part);
  sum -= part;
}

// How many operations of one connection stand together: counting by run instead of by operation.
struct Run {
  Connection* connection = nullptr;
  size_t count = 0;
  size_t linear = 0;  // reads: those that are not stale
};
inline void add_to_runs(std::vector<Run>& runs, Connection& connection, bool linear) {
  if (runs.empty() || runs.back().connection != &connection) {
    runs.push_back({&connection, 0, 0});
  }
  ++runs.back().count;
  runs.back().linear += linear ? 1 : 0;
}

// Whether reads of it may keep the buffer that they came in.
bool reads_may_keep(const RequestBatch& batch);

// It copies a collection where it is applied (COPY, MOVE).
bool may_build(std::string_view packed);

struct OpenBatch {
  BatchBuilder builder;
  std::vector<PendingOp> ops;
  std::vector<Run> runs;
  int64_t arrival_ms = 0;  // of its oldest request
  size_t bytes = 0;        // packed, attached reads included
  bool dead = false;       // its requests were answered; skipped at the hand-over
  bool throttled = false;  // it waits only because of the pressure
};

struct Pending {
  std::shared_ptr<const PendingBatch> batch;
  std::vector<Run> runs;
  int64_t arrival_ms = 0;
  uint32_t sends = 0;
  bool void_only = false;  // every further send is void (F3, F5)
  // Refused for lack of room: what its writes get.
  std::optional<Answer> refused;
  bool writes_answered = false;  // refused at once; its reads still wait for the void
  bool answered = false;         // everything; runs are released
  bool reusable = false;         // mutant: its number waits for other content
};

struct WaitingRead {
  ReadOp op;
  Connection* connection = nullptr;
  int64_t arrival_ms = 0;
};

// A read that needs no round: the index that its state must have is known.
struct IndexedRead {
  ReadOp op;
  Connection* connection = nullptr;
  LogIndex index;
  int64_t clock_ms = 0;  // 0: the state's
  int64_t arrival_ms = 0;
};

// A round that was answered: everything that was committed before it was asked is at or below its
// index (F36).
struct LastRound {
  bool usable = false;
  int64_t asked_ms = 0;
  LogIndex index;
  int64_t clock_ms = 0;  // good for its index, and for later ones (F43)
};

// Reads that share one ReadIndex confirmation. All arrived before it was asked for the first time,
// so the answer to any of its asks serves them (F36).
struct Round {
  std::vector<WaitingRead> reads;
  uint64_t first_ask = 0;
  uint64_t last_ask = 0;
  int64_t asked_ms = 0;  // the first time
  int64_t ask_again_ms = 0;
  bool with_tick = false;
};

struct Executing {
  std::vector<Run> runs;
  int64_t arrival_ms = 0;
  size_t bytes = 0;  // of its operations
  bool cancelled = false;
  bool aside = false;    // one read that takes long
  bool clamped = false;  // some of it may have to be asked again (F9)
  bool indexed = false;  // its reads are Connection::indexed_out
  int64_t clock_ms = 0;  // its reads'
};

}  // namespace router

struct Router::State {
  explicit State(const RouterOptions& given)
      : options(given), last_ask(mutant(Mutant::kAskNumbersAgain) ? 0 : given.epoch << 40) {
    internal.id = 0;
  }

  RouterOptions options;
  RouterEffects effects;
  RouterStatus counters;
  RouterDelays slowest;
  Service service = Service::kUninitialized;

  // Who leads, as the core last said.
  Term term;
  NodeId leader;
  bool ready = false;
  std::string leader_address;
  std::string leader_tls_address;
  std::string leader_cluster_address;
  int64_t leaderless_since_ms = 0;

  // Node-based: pointers to connections stay valid until erased.
  std::unordered_map<ConnectionId, router::Connection> connections;
  router::Connection internal;                // proposals without a client
  std::vector<router::Connection*> deferred;  // connections with a queue
  size_t deferred_requests = 0;
  size_t waiting_bytes = 0;  // packed, in queues and open batches

  std::deque<router::OpenBatch> open;
  uint64_t open_first = 1;  // number of open.front(), only used in here

  std::deque<router::Pending> pending;  // sequences first_unsettled, +1, ...
  uint64_t first_unsettled = 1;
  size_t pending_bytes = 0;
  uint64_t resend_next = 1;  // below next_sequence(): being sent again
  Term sent_term;            // whom all pending ones were sent to
  NodeId sent_leader;
  Term gap_term;  // the last gap that was answered
  uint64_t gap_expect = 0;
  int64_t resend_at_ms = 0;    // when nothing moves until then
  int64_t resend_wait_ms = 0;  // doubles while nothing moves
  int64_t retry_at_ms = 0;     // the leader was not ready; 0 = none

  size_t open_serves = 0;        // in open batches
  bool waiting_clients = false;  // the executor has some

  // Group commit (RouterOptions::group_commit_us).
  size_t in_flight_ops = 0;       // handed over since nothing was pending
  size_t last_batch_ops = 0;      // under way or held when the last pending batch was applied
  size_t last_flight_ops = 0;     // of them, under way
  bool looks_at_commits = false;  // Router::set_looks_at_commits()
  int64_t last_batch_ms = 0;      // when that was
  int64_t delay_us = 0;           // of what waits for others now
  uint64_t hand_overs = 0;        // turns that handed something over

  std::vector<ReadOp> stale;
  std::vector<router::Run> stale_runs;
  std::vector<router::IndexedRead> indexed;
  router::LastRound last_round;
  int64_t reader_clock_ms = 0;  // the highest that reads were executed by (F9, F43)
  std::vector<router::WaitingRead> gathering;
  bool gathering_tick = false;
  // Empty: the room of those that a round answered. Without it, each read would be moved twice
  // while what gathers grows.
  std::vector<router::WaitingRead> spare_reads;
  std::unique_ptr<router::Round> round;
  std::unordered_map<uint64_t, router::Executing> executing;
  size_t executing_bytes = 0;
  size_t indexed_bytes = 0;      // of those that asked for no round
  size_t executing_clamped = 0;  // batches
  uint64_t last_ask;  // F66: holds the boot, so that no number is used again in a later one
  uint64_t last_read_batch = 0;

  // Reads that wait for others (RouterOptions::read_gather_us).
  size_t last_round_reads = 0;  // reads of the last round and those that had gathered behind it
  int64_t last_round_ms = 0;    // when it was answered
  int64_t read_delay_us = 0;    // of what waits for others now

  bool wants_commit = false;
  bool follows_commits = false;
  int64_t wanted_commit_ms = 0;

  // Back-pressure of the state, here and at the leader.
  uint32_t own_pressure = 0;
  uint32_t leader_pressure = 0;
  int64_t leader_pressure_until_ms = 0;
  int64_t pause_until_ms = 0;  // after the last batch

  bool disk_full = false;            // of this node
  bool builds_refused = false;       // Router::set_builds_refused()
  int64_t leader_full_until_ms = 0;  // the leader said so; until then writes are not even sent

  uint64_t next_sequence() const { return first_unsettled + pending.size(); }
  bool leads() const { return leader == options.node; }
  bool can_send() const { return service == Service::kUp && ready && bool(leader); }
  router::Pending& at(uint64_t sequence) {
    CHECK_INVARIANT(sequence >= first_unsettled && sequence < next_sequence());
    return pending[sequence - first_unsettled];
  }
  void no_longer_deferred(size_t bytes) {
    router::take_off(deferred_requests, 1);
    router::take_off(waiting_bytes, bytes);
  }

  // ---- router.cpp: placement, program order
  bool waits_for_commit() const;
  router::Connection& connection(ConnectionId id);
  bool try_place(router::Connection& connection, const router::Item& item);
  void defer(router::Connection& connection, const router::Item& item);
  void pump(router::Connection& connection);
  void expire_deferred(int64_t now_ms);
  void forget_if_done(router::Connection& connection);

  // ---- router_refusals.cpp
  // Why nobody is answered but with an error; nullopt: this node serves.
  std::optional<router::Answer> service_refusal() const;
  // Why this request is answered with an error at once; nullopt: it is not.
  std::optional<router::Answer> refusal(const router::Connection& connection,
                                        RequestKind kind,
                                        std::string_view packed,
                                        int64_t now_ms) const;
  // Whether this node takes it while another one leads.
  bool forwards(const router::Connection& connection,
                RequestKind kind,
                std::string_view packed) const;
  router::Answer elsewhere(const router::Connection& connection) const;
  const std::string& address_for(const router::Connection& connection) const;  // of the leader
  // Why a new write is refused for lack of disk, here or at the leader.
  std::optional<router::Answer> disk_refusal(int64_t now_ms) const;
  enum class Whom : uint8_t { kAll, kNotForwarded };
  void refuse_waiting(router::Answer why, int64_t now_ms, Whom whom);
  void refuse_deferred(router::Connection& connection, router::Answer why, Whom whom);
  void refuse_not_forwarded(int64_t now_ms);
  // `packed`: the request where it is known; kMoved names the slot of its first key, else 0.
  void answer(const ReplySlot& to,
              RequestKind kind,
              router::Answer answer,
              std::string_view packed = {});
  // Nothing was done for it and nothing will be.
  void answer_in_vain(const ReplySlot& to, RequestKind kind);
  void give_up(int64_t now_ms);

  // ---- router_levels.cpp
  bool must_wait_for_indexed(const router::Connection& connection, const router::Item& item) const;
  // False: it needs a round.
  bool add_indexed(router::Connection& connection, ReadOp& op, int64_t arrival_ms);
  void run_indexed();
  void refuse_indexed(router::Answer why);
  void note_round(const router::Round& round, const raft::ReadReady& answer_at);

  // ---- router_waits.cpp
  // Of a connection that is closed: what was not handed over.
  void drop_waiting(router::Connection& connection);
  // Takes operations out of it that gone(op) names; how many.
  template <class Gone>
  size_t drop_from(router::OpenBatch& batch, Gone&& gone);
  void drop_serves(ConnectionId connection);
  // A blocking command, or a serve, whose batch is given up: its client was told.
  void wait_answered(const ReplySlot& to);
  // CLIENT UNBLOCK of one that is about to wait.
  bool comes_too_early(std::string_view unblock) const;
  // A blocking command was executed after set_service() ended the waits.
  void end_new_waits() { effects.end_waits = effects.end_waits || service == Service::kRemoved; }

  // ---- router_writes.cpp
  void add_write(router::Connection& connection, const router::Item& item);
  bool attach_read(router::Connection& connection, const router::Item& item);
  // Answers all of it: `why`, or that it was in vain.
  void kill_open(router::OpenBatch& batch, std::optional<router::Answer> why, int64_t now_ms);
  bool may_hand_over() const;
  uint32_t pressure(int64_t now_ms) const;
  bool throttled(int64_t now_ms) const;
  void hand_over(router::OpenBatch&& batch, int64_t now_ms);
  void send(router::Pending& pending_batch);
  void resend_from(uint64_t sequence);
  void resend_some();
  void moved(int64_t now_ms);
  void release(router::Pending& pending_batch);
  void time_out(router::Pending& pending_batch);
  void expire_writes(int64_t now_ms);
  void sweep_writes(int64_t now_ms);
  void end_writes(int64_t now_ms, bool may_delay);
  int64_t group_commit_wait_us(int64_t now_ms) const;

  // ---- router_reads.cpp
  void add_read(router::Connection& connection, ReadOp&& op, int64_t arrival_ms);
  void run(std::vector<ReadOp>&& ops, router::Executing&& record, const raft::ReadReady* ready);
  void read_over(router::Connection& connection, size_t count, size_t linear);
  void executed(std::unordered_map<uint64_t, router::Executing>::iterator record);
  bool may_ask_round() const;
  void ask_round(int64_t now_ms);
  void fail_reads(std::vector<router::WaitingRead>& reads, int64_t arrived_before_ms);
  void expire_reads(int64_t now_ms);
  void end_reads(int64_t now_ms, bool may_delay);
  int64_t read_gather_wait_us(int64_t now_ms) const;
};

}  // namespace kiwi::resp
