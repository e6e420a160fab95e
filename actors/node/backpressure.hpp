// How much a leader slows everybody's writes down. Each node's router slows down by what its own
// state says; while the leader lags behind, everybody has to, and a voter whose state lags behind
// its log slows everybody down, too: nothing else would, for it acknowledges what it has written
// (F48). The leader says so to the others ten times a second while there is something to say; the
// word of another node than the leader counts for nothing.
//
// Plain class; owned by Node, client loop.
#pragma once

#include <cstdint>
#include <optional>

#include "actors/node/cluster_facts.hpp"

namespace kiwi::actors {

class Backpressure {
 public:
  explicit Backpressure(const ClusterFacts& cluster) : cluster_(cluster) {}  // outlives it

  // Ten times a second. keyspace_pressure: per mille, as the own state says; applied: by it. What
  // to tell this node's router and all members; nullopt: nothing.
  std::optional<uint32_t> look(uint32_t keyspace_pressure, LogIndex applied);
  // Is the pressure that this node told to be believed?
  bool counts(NodeId from) const { return from == cluster_.raft.leader; }

 private:
  const ClusterFacts& cluster_;
  uint32_t told_ = 0;  // while this node leads; 0 is told once
};

}  // namespace kiwi::actors
