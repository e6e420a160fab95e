// ROLE, WAIT, and what of Redis' replication would work against the log: REPLICAOF, FAILOVER.
#include <algorithm>

#include "resp/commands/cluster_view.hpp"
#include "resp/commands/info_text.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

// How many other nodes hold, for certain, everything that any client was told is done: a majority's
// disks, less one. Of a joint configuration the smaller half counts.
int64_t certain_replicas(const raft::Configuration& configuration) {
  auto others = [](size_t voters) { return static_cast<int64_t>(voters / 2); };
  int64_t certain = others(configuration.voters.size());
  if (configuration.is_joint()) {
    certain = std::min(certain, others(configuration.outgoing_voters.size()));
  }
  return certain;
}

// A leader knows more: who has everything that is applied here.
int64_t known_replicas(const NodeStatus& status) {
  if (status.raft.role != raft::Role::kLeader) {
    return 0;
  }
  return std::ranges::count_if(status.raft.peers, [&](const raft::PeerStatus& peer) {
    return peer.member.id != status.raft.id && peer.match >= status.applied;
  });
}

}  // namespace

void write_replication(NodeContext& node, InfoText& out) {
  ClusterView view = view_cluster(node, out.face());
  const ClusterNode* master = view.master();
  bool replica = shows_replica(node, out.face());
  out.line("role", replica ? "slave" : "master");
  size_t slaves = 0;
  if (replica) {
    bool linked = master != nullptr && !master->myself && master->reachable;
    int64_t since_ms = linked ? master->linked_at_ms : -1;
    out.line("master_host", linked ? master->host : "");
    out.line("master_port", linked ? master->port : 0);
    out.line("master_link_status", linked ? "up" : "down");
    out.line("master_last_io_seconds_ago", linked ? 0 : -1);
    out.line("master_sync_in_progress", node.status.snapshot.in_progress ? 1 : 0);
    out.line("master_link_up_since_seconds",
             since_ms < 0 ? -1 : (node.monotonic_ms() - since_ms) / 1000);
    out.line("slave_read_repl_offset", node.status.applied.value);
    out.line("slave_repl_offset", node.status.applied.value);
    out.line("slave_priority", 100);
    out.line("slave_read_only", 0);  // it forwards writes
    out.line("replica_announced", 1);
  } else {
    slaves = view.nodes.empty() ? 0 : view.reachable() - (view.myself() != nullptr ? 1 : 0);
  }
  out.line("connected_slaves", slaves);
  size_t number = 0;
  for (const ClusterNode& one : view.nodes) {
    if (!replica && !one.myself && one.reachable) {
      std::string name = "slave" + std::to_string(number++);
      out.line(name, "ip=" + one.host + ",port=" + std::to_string(one.port) +
                         ",state=" + (one.catching_up ? "send_bulk" : "online") +
                         ",offset=" + std::to_string(one.offset) + ",lag=0");
    }
  }
  out.line("master_failover_state", "no-failover");
  const ClusterId& cluster = node.status.raft.configuration.cluster;
  out.line("master_replid", cluster.is_set() ? cluster.hex() + "00000000" : node.run_id);
  out.line("master_replid2", std::string(40, '0'));
  out.line("master_repl_offset", node.status.applied.value);
  out.line("second_repl_offset", -1);
  // The backlog is the log's window in memory.
  bool backlog = node.status.log_window_entries > 0;
  out.line("repl_backlog_active", backlog ? 1 : 0);
  out.line("repl_backlog_size", node.options.log_cache_bytes());
  out.line("repl_backlog_first_byte_offset",
           backlog ? node.status.raft.last_index.value - node.status.log_window_entries + 1 : 0);
  out.line("repl_backlog_histlen", node.status.log_window_bytes);
}

namespace commands {

void role(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  const Face face = session.state().info.face;
  ClusterView view = view_cluster(node, face);
  auto offset = static_cast<int64_t>(node.status.applied.value);
  if (!shows_replica(node, face)) {
    std::vector<const ClusterNode*> replicas;
    for (const ClusterNode& one : view.nodes) {
      if (!one.myself && one.reachable) {
        replicas.push_back(&one);
      }
    }
    reply.array(3);
    reply.bulk("master");
    reply.integer(offset);
    reply.array(replicas.size());
    for (const ClusterNode* one : replicas) {
      reply.array(3);
      reply.bulk(one->host);
      reply.bulk(std::to_string(one->port));
      reply.bulk(std::to_string(one->offset));
    }
    return;
  }
  const ClusterNode* master = view.master();
  bool led = master != nullptr && !master->myself;
  reply.array(5);
  reply.bulk("slave");
  reply.bulk(led ? master->host : "");
  reply.integer(led ? master->port : 0);
  reply.bulk(!led || !master->reachable         ? "connect"
             : node.status.snapshot.in_progress ? "sync"
                                                : "connected");
  reply.integer(offset);
}

void replicaof(Session& session, Args args, ReplyWriter& reply) {
  std::string name = same_word(args[0], "slaveof") ? "SLAVEOF" : "REPLICAOF";
  const bool cluster = speaks_cluster(session.state().info.face);
  reply.error("ERR " + name + (cluster ? " not allowed in cluster mode." : " not allowed.") +
              " A node's data comes from its cluster's log: see RAFT.NODE and RAFT.CLUSTER JOIN.");
}

void failover(Session& session, Args, ReplyWriter& reply) {
  if (speaks_cluster(session.state().info.face)) {
    return reply.error(
        "ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.");
  }
  reply.error("ERR FAILOVER not allowed. RAFT.TRANSFER_LEADER moves leadership.");
}

// Whatever a client was told is done is on a majority's disks, so what Redis waits for has happened
// already. Only a leader knows of further replicas.
void wait(Session& session, Args args, ReplyWriter& reply) {
  Session::State& s = session.state();
  std::optional<int64_t> wanted = parse_integer(args[1]);
  std::optional<int64_t> timeout_ms = parse_integer(args[2]);
  if (!wanted) {
    return reply.error(texts::kNotInteger);
  }
  if (!timeout_ms) {
    return reply.error("ERR timeout is not an integer or out of range");
  }
  if (*timeout_ms < 0) {
    return reply.error("ERR timeout is negative");
  }
  s.node.refresh_status();
  int64_t certain = certain_replicas(s.node.status.raft.configuration);
  // What is still unanswered on this connection is not among what is applied.
  int64_t known = s.slots.empty() ? known_replicas(s.node.status) : 0;
  reply.integer(std::max(certain, known));
}

}  // namespace commands
}  // namespace kiwi::resp
