#include "actors/node/node.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "actors/caf_system.hpp"
#include "actors/clients/command_router.hpp"
#include "actors/listeners.hpp"
#include "actors/node/node_state.hpp"
#include "actors/peers/peer_auth.hpp"
#include "actors/replica/log_store.hpp"
#include "actors/replica/replica_host.hpp"
#include "actors/state/state_machine.hpp"
#include "config/base/failpoint.hpp"
#include "config/base/log.hpp"
#include "raft/codec.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kTimerMs = 100;
constexpr uint64_t kClientRounds = 10;  // sessions are looked at once a second
constexpr int64_t kWaitingSaidMs = 500;
constexpr uint32_t kTicksPerHeartbeat = 4;

std::string hex_of_random(size_t bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : random_nonce(bytes)) {
    text += kDigits[static_cast<uint8_t>(c) >> 4];
    text += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

std::string own_path() {
  std::array<char, 4096> buffer{};
  const ssize_t size = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
  return size > 0 ? std::string(buffer.data(), static_cast<size_t>(size)) : std::string();
}

std::string describe(const raft::Configuration& configuration) {
  std::string voters;
  std::string learners;
  for (const raft::Member& member : configuration.members) {
    std::string& list = configuration.is_voter(member.id) ? voters : learners;
    list += (list.empty() ? "" : ", ") + std::to_string(member.id.value);
  }
  return "members: voters " + voters + (learners.empty() ? "" : "; learners " + learners);
}

resp::RouterOptions router_options(const config::Options& o, const raft::Identity& identity) {
  resp::RouterOptions options;
  options.node = identity.node;
  options.incarnation = identity.incarnation;
  options.epoch = identity.boot_epoch;
  options.response_timeout_ms = o.raft_response_timeout;
  options.election_timeout_ms = o.raft_election_timeout;
  options.follower_proxy = o.raft_follower_proxy;
  options.company_us = o.raft_gather_microseconds;
  options.read_company_us = o.raft_read_gather_microseconds;
  return options;
}

}  // namespace

Node::Node() = default;
Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::open(const config::Options& options) {
  std::unique_ptr<Node> node(new Node);
  node->state_ = std::make_unique<State>(options);
  if (Result<void> opened = node->state_->open(); !opened) {
    // The actors that run already cannot be unwound before their loops run; the process ends now.
    static_cast<void>(node.release());
    return opened.error();
  }
  return node;
}

int Node::run() {
  State& s = *state_;
  boost::asio::signal_set signals(s.client_loop->io(), SIGTERM, SIGINT);
  signals.async_wait([&s, &signals](const boost::system::error_code& error, int) {
    if (!error) {
      boost::system::error_code ignored;
      signals.clear(ignored);  // the guard takes what comes now
      s.stop("a signal to stop");
    }
  });
  s.client_loop->run();
  return 0;
}

Node::State::State(const config::Options& options_in)
    : options(options_in),
      context(options, metrics, raft_metrics),
      gate(2 * options_in.raft_election_timeout, options_in.raft_response_timeout / 2) {}

Result<void> Node::State::open() {
  if (Result<void> guarded = check_public_ports(options); !guarded) {
    return guarded;
  }
  // Said first: a long log takes a while to read.
  log_notice("node " + std::to_string(options.node_id().value) + " opens its data in " +
             options.dir);
  Result<std::unique_ptr<Storage>> opened = Storage::open(options);
  if (!opened) {
    return opened.error();
  }
  storage = std::move(*opened);
  known_marks = KnownMarks::load(options.dir);
  router = std::make_unique<resp::Router>(router_options(options, storage->identity()));
  system_config = make_system_config(
      std::max<int64_t>(3000, 5 * static_cast<int64_t>(options.raft_election_timeout)));
  system = std::make_unique<caf::actor_system>(*system_config);
  raft_loop = std::make_unique<RaftLoop>(*system);
  client_loop = std::make_unique<ClientLoop>(*system);
  spawn_actors();
  server = std::make_unique<TcpServer>(
      *system, *client_loop, TcpServerOptions{&context, router_actor, state_machine_actor});
  set_up_context();
  if (Result<void> listening = server->listen(); !listening) {
    return listening;
  }
  if (Result<void> listening = open_peer_port(); !listening) {
    return listening;
  }
  server->start();
  const raft::Identity& identity = storage->identity();
  log_notice("node " + std::to_string(identity.node.value) + " listens on port " +
             std::to_string(options.port) + ", start number " +
             std::to_string(identity.boot_epoch) + " of this directory");
  if (identity.cluster.is_set()) {
    start_core();
  } else {
    // Whoever asks to be let in founds nothing.
    bootstrap.emplace(
        self(), options.raft_peers,
        options.raft_join.empty() ? options.raft_bootstrap : config::Bootstrap::kManual);
    remember_acquaintances();
    start_joining();
    decide();
  }
  ensure_links();
  return {};
}

