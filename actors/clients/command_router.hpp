// CommandRouter: where does each batch of requests go, and what became of it. A shell over
// resp::Router and ServiceGate; vital; on the client loop.
//
// It collects whatever arrives in one turn of the loop, then hands over once: orders to the
// StateMachine first (it must expect a batch before the batch can come back applied), then to Raft.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>

#include "actors/clients/commit_clock.hpp"
#include "actors/clients/service_gate.hpp"
#include "actors/handles.hpp"
#include "actors/hosting.hpp"
#include "config/metrics.hpp"
#include "resp/batch_trace.hpp"
#include "resp/router.hpp"

namespace kiwi::actors {

struct CommandRouterOptions {
  resp::Router* router = nullptr;  // outlives the actor
  ServiceGate* gate = nullptr;     // outlives the actor
  StateMachineHandle state_machine;
  std::function<int64_t()> now_ms;  // monotonic
  // Counts how long batches take to be applied; null: nobody does. It needs now_us, monotonic.
  config::DurationCounts* commit = nullptr;
  std::function<int64_t()> now_us;
  resp::BatchTrace* trace = nullptr;  // null: nothing is traced; it needs now_us, too
  uint64_t epoch = 0;                 // of this start, for the names of batches
  // Runs the work on this loop after so many microseconds, instead of what that alarm (0 or 1) was
  // set to before; needed if the router lets anything wait.
  std::function<void(size_t, int64_t, std::function<void()>)> after_us;
  // Called at the end of each turn; tells whether the sockets are left alone until what is under
  // way is committed.
  std::function<bool(const resp::Flight&)> turned;
  // What the node wants to know, in the same message: one of its own would cost a wake-up a turn.
  std::function<void(const RaftReport&)> observe_raft;
  // Where the member shows the cluster face; empty: not known, or nowhere.
  std::function<std::string(const raft::Member&)> cluster_address;
  std::function<void(resp::Service)> observe_service;
  // Where a node's clients that speak TLS connect, as far as it has said; none: nowhere.
  std::function<std::string(NodeId)> tls_client_address;
};

class CommandRouter final : public Hosted<RouterHandle> {
 public:
  CommandRouter(caf::actor_config& cfg, const Hosting& hosting, CommandRouterOptions options);

  behavior_type make_behavior() override;

 protected:
  void stopped() override;

 private:
  void want_turn();
  void turn();
  void let_wait(resp::Router::Waiting what);
  void ship(resp::RouterEffects effects);
  void take(ExecutorReport& report);
  void take(const RaftReport& report);
  void take(const StateSwapped& swapped);
  void check_service();
  void clock_proposals(const std::vector<raft::Proposal>& proposals);
  void trace_hand_over(const resp::RouterEffects& effects);
  void clock_settled(const std::vector<resp::Settled>& settled);
  std::string client_address(NodeId node) const;
  void tell_leader_addresses();

  CommandRouterOptions options_;
  ReplicaHandle replica_;
  GroupId group_;
  raft::Configuration configuration_;
  NodeId leader_;
  std::unordered_map<resp::ConnectionId, ConnectionHandle> connections_;
  resp::Service service_ = resp::Service::kUninitialized;
  CommitClock commit_clock_;
  bool turn_wanted_ = false;
  uint64_t delayed_[2] = {};  // by Waiting: the wait for a group commit that a timer runs for
};

RouterHandle spawn_command_router(caf::actor_system& system,
                                  const Hosting& hosting,
                                  CommandRouterOptions options);

}  // namespace kiwi::actors
