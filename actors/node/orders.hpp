// What operators ask of the cluster, followed to its end: an order is driven until the committed
// configuration says that it is so, by this node while it leads, by the leader it is forwarded to
// otherwise. Leaders may change and notes between nodes may be lost meanwhile. What cannot be is
// answered at once.
//
// Plain class: inputs in, effects out. Owned by Node, client loop. Times are monotonic.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "actors/node/cluster_facts.hpp"
#include "actors/node/node_note.hpp"
#include "actors/node/order.hpp"
#include "actors/replica_requests.hpp"
#include "raft/core.hpp"

namespace kiwi::actors {

struct OrderEffects {
  struct Answered {
    uint64_t order = 0;  // of give()
    AdminOrder what;
    OrderAnswer answer;
  };
  ReplicaRequests requests;  // in this order
  std::vector<Answered> answered;
};

class Orders {
 public:
  // Both outlive it. response_timeout_ms: what a client waits for an answer.
  Orders(const ClusterFacts& cluster, int64_t response_timeout_ms)
      : cluster_(cluster), response_timeout_ms_(response_timeout_ms) {}

  // ---- inputs; each may produce effects
  // Of an operator at this node. The number comes back with the answer, maybe at once.
  uint64_t give(AdminOrder what, int64_t now_ms);
  void take(NodeId from, OrderNote note, int64_t now_ms);
  void take(NodeId from, const OrderAnswerNote& note, int64_t now_ms);
  void change_done(const raft::MembershipDone& done, int64_t now_ms);  // Asker::kOrder
  void member_lives(const raft::MemberLives& lives);                   // F49
  void drive(int64_t now_ms);  // ten times a second, and when the cluster's facts changed

  OrderEffects take_effects() { return std::exchange(effects_, {}); }

  size_t open() const { return orders_.size(); }

 private:
  struct Order {
    uint64_t id = 0;
    std::optional<std::pair<NodeId, uint64_t>> asked_by;  // another node, and its number
    AdminOrder what;
    NodeId first_leader;
    int64_t deadline_ms = 0;
    int64_t again_ms = 0;   // not tried before
    bool stepping = false;  // this node's core is at it
    bool busy = false;      // another change was under way
    OrderFate fate;
    OrderAnswer refused;  // final, unless done()
  };
  Order& add(AdminOrder what, int64_t now_ms);
  std::optional<OrderAnswer> step(Order& order, int64_t now_ms);
  bool has_handed_over(const Order& order) const;
  void forward(Order& order, NodeId leader, int64_t now_ms);
  void lead(Order& order, int64_t now_ms);
  bool plan(const AdminOrder& what, raft::MembershipChange& change) const;
  bool plan(const Reconfigure& wanted, raft::MembershipChange& change) const;
  bool replaces(const Order& order) const;
  uint64_t new_id();
  bool removes_self(const Order& order) const;
  bool hands_over_first(const Order& order) const;
  void settle(Order& order, raft::ChangeRefusal refusal) const;
  void finish(const Order& order, const OrderAnswer& answer);

  const ClusterFacts& cluster_;
  int64_t response_timeout_ms_;
  std::vector<Order> orders_;
  uint64_t next_id_ = 1;
  std::set<std::pair<NodeId, uint64_t>> forwarded_;  // orders of other nodes that are driven here
  OrderEffects effects_;
};

}  // namespace kiwi::actors
