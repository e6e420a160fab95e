// Faces: what a listener shows the node to be. Clients decide by small signs which server they talk
// to, and then expect different things of it, so one port cannot be all of them. A property of a
// connection, for as long as it lives; any thread.
#pragma once

#include <cstdint>

#include "config/options.hpp"

namespace kiwi::resp {

enum class Face : uint8_t {
  kStandalone,  // a plain Redis that takes everything
  kCluster,     // a node of a Redis Cluster of one shard, whose master is the leader
  kRedisRaft,   // raft.dialect redisraft: a plain server that answers CLUSTER
};

// Does it answer CLUSTER, and name other nodes with MOVED?
constexpr bool speaks_cluster(Face face) {
  return face == Face::kCluster || face == Face::kRedisRaft;
}

// Of the option `port`.
inline Face main_face(const config::Options& options) {
  if (options.raft_dialect == config::Dialect::kRedisRaft) {
    return Face::kRedisRaft;
  }
  return options.cluster_enabled ? Face::kCluster : Face::kStandalone;
}

// Where this node shows it; 0: nowhere.
inline uint16_t port_of(const config::Options& options, Face face) {
  if (face == main_face(options)) {
    return static_cast<uint16_t>(options.port);
  }
  return face == Face::kCluster ? static_cast<uint16_t>(options.cluster_client_port) : 0;
}

}  // namespace kiwi::resp
