#include "tests/sim/node.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kRaftTickUs = 25'000;
constexpr int64_t kClientTickUs = 50'000;
constexpr int64_t kResponseTimeoutMs = 2'500;
constexpr int64_t kPatienceMs = 600;  // the gate's, as actors/node/node.cpp has them
constexpr int64_t kLagMs = kResponseTimeoutMs / 2;

}  // namespace

std::unique_ptr<StateStore> Node::make_store() {
  if (options_.table_bytes != 0) {
    return make_table_store(
        world_.directory() + "/" + std::to_string(id_.value) + "-" + std::to_string(++stores_made_),
        options_.table_bytes);
  }
  return make_memory_store(world_.options.mutant == "applied-index-not-in-batch");
}

Node::Node(World& world, NodeId id, const Incarnation& incarnation, const NodeOptions& options)
    : world_(world), id_(id), incarnation_(incarnation), options_(options) {
  states_[raft::kFirstLiveState] = make_store();
  raft::Identity identity;
  identity.node = id;
  identity.incarnation = incarnation;
  disk_.set_identity(identity).has_value();
}

// What a state has still to say when it ends is not for this node any more.
Node::~Node() {
  ++life_;
  long_view_.reset();
  executor_.reset();
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

void Node::jump_clock(int64_t ms) {
  world_.highest_clock_ms();  // what it showed until now was shown
  wall_offset_ms_ += ms;
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
  raft_paused_until_us_ = clients_paused_until_us_ = 0;
  raft::Identity identity = disk_.identity().value();
  if (identity.boot_epoch == 0 || world_.options.mutant != "epoch-not-raised") {
    ++identity.boot_epoch;  // F4
  }
  disk_.set_identity(identity).has_value();
  draw_mark();

  disk_.forgets_votes = world_.options.mutant == "vote-not-persisted";
  // F14: the state that the log names; others are what a crash left of an installation.
  const std::string live = disk_.live_state().value();
  std::erase_if(states_, [&](const auto& state) { return state.first != live; });
  state_ = states_.at(live).get();
  executor_options_ = {};
  executor_options_.node = id_;
  executor_options_.incarnation = incarnation_;
  executor_options_.epoch = identity.boot_epoch;
  executor_options_.long_read_elements = options_.long_read_elements;
  if (options_.reply_bytes_max != 0) {
    executor_options_.reply_bytes_max = options_.reply_bytes_max;
  }
  executor_ = std::make_unique<resp::Executor>(state_->keyspace(), executor_options_);

  resp::RouterOptions router_options;
  router_options.node = id_;
  router_options.incarnation = incarnation_;
  router_options.epoch = identity.boot_epoch;
  router_options.response_timeout_ms = kResponseTimeoutMs;
  router_options.election_timeout_ms = options_.resend_ms;
  router_options.batch_commands_max = options_.batch_commands_max;
  router_options.inflight_batches_max = 16;
  router_options.group_commit_us = options_.group_commit_us;
  router_options.read_gather_us = options_.read_gather_us;
  router_ = std::make_unique<resp::Router>(router_options);
  open_core(identity.boot_epoch);
}

void Node::open_core(uint64_t epoch) {
  raft::CoreOptions core_options;
  core_options.id = id_;
  core_options.incarnation = incarnation_;
  core_options.seed = world_.prng.next();
  core_options.heartbeat_ticks = options_.heartbeat_ticks;
  core_options.election_ticks_min = options_.election_ticks_min;
  core_options.election_ticks_max = options_.election_ticks_max;
  core_options.leases = options_.leases;
  core_options.window_bytes = options_.window_bytes;
  core_options.unapplied_bytes_max = options_.window_bytes;
  core_options.apply_inflight_bytes_max = options_.apply_inflight_bytes_max;
  core_options.ready_backlog_entries = 50;
  core_options.boot_epoch = epoch;
  core_options.message_bytes_max = options_.message_bytes_max;
  core_options.inflight_bytes_max = options_.inflight_bytes_max;
  core_options.inflight_messages_max = options_.inflight_messages_max;
  core_options.uncommitted_bytes_max = options_.uncommitted_bytes_max;
  raft::StartState loaded = load();
  begin_life(loaded);
  gate_.emplace(kPatienceMs, kLagMs);
  gate_->applied(loaded.applied);
  gate_started_ = loaded.log.last_index != LogIndex{};
  if (gate_started_) {
    gate_->started(std::max(loaded.log.commit, loaded.applied), monotonic_ms());
  }
  log_terms_ = world_.checks.committed_terms(disk_.first_index() - 1);
  for (const raft::Entry& entry : disk_.entries()) {
    log_terms_.push_back(entry.term);
  }
  core_ = std::make_unique<raft::Core>(core_options, std::move(loaded));
  hold_ = {};
  tick_due_ = install_due_ = room_awaited_ = false;
  pressure_ = 0;
  delayed_[0] = delayed_[1] = 0;
  service_ = resp::Service::kUninitialized;
  leader_ = {};
  world_.trace("start", id_, epoch, applied().value);
  update_service();
  later(kRaftTickUs, [this] { raft_tick(); });
  later(kClientTickUs, [this] { client_tick(); });
  if (options_.table_bytes != 0) {
    state_tick();
  }
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
      states_.at(installing_->name) = make_store();
    }
    installing_.reset();
  }
  world_.trace("crash", id_, survive, writes_.size());
  writes_.clear();
  writing_ = false;
  ++life_;
  core_.reset();
  router_.reset();
  stop_long_reads();
  long_waiting_.clear();
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

}  // namespace kiwi::sim
