// INFO: the sections of Redis 7.0. INFO memory: info_memory.cpp; INFO raft: info_raft.cpp.
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <sys/utsname.h>

#include "config/base/check.hpp"
#include "config/version.hpp"
#include "resp/commands/cluster_view.hpp"
#include "resp/commands/info_text.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

std::string seconds(int64_t microseconds) {
  char text[48];
  std::snprintf(text, sizeof(text), "%" PRId64 ".%06" PRId64, microseconds / 1'000'000,
                microseconds % 1'000'000);
  return text;
}

void server(NodeContext& node, InfoText& out) {
  utsname system{};
  ::uname(&system);
  int64_t now_us = node.wall_microseconds();
  int64_t up_s = (now_us / 1000 - node.started_wall_ms) / 1000;
  out.line("redis_version", config::kRedisVersion);
  out.line("redis_git_sha1", "00000000");
  out.line("redis_git_dirty", 0);
  out.line("redis_build_id", "0");
  out.line("kiwi_version", config::kKiwiVersion);
  out.line("redis_mode", mode_of(out.face()));
  out.line("os", std::string(system.sysname) + " " + system.release + " " + system.machine);
  out.line("arch_bits", 64);
  out.line("monotonic_clock", "POSIX clock_gettime");
  out.line("multiplexing_api", node.io_engine);
  out.line("io_engine_reason", node.io_engine_reason);
  out.line("gcc_version", std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__) + "." +
                              std::to_string(__GNUC_PATCHLEVEL__));
  out.line("process_id", node.process_id);
  out.line("process_supervised", "no");
  out.line("run_id", node.run_id);
  out.line("tcp_port", port_of(node.options, out.face()));
  if (node.options.tls_port != 0) {
    out.line("tls_port", node.options.tls_port);
    out.line("tls_certificate_expires_at", node.status.tls_certificate_expires_s);
  }
  out.line("server_time_usec", now_us);
  out.line("uptime_in_seconds", up_s);
  out.line("uptime_in_days", up_s / 86400);
  out.line("executable", node.executable);
  out.line("config_file", node.options.config_file);
  out.line("io_threads_active", 0);
}

void clients(NodeContext& node, InfoText& out) {
  uint64_t input = 0;
  uint64_t output = 0;
  uint64_t blocked = 0;
  node.sessions.each([&](Session& session) {
    blocked += session.blocked() || session.state().held ? 1 : 0;
    input = std::max<uint64_t>(input, session.state().parser.unread_bytes());
    output = std::max<uint64_t>(output, session.state().output_bytes());
  });
  out.line("connected_clients", node.sessions.size());
  out.line("cluster_connections", node.status.links.size());
  out.line("maxclients", node.options.maxclients);
  out.line("client_recent_max_input_buffer", input);
  out.line("client_recent_max_output_buffer", output);
  out.line("blocked_clients", blocked);
  out.line("tracking_clients", node.tracking.clients());
  out.line("clients_in_timeout_table", 0);
}

int64_t whole_seconds(int64_t milliseconds) { return milliseconds < 0 ? -1 : milliseconds / 1000; }

// There is one log, which is cut instead of rewritten, and a save copies no memory.
void log_as_aof(NodeContext& node, InfoText& out) {
  out.line("aof_enabled", 1);
  out.line("aof_rewrite_in_progress", 0);
  out.line("aof_rewrite_scheduled", 0);
  out.line("aof_last_rewrite_time_sec", node.status.snapshot.last_seconds);
  out.line("aof_current_rewrite_time_sec", -1);
  out.line("aof_last_bgrewrite_status", "ok");
  out.line("aof_rewrites", node.status.snapshot.created);
  out.line("aof_last_write_status", "ok");
  out.line("aof_last_cow_size", 0);
  out.line("module_fork_in_progress", 0);
  out.line("module_fork_last_cow_size", 0);
  out.line("aof_current_size", node.status.log_disk_bytes);
}

