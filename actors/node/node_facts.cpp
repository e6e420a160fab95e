// Node: what it hears of Raft and of the other nodes, and what it tells of itself.
#include <string>
#include <utility>
#include <variant>

#include "actors/client_loop.hpp"
#include "actors/clients/tcp_server.hpp"
#include "actors/node/node_state.hpp"
#include "actors/node/storage.hpp"
#include "config/base/failpoint.hpp"
#include "config/base/log.hpp"
#include "resp/router.hpp"

namespace kiwi::actors {

namespace {

std::string describe(const raft::Configuration& configuration) {
  std::string voters;
  std::string learners;
  for (const raft::Member& member : configuration.members) {
    std::string& list = configuration.is_voter(member.id) ? voters : learners;
    list += (list.empty() ? "" : ", ") + std::to_string(member.id.value);
  }
  return "members: voters " + voters + (learners.empty() ? "" : "; learners " + learners);
}

}  // namespace

void Node::State::refresh_status() {
  resp::NodeStatus& status = parts.context.status;
  resp::Executor& executor = parts.storage->executor();
  status.raft = parts.facts.raft;
  status.committed = parts.facts.committed;
  status.router = parts.router->status();
  status.applied = executor.applied();
  status.databases = executor.database_sizes();
  status.skipped_entry = executor.skipped_entry();
  status.state_checksum = executor.state_checksum();
  status.waiters = executor.waiters();
  status.scripts = executor.scripts();
  status.once = executor.once();
  if (!executor.rests()) {
    status.keyspace = parts.storage->keyspace().usage();
  }
  status.log_disk_bytes = parts.storage->log_disk_bytes();
  status.log_memory_bytes = parts.storage->log_memory_bytes();
  status.disk.log_waits = parts.storage->log_stats().waits_for_room;
  status.log_window_bytes = status.raft.window_bytes;
  status.log_window_entries = status.raft.window_entries;
  parts.context.count(executor.counters());
  snapshots.refresh_status();
  config::ClientMetrics& metrics = parts.metrics;
  metrics.resends = status.router.resends;
  metrics.timeouts = status.router.timeouts;
  metrics.proxied_batches = status.router.proxied;
  metrics.proposals = status.router.proposals;
  metrics.proposed_commands = status.router.proposed_commands;
  metrics.cluster_down_replies = status.router.cluster_down;
  metrics.read_rounds = status.router.read_rounds;
  metrics.commit_looks = parts.server->looks_at_commits();
}

// Whoever started the process: systemd, as a rule.
void Node::State::tell_manager() {
  if (!manager.present()) {
    return;
  }
  Supervision::Seen seen;
  seen.vitals = parts.pulse.seen(ClientLoop::monotonic_ms(), parts.options.raft_election_timeout);
  seen.leader = parts.facts.raft.leader.value;
  seen.stopping = departure.ends();
  seen.stop_ms = departure.patience_ms();
  const std::string text = supervision.step(seen);
  if (!text.empty() && manager.send(text)) {
    supervision.said();
  }
}

void Node::State::observe(const RaftReport& report) {
  if (report.status) {
    parts.facts.raft = *report.status;
  }
  for (const resp::TraceStamp& stamp : report.trace) {
    parts.context.trace.take(stamp, parts.facts.raft.leader);
  }
  for (const PeerNote& note : report.notes) {
    take(note);
  }
  for (const raft::Event& event : report.events) {
    observe(event);
  }
  peers.observe(report);
  http.observe();
  fanout.observe(report.fanout);
  faces.observe(report);
}

void Node::State::observe(const raft::Event& event) {
  if (const auto* leader = std::get_if<raft::LeaderChanged>(&event)) {
    latency.leader(leader->leader && leader->ready, ClientLoop::monotonic_ms());
    log_notice("term " + std::to_string(leader->term.value) + ": " +
               (leader->leader ? "node " + std::to_string(leader->leader.value) + " leads" +
                                     (leader->ready ? "" : ", not ready yet")
                               : "no leader is known"));
  } else if (const auto* changed = std::get_if<raft::ConfigurationChanged>(&event)) {
    parts.facts.latest = changed->configuration;
    peers.ensure_links();
    if (changed->committed) {
      failpoint("configuration-committed");
      log_notice(describe(changed->configuration));
      parts.facts.committed = changed->configuration;
      peers.configuration_committed();
      departure.members_changed();
      orders.timer();
    }
  } else if (std::holds_alternative<raft::RemovedFromCluster>(event)) {
    failpoint("removal-noticed");
    log_warning("this node was removed from its cluster; it serves nothing any more");
    departure.members_changed();
  } else if (const auto* done = std::get_if<raft::MembershipDone>(&event)) {
    if (done->id.asker == raft::Asker::kOrder) {
      orders.change_done(*done);
    } else if (done->id.asker == raft::Asker::kShutdown) {
      departure.handed_over(done->outcome);
    }
  }
}

void Node::State::take(const PeerNote& from) {
  if (faces.take(from)) {
    return;
  }
  Result<NodeNote> note = decode_note(from.bytes);
  // Another life of a member may be linked, too: it does not speak for the member (F1).
  if (!note || !parts.facts.latest.has(from.peer, from.incarnation)) {
    return;
  }
  if (auto* order = std::get_if<OrderNote>(&*note)) {
    orders.take(from.peer, std::move(*order));
  } else if (const auto* answer = std::get_if<OrderAnswerNote>(&*note)) {
    orders.take(from.peer, *answer);
  } else if (const auto* pressure = std::get_if<PressureNote>(&*note)) {
    load.take(from.peer, *pressure);
  } else if (const auto* disk = std::get_if<DiskNote>(&*note)) {
    load.take(from.peer, *disk);
  } else if (const auto* marks = std::get_if<MarksNote>(&*note)) {
    peers.take(from, *marks);
  } else {
    peers.take(from.peer, std::get<KnownMarksNote>(*note));
  }
}

}  // namespace kiwi::actors
