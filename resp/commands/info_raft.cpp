// INFO raft: names and values as RedisRaft's operators know them, each with the prefix raft_.
#include "config/version.hpp"
#include "resp/commands/info_text.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

namespace {

const char* state_name(Service service) {
  switch (service) {
    case Service::kUninitialized:
      return "uninitialized";
    case Service::kLoading:
      return "loading";
    case Service::kUp:
      return "up";
    case Service::kRemoved:
      return "removed";
  }
  return "-";
}

const char* role_name(raft::Role role) {
  switch (role) {
    case raft::Role::kFollower:
      return "follower";
    case raft::Role::kPreCandidate:
      return "pre-candidate";
    case raft::Role::kCandidate:
      return "candidate";
    case raft::Role::kLeader:
      return "leader";
  }
  return "-";
}

// Ids in INFO: -1 stands for nobody.
int64_t id_or_none(NodeId id) { return id ? static_cast<int64_t>(id.value) : -1; }

void version(const NodeContext& node, InfoText& out) {
  out.line("raft_version", config::kKiwiVersion);
  out.line("raft_git_sha1", "00000000");
  out.line("raft_cluster_version", node.cluster_version);
}

// One line for each other member: raft_node2:id=2,state=connected,...
void remote_nodes(const NodeContext& node, InfoText& out) {
  const raft::Configuration& configuration = node.status.raft.configuration;
  int64_t now_ms = node.monotonic_ms();
  for (size_t i = 0; i < configuration.members.size(); ++i) {
    const raft::Member& member = configuration.members[i];
    if (member.id == node.status.raft.id) {
      continue;
    }
    auto found = node.status.links.find(member.id);
    LinkStatus link = found != node.status.links.end() ? found->second : LinkStatus{};
    int64_t age_s = link.connected_at_ms < 0 ? -1 : (now_ms - link.connected_at_ms) / 1000;
    size_t colon = member.client_address.rfind(':');
    std::string text = "id=" + std::to_string(member.id.value);
    text += std::string(",state=") + (link.up ? "connected" : "disconnected");
    text += std::string(",voting=") + (configuration.is_voter(member.id) ? "yes" : "no");
    text += ",addr=" + member.client_address.substr(0, colon);
    text += ",port=" + (colon == std::string::npos ? "0" : member.client_address.substr(colon + 1));
    if (const size_t tls_colon = link.tls_client_address.rfind(':');
        tls_colon != std::string::npos) {
      text += ",tls_port=" + link.tls_client_address.substr(tls_colon + 1);
    }
    text += ",last_conn_secs=" + std::to_string(age_s);
    text += std::string(",encrypted=") + (link.up && link.encrypted ? "yes" : "no");
    text += ",conn_errors=" + std::to_string(link.errors);
    text += ",conn_oks=" + std::to_string(link.connections);
    for (const raft::PeerStatus& peer : node.status.raft.peers) {
      if (peer.member.id == member.id && node.status.raft.role == raft::Role::kLeader) {
        text += ",match_index=" + std::to_string(peer.match.value);
        text.append(",progress=").append(name_of(peer.state));
        text.append(",catch_up=").append(name_of(peer.catch_up));
        text += ",lag_entries=" + std::to_string(peer.lag_entries);
        text += ",lag_bytes=" + std::to_string(peer.lag_bytes);
        text += ",lag_ms=" + std::to_string(peer.lag_ms);
        if (peer.clock_ahead_ms) {
          text += ",clock_ahead_ms=" + std::to_string(*peer.clock_ahead_ms);
        }
        text += ",applied_index=" + std::to_string(peer.applied.value);
        text += ",unapplied_bytes=" + std::to_string(peer.backlog_bytes);
      }
    }
    if (link.election_timeout_ms != 0) {
      text += ",election_timeout=" + std::to_string(link.election_timeout_ms);
    }
    out.line("raft_node" + std::to_string(i), text);
  }
}

void general(const NodeContext& node, InfoText& out) {
  const raft::Status& raft = node.status.raft;
  const raft::Configuration& configuration = raft.configuration;
  bool member = configuration.find(raft.id) != nullptr;
  bool initialized = node.status.service != Service::kUninitialized;
  out.line("raft_dbid", configuration.cluster.is_set() ? configuration.cluster.hex() : "");
  out.line("raft_node_id", raft.id.value);
  out.line("raft_state", state_name(node.status.service));
  out.line("raft_role", initialized ? role_name(raft.role) : "(none)");
  out.line("raft_is_voting", !member ? "-" : configuration.is_voter(raft.id) ? "yes" : "no");
  out.line("raft_voted_for", id_or_none(raft.voted_for));
  out.line("raft_leader_id", id_or_none(raft.leader));
  out.line("raft_current_term", raft.term.value);
  out.line("raft_num_nodes", configuration.members.size());
  out.line("raft_num_voting_nodes", configuration.voters.size());
  remote_nodes(node, out);
}

void log(const NodeContext& node, InfoText& out) {
  const NodeStatus& status = node.status;
  const raft::Status& raft = status.raft;
  uint64_t entries =
      raft.last_index < raft.first_index ? 0 : raft.last_index - raft.first_index + 1;
  uint64_t syncs = node.raft_metrics.fsync_count.get();
  uint64_t total_us = node.raft_metrics.fsync_total_microseconds.get();
  out.line("raft_log_entries", entries);
  out.line("raft_current_index", raft.last_index.value);
  out.line("raft_commit_index", raft.commit.value);
  out.line("raft_persisted_index", raft.persisted.value);
  out.line("raft_last_applied_index", status.applied.value);
  out.line("raft_file_size", status.log_disk_bytes);
  out.line("raft_cache_memory_size", status.log_window_bytes);
  out.line("raft_cache_entries", status.log_window_entries);
  out.line("raft_client_attached_entries", status.router.pending_batches);
  out.metrics("raft_log", node);
  out.line("raft_fsync_avg_microseconds", syncs == 0 ? 0 : total_us / syncs);
  out.line("raft_log_fsync", node.options.raft_log_fsync ? "yes" : "no");
  out.line("raft_state_checksum", status.state_checksum);
  out.line("raft_skipped_entry",
           status.skipped_entry ? config::option_text(node.options.skip_entry) : "none");
}

// Kiwi's snapshot for the log is the state itself, so its "file" is the live state directory.
void snapshot(const NodeContext& node, InfoText& out) {
  const SnapshotStatus& snapshot = node.status.snapshot;
  auto index_or_none = [](LogIndex index) {
    return index ? static_cast<int64_t>(index.value) : int64_t{-1};
  };
  out.line("raft_snapshot_filename", snapshot.live_state);
  out.line("raft_snapshot_last_idx", snapshot.last_index.value);
  out.line("raft_snapshot_last_term", snapshot.last_term.value);
  out.line("raft_snapshot_size", node.status.keyspace.disk_bytes);
  out.line("raft_snapshot_time_secs", snapshot.last_seconds);
  out.line("raft_snapshots_created", snapshot.created);
  out.line("raft_snapshots_received", snapshot.received);
  out.line("raft_snapshots_sent", snapshot.sent);
  out.line("raft_snapshot_in_progress", snapshot.in_progress ? "yes" : "no");
  out.line("raft_snapshot_in_progress_last_idx", index_or_none(snapshot.in_progress_index));
  out.line(
      "raft_snapshot_in_progress_last_term",
      snapshot.in_progress_index ? static_cast<int64_t>(node.status.raft.term.value) : int64_t{-1});
  out.line("raft_snapshot_bytes_sent", snapshot.bytes_sent);
  out.line("raft_snapshot_bytes_received", snapshot.bytes_received);
  out.line("raft_snapshot_last_received_mode", snapshot.last_received_mode);
  out.line("raft_snapshot_last_received_bytes", snapshot.last_received_bytes);
  out.line("raft_snapshot_worker_restarts", snapshot.worker_restarts);
  out.line("raft_checkpoint_idx", snapshot.checkpoint_index.value);
  out.line("raft_checkpoint_bytes", snapshot.checkpoint_bytes);
  if (snapshot.receiving) {
    out.line("raft_snapshot_receiving",
             "from=" + std::to_string(snapshot.receiving_from.value) +
                 ",idx=" + std::to_string(snapshot.receiving_index.value) + ",mode=" +
                 snapshot.receiving_mode + ",bytes=" + std::to_string(snapshot.receiving_bytes) +
                 ",total=" + std::to_string(snapshot.receiving_bytes_total));
  }
  for (const auto& [follower, sending] : snapshot.sending) {
    out.line("raft_snapshot_sending_" + std::to_string(follower.value),
             "idx=" + std::to_string(sending.index.value) + ",mode=" + sending.mode +
                 ",sent=" + std::to_string(sending.bytes_sent) +
                 ",acknowledged=" + std::to_string(sending.bytes_acknowledged) +
                 ",total=" + std::to_string(sending.bytes_total));
  }
}

void clients(const NodeContext& node, InfoText& out) {
  out.line("raft_proxy_outstanding_reqs", node.status.router.pending_batches);
  out.line("raft_pending_bytes", node.status.router.pending_bytes);
  out.line("raft_waiting_bytes", node.status.router.waiting_bytes);
  out.line("raft_deferred_reqs", node.status.router.deferred_requests);
  out.line("raft_waiting_reads", node.status.router.waiting_reads);
  // Batches for the leader that had to be sent again, and commands whose fate stayed unknown.
  out.line("raft_proxy_failed_reqs", node.status.router.resends);
  out.line("raft_proxy_failed_responses", node.status.router.timeouts);
  out.line("raft_waiting_clients", node.status.waiters.waiting);
  out.line("raft_serves_in_flight", node.status.waiters.in_flight);
  out.line("raft_serves", node.status.waiters.serves);
  out.line("raft_serves_in_vain", node.status.waiters.in_vain);
  out.metrics("raft_clients", node);
}

void stats(const NodeContext& node, InfoText& out) {
  // RedisRaft's sessions belong to clients that watch keys or build a transaction.
  int64_t sessions = 0;
  node.sessions.each([&sessions](Session& session) {
    const Transaction& transaction = session.state().transaction;
    sessions += transaction.open || !transaction.tokens.empty() ? 1 : 0;
  });
  out.metrics("raft_stats", node);
  out.line("raft_num_sessions", sessions);
}

struct Section {
  std::string_view title;
  void (*write)(const NodeContext&, InfoText&);
};
constexpr Section kSections[] = {
    {"raft_version", version},   {"raft_general", general}, {"raft_log", log},
    {"raft_snapshot", snapshot}, {"raft_clients", clients}, {"raft_stats", stats},
};

}  // namespace

void write_raft_sections(const NodeContext& node,
                         InfoText& out,
                         const std::function<bool(std::string_view)>& asked) {
  for (const Section& section : kSections) {
    if (asked(section.title)) {
      out.section(section.title);
      section.write(node, out);
    }
  }
}

}  // namespace kiwi::resp
