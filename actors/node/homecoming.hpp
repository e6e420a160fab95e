// Processes that say the id of a member and are another life of it. The member's directory may have
// been lost (F1), or somebody else says its id: anybody can say an id, and the addresses of a
// copied configuration. So the member's own address is visited, and who answers there is believed
// (F49).
//
// Plain class: inputs in, effects out. Client loop. Times are monotonic.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "actors/node/cluster_facts.hpp"
#include "actors/node/visit_talk.hpp"
#include "actors/replica_requests.hpp"
#include "config/address.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

struct HomecomingEffects {
  struct Call {
    uint64_t visit = 0;  // who is there? visited() follows
    config::HostPort address;
  };
  struct Judged {
    uint64_t look = 0;
    bool is_there = false;
  };
  std::vector<Call> calls;
  std::vector<Judged> judged;
  ReplicaRequests requests;
};

class Homecoming {
 public:
  explicit Homecoming(const ClusterFacts& cluster) : cluster_(cluster) {}  // outlives it

  // ---- inputs; each may produce effects
  // Does this life of it answer at the address that the cluster knows? The number comes back with
  // the answer, maybe at once.
  uint64_t look(const raft::Member& newcomer);
  // Those who say so now, again and again. The leader has them replace the members that they were.
  void returned(const std::vector<raft::Member>& newcomers, int64_t now_ms);
  void visited(uint64_t visit, const VisitOutcome& outcome);

  HomecomingEffects take_effects() { return std::exchange(effects_, {}); }

 private:
  struct Visit {
    raft::Member newcomer;
    bool returned = false;
  };
  std::optional<config::HostPort> home_of(NodeId member) const;
  void visit(uint64_t id, const config::HostPort& home, Visit visit);

  const ClusterFacts& cluster_;
  uint64_t next_ = 1;
  std::map<uint64_t, Visit> visits_;
  std::map<NodeId, int64_t> looked_at_ms_;  // members' addresses, for those that returned
  HomecomingEffects effects_;
};

}  // namespace kiwi::actors
