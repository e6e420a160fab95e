// What clients asked and were told: invoke, ok, fail, info by the error fates of DESIGN §1.5, and
// the checks over a finished history. Each throws Violation.
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
};
inline bool is_read(OpKind kind) {
  return kind == OpKind::kGet || kind == OpKind::kRange || kind == OpKind::kGetExpiring;
}

enum class Fate : uint8_t { kPending, kOk, kFailed, kUnknown };

inline constexpr int64_t kNever = INT64_MAX;

struct Op {
  OpKind kind = OpKind::kGet;
  uint64_t client = 0;
  std::string key;
  std::string value;              // written, or read ("" = missing)
  std::string expected;           // kSwap
  int64_t number = 0;             // result of kIncrement and kPush
  std::vector<std::string> list;  // result of kRange
  int64_t invoked_us = 0;
  int64_t returned_us = kNever;
  Fate fate = Fate::kPending;
  bool stale = false;        // asked of a READONLY connection: promises nothing
  size_t before = SIZE_MAX;  // the operation before it in the same pipeline
};

struct History {
  std::vector<Op> ops;
  std::map<std::string, std::vector<size_t>> by_key() const;
};

// What every node answered in the end, when nothing failed any more.
using FinalState = std::map<std::string, std::vector<std::string>>;

// Registers: Wing & Gong's search with Lowe's memory of configurations.
void check_linearizable(const History& history);
// Counters and lists: acknowledged once, in once; failed, in never; unknown, at most once.
void check_exactly_once(const History& history, const FinalState& final_state);
// F9: a key that a reader saw expired does not come back.
void check_expiry(const History& history);

}  // namespace kiwi::sim
