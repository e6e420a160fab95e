#include "actors/node/node.hpp"

#include <chrono>
#include <ctime>
#include <thread>
#include <unistd.h>
#include <utility>

#include "actors/caf_system.hpp"
#include "actors/client_loop.hpp"
#include "actors/clients/command_router.hpp"
#include "actors/clients/engine_choice.hpp"
#include "actors/clients/exchange.hpp"
#include "actors/clients/tcp_server.hpp"
#include "actors/listeners.hpp"
#include "actors/node/config_file.hpp"
#include "actors/node/node_state.hpp"
#include "actors/node/signals.hpp"
#include "actors/node/storage.hpp"
#include "actors/opened_state.hpp"
#include "actors/peers/peer_auth.hpp"
#include "actors/raft_loop.hpp"
#include "actors/replica/log_store.hpp"
#include "actors/state/state_machine.hpp"
#include "config/base/cycle_clock.hpp"
#include "config/base/job_thread.hpp"
#include "config/base/log.hpp"
#include "resp/memory_report.hpp"
#include "resp/router.hpp"
#include "rocks/hash_seed.hpp"

namespace kiwi::actors {

namespace {

constexpr uint64_t kClientRounds = 10;  // sessions are looked at once a second

resp::RouterOptions router_options(const config::Options& o, const raft::Identity& identity) {
  resp::RouterOptions options;
  options.node = identity.node;
  options.incarnation = identity.incarnation;
  options.epoch = identity.boot_epoch;
  options.response_timeout_ms = o.raft_response_timeout;
  options.election_timeout_ms = o.raft_election_timeout;
  options.follower_proxy = o.raft_follower_proxy;
  options.group_commit_us = o.raft_gather_microseconds;
  options.read_gather_us = o.raft_read_gather_microseconds;
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
  const Signals signals(
      *s.parts.client_loop, [&s] { s.departure.begin("a signal to stop"); },
      [&s] { s.reread_files(); });
  s.parts.client_loop->run();
  return 0;
}

// SIGHUP: certificates may have been replaced. New connections and links use them.
void Node::State::reread_files() {
  parts.server->reload_at_hangup();
  if (Result<void> secured = peers.secure(parts.options); !secured) {
    log_warning("SIGHUP: links between nodes go on as before: " + secured.error().text);
  }
}

// ---------------------------------------------------------------- construction

FanoutShellOptions Node::State::fanout_options() {
  return {&parts.context, ClientLoop::monotonic_ms,
          [this](std::function<void()> work) { parts.client_loop->post(std::move(work)); },
          [this] { return parts.replica; },
          [this](size_t batches) { parts.raft_metrics.pubsub_dropped.add(batches); }};
}

Result<void> Node::State::open() {
  const config::Options& options = parts.options;
  if (Result<void> guarded = check_public_ports(options); !guarded) {
    return guarded;
  }
  tell_manager();
  http.start();
  if (Result<void> named = users.open(); !named) {
    return named;
  }
  // Said first: a long log takes a while to read.
  log_notice("node " + std::to_string(options.node_id().value) + " opens its data in " +
             options.dir);
  parts.context.measures.set_clock(CycleClock::calibrated());
  Result<std::unique_ptr<Storage>> opened = Storage::open(
      options, &parts.context.measures,
      [this](const resp::acl::Refusal& refusal) { parts.context.note_denial(refusal); });
  if (!opened) {
    return opened.error();
  }
  parts.storage = std::move(*opened);
  const raft::Identity& identity = parts.storage->identity();
  parts.facts.boot_epoch = identity.boot_epoch;
  parts.own = {{identity.node, identity.incarnation, options.client_address().text(),
                options.peer_address().text()},
               identity.cluster,
               identity.boot_epoch,
               parts.storage->marks(),
               {}};
  parts.router = std::make_unique<resp::Router>(router_options(options, identity));
  versions.settings_applied();
  users.users_applied();
  open_loops();
  spawn_state_machine_and_router();
  spawn_log();
  Result<EngineChoice> engine = choose_engine(*parts.client_loop, options.io_engine);
  if (!engine) {
    return engine.error();
  }
  log_notice("clients' sockets: " + engine->name + " (" + engine->reason + ")");
  parts.context.io_engine = engine->name;
  parts.context.io_engine_reason = engine->reason;
  parts.server = std::make_unique<TcpServer>(
      *parts.system, *parts.client_loop,
      TcpServerOptions{&parts.context, parts.router_actor, parts.state_machine, engine->engine});
  fill_context();
  if (Result<void> listening = parts.server->listen(); !listening) {
    return listening;
  }
  if (Result<void> listening = peers.open_port(); !listening) {
    return listening;
  }
  resp::note_startup_memory(parts.context);
  parts.server->start();
  log_notice("node " + std::to_string(identity.node.value) + " listens on port " +
             std::to_string(options.main_port()) + ", start number " +
             std::to_string(identity.boot_epoch) + " of this directory");
  founding.begin();
  peers.ensure_links();
  http.opened();
  tell_manager();
  return {};
}

void Node::State::open_loops() {
  parts.system_config = make_system_config(
      std::max<int64_t>(3000, 5 * static_cast<int64_t>(parts.options.raft_election_timeout)));
  parts.system = std::make_unique<caf::actor_system>(*parts.system_config);
  parts.raft_loop = std::make_unique<RaftLoop>(*parts.system);
  parts.client_loop = std::make_unique<ClientLoop>(*parts.system);
  parts.worker = std::make_unique<JobThread>(JobThread::Start::kNow, JobThread::End::kJobAtHand);
  parts.config_writer =
      std::make_unique<JobThread>(JobThread::Start::kWithFirstJob, JobThread::End::kJobAtHand);
  // One timer for all that is periodic on this loop: an idle node should hardly wake.
  parts.client_loop->every(kTimerMs, [this] {
    timer();
    return true;
  });
}

void Node::State::spawn_state_machine_and_router() {
  StateMachineOptions applying;
  applying.executor = &parts.storage->executor();
  applying.now_ms = ClientLoop::monotonic_ms;
  applying.now_us = ClientLoop::monotonic_us;
  applying.keyspace = &parts.storage->keyspace();
  applying.compare_every_us = parts.options.raft_compare_interval * 1000;
  applying.adopt = [this](std::shared_ptr<OpenedState> fresh) {
    parts.context.tracking.flushed();  // the snapshot stands for entries that told nothing
    return parts.storage->adopt(std::move(fresh));
  };
  applying.listening = [this] { return parts.context.listening(); };
  applying.outward = [this](std::vector<resp::OutwardEvent> events,
                            std::vector<resp::ReplyBatch>& replies) {
    parts.context.publish_outward(std::move(events), replies);
  };
  applying.latency = &parts.context.measures.latency();
  applying.settings_changed = [this] { versions.settings_applied(); };
  applying.trace = &parts.context.trace;
  applying.users_changed = [this] { users.users_applied(); };
  applying.before_answers = [this] {
    if (parts.server) {
      parts.server->look_at_sockets();
    }
  };
  parts.state_machine =
      spawn_state_machine(*parts.system, parts.client_loop->polite_hosting(), std::move(applying));
  CommandRouterOptions routing;
  routing.router = parts.router.get();
  routing.gate = &parts.gate;
  routing.state_machine = parts.state_machine;
  routing.now_ms = ClientLoop::monotonic_ms;
  routing.commit = &parts.metrics.commit;
  routing.now_us = ClientLoop::monotonic_us;
  routing.trace = &parts.context.trace;
  routing.epoch = parts.facts.boot_epoch;
  routing.after_us = [this](size_t alarm, int64_t wait, std::function<void()> work) {
    parts.client_loop->after_us(alarm, wait, std::move(work));
  };
  routing.turned = [this](const resp::Flight& flight) {
    return parts.server && parts.server->router_turned(flight);
  };
  routing.tls_client_address = [this](NodeId node) {
    const auto& links = parts.context.status.links;
    const auto found = links.find(node);
    return found == links.end() ? std::string() : found->second.tls_client_address;
  };
  routing.observe_raft = [this](const RaftReport& report) { observe(report); };
  routing.cluster_address = [this](const raft::Member& member) {
    return faces.cluster_address(member);
  };
  routing.observe_service = [this](resp::Service service) {
    parts.context.status.service = service;
    faces.look_after_serving_waits();
    if (service == resp::Service::kUp) {
      fanout.is_up(parts.facts.raft.commit);
    }
  };
  parts.router_actor =
      spawn_command_router(*parts.system, parts.client_loop->hosting(), std::move(routing));
  caf::anon_send(parts.state_machine, RouterStarted{parts.router_actor});
}

void Node::State::spawn_log() {
  LogStoreOptions options;
  options.storage = &parts.storage->log();
  options.metrics = &parts.raft_metrics;
  options.room = &parts.log_room;
  options.slowest_us = &parts.slowest_sync_us;
  options.on_disk = &parts.pulse.raft_on_disk;
  options.elsewhere = [this](std::function<void()> job) { parts.worker->post(std::move(job)); };
  parts.log_store = spawn_log_store(*parts.system, parts.raft_loop->hosting(), std::move(options));
}

void Node::State::fill_context() {
  resp::NodeContext& context = parts.context;
  context.run_id = hex_of_random(20);
  context.process_id = ::getpid();
  context.machine_bytes = resp::machine_memory_bytes();
  context.executable = own_path();
  context.started_wall_ms = ClientLoop::wall_ms();
  context.status.service = resp::Service::kUninitialized;
  context.status.raft.id = parts.facts.self;
  context.read_scripts = parts.storage->read_scripts();
  context.script_us = [this] { return parts.storage->executor().script_us(); };
  context.behind_scripts_us = [this] { return parts.storage->executor().behind_scripts_us(); };
  context.random_number = rocks::random_seed;
  context.wall_microseconds = [] {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  };
  context.monotonic_ms = ClientLoop::monotonic_ms;
  context.sleep_us = [](int64_t us) { std::this_thread::sleep_for(std::chrono::microseconds(us)); };
  context.refresh_status = [this] { refresh_status(); };
  context.options_changed = [this] {
    log_set_level(parts.options.loglevel);
    users.options_changed();
    faces.options_changed();
  };
  context.reload_tls = [this](const config::Options& options) {
    return parts.server->reload_tls(options);
  };
  context.secure_links = [this](const config::Options& options) { return peers.secure(options); };
  context.close_connection = [this](resp::ConnectionId id) { parts.server->close(id); };
  context.deliver = [this](resp::ReplyBatch batch) { parts.server->deliver(std::move(batch)); };
  context.init_cluster = [this](std::optional<ClusterId> cluster) {
    return founding.init(cluster);
  };
  context.admin.exchange = [this](resp::Exchange what, resp::ExchangeDone done) {
    return exchange(*parts.client_loop, std::move(what), std::move(done));
  };
  context.admin.rewrite_config = [this](resp::AdminDone done) { rewrite_config(std::move(done)); };
  orders.fill(context.admin);
  joining.fill(context.admin);
  snapshots.fill(context.admin);
  departure.fill(context.admin);
  faces.fill(context);
  parts.removed_for_good = [this] { departure.leave_cluster(); };
  versions.fill(context.admin);
  users.fill();
}

// ---------------------------------------------------------------- while it runs

void Node::State::timer() {
  caf::anon_send(parts.router_actor, timer_atom_v);
  caf::anon_send(parts.state_machine, timer_atom_v);
  founding.timer();
  peers.timer();
  versions.timer();
  users.timer();
  snapshots.timer();
  orders.timer();
  joining.timer();
  load.timer();
  faces.timer();
  departure.timer();
  fanout.tick();
  http.timer();
  tell_manager();
  look_after_caches();
  look_at_latency();
  parts.context.look_after_pause(ClientLoop::monotonic_ms());
  parts.context.sample_rates(ClientLoop::monotonic_us());
  if (++parts.timer_rounds % kClientRounds == 0) {
    resp::note_peak_memory(parts.context);
    parts.server->tick();
  }
}

void Node::State::rewrite_config(resp::AdminDone done) {
  parts.config_writer->post([this, options = parts.options, done = std::move(done)] {
    const Result<void> written = rewrite_config_file(options);
    parts.client_loop->post([written, done] {
      if (written) {
        log_notice("CONFIG REWRITE executed with success.");
        return done({});
      }
      log_warning("CONFIG REWRITE failed: " + written.error().text);
      done(refused("ERR Rewriting config file: " + written.error().text));
    });
  });
}

// Clients that cache keys hear of a change only as long as this node does.
void Node::State::look_after_caches() {
  resp::NodeContext& context = parts.context;
  const raft::Status& raft = parts.facts.raft;
  resp::Tracking::Sight sight;
  sight.serves = context.status.service == resp::Service::kUp;
  sight.knows_leader = static_cast<bool>(raft.leader);
  sight.commit = raft.commit;
  sight.applied = parts.storage->executor().applied();
  sight.election_timeout_ms = parts.options.raft_election_timeout;
  sight.rests = parts.storage->executor().rests();
  context.look_after_caches(sight, ClientLoop::monotonic_ms());
  parts.router->set_follows_commits(context.tracking.any());
}

void Node::State::look_at_latency() {
  const resp::RouterDelays slowest = parts.router->take_slowest();
  LatencyWatch::Seen seen;
  seen.now_ms = ClientLoop::monotonic_ms();
  seen.commit_ms = slowest.commit_ms;
  seen.read_round_ms = slowest.read_round_ms;
  seen.log_sync_us = parts.slowest_sync_us.exchange(0, std::memory_order_relaxed);
  // The files' figures cost more than the rest.
  const bool asks = parts.timer_rounds % kClientRounds == 0 &&
                    parts.context.measures.latency().on() && !parts.storage->executor().rests();
  rocks::StateStore::Usage state;
  if (asks) {
    state = parts.storage->keyspace().usage();
    seen.state = &state;
  }
  latency.look(seen);
}

}  // namespace kiwi::actors
