#include "resp/commands/cluster_view.hpp"

#include <algorithm>
#include <cstdio>

#include "config/address.hpp"

namespace kiwi::resp {

namespace {

std::string node_name(const ClusterId& cluster, NodeId id) {
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%08llx", static_cast<unsigned long long>(id.value));
  return cluster.hex() + digits;
}

config::HostPort parsed(const std::string& address) {
  Result<config::HostPort> found = config::parse_host_port(address);
  return found ? *found : config::HostPort{};
}

// Whom clients should take for the master, of those that are shown to them.
NodeId master_for_clients(const NodeContext& node, Face face) {
  const NodeStatus& status = node.status;
  NodeId self = status.raft.id;
  NodeId leader = status.raft.leader;
  if (leader == self) {
    return self;
  }
  const raft::Member* member = status.raft.configuration.find(leader);
  if (member != nullptr && face_port(node, *member, face) != 0) {
    auto link = status.links.find(leader);
    if (link != status.links.end() && link->second.up) {
      return leader;
    }
  }
  bool serves = status.service == Service::kUp && status.raft.configuration.find(self) != nullptr;
  return serves ? self : leader;
}

uint64_t known_offset(const NodeContext& node, NodeId id) {
  const raft::Status& raft = node.status.raft;
  if (id == raft.id) {
    return node.status.applied.value;
  }
  if (raft.role == raft::Role::kLeader) {
    for (const raft::PeerStatus& peer : raft.peers) {
      if (peer.member.id == id) {
        return peer.match.value;
      }
    }
  }
  return raft.commit.value;
}

// A client that speaks TLS is sent to where it can go on doing so. A node that has told of no such
// address is shown with the one it has. Without a port: it shows no such face.
config::HostPort address_for(const NodeContext& node,
                             const raft::Member& member,
                             bool tls,
                             Face face) {
  if (const std::string address = tls ? tls_address(node, member) : std::string();
      !address.empty()) {
    return parsed(address);
  }
  return {parsed(member.client_address).host, face_port(node, member, face)};
}

}  // namespace

const ClusterNode* ClusterView::master() const {
  auto found = std::ranges::find_if(nodes, &ClusterNode::master);
  return found == nodes.end() ? nullptr : &*found;
}

const ClusterNode* ClusterView::myself() const {
  auto found = std::ranges::find_if(nodes, &ClusterNode::myself);
  return found == nodes.end() ? nullptr : &*found;
}

const ClusterNode* ClusterView::find(std::string_view name) const {
  auto found = std::ranges::find(nodes, name, &ClusterNode::name);
  return found == nodes.end() ? nullptr : &*found;
}

size_t ClusterView::reachable() const {
  return static_cast<size_t>(std::ranges::count_if(nodes, &ClusterNode::reachable));
}

ClusterView view_cluster(NodeContext& node, bool tls, Face face) {
  node.refresh_status();
  return cluster_as_known(node, tls, face);
}

ClusterView cluster_as_known(const NodeContext& node, bool tls, Face face) {
  const NodeStatus& status = node.status;
  const raft::Configuration& configuration = status.raft.configuration;
  ClusterView view;
  view.epoch = status.raft.term.value;
  if (status.service == Service::kUninitialized || status.service == Service::kRemoved) {
    return view;
  }
  // Whom Sentinel's clients were sent to is who they want to see here.
  NodeId master = !speaks_cluster(face) && shows_announced(node.options)
                      ? announced_master(node)
                      : master_for_clients(node, face);
  for (const raft::Member& member : configuration.members) {
    const config::HostPort client = address_for(node, member, tls, face);
    if (client.port == 0) {
      continue;
    }
    ClusterNode& one = view.nodes.emplace_back();
    one.id = member.id;
    one.name = node_name(configuration.cluster, member.id);
    one.host = client.host;
    one.port = client.port;
    one.peer_port = parsed(member.peer_address).port;
    one.myself = member.id == status.raft.id;
    one.master = member.id == master;
    one.voter = configuration.is_voter(member.id);
    one.catching_up =
        std::ranges::find(configuration.promoting, member.id) != configuration.promoting.end();
    one.offset = known_offset(node, member.id);
    auto link = status.links.find(member.id);
    one.reachable = one.myself || (link != status.links.end() && link->second.up);
    if (!one.myself && one.reachable) {
      one.linked_at_ms = link->second.connected_at_ms;
    }
  }
  view.serving = status.service == Service::kUp && bool(status.raft.leader);
  return view;
}

bool shows_replica(const NodeContext& node, Face face) {
  const NodeStatus& status = node.status;
  if (!speaks_cluster(face)) {
    const NodeId announced = shows_announced(node.options) ? announced_master(node) : NodeId{};
    const bool takes_writes =
        node.options.raft_follower_proxy || status.raft.role == raft::Role::kLeader;
    return status.service != Service::kUp || !takes_writes ||
           (announced && announced != status.raft.id);
  }
  bool in_cluster = status.service == Service::kUp || status.service == Service::kLoading;
  return in_cluster && status.raft.configuration.find(status.raft.id) != nullptr &&
         status.raft.role != raft::Role::kLeader;
}

std::string_view mode_of(Face face) {
  switch (face) {
    case Face::kCluster:
      return "cluster";
    case Face::kSentinel:
      return "sentinel";
    case Face::kStandalone:
    case Face::kRedisRaft:
      break;
  }
  return "standalone";
}

}  // namespace kiwi::resp
