// CLIENT PAUSE of this node: what its clients ask waits, all of it or what writes. A plain value in
// NodeContext; client loop only. What is under way already goes on, and so do the other nodes.
#pragma once

#include <cstdint>
#include <set>

#include "resp/request.hpp"

namespace kiwi::resp {

struct ClientPause {
  int64_t until_ms = 0;            // monotonic; 0: there is none
  bool all = false;                // else what writes
  std::set<ConnectionId> waiting;  // sessions with a command that is held

  bool holds(int64_t now_ms) const { return now_ms < until_ms; }
  // It becomes longer and wider only, as in Redis.
  void begin(int64_t end_ms, bool everything, int64_t now_ms) {
    const bool goes_on = holds(now_ms);
    all = everything || (goes_on && all);
    until_ms = goes_on && until_ms > end_ms ? until_ms : end_ms;
  }
};

}  // namespace kiwi::resp
