// What the router's property test keeps of logs and of requests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "resp/request.hpp"
#include "tests/resp/router_harness.hpp"

namespace kiwi::resp {

struct LogEntry {
  uint64_t term = 0;
  uint64_t sequence = 0;  // 0 = the no-op of a term
  bool is_void = false;
  std::vector<std::string> commands;
  bool operator==(const LogEntry&) const = default;
};

// What the test knows of one request.
struct Asked {
  char kind = 'w';
  ConnectionId subject = 0;     // reads: whose writes are counted
  std::set<uint64_t> must_see;  // slots of the subject acknowledged before it was asked
  std::string answer;
};

using AskedBySlot = std::map<std::pair<ConnectionId, uint64_t>, Asked>;

// Of one connection's reads of one subject none shows an older state than one before it.
inline bool in_order(const AskedBySlot& all, ConnectionId c, uint64_t slot, size_t seen) {
  const ConnectionId subject = all.at({c, slot}).subject;
  return std::ranges::all_of(all, [&](const auto& item) {
    const auto& [who, other] = item;
    if (who.first != c || other.subject != subject || !other.answer.starts_with(':')) {
      return true;
    }
    const size_t then = std::stoull(other.answer.substr(1));
    return who.second < slot ? then <= seen : then >= seen;
  });
}

// A question for a read index on its way.
struct AskedRound {
  uint64_t id = 0;
  int leader = -1;
  uint64_t term = 0;
  bool with_tick = false;
};

// Reads that the executor has.
struct StartedReads {
  ReadBatch batch;
  size_t next = 0;
  std::vector<ReadOp> again;
  std::set<ConnectionId> stopped;
};

struct Held {
  explicit Held(const RouterOptions& options)
      : harness(options), router(harness.router), now(harness.now) {}
  RouterHarness harness;
  Router& router;
  int64_t& now;
  bool turn_needed = false;
};

}  // namespace kiwi::resp
