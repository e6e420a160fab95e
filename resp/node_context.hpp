// What the sessions of one node see of the node: options, counters, each other, and the latest
// status of Raft, router and state machine for INFO. A plain struct that the composition root owns
// and the shells keep up to date; client loop only. Nothing here knows CAF, Asio or a clock: times
// and what only a shell can do come in as functions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/ids.hpp"
#include "config/base/result.hpp"
#include "config/metrics.hpp"
#include "config/options.hpp"
#include "raft/core.hpp"
#include "resp/accounts.hpp"
#include "resp/acl/denial_log.hpp"
#include "resp/addresses.hpp"
#include "resp/admin.hpp"
#include "resp/batch_trace.hpp"
#include "resp/client_memory.hpp"
#include "resp/client_pause.hpp"
#include "resp/client_sessions.hpp"
#include "resp/executor_status.hpp"
#include "resp/fanout.hpp"
#include "resp/faults.hpp"
#include "resp/maintenance.hpp"
#include "resp/master_names.hpp"
#include "resp/measures.hpp"
#include "resp/monitors.hpp"
#include "resp/process_usage.hpp"
#include "resp/pubsub.hpp"
#include "resp/rate.hpp"
#include "resp/renames.hpp"
#include "resp/replica_waits.hpp"
#include "resp/request.hpp"
#include "resp/router_status.hpp"
#include "resp/sentinel_events.hpp"
#include "resp/sentinel_view.hpp"
#include "resp/serving_waits.hpp"
#include "resp/tracking.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

class ReadScripts;
class Session;

// One link to a peer, as INFO raft shows it.
struct LinkStatus {
  bool up = false;
  bool encrypted = false;               // while it is up
  int64_t connected_at_ms = -1;         // monotonic; -1 = never
  uint64_t connections = 0;             // handshakes that succeeded
  uint64_t errors = 0;                  // and those that did not
  std::string tls_client_address = {};  // where its TLS clients connect; empty: nowhere
  uint32_t election_timeout_ms = 0;     // raft.election-timeout there; 0 = it has not said it yet
  uint16_t cluster_port = 0;   // where it shows the cluster face, as it said last; 0: nowhere
  uint16_t sentinel_port = 0;  // and Sentinel's
  bool serves = true;          // as it said last on this link
  bool drains = false;
  int64_t down_since_ms = 0;  // monotonic; of a link that is not up, as it was noticed
};

// Snapshots, as INFO raft shows them.
struct SnapshotStatus {
  LogIndex last_index;  // of the last cut of the log, or of the last snapshot installed
  Term last_term;
  uint64_t created = 0;      // cuts and checkpoints
  uint64_t received = 0;     // installed
  uint64_t sent = 0;         // followers brought up
  uint64_t sent_deltas = 0;  // of them, by what their own state lacked
  bool in_progress = false;
  LogIndex in_progress_index;  // of what is sent or received; 0 = nothing
  std::string live_state;      // the state's directory
  int64_t last_seconds = -1;   // what the last cut, checkpoint included, took; -1 = none yet
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  LogIndex checkpoint_index;  // of the files that are kept for followers; 0 = none
  uint64_t checkpoint_bytes = 0;
  uint64_t last_received_bytes = 0;
  std::string last_received_mode = "none";  // files, delta
  uint64_t worker_restarts = 0;             // it died and was replaced
  bool receiving = false;
  NodeId receiving_from;
  LogIndex receiving_index;
  std::string receiving_mode;
  uint64_t receiving_bytes = 0;
  uint64_t receiving_bytes_total = 0;
  struct Sending {
    LogIndex index;
    std::string mode;
    uint64_t bytes_sent = 0;
    uint64_t bytes_acknowledged = 0;
    uint64_t bytes_total = 0;
  };
  std::map<NodeId, Sending> sending;
};

// Room on the disk of the data directory, as INFO persistence shows it (F60).
struct DiskStatus {
  uint64_t free_bytes = 0;
  uint64_t owed_bytes = 0;  // still to be written for what was taken already
  bool full = false;        // so writes are refused
  uint64_t log_waits = 0;   // writes and flushes of the log that wait for room now
};

