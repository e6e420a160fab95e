#include "actors/node/founding_shell.hpp"

#include <algorithm>
#include <utility>

#include "actors/client_loop.hpp"
#include "actors/node/storage.hpp"
#include "actors/raft_loop.hpp"
#include "actors/replica/replica_host.hpp"
#include "config/base/failpoint.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"
#include "raft/members_at_start.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kWaitingSaidMs = 500;
constexpr uint32_t kTicksPerHeartbeat = 4;

int64_t tick_ms(const config::Options& options) {
  return std::max<int64_t>(1, options.raft_heartbeat_interval / kTicksPerHeartbeat);
}

bool is_removed(const raft::Configuration& committed, NodeId id) {
  return std::ranges::find(committed.removed_ids, id) != committed.removed_ids.end() &&
         committed.find(id) == nullptr;
}

}  // namespace

void FoundingShell::begin() {
  if (node_.storage->identity().cluster.is_set()) {
    start_core();
    return;
  }
  const config::Options& options = node_.options;
  // A node of raft.join founds nothing.
  bootstrap_.emplace(
      node_.own.member, options.raft_peers,
      options.raft_join.empty() ? options.raft_bootstrap : config::Bootstrap::kManual,
      node_.facts.build);
  joining_.remember_members();
  joining_.start();
  decide();
}

void FoundingShell::peer_said(const PeerHello& hello) {
  if (bootstrap_) {
    bootstrap_->peer_said(hello);
    decide();
  }
}

void FoundingShell::peer_gone(NodeId peer) {
  if (bootstrap_) {
    bootstrap_->peer_gone(peer);
    decide();
  }
}

void FoundingShell::decide() {
  const Bootstrap::Decision decision = bootstrap_->decide();
  if (const auto* founding = std::get_if<Bootstrap::Found>(&decision)) {
    found(founding->members);
  } else if (const auto* admitted = std::get_if<Bootstrap::Join>(&decision)) {
    join(*admitted);
  } else {
    node_.gate.waiting_for_cluster(bootstrap_->wiped());
    if (bootstrap_->wiped()) {
      joining_.come_back();
    }
  }
}

// What is waited for is said when it has been so for a moment: while nodes find each other it
// changes several times.
void FoundingShell::timer() {
  if (!bootstrap_) {
    return;
  }
  const std::string waiting = joining_.joins() && !bootstrap_->wiped()
                                  ? "waiting for a member of the cluster to let this node in"
                                  : bootstrap_->waiting_for();
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (waiting != waiting_text_) {
    waiting_text_ = waiting;
    waiting_since_ms_ = now_ms;
    waiting_said_ = false;
  } else if (!waiting_said_ && now_ms - waiting_since_ms_ >= kWaitingSaidMs) {
    waiting_said_ = true;
    log_notice(waiting);
  }
}

Result<ClusterId> FoundingShell::init(std::optional<ClusterId> cluster) {
  if (!bootstrap_) {
    return Error{Errc::kConflict, "Already cluster member"};
  }
  if (node_.options.raft_bootstrap != config::Bootstrap::kManual) {
    return Error{Errc::kConflict,
                 "this node waits for the nodes of raft.peers; only raft.bootstrap manual is "
                 "initialized by hand"};
  }
  chosen_cluster_ = cluster;
  bootstrap_->init();
  decide();
  return node_.storage->identity().cluster;
}

void FoundingShell::found(const std::vector<raft::Member>& members) {
  raft::Configuration first;
  first.cluster = chosen_cluster_ ? *chosen_cluster_ : random_id<ClusterId>();
  first.members = members;
  std::ranges::sort(first.members, {}, &raft::Member::id);
  for (const raft::Member& member : first.members) {
    first.voters.push_back(member.id);
  }
  const raft::Entry entry = raft::bootstrap_entry(first, ClientLoop::wall_ms());
  if (Result<void> written = node_.storage->join(first.cluster, entry); !written) {
    fatal("founding the cluster failed: " + written.error().text);
  }
  log_notice("founded cluster " + first.cluster.hex() + " of " + std::to_string(members.size()) +
             " node" + (members.size() == 1 ? "" : "s"));
  start_core();
}

