// What the world does to a node: messages, links, clients, membership; and how a node describes
// itself when a seed fails.
#include <memory>
#include <string>
#include <utility>

#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

void Node::deliver(raft::Message message) {
  auto shared = std::make_shared<raft::Message>(std::move(message));
  raft_input([this, shared] { core_->step(std::move(*shared)); });
}

void Node::link(NodeId peer, bool up) {
  raft_input([this, peer, up] { up ? core_->link_up(peer) : core_->link_down(peer); });
  if (up) {
    client_input([this, peer] { router_->link_up(peer, monotonic_ms()); });
  }
}

void Node::submit(resp::RequestBatch batch) {
  auto shared = std::make_shared<resp::RequestBatch>(std::move(batch));
  client_input([this, shared] { router_->requests(std::move(*shared), monotonic_ms()); });
}

void Node::close(resp::ConnectionId connection) {
  // As between actors, what the router has on its way may come to the executor in between.
  client_input([this, connection] { executor_->forget_connection(connection); });
  client_input([this, connection] { router_->connection_closed(connection); });
}

void Node::transfer(NodeId target) {
  raft_input([this, target] { core_->transfer_leadership({}, target); });
}

raft::Member Node::member() const {
  std::string port = std::to_string(id_.value);
  return {id_, incarnation_, "sim:" + port, "sim:1" + port};
}

std::string Node::describe() const {
  std::string text =
      "node " + std::to_string(id_.value) + "." + std::to_string(incarnation_.bytes[1]);
  if (!running()) {
    return text + " is down";
  }
  static constexpr const char* kRoles[] = {"follower", "pre-candidate", "candidate", "leader"};
  static constexpr const char* kServices[] = {"uninitialized", "loading", "up", "removed"};
  raft::Status now = status();
  text += std::string(" ") + kServices[static_cast<size_t>(service_)] + ", " +
          kRoles[static_cast<size_t>(now.role)] + (now.ready ? " ready" : "") + " of term " +
          std::to_string(now.term.value) + ", leader " + std::to_string(now.leader.value) +
          ", first " + std::to_string(now.first_index.value) + ", last " +
          std::to_string(now.last_index.value) + ", commit " + std::to_string(now.commit.value) +
          ", applied " + std::to_string(applied().value) + ", pending " +
          std::to_string(router_->status().pending_batches) + ", voters";
  for (NodeId voter : now.configuration.voters) {
    text += " " + std::to_string(voter.value);
  }
  text += now.configuration.is_joint() ? " (joint), members" : ", members";
  for (const raft::Member& member : now.configuration.members) {
    text +=
        " " + std::to_string(member.id.value) + "." + std::to_string(member.incarnation.bytes[1]);
  }
  for (const raft::PeerStatus& peer :
       now.role == raft::Role::kLeader ? now.peers : std::vector<raft::PeerStatus>{}) {
    text += "\n      to " + std::to_string(peer.member.id.value) + ": " +
            std::string(name_of(peer.state)) + " match " + std::to_string(peer.match.value) +
            ", next " + std::to_string(peer.next.value) + (peer.up ? "" : ", down") + ", sending " +
            std::to_string(peer.snapshot_index.value);
  }
  return text;
}

void Node::change(raft::MembershipChange change) {
  raft_input([this, change = std::move(change)] { core_->change_membership({}, change); });
}

}  // namespace kiwi::sim
