#include "tests/sim/node.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "rocks/keys.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kRaftTickUs = 25'000;
constexpr int64_t kClientTickUs = 50'000;
constexpr int64_t kResponseTimeoutMs = 2'500;
constexpr size_t kInputsPerTurn = 16;

// A storage bug for the mutant table: what was written is flushed, the applied record is not.
class ForgetfulKeyspace final : public rocks::MemoryKeyspace {
 public:
  void flush() override {
    std::string key;
    rocks::keys::applied_record(key);
    std::string now(get(rocks::Family::kSystem, key).value_or(""));
    put(rocks::Family::kSystem, key, flushed_record_.empty() ? now : flushed_record_);
    MemoryKeyspace::flush();
    put(rocks::Family::kSystem, key, now);
    flushed_record_ = now;
  }

 private:
  std::string flushed_record_;
};

}  // namespace

std::unique_ptr<rocks::MemoryKeyspace> make_keyspace(const World& world) {
  if (world.options.mutant == "applied-index-not-in-batch") {
    return std::make_unique<ForgetfulKeyspace>();
  }
  return std::make_unique<rocks::MemoryKeyspace>();
}

Node::Node(World& world, NodeId id, const Incarnation& incarnation)
    : world_(world), id_(id), incarnation_(incarnation) {
  states_[raft::kFirstLiveState] = make_keyspace(world);
  raft::Identity identity;
  identity.node = id;
  identity.incarnation = incarnation;
  disk_.set_identity(identity).has_value();
}

// ---------------------------------------------------------------- clocks

int64_t Node::monotonic_ms() const {
  int64_t us = world_.timeline.now_us() - started_us_;
  return (us + us * drift_per_mille_ / 1000) / 1000 + 1000;
}

int64_t Node::wall_ms() const {
  constexpr int64_t kEpochMs = 1'700'000'000'000;
  return kEpochMs + world_.timeline.now_us() / 1000 + wall_offset_ms_;
}

// ---------------------------------------------------------------- life

raft::StartState Node::load() {
  raft::StartState start;
  start.log = disk_.load().value();
  const raft::HardState& kept = start.log.hard_state;
  if (kept.term < told_vote_.term ||
      (kept.term == told_vote_.term && kept.voted_for != told_vote_.voted_for)) {
    throw Violation{"votes are kept",
                    "node " + std::to_string(id_.value) + " starts without the vote that it told"};
  }
  start.applied = executor_->applied();
  start.applied_stamp_ms = executor_->applied_stamp_ms();
  start.sessions = executor_->session_rows();
  LogIndex last = start.log.last_index;
  LogIndex first = start.log.first_index;
  if (first > start.applied + 1 || start.applied > last) {
    throw Violation{"F13", "node " + std::to_string(id_.value) + " has a state at " +
                               std::to_string(start.applied.value) + " and a log of " +
                               std::to_string(first.value) + " to " + std::to_string(last.value)};
  }
  LogIndex known = std::max(start.log.commit, start.applied);
  // As little as is allowed, or all: both ways of replay have to work.
  LogIndex from = world_.prng.chance(1, 2) ? first : std::max(first, std::min(known + 1, last));
  if (from <= last) {
    start.tail = disk_.read(from, last, SIZE_MAX).value();
  }
  return start;
}

