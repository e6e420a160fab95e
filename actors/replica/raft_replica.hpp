// RaftReplica: feeds raft::Core with what came in one turn of the raft loop and ships its effects:
// `send` first, so that followers and this disk write at the same time, then one persist. Vital; on
// the raft loop. The only actor that speaks to other nodes.
//
// A frame is believed to come from a peer only because its sender said the token that PeerLink
// agreed on with that peer, after both proved the cluster's secret (CAF itself authenticates
// nothing). Lost frames are Raft's business; nothing here waits for an answer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/handles.hpp"
#include "actors/hosting.hpp"
#include "actors/peers/fragments.hpp"
#include "actors/replica/apply_hold.hpp"
#include "actors/replica/clock_watch.hpp"
#include "config/metrics.hpp"
#include "raft/core.hpp"

namespace kiwi::actors {

struct Clocks {
  std::function<int64_t()> wall_ms;       // CLOCK_REALTIME
  std::function<int64_t()> monotonic_ms;  // CLOCK_BOOTTIME: counts suspended time too (F20)
};

struct RaftReplicaOptions {
  raft::CoreOptions core;
  raft::StartState start;
  RouterHandle router;
  StateMachineHandle state_machine;
  LogStoreHandle log_store;
  Clocks clocks;
  config::RaftMetrics* metrics = nullptr;  // outlives the actor
};

class RaftReplica final : public Hosted<ReplicaHandle> {
 public:
  RaftReplica(caf::actor_config& cfg, const Hosting& hosting, RaftReplicaOptions options);

  behavior_type make_behavior() override;

 protected:
  void stopped() override;

 private:
  struct Link {
    Incarnation incarnation;
    LinkToken token;
    PeerPort remote;
    bool up = false;
    LinkSender sender;
    LinkReceiver receiver;
    uint64_t progress_then = 0;  // at stuck_since_ms, and none since
    int64_t stuck_since_ms = -1;
  };
  struct Expected {
    NodeId peer;
    Incarnation incarnation;
  };

  void begin_turn();
  void end_turn();
  void ship_messages(std::vector<raft::Outgoing> messages);
  void ship_local(raft::Effects effects);
  void publish_status(RaftReport& report);

  void receive(PeerFrame& frame);
  void receive_hello(const LinkToken& token);
  void receive_hello_ack(NodeId peer, const LinkToken& token);
  void obey(RaftOrders& orders);
  void greet(LinkDialled& dialled);
  Link* up_link(NodeId peer);
  void ship(SnapshotFrame& frame);
  void take(SnapshotWorkerStarted& started);
  void take(const SnapshotPin& pin);
  void take(const StateSwapped& swapped);
  void receive_snapshot(NodeId peer, std::string bytes);
  void judge(SnapshotArrived& arrived);
  void tell_snapshots(const raft::Status& status);
  void receive_message(NodeId peer, Link& link, std::string bytes);
  void open_link(NodeId peer, Link link, const LinkToken& token);
  void link_is_up(NodeId peer, Link& link);
  void drop_link(NodeId peer, const char* why);
  void flush(Link& link);
  void drop_stuck_links();
  void tell_link(NodeId peer, const LinkToken& token, bool up);
  NodeId peer_of(const caf::strong_actor_ptr& from) const;

  RaftReplicaOptions options_;
  raft::Core core_;
  std::map<NodeId, Link> links_;
  std::unordered_map<const void*, NodeId> peers_by_sender_;  // control block -> peer
  std::map<LinkToken, Expected> expected_;
  std::map<NodeId, LinkHandle> listeners_;
  SnapshotWorkerHandle snapshots_;
  ApplyHold apply_hold_;
  ClockWatch clock_watch_;
  std::optional<InstallSnapshot> install_;  // due once this turn's writes are on their way
  SnapshotNews told_;                       // to the worker
  std::vector<PeerNote> notes_;             // news for the composition root
  std::vector<NodeId> links_up_;            // news for the router
  bool turn_open_ = false;
  bool tick_due_ = false;
  bool status_due_ = true;
  uint32_t ticks_since_status_ = 0;
  uint64_t last_status_ = 0;  // digest of what was published
};

ReplicaHandle spawn_raft_replica(caf::actor_system& system,
                                 const Hosting& hosting,
                                 RaftReplicaOptions options);

}  // namespace kiwi::actors
