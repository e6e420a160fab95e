// Where the members of the cluster show which face, and where this node would send its clients:
// what CLUSTER, MOVED and their like name. Ports beside a member's own are told in its hello, so of
// who was not heard since the start they are not known. Plain functions; client loop.
#pragma once

#include <cstdint>
#include <string>

#include "config/options.hpp"
#include "raft/core.hpp"
#include "raft/types.hpp"
#include "resp/face.hpp"

namespace kiwi::resp {

struct NodeContext;

// Of the option `port`.
inline Face main_face(const config::Options& options) {
  if (options.raft_dialect == config::Dialect::kRedisRaft) {
    return Face::kRedisRaft;
  }
  return options.cluster_enabled ? Face::kCluster : Face::kStandalone;
}

// Is the announced node the master for clients of a plain server, or whoever serves?
inline bool shows_announced(const config::Options& options) {
  return options.role_shown == config::RoleShown::kAnnounced ||
         (options.role_shown == config::RoleShown::kAuto && options.sentinel_port != 0);
}

// Where this node shows it; 0: nowhere.
inline uint16_t port_of(const config::Options& options, Face face) {
  if (face == main_face(options)) {
    return static_cast<uint16_t>(options.main_port());
  }
  switch (face) {
    case Face::kCluster:
      return static_cast<uint16_t>(options.cluster_client_port);
    case Face::kSentinel:
      return static_cast<uint16_t>(options.sentinel_port);
    case Face::kStandalone:
    case Face::kRedisRaft:
      break;
  }
  return 0;
}

// host:port without brackets: clients take what stands before the last colon for the host.
std::string plain_address(const std::string& host, uint16_t port);

// Of that member; 0: not known, or it has none.
uint16_t face_port(const NodeContext& node, const raft::Member& member, Face face);
std::string face_address(const NodeContext& node, const raft::Member& member, Face face);
// Where its clients that speak TLS connect, who are shown its main face; empty: not known, or
// nowhere.
std::string tls_address(const NodeContext& node, const raft::Member& member);

// Where clients should go with their writes, as host:port: the ready leader, if this node is not it
// and is linked to it. Empty: nowhere, this node takes them. A hint, never a promise.
struct LeaderAdvice {
  std::string standalone;
  std::string cluster;
  std::string tls = {};  // for who speaks it, whatever it is shown
  const std::string& of(Face face, bool speaks_tls = false) const {
    return speaks_tls ? tls : face == Face::kCluster ? cluster : standalone;
  }
  bool operator==(const LeaderAdvice&) const = default;
};
LeaderAdvice advise(const NodeContext& node, const raft::Status& raft);

}  // namespace kiwi::resp