raft::Member Node::State::self() const {
  const raft::Identity& identity = storage->identity();
  return {identity.node, identity.incarnation, options.client_address().text(),
          options.peer_address().text()};
}

void Node::State::spawn_actors() {
  StateMachineOptions applying;
  applying.executor = &storage->executor();
  applying.now_ms = ClientLoop::monotonic_ms;
  applying.now_us = ClientLoop::monotonic_us;
  applying.keyspace = &storage->keyspace();
  applying.adopt = [this](std::shared_ptr<OpenedState> fresh) {
    return storage->adopt(std::move(fresh));
  };
  state_machine_actor =
      spawn_state_machine(*system, client_loop->polite_hosting(), std::move(applying));
  CommandRouterOptions routing;
  routing.router = router.get();
  routing.gate = &gate;
  routing.state_machine = state_machine_actor;
  routing.now_ms = ClientLoop::monotonic_ms;
  routing.after_us = [this](size_t alarm, int64_t wait, std::function<void()> work) {
    client_loop->after_us(alarm, wait, std::move(work));
  };
  routing.expect_company = [this](bool expected) {
    if (server) {
      server->expect_company(expected);
    }
  };
  routing.observe_raft = [this](const RaftReport& report) { observe_raft(report); };
  routing.observe_service = [this](resp::Service service) { context.status.service = service; };
  router_actor = spawn_command_router(*system, client_loop->hosting(), std::move(routing));
  caf::anon_send(state_machine_actor, RouterStarted{router_actor});
  LogStoreOptions log_options;
  log_options.storage = &storage->log();
  log_options.metrics = &raft_metrics;
  log_options.room = &log_room;
  log_worker = std::make_unique<Worker>();
  log_options.elsewhere = [this](std::function<void()> job) { log_worker->post(std::move(job)); };
  log_store_actor = spawn_log_store(*system, raft_loop->hosting(), std::move(log_options));
  // One timer for all that is periodic on this loop: an idle node should hardly wake.
  client_loop->every(kTimerMs, [this] {
    caf::anon_send(router_actor, timer_atom_v);
    caf::anon_send(state_machine_actor, timer_atom_v);
    links_timer();
    snapshot_timer();
    drive_orders();
    joining_timer();
    welcome_timer();
    ask_whether_removed();
    disk_timer();
    pressure_timer();
    marks_timer();
    if (++timer_rounds % kClientRounds == 0) {
      server->tick();
    }
    return true;
  });
}

void Node::State::set_up_context() {
  context.run_id = hex_of_random(20);
  context.process_id = ::getpid();
  context.machine_bytes = resp::machine_memory_bytes();
  context.executable = own_path();
  context.started_wall_ms = ClientLoop::wall_ms();
  context.status.service = resp::Service::kUninitialized;
  context.status.raft.id = options.node_id();
  context.wall_microseconds = [] {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  };
  context.monotonic_ms = ClientLoop::monotonic_ms;
  context.refresh_status = [this] { refresh_status(); };
  context.options_changed = [this] { log_set_level(options.loglevel); };
  context.close_connection = [this](resp::ConnectionId id) { server->close(id); };
  context.deliver = [this](resp::ReplyBatch batch) { server->deliver(std::move(batch)); };
  context.init_cluster = [this](std::optional<ClusterId> cluster) { return init_cluster(cluster); };
  set_up_admin();
}

