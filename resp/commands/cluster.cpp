// CLUSTER for clients that know Redis Cluster: one shard of all slots, the leader its master.
// COUNTKEYSINSLOT and GETKEYSINSLOT, which read the state, are in key_scan.cpp.
#include "resp/commands/cluster_view.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr int64_t kLastSlot = rocks::kSlots - 1;

// Answers and returns nullopt while this node is in no cluster.
std::optional<ClusterView> view_or_refuse(Session& session, ReplyWriter& reply) {
  ClusterView view =
      view_cluster(session.state().node, session.state().info.tls, session.state().info.face);
  if (view.nodes.empty()) {
    const bool removed = session.state().node.status.service == Service::kRemoved;
    reply.error(removed ? texts::kRemoved : texts::kNoCluster);
    return std::nullopt;
  }
  return view;
}

// The same, if there is a master to name.
std::optional<ClusterView> led_view_or_refuse(Session& session, ReplyWriter& reply) {
  std::optional<ClusterView> view = view_or_refuse(session, reply);
  if (view && view->master() == nullptr) {
    reply.error(texts::kNoLeader);
    return std::nullopt;
  }
  return view;
}

// Redis leaves out of SLOTS what it takes for failed or what has no data yet.
bool serves_clients(const ClusterNode& node) { return node.reachable && !node.catching_up; }

void write_slot_node(const ClusterNode& node, ReplyWriter& reply) {
  reply.array(4);
  reply.bulk(node.host);
  reply.integer(node.port);
  reply.bulk(node.name);
  reply.map(0);  // further networking metadata
}

// The format of CLUSTER NODES.
std::string node_line(const ClusterView& view, const ClusterNode& node) {
  const ClusterNode* master = view.master();
  std::string line = node.name + " " + node.host + ":" + std::to_string(node.port) + "@" +
                     std::to_string(node.peer_port) + " ";
  line += node.myself ? "myself," : "";
  line += node.master ? "master" : "slave";
  line += node.reachable ? "" : ",fail?";
  line += " ";
  line += node.master || master == nullptr ? "-" : master->name;
  line += " 0 0 " + std::to_string(view.epoch);
  line += node.reachable ? " connected" : " disconnected";
  line += node.master ? " 0-" + std::to_string(kLastSlot) : "";
  return line;
}

}  // namespace

void cluster_slots(Session& session, Args, ReplyWriter& reply) {
  std::optional<ClusterView> view = led_view_or_refuse(session, reply);
  if (!view) {
    return;
  }
  std::vector<const ClusterNode*> shown = {view->master()};
  for (const ClusterNode& node : view->nodes) {
    if (!node.master && serves_clients(node)) {
      shown.push_back(&node);
    }
  }
  reply.array(1);
  reply.array(2 + shown.size());
  reply.integer(0);
  reply.integer(kLastSlot);
  for (const ClusterNode* node : shown) {
    write_slot_node(*node, reply);
  }
}

void cluster_shards(Session& session, Args, ReplyWriter& reply) {
  std::optional<ClusterView> view = led_view_or_refuse(session, reply);
  if (!view) {
    return;
  }
  reply.array(1);
  reply.map(2);
  reply.bulk("slots");
  reply.array(2);
  reply.integer(0);
  reply.integer(kLastSlot);
  reply.bulk("nodes");
  reply.array(view->nodes.size());
  auto write = [&](const ClusterNode& node) {
    reply.map(7);
    reply.bulk("id");
    reply.bulk(node.name);
    reply.bulk("port");
    reply.integer(node.port);
    reply.bulk("ip");
    reply.bulk(node.host);
    reply.bulk("endpoint");
    reply.bulk(node.host);
    reply.bulk("role");
    reply.bulk(node.master ? "master" : "replica");
    reply.bulk("replication-offset");
    reply.integer(static_cast<int64_t>(node.offset));
    reply.bulk("health");
    reply.bulk(!node.reachable ? "fail" : node.catching_up ? "loading" : "online");
  };
  write(*view->master());
  for (const ClusterNode& node : view->nodes) {
    if (!node.master) {
      write(node);
    }
  }
}

void cluster_nodes(Session& session, Args, ReplyWriter& reply) {
  if (std::optional<ClusterView> view = view_or_refuse(session, reply)) {
    std::string text;
    for (const ClusterNode& node : view->nodes) {
      text += node_line(*view, node) + "\n";
    }
    reply.verbatim(text);
  }
}

void cluster_replicas(Session& session, Args args, ReplyWriter& reply) {
  std::optional<ClusterView> view = view_or_refuse(session, reply);
  if (!view) {
    return;
  }
  const ClusterNode* asked = view->find(args[2]);
  if (asked == nullptr) {
    return reply.error("ERR Unknown node " + std::string(quoted_word(args[2])));
  }
  if (!asked->master) {
    return reply.error("ERR The specified node is not a master");
  }
  reply.array(view->nodes.size() - 1);
  for (const ClusterNode& node : view->nodes) {
    if (!node.master) {
      reply.bulk(node_line(*view, node));
    }
  }
}

