// What the console's page shows of this node, ten numbers or so of each part, as JSON.
#include <algorithm>

#include "config/version.hpp"
#include "resp/memory_report.hpp"
#include "resp/web/console.hpp"
#include "resp/web/json.hpp"

namespace kiwi::resp::web {

namespace {

std::string buckets(const config::DurationCounts& counts) {
  JsonArray out;
  for (const uint64_t count : counts.counts) {
    out.add_raw(std::to_string(count));
  }
  return out.take();
}

// Of all commands together.
config::DurationCounts service_times(const NodeContext& node) {
  config::DurationCounts all;
  for (const CommandSpec& row : all_commands()) {
    const Measures::Row& counts = node.measures.row(row);
    if (row.is_internal() || !counts.service) {
      continue;
    }
    const config::DurationCounts one = counts.service->durations();
    for (size_t i = 0; i < all.counts.size(); ++i) {
      all.counts[i] += one.counts[i];
    }
    all.total_us += one.total_us;
  }
  return all;
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

const char* service_name(Service service) {
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

std::string members(const NodeContext& node) {
  const raft::Status& raft = node.status.raft;
  JsonArray out;
  for (const raft::Member& member : raft.configuration.members) {
    JsonObject one;
    one.add("id", member.id.value)
        .add("address", member.client_address)
        .add("voter", raft.configuration.is_voter(member.id))
        .add("self", member.id == raft.id);
    const auto link = node.status.links.find(member.id);
    one.add("linked", member.id == raft.id || (link != node.status.links.end() && link->second.up));
    for (const raft::PeerStatus& peer : raft.peers) {
      if (peer.member.id == member.id && raft.leads()) {
        one.add("lag_entries", peer.lag_entries)
            .add("lag_bytes", peer.lag_bytes)
            .add("lag_ms", peer.lag_ms)
            .add("match", peer.match.value)
            .add("applied", peer.applied.value)
            .add("progress", raft::name_of(peer.state));
      }
    }
    out.add_raw(one.take());
  }
  return out.take();
}

std::string keyspace(const NodeContext& node) {
  JsonArray out;
  for (const DatabaseSize& size : node.status.databases) {
    if (size.keys != 0) {
      out.add_raw(JsonObject()
                      .add("db", size.database)
                      .add("keys", size.keys)
                      .add("expiring", size.keys_with_ttl)
                      .take());
    }
  }
  return out.take();
}

std::string snapshot(const NodeContext& node) {
  const SnapshotStatus& snapshot = node.status.snapshot;
  JsonArray sending;
  for (const auto& [follower, one] : snapshot.sending) {
    sending.add_raw(JsonObject()
                        .add("to", follower.value)
                        .add("bytes", one.bytes_acknowledged)
                        .add("total", one.bytes_total)
                        .take());
  }
  return JsonObject()
      .add("receiving", snapshot.receiving)
      .add("bytes", snapshot.receiving_bytes)
      .add("total", snapshot.receiving_bytes_total)
      .add_raw("sending", sending.take())
      .take();
}

}  // namespace

std::string console_state(NodeContext& node, bool drained) {
  node.refresh_status();
  const NodeStatus& status = node.status;
  const raft::Status& raft = status.raft;
  const MemoryReport memory = read_memory(node);
  return JsonObject()
      .add("now_ms", node.wall_microseconds() / 1000)
      .add("version", config::kKiwiVersion)
      .add("cluster_version", node.cluster_version)
      .add("id", raft.id.value)
      .add("port", node.options.main_port())
      .add("service", service_name(status.service))
      .add("role", role_name(raft.role))
      .add("ready", raft.ready)
      .add("leader", raft.leader.value)
      .add("term", raft.term.value)
      .add("commit", raft.commit.value)
      .add("applied", status.applied.value)
      .add("last", raft.last_index.value)
      .add("drained", drained)
      .add("uptime_s", (node.wall_microseconds() / 1000 - node.started_wall_ms) / 1000)
      .add_raw("members", members(node))
      .add_raw("keyspace", keyspace(node))
      .add_raw("snapshot", snapshot(node))
      .add("clients", node.sessions.size())
      .add("commands", node.metrics.commands_processed)
      .add("errors", node.metrics.error_replies)
      .add("input_bytes", node.metrics.net_input_bytes)
      .add("output_bytes", node.metrics.net_output_bytes)
      .add_raw("service_buckets", buckets(service_times(node)))
      .add_raw("sync_buckets", buckets(node.raft_metrics.log_sync.get()))
      .add_raw("commit_buckets", buckets(node.metrics.commit))
      .add("memory", memory.used)
      .add("resident", memory.process.resident_bytes)
      .add("machine", memory.process.system_bytes)
      .add("disk_free", status.disk.free_bytes)
      .add("disk_full", status.disk.full)
      .add("state_bytes", status.keyspace.disk_bytes)
      .add("log_bytes", status.log_disk_bytes)
      .add("pressure", status.keyspace.pressure)
      .take();
}

}  // namespace kiwi::resp::web
