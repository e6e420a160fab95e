#include "resp/web/scrape.hpp"

#include <algorithm>
#include <map>

#include "config/base/check.hpp"
#include "config/version.hpp"
#include "resp/session.hpp"
#include "resp/session_state.hpp"
#include "resp/web/exposition.hpp"

namespace kiwi::resp::web {

namespace {

using Type = Exposition::Type;
constexpr double kNsPerSecond = 1e9;
constexpr double kUsPerSecond = 1e6;
constexpr double kMsPerSecond = 1e3;
constexpr double kPressureMost = 1000;

double seconds_of_us(uint64_t us) { return static_cast<double>(us) / kUsPerSecond; }

// One family of one sample.
void gauge(Exposition& out, std::string_view name, std::string_view help, uint64_t value) {
  out.family(name, Type::kGauge, help);
  out.sample(value);
}
void gauge(Exposition& out, std::string_view name, std::string_view help, double value) {
  out.family(name, Type::kGauge, help);
  out.sample(value);
}
void counter(Exposition& out, std::string_view name, std::string_view help, uint64_t value) {
  out.family(name, Type::kCounter, help);
  out.sample(value);
}
void counter(Exposition& out, std::string_view name, std::string_view help, double value) {
  out.family(name, Type::kCounter, help);
  out.sample(value);
}
uint64_t flag(bool value) { return value ? 1 : 0; }

void write_rows(const Scrape& scrape, Exposition& out) {
  for (const config::MetricValue& row : scrape.metrics) {
    const bool counts = row.type == config::MetricType::kCounter;
    out.family(row.series, counts ? Type::kCounter : Type::kGauge, row.doc);
    if (row.unit == config::MetricUnit::kMicroseconds) {
      out.sample(seconds_of_us(row.value));
    } else {
      out.sample(row.value);
    }
  }
  for (const config::DurationsValue& row : scrape.durations) {
    out.family(row.series, Type::kHistogram, row.doc);
    out.histogram(Labels(), row.counts);
  }
}

void write_node(const Scrape& scrape, Exposition& out) {
  out.family("kiwi_build_info", Type::kGauge, "what this node is; always 1");
  out.sample({{"version", config::kKiwiVersion},
              {"redis_version", config::kRedisVersion},
              {"run_id", scrape.run_id},
              {"node", std::to_string(scrape.status.raft.id.value)}},
             uint64_t{1});
  gauge(out, "kiwi_start_time_seconds", "when the node started, since the epoch",
        static_cast<double>(scrape.started_wall_ms) / kMsPerSecond);
  out.family("kiwi_service", Type::kGauge, "1 for the state that the node is in");
  const std::pair<Service, std::string_view> states[] = {{Service::kUninitialized, "uninitialized"},
                                                         {Service::kLoading, "loading"},
                                                         {Service::kUp, "up"},
                                                         {Service::kRemoved, "removed"}};
  for (const auto& [state, name] : states) {
    out.sample({{"state", name}}, flag(scrape.status.service == state));
  }
  gauge(out, "kiwi_cluster_version", "of the cluster's formats, as applied here",
        uint64_t{scrape.cluster_version});
}

void write_raft(const Scrape& scrape, Exposition& out) {
  const raft::Status& raft = scrape.status.raft;
  out.family("kiwi_raft_role", Type::kGauge, "1 for the role that the node has");
  const std::pair<raft::Role, std::string_view> roles[] = {
      {raft::Role::kFollower, "follower"},
      {raft::Role::kPreCandidate, "pre-candidate"},
      {raft::Role::kCandidate, "candidate"},
      {raft::Role::kLeader, "leader"}};
  for (const auto& [role, name] : roles) {
    out.sample({{"role", name}}, flag(raft.role == role));
  }
  gauge(out, "kiwi_raft_leader_id", "the node that leads, as known here; 0: none",
        raft.leader.value);
  gauge(out, "kiwi_raft_leader_ready", "1: that leader takes commands", flag(raft.ready));
  gauge(out, "kiwi_raft_term", "the term that the node is in", raft.term.value);
  gauge(out, "kiwi_raft_members", "nodes of the cluster",
        uint64_t{raft.configuration.members.size()});
  gauge(out, "kiwi_raft_voters", "nodes that vote", uint64_t{raft.configuration.voters.size()});
  gauge(out, "kiwi_raft_first_index", "first entry of the log", raft.first_index.value);
  gauge(out, "kiwi_raft_last_index", "last entry of the log", raft.last_index.value);
  gauge(out, "kiwi_raft_persisted_index", "last entry that this disk has", raft.persisted.value);
  gauge(out, "kiwi_raft_commit_index", "last entry that is committed, as known here",
        raft.commit.value);
  gauge(out, "kiwi_raft_applied_index", "last entry in the state", scrape.status.applied.value);
  gauge(out, "kiwi_raft_backlog_bytes", "committed and not applied here", raft.backlog_bytes);
  gauge(out, "kiwi_log_window_bytes", "entries held in memory", scrape.status.log_window_bytes);
  gauge(out, "kiwi_log_disk_bytes", "files of the log", scrape.status.log_disk_bytes);
}

void write_links(const Scrape& scrape, Exposition& out) {
  const auto each = [&](std::string_view name, Type type, std::string_view help, auto value) {
    out.family(name, type, help);
    for (const auto& [peer, link] : scrape.status.links) {
      out.sample({{"peer", std::to_string(peer.value)}}, value(link));
    }
  };
  each("kiwi_peer_up", Type::kGauge, "1: the link to it is up",
       [](const LinkStatus& link) { return flag(link.up); });
  each("kiwi_peer_connections_total", Type::kCounter, "links to it that came up",
       [](const LinkStatus& link) { return link.connections; });
  each("kiwi_peer_connection_errors_total", Type::kCounter, "attempts that did not",
       [](const LinkStatus& link) { return link.errors; });
}

// What only a leader knows.
void write_followers(const Scrape& scrape, Exposition& out) {
  const raft::Status& raft = scrape.status.raft;
  const auto each = [&](std::string_view name, std::string_view help, auto value) {
    out.family(name, Type::kGauge, help);
    for (const raft::PeerStatus& peer : raft.peers) {
      if (raft.leads()) {
        out.sample({{"peer", std::to_string(peer.member.id.value)}}, value(peer));
      }
    }
  };
  using Peer = raft::PeerStatus;
  each("kiwi_peer_lag_entries", "entries that it lacks; told by the leader",
       [](const Peer& peer) { return peer.lag_entries; });
  each("kiwi_peer_lag_bytes", "bytes of them; told by the leader",
       [](const Peer& peer) { return peer.lag_bytes; });
  each("kiwi_peer_lag_seconds", "age of the oldest of them; told by the leader",
       [](const Peer& peer) { return static_cast<double>(peer.lag_ms) / kMsPerSecond; });
  each("kiwi_peer_match_index", "last entry that it has; told by the leader",
       [](const Peer& peer) { return peer.match.value; });
  each("kiwi_peer_applied_index", "last entry in its state; told by the leader",
       [](const Peer& peer) { return peer.applied.value; });
  each("kiwi_peer_backlog_bytes", "committed and not applied there; told by the leader",
       [](const Peer& peer) { return peer.backlog_bytes; });
  each("kiwi_peer_clock_ahead_seconds", "of its clock to the leader's; told by the leader",
       [](const Peer& peer) {
         return static_cast<double>(peer.clock_ahead_ms.value_or(0)) / kMsPerSecond;
       });
}

void write_state(const Scrape& scrape, Exposition& out) {
  const rocks::Keyspace::Usage& state = scrape.status.keyspace;
  const DiskStatus& disk = scrape.status.disk;
  gauge(out, "kiwi_state_pressure_ratio", "how far the state lags behind its files; 1: it waits",
        static_cast<double>(state.pressure) / kPressureMost);
  counter(out, "kiwi_throttled_writes_total", "commands that waited for it",
          scrape.status.router.throttled_writes);
  gauge(out, "kiwi_state_disk_bytes", "files of the state", state.disk_bytes);
  gauge(out, "kiwi_state_dirty_bytes", "committed and not in files", state.dirty_bytes);
  gauge(out, "kiwi_state_cache_bytes", "records in memory", state.cache_bytes);
  counter(out, "kiwi_state_flushes_total", "flushes of the state to files", state.flushes);
  counter(out, "kiwi_state_flush_seconds_total", "time that they took",
          seconds_of_us(state.flush_us));
  counter(out, "kiwi_state_flush_wait_seconds_total", "time that they waited for compaction",
          seconds_of_us(state.flush_wait_us));
  counter(out, "kiwi_state_tombstones_passed_total", "erased records that walks passed",
          state.tombstones_passed);
  gauge(out, "kiwi_state_level0_files", "of the family that has most", state.level0_files);
  gauge(out, "kiwi_state_pending_compaction_bytes", "that compaction owes",
        state.pending_compaction_bytes);
  counter(out, "kiwi_state_stall_slowdowns_total", "times that RocksDB began to slow writes down",
          state.stall_slowdowns);
  counter(out, "kiwi_state_stall_stops_total", "times that it began to stop them",
          state.stall_stops);
  gauge(out, "kiwi_disk_free_bytes", "free on the disk of the data", disk.free_bytes);
  gauge(out, "kiwi_disk_owed_bytes", "still to be written for what was taken", disk.owed_bytes);
  gauge(out, "kiwi_disk_full", "1: writes are refused for lack of room", flag(disk.full));
  gauge(out, "kiwi_disk_waits", "writes of log and state that wait for room",
        disk.log_waits + state.waits_for_room);
  counter(out, "kiwi_disk_compactions_put_off_total", "for lack of room",
          state.compactions_put_off);
}

void write_snapshots(const Scrape& scrape, Exposition& out) {
  const SnapshotStatus& snapshot = scrape.status.snapshot;
  counter(out, "kiwi_snapshots_created_total", "cuts of the log, and checkpoints",
          snapshot.created);
  counter(out, "kiwi_snapshots_received_total", "installed", snapshot.received);
  counter(out, "kiwi_snapshots_sent_total", "followers that were brought up", snapshot.sent);
  counter(out, "kiwi_snapshot_sent_bytes_total", "bytes of them", snapshot.bytes_sent);
  counter(out, "kiwi_snapshot_received_bytes_total", "bytes of those that came",
          snapshot.bytes_received);
  gauge(out, "kiwi_snapshot_in_progress", "1: one is sent or received", flag(snapshot.in_progress));
  counter(out, "kiwi_snapshot_worker_restarts_total", "times that its worker died",
          snapshot.worker_restarts);
  gauge(out, "kiwi_last_save_ok", "1: the last BGSAVE or SAVE succeeded",
        flag(scrape.save.last_ok));
}

void write_clients(const Scrape& scrape, Exposition& out) {
  const RouterStatus& router = scrape.status.router;
  const WaiterStatus& waiters = scrape.status.waiters;
  gauge(out, "kiwi_connected_clients", "client connections", scrape.clients);
  gauge(out, "kiwi_clients_max", "of the option maxclients", scrape.clients_max);
  gauge(out, "kiwi_blocked_clients", "in a blocking command", scrape.blocked_clients);
  counter(out, "kiwi_serves_total", "attempts to serve them", waiters.serves);
  counter(out, "kiwi_serves_in_vain_total", "of them, those that found nothing", waiters.in_vain);
  gauge(out, "kiwi_pending_batches", "writes handed over and not applied", router.pending_batches);
  gauge(out, "kiwi_pending_bytes", "bytes of them", router.pending_bytes);
  gauge(out, "kiwi_waiting_reads", "reads that wait for their index", router.waiting_reads);
  gauge(out, "kiwi_deferred_requests", "that wait for earlier ones of their connection",
        router.deferred_requests);
  gauge(out, "kiwi_pubsub_channels", "that somebody here subscribed to", scrape.channels);
  gauge(out, "kiwi_pubsub_patterns", "the same of patterns", scrape.patterns);
  gauge(out, "kiwi_pubsub_shard_channels", "the same of shard channels", scrape.shard_channels);
  gauge(out, "kiwi_tracking_clients", "that cache keys", scrape.tracking_clients);
  gauge(out, "kiwi_tracking_keys", "that they cache", scrape.tracked_keys);
}

void write_memory(const Scrape& scrape, Exposition& out) {
  const MemoryReport& memory = scrape.memory;
  gauge(out, "kiwi_memory_used_bytes", "by the allocator, and mapped by the node", memory.used);
  gauge(out, "kiwi_memory_peak_bytes", "the most of it", memory.peak);
  gauge(out, "kiwi_memory_resident_bytes", "of the process", memory.process.resident_bytes);
  gauge(out, "kiwi_memory_machine_bytes", "of the machine", memory.process.system_bytes);
  out.family("kiwi_memory_part_bytes", Type::kGauge, "what of it is used for what");
  const std::pair<std::string_view, uint64_t> parts[] = {{"clients", memory.clients},
                                                         {"tracking", memory.tracking},
                                                         {"writes", memory.writes},
                                                         {"log_window", memory.window},
                                                         {"links", memory.links},
                                                         {"log_store", memory.log_store},
                                                         {"block_cache", memory.block_cache},
                                                         {"memtables", memory.memtables},
                                                         {"scripts", memory.scripts},
                                                         {"table", memory.table}};
  for (const auto& [name, bytes] : parts) {
    out.sample({{"part", name}}, bytes);
  }
  out.family("kiwi_process_cpu_seconds_total", Type::kCounter, "of all threads");
  out.sample({{"mode", "user"}}, static_cast<double>(memory.process.user_us) / kUsPerSecond);
  out.sample({{"mode", "system"}}, static_cast<double>(memory.process.system_us) / kUsPerSecond);
  const ScriptStatus& scripts = scrape.status.scripts;
  gauge(out, "kiwi_scripts", "in the cache of scripts", scripts.scripts);
  gauge(out, "kiwi_script_libraries", "libraries of functions", scripts.libraries);
}

void write_keys(const Scrape& scrape, Exposition& out) {
  const auto each = [&](std::string_view name, std::string_view help, auto value) {
    out.family(name, Type::kGauge, help);
    for (const DatabaseSize& size : scrape.status.databases) {
      if (size.keys != 0) {
        out.sample({{"db", std::to_string(size.database)}}, value(size));
      }
    }
  };
  each("kiwi_db_keys", "keys", [](const DatabaseSize& size) { return size.keys; });
  each("kiwi_db_keys_expiring", "keys with a time to live",
       [](const DatabaseSize& size) { return size.keys_with_ttl; });
}

void write_commands(const Scrape& scrape, Exposition& out) {
  using Command = Scrape::Command;
  const auto each = [&](std::string_view name, std::string_view help, auto value) {
    out.family(name, Type::kCounter, help);
    for (const Command& command : scrape.commands) {
      out.sample({{"command", command.name}}, value(command));
    }
  };
  each("kiwi_command_calls_total", "answered, whatever the answer",
       [](const Command& command) { return command.calls; });
  each("kiwi_command_rejected_total", "refused before they ran",
       [](const Command& command) { return command.rejected; });
  each("kiwi_command_failed_total", "calls whose answer was an error",
       [](const Command& command) { return command.failed; });
  each("kiwi_command_executed_seconds_total", "time that executing them took",
       [](const Command& command) {
         return static_cast<double>(command.executed_ns) / kNsPerSecond;
       });
  out.family("kiwi_command_service_seconds", Type::kHistogram,
             "from a command's arrival to its reply");
  for (const Command& command : scrape.commands) {
    if (command.service) {
      out.histogram({{"command", command.name}}, *command.service);
    }
  }
  out.family("kiwi_errors_total", Type::kCounter, "replies that were errors, by their first word");
  std::map<std::string, uint64_t> errors;  // each series once
  for (const auto& [word, count] : scrape.errors) {
    errors[label_text(word)] += count;
  }
  for (const auto& [word, count] : errors) {
    out.sample({{"error", word}}, count);
  }
}

void write_loops(const Vitals& vitals, Exposition& out) {
  out.family("kiwi_loop_stalled", Type::kGauge, "1: the loop did not answer for a second");
  out.sample({{"loop", "client"}}, flag(client_stalled(vitals)));
  out.sample({{"loop", "raft"}}, flag(raft_stalled(vitals)));
  out.family("kiwi_loop_cpu_seconds_total", Type::kCounter, "processor time of its thread");
  out.sample({{"loop", "client"}}, seconds_of_us(vitals.client_cpu_us));
  out.sample({{"loop", "raft"}}, seconds_of_us(vitals.raft_cpu_us));
  gauge(out, "kiwi_ready", "1: /readyz says yes", flag(ready(vitals).ok));
  gauge(out, "kiwi_draining", "1: the node is drained",
        flag(vitals.readiness == Readiness::kDraining));
}

}  // namespace

Scrape take_scrape(NodeContext& node) {
  node.refresh_status();
  Scrape out;
  out.metrics = config::metric_values(node.metrics, node.raft_metrics);
  out.durations = config::duration_values(node.metrics, node.raft_metrics);
  out.status = node.status;
  out.save = node.save;
  out.memory = read_memory(node);
  for (const CommandSpec& row : all_commands()) {
    const Measures::Row& counts = node.measures.row(row);
    if (row.is_internal() || !counts.is_used()) {
      continue;
    }
    Scrape::Command& command = out.commands.emplace_back();
    command = {row.name, counts.calls, counts.rejected, counts.failed, counts.executed_ns, {}};
    if (counts.service) {
      command.service = counts.service->durations();
    }
  }
  for (const auto& [word, count] : node.measures.errors()) {
    out.errors.emplace_back(word, count);
  }
  out.run_id = node.run_id;
  out.started_wall_ms = node.started_wall_ms;
  out.cluster_version = node.cluster_version;
  out.clients = node.sessions.size();
  out.clients_max = static_cast<uint64_t>(node.options.maxclients);
  node.sessions.each([&out](Session& session) {
    out.blocked_clients += session.blocked() || session.state().held ? 1 : 0;
  });
  out.channels = node.pubsub.size(Topic::kChannel);
  out.patterns = node.pubsub.size(Topic::kPattern);
  out.shard_channels = node.pubsub.size(Topic::kShard);
  out.tracking_clients = node.tracking.clients();
  out.tracked_keys = node.tracking.keys();
  return out;
}

std::string write_scrape(const Scrape* scrape, const Vitals& vitals) {
  Exposition out;
  write_loops(vitals, out);
  if (scrape == nullptr) {
    return out.take();
  }
  CHECK_INVARIANT(!scrape->metrics.empty() && !scrape->durations.empty());
  write_rows(*scrape, out);
  write_node(*scrape, out);
  write_raft(*scrape, out);
  write_links(*scrape, out);
  write_followers(*scrape, out);
  write_state(*scrape, out);
  write_snapshots(*scrape, out);
  write_clients(*scrape, out);
  write_memory(*scrape, out);
  write_keys(*scrape, out);
  write_commands(*scrape, out);
  return out.take();
}

}  // namespace kiwi::resp::web