// What BGSAVE and SAVE did.
struct SaveStatus {
  bool running = false;
  bool last_ok = true;
  int64_t last_s = 0;         // wall clock; 0 = none since the start
  int64_t began_ms = 0;       // the one that runs; monotonic
  int64_t last_took_ms = -1;  // the last one, whatever became of it
  uint64_t made = 0;          // since the start
};

// What comes and goes a second.
struct Rates {
  Rate commands, input, output, peer_input, peer_output;
};

// Copies of what other parts of the node know, as fresh as the shells made them.
struct NodeStatus {
  Service service = Service::kLoading;
  raft::Status raft;
  raft::Configuration committed;  // raft.configuration may be one that is cut away again
  RouterStatus router;
  LogIndex applied;
  std::vector<DatabaseSize> databases;
  uint64_t state_checksum = 0;
  bool skipped_entry = false;  // of the option skip-entry, since the start
  rocks::Keyspace::Usage keyspace;
  uint64_t log_disk_bytes = 0;
  DiskStatus disk;
  uint64_t log_memory_bytes = 0;  // the log's memtables and cached blocks
  uint64_t log_window_bytes = 0;  // entries held in memory
  uint64_t log_window_entries = 0;
  std::map<NodeId, LinkStatus> links;
  SnapshotStatus snapshot;
  WaiterStatus waiters;
  ScriptStatus scripts;
  int64_t tls_certificate_expires_s = 0;  // unix time; 0: there is none
  OnceStatus once;
};

// Messages on their way, gathered so that each connection gets one batch of them.
using Pushes = std::map<ConnectionId, std::vector<Push>>;

struct NodeContext {
  NodeContext(config::Options& options_in,
              config::ClientMetrics& metrics_in,
              const config::RaftMetrics& raft_metrics_in)
      : options(options_in), metrics(metrics_in), raft_metrics(raft_metrics_in) {}

  config::Options& options;  // CONFIG SET changes it
  config::ClientMetrics& metrics;
  const config::RaftMetrics& raft_metrics;

  std::string run_id;  // 40 hex digits, new at every start
  int64_t process_id = 0;
  std::string executable;       // absolute path
  int64_t started_wall_ms = 0;  // since the epoch

  NodeStatus status;
  SaveStatus save;
  Rates rates;
  std::string io_engine = "epoll";  // how clients' sockets are read
  std::string io_engine_reason;     // why
  uint64_t startup_bytes = 0;       // memory_report.hpp
  uint64_t peak_bytes = 0;

  // What clients had executed; the executor tells it, too.
  Measures measures{options,
                    {.wall_us = [this] { return wall_microseconds(); },
                     .client = [this](ConnectionId id) { return client_of(id); },
                     .error_counted = [this] { ++metrics.error_replies; }}};

  BatchTrace trace;  // RAFT.TRACE

  LeaderAdvice advice;  // about every 100 ms
  ServingWaits serving_waits;
  ReplicaWaits replica_waits;
  KnownMatches matches;  // of followers, as long as somebody waits

  // The one applied here: commands that came with later ones are unknown yet.
  uint32_t cluster_version = 1;

  Accounts accounts{options};  // who there is, and may what
  acl::DenialLog denials;      // ACL LOG
  Renames renames;             // rename-command
  // While nobody has to say a password, clients of other machines are strangers (protected-mode).
  bool turns_away(bool from_this_machine) {
    return options.protected_mode && !from_this_machine &&
           accounts.users().default_user()->rights.needs_no_password();
  }

  std::shared_ptr<ReadScripts> read_scripts;  // the executor's; none: EVALSHA asks the state only
  ClientMemory client_memory;
  size_t exchanges = 0;        // of MIGRATE, under way; at most limits::kExchanges
  uint64_t machine_bytes = 0;  // what maxmemory-clients takes percents of

