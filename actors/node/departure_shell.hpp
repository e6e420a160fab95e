// The orderly end of a node (Departure), as SIGTERM, SHUTDOWN and RAFT.NODESHUTDOWN ask for it, and
// RAFT.DRAIN, which prepares for it.
// Thin; on the client loop.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "actors/node/departure.hpp"
#include "actors/node/node_parts.hpp"
#include "actors/node/peers_shell.hpp"
#include "actors/node/stop_guard.hpp"
#include "resp/admin.hpp"

namespace kiwi::actors {

class DepartureShell {
 public:
  DepartureShell(NodeParts& node, PeersShell& peers) : node_(node), peers_(peers) {}

  void fill(resp::Admin& admin);
  void begin(const char* why);
  bool begun() const { return departure_.stage() != Departure::Stage::kNotYet; }
  bool ends() const { return guard_.armed(); }  // begun, or without any order
  int64_t patience_ms() const;                  // what the end may take; then StopGuard makes it
  void timer();
  void handed_over(const raft::ChangeOutcome& outcome);
  // raft.dialect redisraft: a node that was removed for good ends, and comes back empty.
  void members_changed();  // those that are committed
  void leave_cluster();

 private:
  void drain(resp::AdminDone done);
  std::optional<NodeId> successor() const;
  void hand_over(NodeId to) const;
  void move_clients();
  std::vector<resp::MovingTarget> targets(resp::Face face, bool tls) const;
  void step();
  void finish();

  NodeParts& node_;
  PeersShell& peers_;
  Departure departure_;
  uint64_t drains_ = 0;        // since the start
  bool clients_sent_ = false;  // by RAFT.DRAIN
  StopGuard guard_;
};

}  // namespace kiwi::actors
