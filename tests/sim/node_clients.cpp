// The client loop of a node: router, executor and gate, wired as actors/CommandRouter and
// actors/StateMachine wire them.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kClientTickUs = 50'000;
constexpr size_t kInputsPerTurn = 16;
constexpr uint64_t kExpirationsMax = 8;

}  // namespace

void Node::client_tick() {
  later(kClientTickUs * 1000 / (1000 + drift_per_mille_), [this] { client_tick(); });
  if (world_.timeline.now_us() < clients_paused_until_us_) {
    return;
  }
  client_input([this] {
    update_service();
    router_->tick(monotonic_ms());
    life_tick();
    if (const Node* leader = world_.find(leader_.leader); leader != nullptr && leader->running()) {
      router_->set_leader_pressure(leader->pressure_, monotonic_ms());
    }
    raft::Status status = core_->status();
    const bool looks =
        !world_.expiry_paused && (!world_.options.late_expiry || world_.prng.chance(1, 10));
    if (looks && status.role == raft::Role::kLeader && status.ready) {
      if (executor_->due_since(status.cluster_time_ms)) {
        router_->propose_internal(resp::Executor::expire_command(kExpirationsMax), monotonic_ms());
      }
    }
  });
}

void Node::client_turn() {
  client_scheduled_ = false;
  if (world_.timeline.now_us() < clients_paused_until_us_) {
    schedule_client();
    return;
  }
  for (size_t n = 0; n < kInputsPerTurn && !client_inbox_.empty(); ++n) {
    std::function<void()> input = std::move(client_inbox_.front());
    client_inbox_.pop_front();
    input();
  }
  executor_turns();
  router_turn();
  executor_turns();  // reads that may run at once
  if (router_->needs_end_of_turn() || !client_inbox_.empty()) {
    schedule_client();
  }
}

// ---------------------------------------------------------------- from the raft loop

void Node::from_raft(Report& report) {
  int64_t now = monotonic_ms();
  if (!report.effects.apply.empty()) {
    executor_->apply(std::move(report.effects.apply));
  }
  if (report.status) {
    facts_.raft = std::move(*report.status);
    const raft::Status& raft = facts_.raft;
    if (!gate_started_ && raft.last_index) {
      gate_started_ = true;
      gate_->started(raft.commit, now);
    }
    gate_->committed(raft.commit, now);
    gate_->set_installing(raft.installing);
    if (raft.ready && raft.leader) {
      gate_->leader_ready(raft.commit);
    }
  }
  for (const raft::Event& event : report.effects.events) {
    on_event(event);
    observe_life(event);
  }
  check_service();
  for (const raft::ProposeRefused& refused : report.effects.refused) {
    world_.coverage.hit(Mark::kProposalRefused);
    router_->refused(refused, now);
  }
  for (const raft::ReadReady& ready : report.effects.reads) {
    if (ready.clamped) {
      world_.coverage.hit(Mark::kClockClamped);
    }
    router_->read_ready(ready, now);
  }
}

void Node::on_event(const raft::Event& event) {
  int64_t now = monotonic_ms();
  if (const auto* changed = std::get_if<raft::LeaderChanged>(&event)) {
    leader_ = *changed;
    router_->leader_changed(
        *changed, changed->leader ? "sim:" + std::to_string(changed->leader.value) : "", now);
  } else if (std::holds_alternative<raft::RemovedFromCluster>(event)) {
    world_.trace("removed", id_, 0, 0);
    gate_->set_removed(true);
  } else if (const auto* members = std::get_if<raft::ConfigurationChanged>(&event)) {
    if (members->configuration.has(id_, incarnation_)) {
      gate_->set_removed(false);
    }
  } else if (std::holds_alternative<raft::OldCopyFound>(event)) {
    world_.old_copy_found(*this);
  }
}

// The shell of the receiver tells it that a snapshot comes in (F22).
void Node::update_service() {
  gate_->set_receiving(world_.transfers.receiving(id_));
  check_service();
}

void Node::check_service() {
  const int64_t now = monotonic_ms();
  const resp::Service service = gate_->service(now);
  if (service != service_) {
    service_ = service;
    world_.trace("service", id_, static_cast<uint64_t>(service), 0);
    router_->set_service(service, now);
  }
}

// ---------------------------------------------------------------- executor and router

void Node::executor_turns() {
  bool more = true;
  while (more) {
    executor_->set_clock(monotonic_ms());
    more = executor_->work();
    take_executor(executor_->take_effects());
  }
  if (executor_->held() && !std::exchange(room_awaited_, true)) {
    world_.coverage.hit(Mark::kApplyStopped);
    state_->keyspace().when_room([this, life = life_] {
      if (life == life_) {
        client_input([this] { room_awaited_ = false; });
      }
    });
  }
}