  PubSub pubsub;  // sessions subscribe, and leave it when they end
  PubSub sentinel_pubsub;
  AnnouncedMaster announced;
  MasterNames master_names;
  SentinelEvents sentinel_events;
  Fanout fanout;
  const ReceiverCounter count_receivers = [this](bool sharded, std::string_view channel) {
    return pubsub.receivers(sharded, channel);
  };
  // Once the node was up: what entries behind that tell is delivered. Those before it were told in
  // an earlier life, or while nobody was served.
  bool live = false;
  LogIndex live_after;

  Tracking tracking{options};  // who caches what
  Monitors monitors;           // who said MONITOR
  ClientPause pause;
  Faults faults;

  ClientSessions sessions;

  // A script runs for longer than the option says: commands that would wait for it are refused.
  bool is_busy() const {
    const std::optional<int64_t> run_us = script_us ? script_us() : std::nullopt;
    return run_us && options.busy_reply_threshold > 0 &&
           *run_us > options.busy_reply_threshold * 1000;
  }

  // Entries wait behind scripts: more of those would make them wait for longer. Far below what
  // makes the node busy, for each script by itself may end before that.
  bool refuses_scripts() const {
    constexpr int64_t kShare = 5;
    return behind_scripts_us && options.busy_reply_threshold > 0 &&
           behind_scripts_us() > options.busy_reply_threshold * 1000 / kShare;
  }

  // ---- given by the shell
  std::function<std::optional<int64_t>()> script_us;  // Executor's; none: no script ever runs
  std::function<int64_t()> behind_scripts_us;         // the same
  std::function<int64_t()> wall_microseconds = [] { return int64_t{0}; };  // since the epoch
  std::function<int64_t()> monotonic_ms = [] { return int64_t{0}; };
  std::function<std::string(size_t)> random_bytes = [](size_t bytes) {
    return std::string(bytes, '\0');
  };
  // Before a login is refused: may this node be asked what was acknowledged elsewhere? Each yes is
  // a read of the whole cluster. None: it is refused at once.
  std::function<bool()> may_ask_login;
  std::function<Result<std::string>()> read_acl_file = []() -> Result<std::string> {
    return Error{Errc::kIo, "this node cannot read files"};
  };
  std::function<void(std::string)> trail;  // takes lines of the audit log; none: there is none
  // Of the system, so that no two nodes draw the same.
  std::function<uint64_t()> random_number = [] { return uint64_t{0}; };
  // DEBUG SLEEP: stops the client loop for so long.
  std::function<void(int64_t)> sleep_us = [](int64_t) {};
  std::function<ProcessUsage()> process_usage = read_process_usage;
  std::function<uint64_t()> heap_bytes = read_heap_bytes;
  // Brings `status` up to date as far as the client loop can; called before INFO.
  std::function<void()> refresh_status = [] {};
  // CONFIG SET succeeded: put into force what needs it (log level, maxclients, ...).
  std::function<void()> options_changed = [] {};
  // CONFIG SET of tls options: reads their files, as the options would be; an error changes
  // nothing.
  std::function<Result<void>(const config::Options&)> reload_tls =
      [](const config::Options&) -> Result<void> { return {}; };
  // CONFIG SET of what protects the links to other nodes: reads files, derives keys, as the options
  // would be; an error changes nothing.
  std::function<Result<void>(const config::Options&)> secure_links =
      [](const config::Options&) -> Result<void> { return {}; };
  // The session is killed(): close its socket now. May be called from within another session's
  // receive(); the session must outlive that call.
  std::function<void(ConnectionId)> close_connection = [](ConnectionId) {};
  // `fanout` has work: flush it and carry out its effects, at the end of this turn of the loop.
  std::function<void()> fanout_has_work = [] {};
  // Hands an answer that was not ready at once, or messages, to their connection, if that is still
  // there: behind everything that was handed to it before, answers of the executor too.
  std::function<void(ReplyBatch)> deliver = [](ReplyBatch) {};
  // `replica_waits` has one more: look after it, and ask the leader who has what.
  std::function<void()> replicas_awaited = [] {};
  Admin admin;
  // RAFT.CLUSTER INIT: founds a cluster of this node alone; with a random id if none is given.
  std::function<Result<ClusterId>(std::optional<ClusterId>)> init_cluster =
      [](std::optional<ClusterId>) -> Result<ClusterId> {
    return Error{Errc::kConflict, "Already cluster member"};
  };

