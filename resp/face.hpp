// Faces: what a listener shows the node to be. Clients decide by small signs which server they talk
// to, and then expect different things of it, so one port cannot be all of them. A property of a
// connection, for as long as it lives; any thread.
#pragma once

#include <cstdint>

namespace kiwi::resp {

enum class Face : uint8_t {
  kStandalone,  // a plain Redis that takes everything
  kCluster,     // a node of a Redis Cluster of one shard, whose master is the leader
  kRedisRaft,   // raft.dialect redisraft: a plain server that answers CLUSTER
  kSentinel,    // a Sentinel that watches this cluster
};

// Does it answer CLUSTER, and name other nodes with MOVED?
constexpr bool speaks_cluster(Face face) {
  return face == Face::kCluster || face == Face::kRedisRaft;
}

}  // namespace kiwi::resp