void Node::start() {
  CHECK_INVARIANT(!running());
  ++life_;
  started_us_ = world_.timeline.now_us();
  paused_until_us_ = 0;
  raft::Identity identity = disk_.identity().value();
  if (identity.boot_epoch == 0 || world_.options.mutant != "epoch-not-raised") {
    ++identity.boot_epoch;  // F4
  }
  disk_.set_identity(identity).has_value();

  disk_.forgets_votes = world_.options.mutant == "vote-not-persisted";
  // F14: the state that the log names; others are what a crash left of an installation.
  const std::string live = disk_.live_state().value();
  std::erase_if(states_, [&](const auto& state) { return state.first != live; });
  keyspace_ = states_.at(live).get();
  executor_options_ = {};
  executor_options_.node = id_;
  executor_options_.incarnation = incarnation_;
  executor_options_.epoch = identity.boot_epoch;
  executor_ = std::make_unique<resp::Executor>(*keyspace_, executor_options_);

  resp::RouterOptions router_options;
  router_options.node = id_;
  router_options.incarnation = incarnation_;
  router_options.epoch = identity.boot_epoch;
  router_options.response_timeout_ms = kResponseTimeoutMs;
  router_options.batch_commands_max = 4;
  router_options.inflight_batches_max = 16;
  router_ = std::make_unique<resp::Router>(router_options);

  raft::CoreOptions core_options;
  core_options.id = id_;
  core_options.incarnation = incarnation_;
  core_options.seed = world_.prng.next();
  core_options.window_bytes = world_.options.window_bytes;
  core_options.unapplied_bytes_max = world_.options.window_bytes;
  core_options.ready_backlog_entries = 50;
  core_options.boot_epoch = identity.boot_epoch;
  core_options.message_bytes_max = 2 << 10;
  core_options.inflight_bytes_max = 8 << 10;
  core_options.uncommitted_bytes_max = world_.options.uncommitted_bytes_max;
  raft::StartState loaded = load();
  catch_up_to_ = std::max(loaded.log.commit, loaded.applied);
  caught_up_ = false;
  log_terms_ = world_.checks.committed_terms(disk_.first_index() - 1);
  for (const raft::Entry& entry : disk_.entries()) {
    log_terms_.push_back(entry.term);
  }
  core_ = std::make_unique<raft::Core>(core_options, std::move(loaded));
  service_ = resp::Service::kUninitialized;
  leader_ = {};
  removed_ = false;
  world_.trace("start", id_, identity.boot_epoch, applied().value);
  update_service();
  later(kRaftTickUs, [this] { raft_tick(); });
  later(kClientTickUs, [this] { client_tick(); });
  schedule_raft();
}

void Node::crash() {
  CHECK_INVARIANT(running());
  // The disk works through its queue in order; power fails somewhere in it. A write is atomic, so
  // one that was torn is one that did not happen (F16).
  uint64_t survive = world_.prng.below(writes_.size() + 1);
  for (uint64_t i = 0; i < survive; ++i) {
    to_disk(writes_[i]);
  }
  if (installing_) {
    const bool named = disk_.live_state().value() == installing_->name;
    world_.coverage.hit(named ? Mark::kCrashAfterInstall : Mark::kCrashBeforeInstall);
    if (world_.options.mutant == "installed-state-not-synced") {
      states_.at(installing_->name)->become({}, LogIndex{});
    }
    installing_.reset();
  }
  world_.trace("crash", id_, survive, writes_.size());
  writes_.clear();
  writing_ = false;
  ++life_;
  core_.reset();
  router_.reset();
  executor_.reset();
  for (auto& [name, state] : states_) {
    state->crash();
  }
  raft_inbox_.clear();
  client_inbox_.clear();
  raft_scheduled_ = false;
  client_scheduled_ = false;
  service_ = resp::Service::kUninitialized;
}

void Node::later(int64_t delay_us, std::function<void()> f) {
  world_.timeline.after(delay_us, [this, life = life_, f = std::move(f)] {
    if (life == life_) {
      f();
    }
  });
}

// ---------------------------------------------------------------- loops

int64_t Node::hop_us() {
  int64_t us = 20 + static_cast<int64_t>(world_.prng.below(200));
  return std::max(us, paused_until_us_ - world_.timeline.now_us());
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
    later(hop_us(), [this] { raft_turn(); });
  }
}
void Node::schedule_client() {
  if (!std::exchange(client_scheduled_, true)) {
    later(hop_us(), [this] { client_turn(); });
  }
}

void Node::raft_tick() {
  // A late tick counts once.
  raft_input([this] { core_->tick(); });
  int64_t us = kRaftTickUs * 1000 / (1000 + drift_per_mille_);
  later(std::max(us, paused_until_us_ - world_.timeline.now_us()), [this] { raft_tick(); });
}

void Node::client_tick() {
  client_input([this] {
    router_->tick(monotonic_ms());
    compact_if_due();
    raft::Status status = core_->status();
    if (status.role == raft::Role::kLeader && status.ready) {
      std::string expired = executor_->due_expirations(status.cluster_time_ms, 8);
      if (!expired.empty()) {
        router_->propose_internal(std::move(expired), monotonic_ms());
      }
    }
  });
  int64_t us = kClientTickUs * 1000 / (1000 + drift_per_mille_);
  later(std::max(us, paused_until_us_ - world_.timeline.now_us()), [this] { client_tick(); });
}