// Redis counts the masters that report the node; here this node is the only one that can tell.
void cluster_count_failure_reports(Session& session, Args args, ReplyWriter& reply) {
  if (std::optional<ClusterView> view = view_or_refuse(session, reply)) {
    const ClusterNode* asked = view->find(args[2]);
    if (asked == nullptr) {
      return reply.error("ERR Unknown node " + std::string(quoted_word(args[2])));
    }
    reply.integer(asked->reachable ? 0 : 1);
  }
}

void cluster_info(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  ClusterView view = view_cluster(node, session.state().info.tls, session.state().info.face);
  std::string text;
  auto line = [&text](std::string_view name, std::string_view value) {
    text += name;
    text += ':';
    text += value;
    text += "\r\n";
  };
  auto number = [](uint64_t value) { return std::to_string(value); };
  uint64_t slots = view.nodes.empty() ? 0 : rocks::kSlots;
  line("cluster_state", view.serving ? "ok" : "fail");
  line("cluster_slots_assigned", number(slots));
  line("cluster_slots_ok", number(view.serving ? slots : 0));
  line("cluster_slots_pfail", "0");
  line("cluster_slots_fail", number(view.serving ? 0 : slots));
  line("cluster_known_nodes", number(view.nodes.size()));
  line("cluster_size", number(view.nodes.empty() ? 0 : 1));
  line("cluster_current_epoch", number(view.epoch));
  line("cluster_my_epoch", number(view.epoch));
  line("cluster_stats_messages_sent", number(node.raft_metrics.messages_sent.get()));
  line("cluster_stats_messages_received", number(node.raft_metrics.messages_received.get()));
  line("total_cluster_links_buffer_limit_exceeded", "0");
  reply.verbatim(text);
}

void cluster_myid(Session& session, Args, ReplyWriter& reply) {
  if (std::optional<ClusterView> view = view_or_refuse(session, reply)) {
    const ClusterNode* myself = view->myself();
    if (myself == nullptr) {  // joined, but the entry that says so is not here yet
      return reply.error(texts::kLoading);
    }
    reply.bulk(myself->name);
  }
}

void cluster_keyslot(Session&, Args args, ReplyWriter& reply) {
  reply.integer(rocks::key_slot(args[2]));
}

// Redis has a link for each direction; here one carries both, dialled by the lower id.
void cluster_links(Session& session, Args, ReplyWriter& reply) {
  std::optional<ClusterView> view = view_or_refuse(session, reply);
  if (!view) {
    return;
  }
  NodeContext& node = session.state().node;
  int64_t wall_minus_monotonic = node.wall_microseconds() / 1000 - node.monotonic_ms();
  std::vector<const ClusterNode*> linked;
  for (const ClusterNode& one : view->nodes) {
    if (!one.myself && one.reachable) {
      linked.push_back(&one);
    }
  }
  reply.array(linked.size());
  for (const ClusterNode* one : linked) {
    reply.map(6);
    reply.bulk("direction");
    reply.bulk(node.status.raft.id < one->id ? "to" : "from");
    reply.bulk("node");
    reply.bulk(one->name);
    reply.bulk("create-time");
    reply.integer(one->linked_at_ms + wall_minus_monotonic);
    reply.bulk("events");
    reply.bulk("rw");
    reply.bulk("send-buffer-allocated");
    reply.integer(0);
    reply.bulk("send-buffer-used");
    reply.integer(0);
  }
}

// Membership is in the log, synced before anybody acts on it.
void cluster_saveconfig(Session&, Args, ReplyWriter& reply) { reply.ok(); }

void cluster_refused(Session&, Args, ReplyWriter& reply) {
  reply.error(
      "ERR the leader serves all slots; members change with RAFT.NODE ADD, RAFT.NODE REMOVE and "
      "RAFT.CLUSTER JOIN");
}

void cluster_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "COUNT-FAILURE-REPORTS <node-id>",
      "    Return number of failure reports for <node-id>.",
      "COUNTKEYSINSLOT <slot>",
      "    Return the number of keys in <slot>.",
      "FAILOVER [FORCE|TAKEOVER]",
      "    Promote current replica node to being a master.",
      "GETKEYSINSLOT <slot> <count>",
      "    Return key names stored by current node in a slot.",
      "INFO",
      "    Return information about the cluster.",
      "KEYSLOT <key>",
      "    Return the hash slot for <key>.",
      "MYID",
      "    Return the node id.",
      "NODES",
      "    Return cluster configuration seen by node. Output format:",
      "    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
      "REPLICAS <node-id>",
      "    Return <node-id> replicas.",
      "SAVECONFIG",
      "    Force saving cluster configuration on disk.",
      "SLOTS",
      "    Return information about slots range mappings. Each range is made of:",
      "    start, end, master and replicas IP addresses, ports and ids",
      "SHARDS",
      "    Return information about slot range mappings and the nodes associated with them.",
      "LINKS",
      "    Return information about all network links between this node and its peers.",
      "    Output format is an array where each array element is a map containing attributes of a "
      "link",
  };
  reply_help(reply, "CLUSTER", kLines);
}

}  // namespace kiwi::resp::commands
