// Was this node removed while it was away? Then nobody dials it any more, and no log tells it; so a
// node that hears no leader asks one member after the other (F25).
//
// Plain class; owned by Node, client loop. Times are monotonic.
#pragma once

#include <cstdint>
#include <optional>

#include "actors/node/cluster_facts.hpp"
#include "actors/node/visit_talk.hpp"
#include "config/address.hpp"
#include "raft/log_storage.hpp"

namespace kiwi::actors {

class Removal {
 public:
  explicit Removal(const ClusterFacts& cluster) : cluster_(cluster) {}  // outlives it

  // The log says it, or did when the node started.
  void start(bool removed) { known_ = removed; }
  // A peer port to visit with kWho; judge() what is replied there.
  std::optional<config::HostPort> tick(int64_t now_ms);
  // Its reply names this cluster, and this node's id as removed.
  bool judge(const VisitReply& reply, const raft::Identity& own) const;
  // True: it is news.
  bool learned();

  bool known() const { return known_; }

 private:
  const ClusterFacts& cluster_;
  bool known_ = false;
  int64_t leaderless_since_ms_ = 0;
  size_t asked_ = 0;
};

}  // namespace kiwi::actors
