// ROLE, and what of Redis' replication would work against the log: REPLICAOF, FAILOVER.
#include <algorithm>

#include "resp/commands/cluster_view.hpp"
#include "resp/commands/info_text.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

void write_replication(NodeContext& node, InfoText& out) {
  ClusterView view = view_cluster(node, out.tls(), out.face());
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
  out.line("role_shown", speaks_cluster(out.face())      ? "leader"
                         : shows_announced(node.options) ? "announced"
                                                         : "any");
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
  if (face == Face::kSentinel) {
    const std::vector<std::string> names = node.master_names.all();
    reply.array(2);
    reply.bulk("sentinel");
    reply.array(names.size());
    for (const std::string& name : names) {
      reply.bulk(name);
    }
    return;
  }
  ClusterView view = view_cluster(node, session.state().info.tls, face);
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

}  // namespace commands
}  // namespace kiwi::resp