void persistence(NodeContext& node, InfoText& out) {
  out.line("loading", node.status.service == Service::kLoading ? 1 : 0);
  out.line("async_loading", 0);
  out.line("rdb_changes_since_last_save", 0);
  out.line("rdb_bgsave_in_progress", node.save.running ? 1 : 0);
  out.line("rdb_last_save_time",
           node.save.last_s != 0 ? node.save.last_s : node.started_wall_ms / 1000);
  out.line("rdb_last_bgsave_status", node.save.last_ok ? "ok" : "err");
  out.line("rdb_last_bgsave_time_sec", whole_seconds(node.save.last_took_ms));
  out.line("rdb_current_bgsave_time_sec",
           node.save.running ? whole_seconds(node.monotonic_ms() - node.save.began_ms) : -1);
  out.line("rdb_saves", node.save.made);
  out.line("rdb_last_cow_size", 0);
  log_as_aof(node, out);
  const DiskStatus& disk = node.status.disk;
  const rocks::Keyspace::Usage& state = node.status.keyspace;
  out.line("disk_free_bytes", disk.free_bytes);
  out.line("disk_owed_bytes", disk.owed_bytes);
  out.line("disk_full", disk.full ? 1 : 0);
  out.line("disk_waits", disk.log_waits + state.waits_for_room);
  out.line("disk_compactions_put_off", state.compactions_put_off);
  out.line("keyspace_disk_bytes", state.disk_bytes);
  out.line("state_dirty_bytes", state.dirty_bytes);
  out.line("state_cache_bytes", state.cache_bytes);
  out.line("state_flush_count", state.flushes);
  out.line("state_flush_seconds", seconds(state.flush_us));
  out.line("state_flush_wait_seconds", seconds(state.flush_wait_us));
  out.line("state_pressure", state.pressure);
  out.line("rocksdb_level0_files", state.level0_files);
  out.line("rocksdb_pending_compaction_bytes", state.pending_compaction_bytes);
  out.line("rocksdb_stall_slowdowns", state.stall_slowdowns);
  out.line("rocksdb_stall_stops", state.stall_stops);
}

// What Redis counts and this server never does: it evicts no key, forks no child, moves nothing in
// memory, keeps no socket of MIGRATE, and a follower expires no key. Dashboards plot all of it.
constexpr std::string_view kNever[] = {"evicted_keys",
                                       "latest_fork_usec",
                                       "total_forks",
                                       "migrate_cached_sockets",
                                       "slave_expires_tracked_keys",
                                       "active_defrag_hits",
                                       "active_defrag_misses",
                                       "active_defrag_key_hits",
                                       "active_defrag_key_misses",
                                       "unexpected_error_replies"};

void stats(NodeContext& node, InfoText& out) {
  constexpr double kKilo = 1024;
  const Rates& rates = node.rates;
  out.line("instantaneous_ops_per_sec", std::llround(rates.commands.per_second()));
  out.line("instantaneous_input_kbps", two_places(rates.input.per_second() / kKilo));
  out.line("instantaneous_output_kbps", two_places(rates.output.per_second() / kKilo));
  out.line("instantaneous_input_repl_kbps", two_places(rates.peer_input.per_second() / kKilo));
  out.line("instantaneous_output_repl_kbps", two_places(rates.peer_output.per_second() / kKilo));
  out.metrics("Stats", node);
  out.line("throttled_writes", node.status.router.throttled_writes);
  // Followers that were brought up by a snapshot of everything, and by what they lacked.
  const SnapshotStatus& snapshot = node.status.snapshot;
  CHECK_INVARIANT(snapshot.sent >= snapshot.sent_deltas);
  out.line("sync_full", snapshot.sent - snapshot.sent_deltas);
  out.line("sync_partial_ok", snapshot.sent_deltas);
  for (const std::string_view name : kNever) {
    out.line(name, 0);
  }
  out.line("pubsub_channels", node.pubsub.size(Topic::kChannel));
  out.line("pubsub_patterns", node.pubsub.size(Topic::kPattern));
  out.line("pubsubshard_channels", node.pubsub.size(Topic::kShard));
  out.line("tracking_total_keys", node.tracking.keys());
  out.line("tracking_total_items", node.tracking.items());
  out.line("tracking_total_prefixes", node.tracking.prefixes());
}

void cpu(NodeContext& node, InfoText& out) {
  ProcessUsage usage = node.process_usage();
  out.line("used_cpu_sys", seconds(usage.system_us));
  out.line("used_cpu_user", seconds(usage.user_us));
  out.line("used_cpu_sys_children", seconds(0));
  out.line("used_cpu_user_children", seconds(0));
  out.line("used_cpu_sys_main_thread", seconds(usage.thread_system_us));
  out.line("used_cpu_user_main_thread", seconds(usage.thread_user_us));
}

void modules(NodeContext&, InfoText&) {}

void cluster(NodeContext&, InfoText& out) {
  out.line("cluster_enabled", speaks_cluster(out.face()) ? 1 : 0);
}

