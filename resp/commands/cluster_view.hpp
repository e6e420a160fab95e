// The cluster as Redis Cluster's clients understand it: the leader is the one master and serves all
// slots, every other member is its replica. Private to resp/commands/*.cpp.
//
// Who leads is a hint for clients, never a promise: any node takes any command. A node that knows
// no leader it can reach names itself, so that clients lose no time at a node that is gone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "resp/node_context.hpp"

namespace kiwi::resp {

struct ClusterNode {
  NodeId id;
  std::string name;  // 40 hex digits: the cluster's id and 8 digits of the node's
  std::string host;
  uint16_t port = 0;
  uint16_t peer_port = 0;
  bool myself = false;
  bool master = false;
  bool voter = false;
  bool reachable = false;     // this node's link to it is up
  bool catching_up = false;   // a learner on its way to become a voter
  uint64_t offset = 0;        // log index it has, as far as this node knows
  int64_t linked_at_ms = -1;  // monotonic; -1 = no link
};

struct ClusterView {
  std::vector<ClusterNode> nodes;  // by id; empty: this node is in no cluster
  uint64_t epoch = 0;              // the term
  bool serving = false;            // a leader leads, and this node answers

  const ClusterNode* master() const;
  const ClusterNode* myself() const;
  const ClusterNode* find(std::string_view name) const;
  size_t reachable() const;
};

// As that face shows it: members whose port there is not known are left out. Brings node.status up
// to date before. `tls`: with the ports where TLS is spoken.
ClusterView view_cluster(NodeContext& node, bool tls, Face face);
// The same of node.status as it is.
ClusterView cluster_as_known(const NodeContext& node, bool tls, Face face);

// What ROLE, HELLO and INFO call a replica. Where a cluster is shown, whoever does not lead. A
// plain server is a master while it serves, for it takes every write, and behind one address a
// client that reads "slave" refuses to send one; or, by role-shown, if it is the announced one.
// Without a proxy only the leader takes writes.
bool shows_replica(const NodeContext& node, Face face);

// HELLO's mode, and INFO's redis_mode.
std::string_view mode_of(Face face);

}  // namespace kiwi::resp
