// When the others on this node hear of the core's status: when something changed that INFO shows,
// and now and then. Plain class, owned by RaftReplica, on the raft loop.
#pragma once

#include <cstdint>
#include <optional>

#include "raft/core.hpp"

namespace kiwi::actors {

class StatusNews {
 public:
  // A leader's status is told at least every so many looks: its clock decides what expires (F8).
  explicit StatusNews(uint32_t leader_looks) : leader_looks_(leader_looks) {}

  // True: tell it. `in_any_case`: with an event that its readers compare it with.
  bool look(const raft::Status& status, bool in_any_case);

 private:
  uint32_t leader_looks_;
  uint32_t looks_ = 0;  // since it was told
  uint64_t told_ = 0;   // digest
};

}  // namespace kiwi::actors