void keyspace(NodeContext& node, InfoText& out) {
  const int64_t now_ms = node.wall_microseconds() / 1000;
  for (const DatabaseSize& size : node.status.databases) {
    if (size.keys > 0) {
      out.line("db" + std::to_string(size.database),
               "keys=" + std::to_string(size.keys) +
                   ",expires=" + std::to_string(size.keys_with_ttl) +
                   ",avg_ttl=" + std::to_string(size.mean_ttl_ms(now_ms)));
    }
  }
}

struct Section {
  std::string_view word;   // as asked for
  std::string_view title;  // as printed
  void (*write)(NodeContext&, InfoText&);
  bool usual = true;         // else only who asks for it, or for all, gets it
  bool of_sentinel = false;  // a Sentinel tells it, too
  bool of_sentinel_only = false;
};

// Commands that count once; refused: since the start, of this node's clients, by the error's word.
void once(NodeContext& node, InfoText& out) {
  const OnceStatus& status = node.status.once;
  out.line("once_records", status.records);
  out.line("once_bytes", status.bytes);
  out.line("once_span_seconds", status.span_seconds());
  out.line("once_floor_ms", status.floor_ms);
  out.line("once_replays", status.replays);
  out.line("once_refused_done", status.done);
  out.line("once_refused_expired", status.expired);
  out.line("once_refused_mismatch", status.mismatch);
  out.line("once_refused_clock", status.clock);
  out.line("once_refused_closed", status.closed);
  out.line("once_refused_gap", status.gap);
  out.line("once_given_back", status.given_back);
}

constexpr Section kSections[] = {
    {"server", "Server", server, true, true},
    {"clients", "Clients", clients, true, true},
    {"memory", "Memory", write_memory},
    {"persistence", "Persistence", persistence},
    {"stats", "Stats", stats, true, true},
    {"replication", "Replication", write_replication},
    {"cpu", "CPU", cpu, true, true},
    {"modules", "Modules", modules},
    {"commandstats", "Commandstats", write_command_stats, false},
    {"errorstats", "Errorstats", write_error_stats},
    {"latencystats", "Latencystats", write_latency_stats, false},
    {"once", "Once", once, false},
    {"cluster", "Cluster", cluster},
    {"keyspace", "Keyspace", keyspace},
    {"sentinel", "Sentinel", write_sentinel_info, true, true, true},
};

bool is_told(const Section& section, Face face) {
  return face == Face::kSentinel ? section.of_sentinel : !section.of_sentinel_only;
}

}  // namespace

std::string human_bytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "K", "M", "G", "T", "P"};
  if (bytes < 1024) {
    return std::to_string(bytes) + "B";
  }
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return two_places(value) + kUnits[unit];
}

std::string two_places(double value) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.2f", value);
  return text;
}

void InfoText::section(std::string_view title) {
  if (!text_.empty()) {
    text_ += "\r\n";
  }
  text_ += "# ";
  text_ += title;
  text_ += "\r\n";
}

void InfoText::line(std::string_view name, std::string_view value) {
  text_ += name;
  text_ += ':';
  text_ += value;
  text_ += "\r\n";
}

void InfoText::metrics(std::string_view section, const NodeContext& node) {
  for (const config::MetricValue& metric : config::metric_values(node.metrics, node.raft_metrics)) {
    if (metric.section == section) {
      line(metric.name, metric.value);
    }
  }
}

std::string default_info(NodeContext& node, Face face) {
  InfoText out(face, /*tls=*/false);
  for (const Section& section : kSections) {
    if (section.usual && is_told(section, face)) {
      out.section(section.title);
      section.write(node, out);
    }
  }
  return out.take();
}

namespace commands {

void info(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  node.refresh_status();
  auto asked = [&args](std::string_view word) {
    return std::any_of(args.begin() + 1, args.end(),
                       [&](std::string_view arg) { return same_word(arg, word); });
  };
  bool everything = asked("everything");
  bool all = everything || asked("all");
  bool usual = all || args.size() == 1 || asked("default");
  InfoText out(session.state().info.face, session.state().info.tls);
  for (const Section& section : kSections) {
    const bool wanted = asked(section.word) || (section.usual ? usual : all);
    if (wanted && is_told(section, out.face())) {
      out.section(section.title);
      section.write(node, out);
    }
  }
  // Not in the default answer, like the sections of Redis' modules.
  write_raft_sections(node, out, [&](std::string_view title) {
    return out.face() != Face::kSentinel && (everything || asked("raft") || asked(title));
  });
  out.face() == Face::kSentinel ? reply.bulk(out.take()) : reply.verbatim(out.take());
}

}  // namespace commands
}  // namespace kiwi::resp
