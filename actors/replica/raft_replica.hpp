// RaftReplica: this node's replica of one Raft group. Holds the core and passes its effects on:
// messages to the links, then one persist, then what the other actors of the group want to know.
// A plain class, owned by ReplicaHost, on the raft loop; clocks are told.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "actors/handles.hpp"
#include "actors/peers/peer_links.hpp"
#include "actors/replica/apply_hold.hpp"
#include "actors/replica/clock_watch.hpp"
#include "actors/replica/replica_trace.hpp"
#include "actors/replica/snapshot_outbox.hpp"
#include "actors/replica/status_news.hpp"
#include "config/metrics.hpp"
#include "raft/core.hpp"

namespace kiwi::actors {

struct RaftReplicaOptions {
  raft::CoreOptions core;
  raft::StartState start;
  uint32_t cluster_version = 1;  // of the state (F46)
  RouterHandle router;
  StateMachineHandle state_machine;
  LogStoreHandle log_store;
  config::RaftMetrics* metrics = nullptr;              // outlives the replica
  const std::atomic<uint64_t>* trace_every = nullptr;  // likewise; null: nobody traces
};

struct Now {
  int64_t wall_ms = 0;       // CLOCK_REALTIME
  int64_t monotonic_ms = 0;  // CLOCK_BOOTTIME: counts suspended time too (F20)
};

class RaftReplica {
 public:
  RaftReplica(RaftReplicaOptions options, PeerLinks& links);

  // ---- inputs, from begin_turn() to end_turn()
  void begin_turn(const Now& now);
  raft::Core& core() { return core_; }  // for what concerns nobody but it
  void obey(RaftOrders& orders);
  // False: it is no message from that peer to this node; `why` says what it is.
  bool receive(PeerLinks::Arrived& message, std::string& why);
  void relay(PeerLinks::Arrived& arrived);  // a note, a part of a snapshot
  void link_changed(NodeId peer, bool up);
  void log_persisted(const raft::PersistToken& token);
  void take(Applied& applied);
  void take(SnapshotWorkerStarted& started);
  void take(const SnapshotPin& pin);
  void take(SnapshotArrived& arrived);
  void take(const StateSwapped& swapped);

  // ---- effects
  // Time is counted here if `tick`. Messages go to the links; ship() follows when the links have
  // been flushed, so that frames are on their way before the log syncs.
  void end_turn(const Now& now, bool tick);
  void ship();

 private:
  void report_to_router();
  void check_writes() const;

  RaftReplicaOptions options_;
  PeerLinks& links_;
  raft::Core core_;
  raft::Effects effects_;  // from end_turn() to ship()
  Now now_;
  ApplyHold apply_hold_;
  ClockWatch clock_watch_;
  SnapshotOutbox snapshots_;
  StatusNews status_news_;
  ReplicaTrace trace_;
  std::vector<NodeId> links_up_;                       // since the last report to the router
  std::vector<PeerNote> notes_;                        // likewise
  std::vector<FanoutNews> fanout_;                     // likewise
  ByteBudget fanout_bytes_{kFanoutBytesBetweenLoops};  // that the router has not taken
  std::optional<InstallSnapshot> install_;  // due once this turn's writes are on their way
  bool status_due_ = true;
};

}  // namespace kiwi::actors
