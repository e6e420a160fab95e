// What clients asked and were told: invoke, ok, fail, info by what the first word of an error says,
// and the checks over a finished history. Each throws Violation.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kiwi::sim {

enum class OpKind : uint8_t {
  kSet,          // register: SET key value
  kGet,          // register: GET key
  kSwap,         // register: WATCH, GET, MULTI, SET, EXEC: from `expected` to `value`
  kIncrement,    // counter: INCR key
  kPush,         // list: RPUSH key value
  kRange,        // list: LRANGE key 0 -1
  kSetExpiring,  // SET key value PX ms
  kGetExpiring,  // GET key
  kSetForGood,   // SET key value on such a key: it does not expire any more
  kStore,        // heap: RPUSH key of several long elements
  kTake,         // heap: LPOP key many, maybe more than a reply may hold (F45)
  kEnqueue,      // queue: RPUSH key value
  kDequeue,      // queue: BLPOP key, for a short while; `value` is what it took ("" = nil)
  kOncePush,    // list: KIWI.ONCE token RPUSH key value, repeated until its fate is known, and then
  kOnceBounds,  // how many tokens are remembered
  // Deadline registers: a value that may have a deadline, in cluster time.
  kLend,        // SET key value PX ms
  kKeep,        // SET key value
  kLook,        // GET key
  kLookExists,  // KEYS key: put aside as a long read where that is on
  kLookTtl,     // PTTL key
  kPersist,     // PERSIST key
  kProlong,     // PEXPIRE key ms
  kReplace,     // SET key value XX
  kReplaceFor,  // SET key value XX PX ms
  kExchange,    // SET key value GET
  kTouch,       // GETEX key PX ms
  kTouchKeep,   // GETEX key PERSIST
};
inline bool is_read(OpKind kind) {
  switch (kind) {
    case OpKind::kGet:
    case OpKind::kRange:
    case OpKind::kGetExpiring:
    case OpKind::kLook:
    case OpKind::kLookExists:
    case OpKind::kLookTtl:
      return true;
    default:
      return false;
  }
}
inline bool has_deadlines(OpKind kind) { return kind >= OpKind::kLend; }

enum class Fate : uint8_t { kPending, kOk, kFailed, kUnknown };

inline constexpr int64_t kNever = INT64_MAX;

struct Op {
  OpKind kind = OpKind::kGet;
  uint64_t client = 0;
  std::string key;
  std::string value;     // written, or read ("" = missing)
  std::string expected;  // kSwap: before it; also what kExchange, kTouch were told
  int64_t number =
      0;  // the answer, where it is a number; kReplace: 1 = done; kDequeue: milliseconds
  std::vector<std::string> list;  // result of kRange and kTake
  int64_t invoked_us = 0;
  int64_t returned_us = kNever;
  // kSetExpiring: no clock that shows less may end it; kGetExpiring: the highest that any clock had
  // shown by the answer.
  int64_t clock_ms = 0;
  Fate fate = Fate::kPending;
  bool stale = false;        // asked of a READONLY connection: promises nothing
  size_t before = SIZE_MAX;  // the operation before it in the same pipeline
  // kOncePush.
  std::string token;
  bool maybe = false;    // an attempt may have counted: its answer never came
  uint64_t repeats = 0;  // after its fate was known
};

struct History {
  std::vector<Op> ops;
  std::map<std::string, std::vector<size_t>> by_key() const;
};

// What every node answered in the end, when nothing failed any more.
using FinalState = std::map<std::string, std::vector<std::string>>;

// Registers, with deadlines and without: Wing & Gong's search with Lowe's memory of configurations.
// A value with a deadline may be gone at any moment, and then it is gone: whoever was told so
// before somebody else prolonged, replaced or saw the same value was told a lie (F9, F43).
void check_linearizable(const History& history);
// Counters and lists: acknowledged once, in once; failed, in never; unknown, at most once.
void check_exactly_once(const History& history, const FinalState& final_state);
// Heaps: what was stored is there or was taken by somebody who was told so, once (F45).
void check_heaps(const History& history, const FinalState& final_state);
// Queues: pushed = popped + left, nothing twice, in order; and nil only where there was a moment
// without an element (F31).
void check_queues(const History& history, const FinalState& final_state);
// Lists that are pushed to with tokens: each element once, where its first answer says, whatever
// was repeated; what nobody ever answered at most once.
void check_once(const History& history, const FinalState& final_state);
inline constexpr int kStoredAtOnce = 6;
// The elements of a kStore, without what makes them long.
std::string stored_element(const Op& op, int number);
// F9: a key that a reader saw expired does not come back. F8: none ends before its deadline by
// every clock.
void check_expiry(const History& history);

}  // namespace kiwi::sim