void Node::State::refresh_status() {
  resp::NodeStatus& status = context.status;
  status.raft = raft_status;
  status.router = router->status();
  status.applied = storage->executor().applied();
  status.databases = storage->executor().database_sizes();
  status.skipped_entry = storage->executor().skipped_entry();
  status.state_checksum = storage->executor().state_checksum();
  status.keyspace = storage->keyspace().usage();
  status.log_disk_bytes = storage->log_disk_bytes();
  status.disk.log_waits = storage->log_stats().waits_for_room;
  status.log_window_bytes = raft_status.window_bytes;
  status.log_window_entries = raft_status.window_entries;
  context.count(storage->executor().counters());
  refresh_snapshot_status();
  metrics.resends = status.router.resends;
  metrics.timeouts = status.router.timeouts;
  metrics.proxied_batches = status.router.proxied;
  metrics.proposals = status.router.proposals;
  metrics.proposed_commands = status.router.proposed_commands;
  metrics.cluster_down_replies = status.router.cluster_down;
  metrics.read_rounds = status.router.read_rounds;
}

void Node::State::observe_raft(const RaftReport& report) {
  if (report.status) {
    raft_status = *report.status;
  }
  for (const PeerNote& note : report.notes) {
    take_note(note);
  }
  for (const raft::Event& event : report.events) {
    if (const auto* leader = std::get_if<raft::LeaderChanged>(&event)) {
      if (leader->leader) {
        log_notice("term " + std::to_string(leader->term.value) + ": node " +
                   std::to_string(leader->leader.value) + " leads" +
                   (leader->ready ? "" : ", not ready yet"));
      } else {
        log_notice("term " + std::to_string(leader->term.value) + ": no leader is known");
      }
    } else if (const auto* changed = std::get_if<raft::ConfigurationChanged>(&event)) {
      configuration = changed->configuration;
      ensure_links();
      if (changed->committed) {
        failpoint("configuration-committed");
        log_notice(describe(configuration));
        configuration_committed(changed->configuration);
      }
    } else if (std::holds_alternative<raft::RemovedFromCluster>(event)) {
      failpoint("removal-noticed");
      log_warning("this node was removed from its cluster; it serves nothing any more");
    } else if (const auto* done = std::get_if<raft::MembershipDone>(&event)) {
      membership_done(*done);
    }
  }
  observe_identity(report);
}

// ---------------------------------------------------------------- becoming a member

void Node::State::decide() {
  if (!bootstrap) {
    return;
  }
  const Bootstrap::Decision decision = bootstrap->decide();
  if (const auto* founding = std::get_if<Bootstrap::Found>(&decision)) {
    found(founding->members);
  } else if (const auto* admitted = std::get_if<Bootstrap::Join>(&decision)) {
    join(*admitted);
  } else {
    gate.waiting_for_cluster(bootstrap->wiped());
    if (bootstrap->wiped()) {
      start_coming_back();
    }
  }
}

// Said when it has been so for a moment: while nodes find each other it changes several times.
void Node::State::say_what_is_waited_for() {
  const std::string waiting = joining && !bootstrap->wiped()
                                  ? "waiting for a member of the cluster to let this node in"
                                  : bootstrap->waiting_for();
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (waiting != waiting_text) {
    waiting_text = waiting;
    waiting_since_ms = now_ms;
    waiting_said = false;
  } else if (!waiting_said && now_ms - waiting_since_ms >= kWaitingSaidMs) {
    waiting_said = true;
    log_notice(waiting);
  }
}

Result<ClusterId> Node::State::init_cluster(std::optional<ClusterId> cluster) {
  if (!bootstrap) {
    return Error{Errc::kConflict, "Already cluster member"};
  }
  if (options.raft_bootstrap != config::Bootstrap::kManual) {
    return Error{Errc::kConflict,
                 "this node waits for the nodes of raft.peers; only raft.bootstrap manual is "
                 "initialized by hand"};
  }
  chosen_cluster = cluster;
  bootstrap->init();
  decide();
  return storage->identity().cluster;
}

void Node::State::found(const std::vector<raft::Member>& members) {
  raft::Configuration first;
  first.cluster = chosen_cluster ? *chosen_cluster : random_id<ClusterId>();
  first.members = members;
  std::ranges::sort(first.members, {}, &raft::Member::id);
  for (const raft::Member& member : first.members) {
    first.voters.push_back(member.id);
  }
  const raft::Entry entry = raft::bootstrap_entry(first, ClientLoop::wall_ms());
  if (Result<void> written = storage->join(first.cluster, entry); !written) {
    fatal("founding the cluster failed: " + written.error().text);
  }
  log_notice("founded cluster " + first.cluster.hex() + " of " + std::to_string(members.size()) +
             " node" + (members.size() == 1 ? "" : "s"));
  start_core();
}

