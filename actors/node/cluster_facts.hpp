// What a node knows of its cluster now. One object, kept by Node from what its replica reports;
// the classes of its life read it. Client loop.
#pragma once

#include <cstdint>

#include "actors/peers/build.hpp"
#include "config/base/ids.hpp"
#include "raft/status.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

struct ClusterFacts {
  NodeId self;
  uint64_t boot_epoch = 0;     // number of this start of the data directory
  Build build;                 // of this node, with the version of the cluster as applied here
  bool core_runs = false;      // this node is a member, or was one
  raft::Status raft;           // as it was reported last
  raft::Configuration latest;  // in the log; before the log says anything, who was met on joining
  raft::Configuration committed;  // the latest that is committed, as far as this node knows

  bool leads() const { return raft.leads(); }
};

}  // namespace kiwi::actors
