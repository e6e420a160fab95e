// The network between nodes: loses, delays, reorders and duplicates messages, cuts links in one or
// both directions, and sometimes tells the nodes that a link went down or came up.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "actors/node/visit_talk.hpp"
#include "config/address.hpp"
#include "raft/types.hpp"

namespace kiwi::sim {

class Node;
class World;

struct NetworkFaults {
  uint64_t loss_per_mille = 0;
  uint64_t duplicate_per_mille = 0;
  uint64_t spike_per_mille = 0;  // a delay of up to 400 ms instead
  int64_t delay_us_max = 1'500;
};

class Network {
 public:
  explicit Network(World& world) : world_(world) {}

  void send(raft::Message message);
  void tell(NodeId from, NodeId to, std::string note);  // between their composition roots
  // To the peer port at that address, which says who is there; if nobody is, nothing is heard.
  void visit(NodeId from,
             const config::HostPort& address,
             std::function<void(const actors::VisitOutcome&)> heard);
  // Messages from `from` to `to` vanish. A broken link is often noticed, not always.
  enum class Notice { kMaybe, kNone };
  void cut(NodeId from, NodeId to, Notice notice = Notice::kMaybe);
  // They stand still for so long, and then arrive one after the other.
  void hold(NodeId from, NodeId to, int64_t us);
  void release(NodeId from, NodeId to);  // before that time
  // No room for anything long: what carries entries or proposals is dropped, the rest arrives.
  void fill(NodeId from, NodeId to, int64_t us);
  void heal();  // all links
  bool is_cut(NodeId from, NodeId to) const { return cut_.count({from, to}) != 0; }

  NetworkFaults faults;

 private:
  using Link = std::pair<NodeId, NodeId>;
  void deliver_later(const raft::Message& message);
  bool has_room(const raft::Message& message);
  void announce_all(const Node& sender, raft::Message& message);
  // On a connection of its own, that stands as long as it is needed: nothing is lost.
  void over_connection(NodeId from, NodeId to, std::function<void(Node&)> arrive);

  World& world_;
  std::set<Link> cut_;
  struct Held {
    int64_t until_us = 0;
    std::vector<raft::Message> messages;
  };
  void deliver(const raft::Message& message);

  std::map<Link, Held> held_;
  std::map<Link, int64_t> full_until_us_;
  std::map<Link, uint64_t> under_way_bytes_;
};

}  // namespace kiwi::sim
