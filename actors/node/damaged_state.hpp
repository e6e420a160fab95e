// A node whose own state was found damaged when it was to be sent. It serves on as long as nobody
// reads what is damaged, but it sends its state to nobody; so a leader hands leadership to another
// voter, whose worker sends another state, and stays if there is none.
//
// Plain class: inputs in, outcome out. Owned by Node, client loop. Times are monotonic.
#pragma once

#include <cstdint>
#include <optional>

#include "actors/node/cluster_facts.hpp"
#include "actors/replica_requests.hpp"

namespace kiwi::actors {

class DamagedState {
 public:
  struct Due {
    std::optional<TransferLeadership> transfer;
    bool say = false;  // what is wrong, to whoever reads the log
  };

  explicit DamagedState(const ClusterFacts& cluster) : cluster_(cluster) {}  // outlives it

  Due look(int64_t now_ms);  // ten times a second, from the moment on that it is known

 private:
  NodeId successor() const;

  const ClusterFacts& cluster_;
  std::optional<int64_t> said_ms_;
  std::optional<int64_t> asked_ms_;
};

}  // namespace kiwi::actors