  // Adds what this node's subscribers get of it. How often one does.
  size_t publish(const Publication& publication, Pushes& pushes) const;
  // To this node's subscribers. Who unsubscribes before it arrives does not get it any more.
  void deliver_pushes(Pushes pushes) const;
  // Events of this node as a Sentinel, to those who subscribed to them there.
  void publish_sentinel(const std::vector<Publication>& events) const;
  // session_maintenance.cpp: to those who said CLIENT MAINT_NOTIFICATIONS.
  void tell_of_failover(const Push& message) const;
  // This node is about to go: sends each to another one, of those that show its face. How many of
  // them were told now, and who is still here of those that were.
  size_t move_clients(uint64_t sequence,
                      int64_t seconds,
                      const std::function<std::vector<MovingTarget>(Face, bool tls)>& targets_of);
  size_t clients_moving() const;
  void clients_stay() const;  // it does not go after all: who is still here may be told again
  // What entries told, in order, and what changed of cached keys: it joins the replies of the same
  // turn, behind them.
  void publish_outward(std::vector<OutwardEvent> events, std::vector<ReplyBatch>& replies);
  // What `tracking` has to tell.
  void take_notices(Pushes& pushes);
  // To those who said MONITOR.
  void show_command(uint32_t database,
                    std::string_view from,
                    const std::vector<std::string_view>& words) const;
  void show_script_call(const OutwardEvent& event) const;
  void end_pause();
  // About every 100 ms, both.
  void look_after_pause(int64_t now_ms);
  void look_after_caches(const Tracking::Sight& sight, int64_t now_ms);
  Listening listening() {
    return {live,
            live_after,
            !pubsub.empty(),
            pubsub.hears_key_events(),
            &count_receivers,
            tracking.any() ? &tracking : nullptr,
            monitors.any()};
  }
  // The users of the state as applied from now on: sessions belong to what became of theirs.
  void take_users(Accounts::Users users, bool seeded);
  // Something was refused: by a session, or where a client's command was executed.
  void note_denial(const Session& by,
                   acl::Denied denied,
                   acl::Where where,
                   std::string_view object,
                   std::string_view user);
  void note_denial(const acl::Refusal& refusal);

  // Carries out what `fanout` wants done here, and returns the rest of it: messages to peers.
  std::vector<FanoutEffects::Message> take_fanout();

  // commands/wait.cpp: how many other nodes have all up to here on their disks, as far as is known.
  int64_t replicas_with(LogIndex index) const;
  void look_after_replica_waits();

  // Address and name; ?:0, as in Redis, if the connection is gone, or it was none.
  Measures::Client client_of(ConnectionId id) const;
  // About ten times a second.
  void sample_rates(int64_t now_us) {
    rates.commands.sample(metrics.commands_processed, now_us);
    rates.input.sample(metrics.net_input_bytes, now_us);
    rates.output.sample(metrics.net_output_bytes, now_us);
    rates.peer_input.sample(raft_metrics.peer_bytes_received.get(), now_us);
    rates.peer_output.sample(raft_metrics.peer_bytes_sent.get(), now_us);
  }

  // The executor's counters only grow; this adds what is new since the last call.
  void count(const ExecutorCounters& now) {
    metrics.keyspace_hits += now.keyspace_hits - counted_.keyspace_hits;
    metrics.keyspace_misses += now.keyspace_misses - counted_.keyspace_misses;
    metrics.expired_keys += now.expired_keys - counted_.expired_keys;
    metrics.expired_fields += now.expired_fields - counted_.expired_fields;
    counted_ = now;
  }

 private:
  ExecutorCounters counted_;
};

}  // namespace kiwi::resp
