#include "actors/replica/raft_replica.hpp"

#include <utility>
#include <variant>

#include "config/base/check.hpp"
#include "config/base/clock.hpp"
#include "config/base/log.hpp"
#include "raft/codec.hpp"

namespace kiwi::actors {

namespace {

constexpr uint32_t kClockHeartbeats = 10;

}  // namespace

RaftReplica::RaftReplica(RaftReplicaOptions options, PeerLinks& links)
    : options_(std::move(options)),
      links_(links),
      core_(options_.core, std::move(options_.start)),
      status_news_(kClockHeartbeats * options_.core.heartbeat_ticks),
      trace_(options_.trace_every) {
  CHECK_INVARIANT(options_.core.group && options_.metrics != nullptr);
  core_.set_cluster_version(options_.cluster_version);
}

// ---------------------------------------------------------------- inputs

void RaftReplica::begin_turn(const Now& now) { core_.set_time(now.wall_ms, now.monotonic_ms); }

void RaftReplica::obey(RaftOrders& orders) {
  if (orders.disk_full) {
    core_.set_disk_full(*orders.disk_full);
  }
  if (orders.wants_commit) {
    core_.set_wants_commit(*orders.wants_commit);
  }
  for (raft::Proposal& proposal : orders.propose) {
    core_.propose(std::move(proposal));
  }
  for (const resp::ReadIndexAsk& ask : orders.read_index) {
    core_.read_index(ask.id, ask.with_tick);
  }
}

bool RaftReplica::receive(PeerLinks::Arrived& arrived, std::string& why) {
  CHECK_INVARIANT(arrived.group == options_.core.group);
  Result<raft::Message> message = raft::decode_message(SharedBytes(std::move(arrived.bytes)));
  if (!message || message->from != arrived.peer || message->to != options_.core.id) {
    why = message ? "it sent a message of another node" : message.error().text;
    return false;
  }
  options_.metrics->messages_received.add();
  if (const auto* append = std::get_if<raft::AppendEntries>(&message->body)) {
    options_.metrics->appendreq_received.add();
    if (!append->entries.empty()) {
      options_.metrics->appendreq_with_entry_received.add();
    }
  }
  message->from_incarnation = arrived.incarnation;
  core_.step(std::move(*message));
  return true;
}

void RaftReplica::relay(PeerLinks::Arrived& arrived) {
  using What = PeerLinks::Arrived::What;
  CHECK_INVARIANT(arrived.what == What::kNote || arrived.what == What::kSnapshot ||
                  arrived.what == What::kFanout);
  if (arrived.what == What::kFanout) {
    const size_t bytes = arrived.bytes.size();
    ByteBudget::Claim claim = bytes > kFanoutWordBytes ? fanout_bytes_.claim(bytes) : nullptr;
    if (bytes > kFanoutWordBytes && !claim) {
      options_.metrics->pubsub_dropped.add();
      return;
    }
    fanout_.push_back(
        {FanoutNews::What::kMessage, arrived.peer, std::move(arrived.bytes), std::move(claim)});
  } else if (arrived.what == What::kNote) {
    notes_.push_back(
        {arrived.peer, std::move(arrived.bytes), options_.core.group, arrived.incarnation});
  } else {
    snapshots_.send(SnapshotFrame{
        .peer = arrived.peer, .bytes = std::move(arrived.bytes), .group = options_.core.group});
  }
}

void RaftReplica::link_changed(NodeId peer, bool up) {
  if (up) {
    core_.link_up(peer);
    links_up_.push_back(peer);
  } else {
    core_.link_down(peer);
  }
  fanout_.push_back(
      {up ? FanoutNews::What::kLinkUp : FanoutNews::What::kLinkDown, peer, {}, nullptr});
  snapshots_.send(SnapshotLink{peer, up});
}

void RaftReplica::log_persisted(const raft::PersistToken& token) {
  if (trace_.on()) {
    trace_.durable(token.last_index, boot_clock_us());
  }
  core_.log_persisted(token);
}

void RaftReplica::take(Applied& applied) {
  if (applied.cluster_version != 0) {
    core_.set_cluster_version(applied.cluster_version);
  }
  core_.applied(applied.index, std::move(applied.sessions));
}

void RaftReplica::take(SnapshotWorkerStarted& started) {
  core_.snapshots_lost();  // of the worker before it, if there was one
  snapshots_.start(std::move(started.worker));
  snapshots_.tell(core_.status());
  for (const NodeId peer : links_.up()) {
    snapshots_.send(SnapshotLink{peer, true});
  }
}

void RaftReplica::take(const SnapshotPin& pin) {
  if (!core_.snapshot_pinned(pin.follower, pin.index)) {
    snapshots_.send(SnapshotUseless{pin.follower});
  }
}

// F15: whether it is installed is decided now, not when it was offered. What the core wants written
// before comes first.
void RaftReplica::take(SnapshotArrived& arrived) {
  const raft::SnapshotVerdict verdict = core_.snapshot_received(arrived.meta, arrived.sender_term);
  if (verdict == raft::SnapshotVerdict::kInstall) {
    CHECK_INVARIANT(!install_ && !arrived.live_state.empty());
    install_ = InstallSnapshot{std::move(arrived.meta), std::move(arrived.live_state)};
  }
  status_due_ = true;
  snapshots_.send(SnapshotJudged{verdict, core_.status().commit});
}

void RaftReplica::take(const StateSwapped& swapped) {
  core_.set_cluster_version(swapped.cluster_version);
  core_.snapshot_installed(swapped.meta, swapped.stamp_ms, swapped.sessions);
  status_due_ = true;
}

// ---------------------------------------------------------------- effects

void RaftReplica::end_turn(const Now& now, bool tick) {
  now_ = now;
  core_.set_time(now.wall_ms, now.monotonic_ms);
  if (tick) {
    core_.tick();
  }
  effects_ = core_.take_effects();
  const bool apply_now = tick || core_.awaits_applies() || install_ || !effects_.events.empty() ||
                         !effects_.reads.empty();
  status_due_ = status_due_ || tick || !effects_.events.empty();
  if (trace_.on()) {
    trace_.committed(effects_.apply, boot_clock_us());
  }
  effects_.apply = apply_hold_.pass(std::move(effects_.apply), apply_now);
  for (const raft::Outgoing& outgoing : effects_.send) {
    if (links_.send(options_.core.group, outgoing)) {
      options_.metrics->messages_sent.add();
    }
  }
  effects_.send.clear();
}

// What goes to the log is what the log will be asked for (log_store.cpp has the other half).
void RaftReplica::check_writes() const {
  if (effects_.persist && !effects_.persist->entries.empty()) {
    const std::vector<raft::Entry>& entries = effects_.persist->entries;
    CHECK_INVARIANT(entries.back().index == entries.front().index + (entries.size() - 1));
    CHECK_INVARIANT(effects_.persist->token.last_index == entries.back().index);
  }
  if (effects_.cut) {
    CHECK_INVARIANT(effects_.cut->keep_from <= effects_.cut->meta.index + 1);
  }
  for (const raft::LogRead& read : effects_.log_reads) {
    CHECK_INVARIANT(read.from && read.from <= read.last);
  }
}

void RaftReplica::ship() {
  check_writes();
  if (effects_.persist) {
    if (trace_.on()) {
      trace_.appended(effects_.persist->entries, boot_clock_us());
    }
    caf::anon_send(options_.log_store, std::move(*effects_.persist));
  }
  if (effects_.cut) {
    caf::anon_send(options_.log_store, std::move(*effects_.cut));
  }
  if (install_) {
    caf::anon_send(options_.log_store, std::move(*install_));
    install_.reset();
  }
  for (const raft::SnapshotWanted& wanted : effects_.snapshots) {
    snapshots_.send(wanted);
  }
  for (raft::LogRead& read : effects_.log_reads) {
    caf::anon_send(options_.log_store, std::move(read));
  }
  if (!effects_.apply.empty()) {
    caf::anon_send(options_.state_machine, ApplyEntries{std::move(effects_.apply)});
  }
  for (const raft::Event& event : effects_.events) {
    const auto* leader = std::get_if<raft::LeaderChanged>(&event);
    if (leader != nullptr && leader->role == raft::Role::kCandidate) {
      options_.metrics->elections_started.add();
    }
  }
  report_to_router();
}

void RaftReplica::report_to_router() {
  RaftReport report;
  report.links_up = std::exchange(links_up_, {});
  report.notes = std::exchange(notes_, {});
  report.fanout = std::exchange(fanout_, {});
  report.reads = std::move(effects_.reads);
  report.refused = std::move(effects_.refused);
  report.trace = trace_.take();
  report.events = std::move(effects_.events);
  if (std::exchange(status_due_, false)) {
    raft::Status status = core_.status();
    snapshots_.tell(status);
    for (const std::string& warning : clock_watch_.look(status, now_.monotonic_ms)) {
      log_warning(warning);
    }
    if (status_news_.look(status, !report.events.empty())) {
      report.status = std::move(status);
    }
  }
  if (report.status) {
    RaftReport copy;
    copy.status = report.status;
    caf::anon_send(options_.state_machine, std::move(copy));
  }
  if (report.status || !report.reads.empty() || !report.refused.empty() || !report.events.empty() ||
      !report.links_up.empty() || !report.notes.empty() || !report.fanout.empty() ||
      !report.trace.empty()) {
    caf::anon_send(options_.router, std::move(report));
  }
}

}  // namespace kiwi::actors
