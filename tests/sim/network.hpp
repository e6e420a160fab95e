// The network between nodes: loses, delays, reorders and duplicates messages, cuts links in one or
// both directions, and sometimes tells the nodes that a link went down or came up.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "raft/types.hpp"

namespace kiwi::sim {

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
  // Messages from `from` to `to` vanish. A broken link is often noticed, not always.
  enum class Notice { kMaybe, kNone };
  void cut(NodeId from, NodeId to, Notice notice = Notice::kMaybe);
  // They stand still for so long, and then arrive one after the other.
  void hold(NodeId from, NodeId to, int64_t us);
  void heal();  // all links
  bool is_cut(NodeId from, NodeId to) const { return cut_.count({from, to}) != 0; }

  NetworkFaults faults;

 private:
  using Link = std::pair<NodeId, NodeId>;
  void deliver_later(const raft::Message& message);
  bool has_room(const raft::Message& message);

  World& world_;
  std::set<Link> cut_;
  std::map<Link, int64_t> held_until_us_;
  std::map<Link, uint64_t> under_way_bytes_;
};

}  // namespace kiwi::sim