void Node::State::join(const Bootstrap::Join& join) {
  if (Result<void> written = storage->join(join.cluster, join.first_entry); !written) {
    fatal("joining the cluster failed: " + written.error().text);
  }
  failpoint("join-identity");
  log_notice("joined cluster " + join.cluster.hex() +
             (join.first_entry ? " as one of its founders" : " with an empty log"));
  start_core();
}

uint64_t Node::State::random_seed() {
  uint64_t seed = 0;
  for (const char c : random_nonce(sizeof(seed))) {
    seed = seed << 8 | static_cast<uint8_t>(c);
  }
  return seed;
}

raft::CoreOptions Node::State::core_options() const {
  const raft::Identity& identity = storage->identity();
  raft::CoreOptions core;
  core.id = identity.node;
  core.incarnation = identity.incarnation;
  core.seed = random_seed();
  const int64_t tick_ms =
      std::max<int64_t>(1, options.raft_heartbeat_interval / kTicksPerHeartbeat);
  const auto ticks = [&](int64_t ms) {
    return static_cast<uint32_t>((ms + tick_ms - 1) / tick_ms);
  };
  core.heartbeat_ticks = kTicksPerHeartbeat;
  core.election_ticks_min = ticks(options.raft_election_timeout);
  core.election_ticks_max = 2 * core.election_ticks_min;
  core.election_timeout_min_ms = options.raft_election_timeout;
  core.window_bytes = static_cast<uint64_t>(options.raft_log_max_cache_size);
  core.inflight_bytes_max = static_cast<uint64_t>(options.raft_inflight_max_size);
  core.inflight_messages_max = static_cast<uint32_t>(options.raft_append_req_max_count);
  core.message_bytes_max = static_cast<uint64_t>(options.raft_append_req_max_size);
  core.boot_epoch = identity.boot_epoch;
  core.uncommitted_bytes_max = static_cast<uint64_t>(options.raft_uncommitted_max_size);
  core.entry_bytes_max = config::limits::kEntryBytes;
  return core;
}

void Node::State::start_core() {
  bootstrap.reset();
  joining_over({});
  Result<raft::StartState> start = storage->start_state();
  Result<std::string> first = storage->first_entry();
  if (!start || !first) {
    fatal("reading the Raft log failed: " + (start ? first.error().text : start.error().text));
  }
  first_entry = std::move(*first);
  configuration = start->log.snapshot.configuration;
  committed = configuration;
  for (const raft::Entry& entry : start->log.configurations) {
    Result<raft::Configuration> one = raft::decode_configuration(entry.payload.view());
    if (!one) {
      fatal("the log's configuration is unreadable: " + one.error().text);
    }
    configuration = std::move(*one);
    if (entry.index <= start->log.commit) {
      committed = configuration;
    }
  }
  if (configuration.members.empty()) {
    remember_acquaintances();  // let in, and no entry has come yet
  }
  RaftReplicaOptions replica;
  replica.core = core_options();
  replica.router = router_actor;
  replica.state_machine = state_machine_actor;
  replica.log_store = log_store_actor;
  replica.metrics = &raft_metrics;
  const LogIndex commit_hint = std::min(start->log.commit, start->log.last_index);
  const LogIndex log_end = start->log.last_index;
  told_removed =
      std::ranges::find(committed.removed_ids, options.node_id()) != committed.removed_ids.end() &&
      committed.find(options.node_id()) == nullptr;
  gate.set_removed(told_removed);
  gate.applied(start->applied);  // on a quiet cluster nothing else would ever tell
  replica.start = std::move(*start);
  const int64_t tick_ms =
      std::max<int64_t>(1, options.raft_heartbeat_interval / kTicksPerHeartbeat);
  ReplicaHostOptions host;
  host.clocks = {ClientLoop::wall_ms, ClientLoop::monotonic_ms};
  host.groups.push_back(std::move(replica));
  replica_actor = spawn_replica_host(*system, raft_loop->hosting(), std::move(host));
  const ReplicaStarted started{replica_actor, commit_hint, log_end};
  caf::anon_send(log_store_actor, started);
  caf::anon_send(state_machine_actor, started);
  caf::anon_send(router_actor, started);
  start_snapshots();
  raft_loop->every(tick_ms, [actor = replica_actor] { caf::anon_send(actor, timer_atom_v); });
}

}  // namespace kiwi::actors
