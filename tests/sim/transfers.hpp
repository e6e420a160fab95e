// The way of a snapshot from one node to another, as the shells do it: a copy of the sender's
// flushed state travels in steps, each of which can be lost, repeated or be the last one before
// somebody dies; what arrived survives a restart of the receiver. Owned by the world.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "raft/core.hpp"
#include "tests/sim/state_store.hpp"

namespace kiwi::sim {

class Node;
class World;

// A state on its way, with what is known of it from itself (F13).
struct Copy {
  raft::SnapshotMeta meta;
  Maps maps;
};

class Transfers {
 public:
  explicit Transfers(World& world) : world_(world) {}

  // A leader cannot bring the follower up. A transfer that runs goes on if its log can follow it.
  void wanted(Node& leader, const raft::SnapshotWanted& wanted);
  // A node that asked for none gets a copy of another one's state: whatever it holds, and whether
  // it is a member or not, nothing may get lost (F15).
  void unasked();
  // The same for one that was removed and may not know it (F25).
  void tell_removed(NodeId removed);
  bool receiving(NodeId node) const { return running_.contains(node); }

 private:
  struct Transfer {
    uint64_t number = 0;
    NodeId sender;
    uint64_t sender_life = 0;
    NodeId receiver;
    Incarnation incarnation;
    uint64_t receiver_life = 0;
    std::shared_ptr<const Copy> copy;
    uint64_t chunks_left = 0;
    uint64_t losses_in_a_row = 0;
  };

  Node* sender_for(Node& leader, const raft::SnapshotWanted& wanted);
  void begin(Node& leader, Node& sender, Node& receiver);
  void next_chunk(uint64_t number, NodeId receiver);
  bool is_alive(const Transfer& transfer) const;
  void arrived(const Transfer& transfer);
  void end(NodeId receiver, LogIndex installed, bool ok);

  World& world_;
  std::map<NodeId, Transfer> running_;  // by receiver
  uint64_t made_ = 0;
};

}  // namespace kiwi::sim
