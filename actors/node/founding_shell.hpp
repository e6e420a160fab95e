// How a node comes to its cluster (Bootstrap) and its core begins: founds one, waits for one, is a
// member of one. Thin; on the client loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "actors/node/bootstrap.hpp"
#include "actors/node/joining_shell.hpp"
#include "actors/node/node_parts.hpp"
#include "actors/node/snapshots_shell.hpp"

namespace kiwi::actors {

class FoundingShell {
 public:
  FoundingShell(NodeParts& node, JoiningShell& joining, SnapshotsShell& snapshots)
      : node_(node), joining_(joining), snapshots_(snapshots) {}

  void begin();                            // when all ports are open
  void peer_said(const PeerHello& hello);  // before the core runs
  void peer_gone(NodeId peer);
  Result<ClusterId> init(std::optional<ClusterId> cluster);  // RAFT.CLUSTER INIT
  void timer();

 private:
  void decide();
  void found(const std::vector<raft::Member>& members);
  void join(const Bootstrap::Join& join);
  void start_core();
  void learn_members(const raft::StartState& start);
  raft::CoreOptions core_options() const;

  NodeParts& node_;
  JoiningShell& joining_;
  SnapshotsShell& snapshots_;
  std::optional<Bootstrap> bootstrap_;       // until the core runs
  std::optional<ClusterId> chosen_cluster_;  // by RAFT.CLUSTER INIT
  std::string waiting_text_;
  int64_t waiting_since_ms_ = 0;
  bool waiting_said_ = false;
};

}  // namespace kiwi::actors
