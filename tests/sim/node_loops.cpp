// The two loops of a node, and the raft loop's turn: what came in, then what the core wants done,
// carried out as actors/replica/RaftReplica does.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kRaftTickUs = 25'000;
constexpr size_t kInputsPerTurn = 16;

}  // namespace

int64_t Node::hop_us(int64_t paused_until_us) {
  int64_t us = 20 + static_cast<int64_t>(world_.prng.below(200));
  return std::max(us, paused_until_us - world_.timeline.now_us());
}

void Node::raft_input(std::function<void()> input) {
  if (running()) {
    raft_inbox_.push_back(std::move(input));
    schedule_raft();
  }
}
void Node::client_input(std::function<void()> input) {
  if (running()) {
    client_inbox_.push_back(std::move(input));
    schedule_client();
  }
}
void Node::schedule_raft() {
  if (!std::exchange(raft_scheduled_, true)) {
    later(hop_us(raft_paused_until_us_), [this] { raft_turn(); });
  }
}
void Node::schedule_client() {
  if (!std::exchange(client_scheduled_, true)) {
    later(hop_us(clients_paused_until_us_), [this] { client_turn(); });
  }
}

void Node::pause(int64_t us) {
  pause_raft(us);
  pause_clients(us);
}
// It may be shorter than the pause before.
void Node::pause_raft(int64_t us) {
  raft_paused_until_us_ = world_.timeline.now_us() + us;
  later(us, [this] { running() ? raft_turn() : void(); });
}
void Node::pause_clients(int64_t us) {
  clients_paused_until_us_ = world_.timeline.now_us() + us;
  later(us, [this] { running() ? client_turn() : void(); });
}

// Counted at the end of a turn; late ones count once.
void Node::raft_tick() {
  if (world_.timeline.now_us() >= raft_paused_until_us_) {
    raft_input([this] { tick_due_ = true; });
  }
  later(kRaftTickUs * 1000 / (1000 + drift_per_mille_), [this] { raft_tick(); });
}

void Node::raft_turn() {
  raft_scheduled_ = false;
  if (world_.timeline.now_us() < raft_paused_until_us_) {
    schedule_raft();
    return;
  }
  core_->set_time(wall_ms(), monotonic_ms());
  for (size_t n = 0; n < kInputsPerTurn && !raft_inbox_.empty(); ++n) {
    std::function<void()> input = std::move(raft_inbox_.front());
    raft_inbox_.pop_front();
    input();
    core_->check_invariants();
  }
  if (tick_due_) {
    core_->tick();
  }
  ship(core_->take_effects());
  tick_due_ = false;
  core_->check_invariants();
  world_.checks.on_turn(*this);
  if (!raft_inbox_.empty()) {
    schedule_raft();
  }
}

void Node::ship(raft::Effects effects) {
  for (raft::Outgoing& out : effects.send) {
    const auto* vote = std::get_if<raft::RequestVoteResponse>(&out.message.body);
    if (vote != nullptr && vote->granted && !vote->pre_vote) {
      told_vote_ = {out.message.term, out.message.to};
      world_.vote_given(*this);
    }
    world_.network.send(std::move(out.message));
  }
  if (effects.persist) {
    persist(std::move(*effects.persist));
  }
  if (effects.cut) {
    write(*effects.cut);
  }
  queue_install();
  for (const raft::SnapshotWanted& wanted : effects.snapshots) {
    world_.transfers.wanted(*this, wanted);
  }
  note_events(effects, std::exchange(just_installed_, false));
  for (const raft::LogRead& request : effects.log_reads) {
    later(hop_us(0) + disk_delay_us_, [this, request] { read_log(request); });
  }
  for (const raft::Entry& entry : effects.apply) {
    world_.checks.on_apply(*this, entry);
    if (entry.kind == raft::EntryKind::kBatch && world_.options.forgetful_leaders) {
      last_batches_[entry.number.node] = entry;
    }
  }
  const bool apply_now = tick_due_ || core_->awaits_applies() ||
                         std::exchange(install_due_, false) || !effects.events.empty() ||
                         !effects.reads.empty();
  const bool any = !effects.apply.empty();
  effects.apply = hold_.pass(std::move(effects.apply), apply_now);
  if (any && effects.apply.empty()) {
    world_.coverage.hit(Mark::kApplyHeld);
  }
  auto report = std::make_shared<Report>();
  if (tick_due_ || !effects.events.empty()) {
    report->status = core_->status();
  }
  if (report->status || !effects.apply.empty() || !effects.reads.empty() ||
      !effects.refused.empty()) {
    report->effects = std::move(effects);
    client_input([this, report] { from_raft(*report); });
  }
}

void Node::note_events(const raft::Effects& effects, bool installed) {
  for (const raft::Event& event : effects.events) {
    if (installed && std::holds_alternative<raft::RemovedFromCluster>(event)) {
      world_.coverage.hit(Mark::kRemovalInstalled);
    }
    if (const auto* changed = std::get_if<raft::LeaderChanged>(&event)) {
      world_.trace("leader", id_, changed->term.value, changed->leader.value);
      if (changed->role == raft::Role::kLeader) {
        world_.checks.on_leader(*this, changed->term);
      }
    }
  }
}

}  // namespace kiwi::sim
