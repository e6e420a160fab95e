#include "actors/clients/command_router.hpp"

#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "config/base/check.hpp"

namespace kiwi::actors {

CommandRouter::CommandRouter(caf::actor_config& cfg,
                             const Hosting& hosting,
                             CommandRouterOptions options)
    : Hosted(cfg, hosting, "CommandRouter", Vital::kYes), options_(std::move(options)) {
  CHECK_INVARIANT(options_.router != nullptr && options_.gate != nullptr);
  CHECK_INVARIANT((options_.commit == nullptr && options_.trace == nullptr) || options_.now_us);
}

CommandRouter::behavior_type CommandRouter::make_behavior() {
  return {
      [this](ConnectionOpened& opened) { connections_[opened.id] = std::move(opened.handle); },
      [this](const ConnectionClosed& closed) {
        connections_.erase(closed.id);
        options_.router->connection_closed(closed.id);
        want_turn();
      },
      [this](resp::RequestBatch& batch) {
        options_.router->requests(std::move(batch), options_.now_ms());
        want_turn();
      },
      [this](InternalProposal& proposal) {
        options_.router->propose_internal(std::move(proposal.packed_command), options_.now_ms(),
                                          proposal.of_any_member);
        want_turn();
      },
      [this](ExecutorReport& report) { take(report); },
      [this](const RaftReport& report) { take(report); },
      [this](const StateSwapped& swapped) { take(swapped); },
      [this](ReplicaStarted& started) {
        replica_ = std::move(started.replica);
        group_ = started.group;
        options_.gate->started(started.commit_hint, options_.now_ms());
        check_service();
      },
      [this](turn_atom) { turn(); },
      [this](DelayOver over) {
        CHECK_INVARIANT(static_cast<size_t>(over.what) < std::size(delayed_));
        uint64_t& delayed = delayed_[static_cast<size_t>(over.what)];
        if (over.id == delayed) {
          delayed = 0;
          options_.router->end_delay(over.what, options_.now_ms());
          ship(options_.router->take_effects());
          let_wait(over.what);
        }
      },
      [this](timer_atom) {
        check_service();
        tell_leader_addresses();  // its hello may have come later
        options_.router->tick(options_.now_ms());
        want_turn();
      },
      [this](stop_atom) { end(); },
  };
}

void CommandRouter::stopped() {
  replica_ = nullptr;
  options_.state_machine = nullptr;
  connections_.clear();
}

void CommandRouter::want_turn() {
  if (!turn_wanted_) {
    turn_wanted_ = true;
    send(this, turn_atom_v);  // behind every socket that was readable together with this one
  }
}

void CommandRouter::turn() {
  turn_wanted_ = false;
  options_.router->end_of_turn(options_.now_ms());
  ship(options_.router->take_effects());
  let_wait(resp::Router::Waiting::kWrites);
  let_wait(resp::Router::Waiting::kReads);
  if (options_.turned) {
    options_.router->set_looks_at_commits(options_.turned(options_.router->flight()));
  }
}

void CommandRouter::let_wait(resp::Router::Waiting what) {
  const resp::Router::Delay delay = options_.router->delay(what);
  const auto alarm = static_cast<size_t>(what);
  CHECK_INVARIANT(alarm < std::size(delayed_) && delay.wait_us >= 0);
  uint64_t& delayed = delayed_[alarm];
  if (delay.wait_us == 0) {
    delayed = 0;
  } else if (delay.id != delayed) {
    delayed = delay.id;
    options_.after_us(alarm, delay.wait_us, [self = RouterHandle(this), what, id = delay.id] {
      caf::anon_send(self, DelayOver{what, id});
    });
  }
}

void CommandRouter::ship(resp::RouterEffects effects) {
  trace_hand_over(effects);
  if (!effects.expect.empty() || !effects.run_reads.empty() || !effects.forget.empty() ||
      !effects.cancel_reads.empty() || !effects.serves_returned.empty() ||
      !effects.serves_answered.empty() || !effects.gone.empty() || effects.end_waits) {
    send(options_.state_machine,
         ExecutorOrders{.expect = std::move(effects.expect),
                        .run_reads = std::move(effects.run_reads),
                        .forget = std::move(effects.forget),
                        .cancel_reads = std::move(effects.cancel_reads),
                        .serves_returned = std::move(effects.serves_returned),
                        .serves_answered = std::move(effects.serves_answered),
                        .answered = std::move(effects.answered),
                        .gone = std::move(effects.gone),
                        .end_waits = effects.end_waits});
  }
  if (!effects.propose.empty() || !effects.read_index.empty() || effects.wants_commit_changed) {
    // Before the core runs the gate is closed and the router proposes nothing.
    if (replica_) {
      clock_proposals(effects.propose);
      RaftOrders orders{.propose = std::move(effects.propose),
                        .read_index = std::move(effects.read_index),
                        .wants_commit = std::nullopt,
                        .disk_full = std::nullopt,
                        .group = group_};
      if (effects.wants_commit_changed) {
        orders.wants_commit = effects.wants_commit;
      }
      send(replica_, std::move(orders));
    }
  }
  for (resp::ReplyBatch& batch : effects.replies) {
    const auto found = connections_.find(batch.connection);
    if (found != connections_.end()) {
      send(found->second, std::move(batch));
    }
  }
}

void CommandRouter::take(ExecutorReport& report) {
  const int64_t now_ms = options_.now_ms();
  options_.gate->applied(report.applied);
  if (report.pressure) {
    options_.router->set_pressure(*report.pressure);
  }
  clock_settled(report.settled);
  for (const resp::Settled& settled : report.settled) {
    options_.router->settled(settled, now_ms);
  }
  options_.router->take(std::move(report.reads), now_ms);
  options_.router->set_waiting_clients(report.anybody_waits);
  options_.router->serves(std::move(report.serves), now_ms);
  if (service_ == resp::Service::kLoading) {
    check_service();
  }
  want_turn();
}

void CommandRouter::take(const RaftReport& report) {
  const int64_t now_ms = options_.now_ms();
  if (report.status) {
    configuration_ = report.status->configuration;
    options_.gate->committed(report.status->commit, now_ms);
    options_.gate->set_installing(report.status->installing);
    if (report.status->ready && report.status->leader) {
      options_.gate->leader_ready(report.status->commit);
    }
  }
  for (const raft::Event& event : report.events) {
    if (const auto* leader = std::get_if<raft::LeaderChanged>(&event)) {
      leader_ = leader->leader;
      tell_leader_addresses();
      options_.router->leader_changed(*leader, client_address(leader->leader), now_ms);
    } else if (const auto* changed = std::get_if<raft::ConfigurationChanged>(&event)) {
      configuration_ = changed->configuration;
      tell_leader_addresses();
      const auto [node, incarnation] = options_.router->origin();
      if (configuration_.has(node, incarnation)) {
        options_.gate->set_removed(false);  // as the core sees it, too
      }
    } else if (std::holds_alternative<raft::RemovedFromCluster>(event)) {
      options_.gate->set_removed(true);
    }
  }
  check_service();
  for (const NodeId peer : report.links_up) {
    options_.router->link_up(peer, now_ms);
  }
  for (const raft::ProposeRefused& refused : report.refused) {
    options_.router->refused(refused, now_ms);
  }
  for (const raft::ReadReady& ready : report.reads) {
    options_.router->read_ready(ready, now_ms);
  }
  if (options_.observe_raft) {
    options_.observe_raft(report);
  }
  want_turn();
}

void CommandRouter::clock_proposals(const std::vector<raft::Proposal>& proposals) {
  if (options_.commit == nullptr || proposals.empty()) {
    return;
  }
  const int64_t now_us = options_.now_us();
  for (const raft::Proposal& proposal : proposals) {
    commit_clock_.handed_over(proposal.number.sequence, now_us);
  }
}

void CommandRouter::clock_settled(const std::vector<resp::Settled>& settled) {
  if (options_.commit == nullptr || settled.empty()) {
    return;
  }
  const int64_t now_us = options_.now_us();
  for (const resp::Settled& batch : settled) {
    const std::optional<int64_t> took_us = commit_clock_.settled(batch.sequence, now_us);
    if (took_us && batch.applied) {
      options_.commit->add(static_cast<uint64_t>(*took_us));
    }
  }
  if (options_.trace != nullptr) {
    options_.trace->settled(settled, resp::TraceStage::kAnswered, now_us);
  }
}

void CommandRouter::trace_hand_over(const resp::RouterEffects& effects) {
  if (options_.trace == nullptr || effects.expect.empty()) {
    return;
  }
  const auto [node, incarnation] = options_.router->origin();
  for (const std::shared_ptr<const resp::PendingBatch>& batch : effects.expect) {
    if (options_.trace->wants(batch->sequence)) {
      options_.trace->handed_over({node, options_.epoch, batch->sequence}, batch->arrival_ms * 1000,
                                  options_.now_us(), batch->ops.size(), batch->payload.size());
    }
  }
}

// F22: what the snapshot holds of this node's proposals is answered; the rest is sent again.
void CommandRouter::take(const StateSwapped& swapped) {
  const int64_t now_ms = options_.now_ms();
  options_.gate->applied(swapped.meta.index);
  const auto [node, incarnation] = options_.router->origin();
  for (const raft::SessionRow& row : swapped.sessions) {
    if (row.node == node && row.incarnation == incarnation) {
      options_.router->session_row(row.epoch, row.sequence, now_ms);
    }
  }
  check_service();
  want_turn();
}

void CommandRouter::check_service() {
  const int64_t now_ms = options_.now_ms();
  const resp::Service now = options_.gate->service(now_ms);
  if (now == service_) {
    return;
  }
  service_ = now;
  options_.router->set_service(now, now_ms);
  if (options_.observe_service) {
    options_.observe_service(now);
  }
  want_turn();
}

std::string CommandRouter::client_address(NodeId node) const {
  const raft::Member* member = configuration_.find(node);
  return member == nullptr ? std::string() : member->client_address;
}

void CommandRouter::tell_leader_addresses() {
  options_.router->set_leader_address(client_address(leader_));
  if (options_.tls_client_address) {
    options_.router->set_leader_tls_address(options_.tls_client_address(leader_));
  }
  const raft::Member* member = configuration_.find(leader_);
  if (options_.cluster_address) {
    options_.router->set_leader_cluster_address(
        member == nullptr ? std::string() : options_.cluster_address(*member));
  }
}

RouterHandle spawn_command_router(caf::actor_system& system,
                                  const Hosting& hosting,
                                  CommandRouterOptions options) {
  return spawn_hosted<CommandRouter>(system, hosting, std::move(options));
}

}  // namespace kiwi::actors