void FoundingShell::join(const Bootstrap::Join& join) {
  if (Result<void> written = node_.storage->join(join.cluster, join.first_entry); !written) {
    fatal("joining the cluster failed: " + written.error().text);
  }
  failpoint("join-identity");
  log_notice("joined cluster " + join.cluster.hex() +
             (join.first_entry ? " as one of its founders" : " with an empty log"));
  start_core();
}

// ---------------------------------------------------------------- the core begins

raft::CoreOptions FoundingShell::core_options() const {
  const raft::Identity& identity = node_.storage->identity();
  const config::Options& options = node_.options;
  raft::CoreOptions core;
  core.id = identity.node;
  core.incarnation = identity.incarnation;
  core.seed = random_seed();
  const int64_t tick = tick_ms(options);
  core.heartbeat_ticks = kTicksPerHeartbeat;
  core.election_ticks_min =
      static_cast<uint32_t>((options.raft_election_timeout + tick - 1) / tick);
  core.election_ticks_max = 2 * core.election_ticks_min;
  core.election_timeout_min_ms = options.raft_election_timeout;
  core.window_bytes = options.log_cache_bytes();
  core.inflight_bytes_max = static_cast<uint64_t>(options.raft_inflight_max_size);
  core.inflight_messages_max = options.append_messages();
  core.message_bytes_max = options.append_message_bytes();
  core.boot_epoch = identity.boot_epoch;
  core.uncommitted_bytes_max = static_cast<uint64_t>(options.raft_uncommitted_max_size);
  core.entry_bytes_max = config::limits::kEntryBytes;
  return core;
}

void FoundingShell::learn_members(const raft::StartState& start) {
  Result<raft::MembersAtStart> members = raft::members_at_start(start);
  if (!members) {
    fatal(members.error().text);
  }
  ClusterFacts& facts = node_.facts;
  facts.latest = std::move(members->latest);
  facts.committed = std::move(members->committed);
  if (facts.latest.members.empty()) {
    joining_.remember_members();  // let in, and no entry has come yet
  }
}

void FoundingShell::start_core() {
  bootstrap_.reset();
  Result<raft::StartState> start = node_.storage->start_state();
  Result<std::string> first = node_.storage->first_entry();
  if (!start || !first) {
    fatal("reading the Raft log failed: " + (start ? first.error().text : start.error().text));
  }
  node_.own.cluster = node_.storage->identity().cluster;
  node_.own.first_entry = std::move(*first);
  learn_members(*start);
  joining_.core_runs(is_removed(node_.facts.committed, node_.facts.self));
  node_.gate.applied(start->applied);  // on a quiet cluster nothing else would ever tell
  const LogIndex commit_hint = std::min(start->log.commit, start->log.last_index);
  const LogIndex log_end = start->log.last_index;
  RaftReplicaOptions replica;
  replica.core = core_options();
  replica.cluster_version = node_.storage->executor().cluster_version();
  replica.router = node_.router_actor;
  replica.state_machine = node_.state_machine;
  replica.log_store = node_.log_store;
  replica.metrics = &node_.raft_metrics;
  replica.trace_every = &node_.context.trace.every();
  replica.start = std::move(*start);
  ReplicaHostOptions host;
  host.clocks = {ClientLoop::wall_ms, ClientLoop::monotonic_ms};
  host.groups.push_back(std::move(replica));
  node_.replica = spawn_replica_host(*node_.system, node_.raft_loop->hosting(), std::move(host));
  node_.facts.core_runs = true;
  const ReplicaStarted started{node_.replica, commit_hint, log_end};
  caf::anon_send(node_.log_store, started);
  caf::anon_send(node_.state_machine, started);
  caf::anon_send(node_.router_actor, started);
  snapshots_.core_runs();
  node_.raft_loop->every(tick_ms(node_.options),
                         [actor = node_.replica] { caf::anon_send(actor, timer_atom_v); });
}

}  // namespace kiwi::actors
