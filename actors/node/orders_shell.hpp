// What operators ask for, between their commands and Orders; and the notes about it of other nodes.
// Thin; on the client loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "actors/node/node_parts.hpp"
#include "actors/node/orders.hpp"
#include "resp/admin.hpp"

namespace kiwi::actors {

class OrdersShell {
 public:
  explicit OrdersShell(NodeParts& node)
      : node_(node), orders_(node.facts, node.options.raft_response_timeout) {}

  void fill(resp::Admin& admin);

  using Done = std::function<void(const AdminOrder& order, const OrderAnswer& answer)>;
  void order(AdminOrder what, Done done);
  void order_by_hand(AdminOrder what, resp::AdminDone done);
  resp::AdminAnswer admin_answer(const AdminOrder& ordered, const OrderAnswer& answer) const;

  void timer();
  void change_done(const raft::MembershipDone& done);
  void member_lives(const raft::MemberLives& lives) { orders_.member_lives(lives); }
  void take(NodeId from, OrderNote note);
  void take(NodeId from, const OrderAnswerNote& note);

 private:
  void set_voting(NodeId id, bool voting, const resp::AdminDone& done) const;
  std::vector<NodeId> used_ids() const;
  void carry_out(OrderEffects effects);

  NodeParts& node_;
  Orders orders_;
  std::map<uint64_t, Done> done_;  // of this node's own orders
};

}  // namespace kiwi::actors