void Node::take_executor(resp::ExecutorEffects effects) {
  const int64_t now = monotonic_ms();
  for (const resp::ReplyBatch& batch : effects.replies) {
    world_.clients.on_replies(batch);
  }
  order_long_reads(effects);
  gate_->applied(executor_->applied());
  router_->set_waiting_clients(executor_->anybody_waits());
  if (effects.pressure) {
    pressure_ = *effects.pressure;
    if (pressure_ != 0) {
      world_.coverage.hit(Mark::kPressure);
    }
    router_->set_pressure(pressure_);
  }
  for (const resp::Settled& settled : effects.settled) {
    router_->settled(settled, now);
  }
  if (!effects.reads.again.empty()) {
    world_.coverage.hit(Mark::kReadAgain);
  }
  router_->take(std::move(effects.reads), now);
  router_->serves(std::move(effects.serves), now);
  pump_long_reads();
  if (effects.applied_moved) {
    world_.checks.on_state(*this, effects.applied, executor_->state_checksum());
    raft_input([this, index = effects.applied, sessions = std::move(effects.sessions),
                version = executor_->cluster_version()] {
      std::optional<raft::Proposal> again;
      auto rows = sessions;
      if (rows && world_.options.forgetful_leaders) {
        again = forget_batch(*rows);
      }
      core_->set_cluster_version(version);
      core_->applied(index, std::move(rows));
      if (again && core_->status().role == raft::Role::kLeader) {
        world_.coverage.hit(Mark::kForgetfulLeader);
        core_->propose(std::move(*again));
      }
    });
    if (service_ == resp::Service::kLoading) {
      check_service();
    }
  }
}

// What would be if a new leader miscounted: it takes a batch that its log holds already, and only
// the state machines are left to notice (F4). That batch, if there is one.
std::optional<raft::Proposal> Node::forget_batch(std::vector<raft::SessionRow>& rows) {
  for (raft::SessionRow& row : rows) {
    const auto last = last_batches_.find(row.node);
    if (last == last_batches_.end() || !world_.prng.chance(1, 2)) {
      continue;
    }
    const raft::Entry& entry = last->second;
    if (entry.number.incarnation == row.incarnation && entry.number.epoch == row.epoch &&
        entry.number.sequence == row.sequence && row.sequence > 1) {
      --row.sequence;
      return raft::Proposal{entry.number, entry.kind, entry.payload};
    }
  }
  return std::nullopt;
}

void Node::router_turn() {
  router_->end_of_turn(monotonic_ms());
  ship_router();
  let_wait(resp::Router::Waiting::kWrites);
  let_wait(resp::Router::Waiting::kReads);
}

void Node::let_wait(resp::Router::Waiting what) {
  const resp::Router::Delay delay = router_->delay(what);
  uint64_t& delayed = delayed_[static_cast<size_t>(what)];
  if (delay.wait_us == 0) {
    delayed = 0;
  } else if (delay.id != delayed) {
    delayed = delay.id;
    world_.coverage.hit(Mark::kWaitedForOthers);
    later(delay.wait_us, [this, what, id = delay.id] {
      client_input([this, what, id] {
        if (delayed_[static_cast<size_t>(what)] == id) {
          delayed_[static_cast<size_t>(what)] = 0;
          router_->end_delay(what, monotonic_ms());
          ship_router();
          let_wait(what);
        }
      });
    });
  }
}

void Node::ship_router() {
  resp::RouterEffects effects = router_->take_effects();
  for (auto& batch : effects.expect) {
    executor_->expect(std::move(batch));
  }
  for (uint64_t sequence : effects.forget) {
    executor_->forget(sequence);
  }
  for (resp::ReadBatch& batch : effects.run_reads) {
    executor_->run_reads(std::move(batch));
  }
  executor_->cancel_reads(effects.cancel_reads);
  executor_->clients_answered(effects.answered);
  for (const resp::ConnectionId gone : effects.gone) {
    executor_->forget_connection(gone);
  }
  executor_->serves_returned(effects.serves_returned);
  executor_->serves_answered(effects.serves_answered);
  if (effects.end_waits) {
    executor_->end_waits();
  }
  for (const resp::ReplyBatch& batch : effects.replies) {
    world_.clients.on_replies(batch);
  }
  if (effects.propose.empty() && effects.read_index.empty() && !effects.wants_commit_changed) {
    return;
  }
  auto shared = std::make_shared<resp::RouterEffects>(std::move(effects));
  raft_input([this, shared] {
    if (shared->wants_commit_changed) {
      core_->set_wants_commit(shared->wants_commit);
    }
    for (raft::Proposal& proposal : shared->propose) {
      core_->propose(std::move(proposal));
    }
    ask_reads(shared->read_index);
  });
}

void Node::ask_reads(const std::vector<resp::ReadIndexAsk>& asks) {
  for (const resp::ReadIndexAsk& ask : asks) {
    if (options_.leases && !ask.with_tick) {
      world_.coverage.hit(Mark::kLeaseRead);
      core_->lease_read(ask.id);
    } else {
      core_->read_index(ask.id, ask.with_tick);
    }
  }
}

}  // namespace kiwi::sim
