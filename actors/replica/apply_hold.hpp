// What is committed, on its way from RaftReplica to the state machine. A follower of which nobody
// waits for an apply gathers it: each hand-over wakes the client loop, which with one small batch
// at a time cost more than the batch. Only the first stale read can tell, by a tick at most; what
// others could tell (a read, a write of an own client, leadership, a change of members) comes with
// `now`. A plain class, owned by RaftReplica, on the raft loop.
#pragma once

#include <cstddef>
#include <vector>

#include "raft/types.hpp"

namespace kiwi::actors {

class ApplyHold {
 public:
  // So many bytes are worth a wake-up. By the core's measure, and far below what it lets be under
  // way to apply (F28), so that holding them never stands in the way of more.
  static constexpr size_t kBytesMax = size_t{16} * 1024;

  // Takes what was committed in this turn, in log order. Gives what is to be applied now: all that
  // is held, or nothing. Held for ever if never asked with `now`: ask with every tick.
  std::vector<raft::Entry> pass(std::vector<raft::Entry> committed, bool now);

 private:
  std::vector<raft::Entry> held_;
  size_t bytes_ = 0;
};

}  // namespace kiwi::actors