void Node::raft_turn() {
  raft_scheduled_ = false;
  if (world_.timeline.now_us() < paused_until_us_) {
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
  ship(core_->take_effects());
  core_->check_invariants();
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
  const bool installed = std::exchange(just_installed_, false);
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
  for (const raft::LogRead& request : effects.log_reads) {
    later(hop_us() + disk_delay_us_, [this, request] { read_log(request); });
  }
  for (const raft::Entry& entry : effects.apply) {
    world_.checks.on_apply(*this, entry);
  }
  if (!effects.apply.empty() || !effects.reads.empty() || !effects.refused.empty() ||
      !effects.events.empty()) {
    auto shared = std::make_shared<raft::Effects>(std::move(effects));
    client_input([this, shared] { from_raft(*shared); });
  }
}

// ---------------------------------------------------------------- the client loop

void Node::from_raft(raft::Effects& effects) {
  int64_t now = monotonic_ms();
  if (!effects.apply.empty()) {
    executor_->apply(std::move(effects.apply));
  }
  for (const raft::ReadReady& ready : effects.reads) {
    router_->read_ready(ready, now);
  }
  for (const raft::ProposeRefused& refused : effects.refused) {
    router_->refused(refused, now);
  }
  for (const raft::Event& event : effects.events) {
    on_event(event);
  }
}

void Node::on_event(const raft::Event& event) {
  int64_t now = monotonic_ms();
  if (const auto* changed = std::get_if<raft::LeaderChanged>(&event)) {
    leader_ = *changed;
    router_->leader_changed(
        *changed, changed->leader ? "sim:" + std::to_string(changed->leader.value) : "", now);
  } else if (std::holds_alternative<raft::RemovedFromCluster>(event)) {
    removed_ = true;
    world_.trace("removed", id_, 0, 0);
    router_->set_service(resp::Service::kRemoved, now);
    service_ = resp::Service::kRemoved;
  } else if (const auto* members = std::get_if<raft::ConfigurationChanged>(&event)) {
    if (members->configuration.has(id_, incarnation_)) {
      removed_ = false;
    }
  }
  update_service();
}

// LOADING until what was known to be committed is applied again (F39), and while a snapshot comes
// in or is installed (F22).
void Node::update_service() {
  if (removed_) {
    return;
  }
  caught_up_ = caught_up_ || (applied() >= catch_up_to_ && applied());
  resp::Service now = installing_ || world_.transfers.receiving(id_) ? resp::Service::kLoading
                      : caught_up_                                   ? resp::Service::kUp
                      : !disk_.last_index()                          ? resp::Service::kUninitialized
                                                                     : resp::Service::kLoading;
  if (now != service_) {
    service_ = now;
    router_->set_service(now, monotonic_ms());
  }
}

void Node::client_turn() {
  client_scheduled_ = false;
  if (world_.timeline.now_us() < paused_until_us_) {
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

void Node::executor_turns() {
  int64_t now = monotonic_ms();
  bool more = true;
  while (more) {
    more = executor_->work();
    resp::ExecutorEffects effects = executor_->take_effects();
    for (const resp::ReplyBatch& batch : effects.replies) {
      world_.clients.on_replies(batch);
    }
    for (const resp::Settled& settled : effects.settled) {
      router_->settled(settled, now);
    }
    for (resp::ReadBatch& batch : effects.reads_again) {
      router_->reads_again(std::move(batch), now);
    }
    for (uint64_t id : effects.reads_done) {
      router_->reads_done(id, now);
    }
    if (effects.applied_moved) {
      world_.checks.on_state(*this, effects.applied, executor_->state_checksum());
      raft_input([this, index = effects.applied, sessions = effects.sessions] {
        core_->applied(index, sessions);
      });
      update_service();
    }
  }
}

void Node::router_turn() {
  router_->end_of_turn(monotonic_ms());
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
    for (const resp::ReadIndexAsk& ask : shared->read_index) {
      core_->read_index(ask.id, ask.with_tick);
    }
  });
}

void Node::wipe(const Incarnation& incarnation) {
  CHECK_INVARIANT(!running());
  if (world_.options.mutant != "wiped-node-keeps-id") {
    incarnation_ = incarnation;
  }
  disk_ = SimDisk{};
  told_vote_ = {};
  states_.clear();
  states_[raft::kFirstLiveState] = make_keyspace(world_);
  raft::Identity identity;
  identity.node = id_;
  identity.incarnation = incarnation_;
  disk_.set_identity(identity).has_value();
  world_.trace("wipe", id_, 0, 0);
}

}  // namespace kiwi::sim
