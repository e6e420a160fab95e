// One node of the test cluster: the same objects that Node composes, on CAF's test scheduler.
#include <filesystem>
#include <future>
#include <iterator>

#include "actors/caf_system.hpp"
#include "actors/node/log_cutter.hpp"
#include "config/base/check.hpp"
#include "raft/codec.hpp"
#include "raft/core.hpp"
#include "tests/actors/cluster_state.hpp"

namespace kiwi::actors::test {

namespace {

NodeId id_of(size_t i) { return NodeId{i + 1}; }

Incarnation incarnation_of(size_t i) {
  Incarnation incarnation;
  incarnation.bytes.fill(static_cast<uint8_t>(i + 1));
  return incarnation;
}

// A keyspace in files that does its slow work at once, on the caller's thread, so that a run is the
// same every time.
class InlineKeyspace final : public rocks::Keyspace {
 public:
  InlineKeyspace(std::unique_ptr<rocks::Keyspace> inner, bool copies)
      : inner_(std::move(inner)), copies_(copies) {}

  std::optional<std::string_view> get(rocks::Family family, const rocks::LookupKey& key) override {
    return inner_->get(family, key);
  }
  std::unique_ptr<rocks::Cursor> cursor(rocks::Family family,
                                        std::string_view from,
                                        std::string_view to) override {
    return inner_->cursor(family, from, to);
  }
  std::unique_ptr<rocks::ReverseCursor> reverse_cursor(rocks::Family family,
                                                       std::string_view from,
                                                       std::string_view to) override {
    return inner_->reverse_cursor(family, from, to);
  }
  void put(rocks::Family family, const rocks::LookupKey& key, std::string_view value) override {
    inner_->put(family, key, value);
  }
  std::string_view put_joined(rocks::Family family,
                              const rocks::LookupKey& key,
                              std::string_view head,
                              std::string_view tail) override {
    return inner_->put_joined(family, key, head, tail);
  }
  void erase(rocks::Family family, const rocks::LookupKey& key) override {
    inner_->erase(family, key);
  }
  void erase_range(rocks::Family family, std::string_view from, std::string_view to) override {
    inner_->erase_range(family, from, to);
  }
  uint64_t hash(std::string_view key) const override { return inner_->hash(key); }
  void expect_reads(rocks::Family family, std::span<const rocks::LookupKey> keys) override {
    inner_->expect_reads(family, keys);
  }
  void spill(std::span<const Record> records) override { inner_->spill(records); }
  void drop_spilled(rocks::Family family, std::string_view from, std::string_view to) override {
    inner_->drop_spilled(family, from, to);
  }
  void mark() override { inner_->mark(); }
  void undo() override { inner_->undo(); }
  void keep() override { inner_->keep(); }
  void commit(LogIndex applied) override { inner_->commit(applied); }
  void give_up() override { inner_->give_up(); }
  size_t pending_bytes() const override { return inner_->pending_bytes(); }
  LogIndex flushed_index() override { return inner_->flushed_index(); }
  void flush() override { inner_->flush(); }
  void flush_async(std::function<void(LogIndex)> done) override {
    inner_->flush();
    done(inner_->flushed_index());
  }
  void checkpoint(std::string directory, std::function<void(Result<LogIndex>)> done) override {
    if (!copies_ && directory.find("/own-copy") != std::string::npos) {
      done(Error{Errc::kIo, "no copies in this test"});
      return;
    }
    std::promise<Result<LogIndex>> made;
    inner_->checkpoint(std::move(directory),
                       [&](Result<LogIndex> result) { made.set_value(std::move(result)); });
    done(made.get_future().get());
  }
  void compact() override { inner_->compact(); }
  std::unique_ptr<rocks::Reader> view() override { return inner_->view(); }
  void view_async(std::function<void(std::unique_ptr<rocks::Reader>)> done) override {
    done(inner_->view());
  }
  uint32_t view_cost() override { return 0; }
  uint32_t pressure() override { return 0; }
  void when_room(std::function<void()> done) override { done(); }
  bool tidy() override { return inner_->tidy(); }
  uint64_t owed_bytes() override { return inner_->owed_bytes(); }
  Usage usage() override { return inner_->usage(); }

 private:
  std::unique_ptr<rocks::Keyspace> inner_;
  bool copies_;
};

}  // namespace

Result<std::shared_ptr<OpenedState>> Cluster::State::open_state(size_t i,
                                                                const Group& group,
                                                                const std::string& name) const {
  auto state = std::make_shared<OpenedState>();
  state->name = name;
  if (options.snapshots) {
    rocks::KeyspaceOptions keyspace;
    keyspace.path = directory(i, group.id) + "/" + name;
    keyspace.block_cache_bytes = 1 << 20;
    keyspace.write_buffer_bytes = 1 << 20;
    auto opened = rocks::open_plain_keyspace(keyspace);
    if (!opened) {
      return opened.error();
    }
    state->keyspace = std::make_unique<InlineKeyspace>(std::move(*opened), options.deltas);
  } else {
    state->keyspace = std::make_unique<rocks::MemoryKeyspace>();
  }
  const raft::Identity identity = *group.log.identity();
  resp::ExecutorOptions executor;
  executor.group = group.id;
  executor.node = identity.node;
  executor.incarnation = identity.incarnation;
  executor.epoch = identity.boot_epoch;
  state->executor = std::make_unique<resp::Executor>(*state->keyspace, executor);
  return state;
}

// As Storage does it at start.
void Cluster::State::remove_leftovers(size_t i, const Group& group) const {
  if (!options.snapshots) {
    return;
  }
  std::filesystem::create_directories(directory(i, group.id));
  const std::string live = *group.log.live_state();
  std::vector<std::filesystem::path> going;
  for (const auto& item : std::filesystem::directory_iterator(directory(i, group.id))) {
    const std::string name = item.path().filename().string();
    if (name != live && name != "incoming") {
      going.push_back(item.path());
    }
  }
  for (const std::filesystem::path& path : going) {
    std::filesystem::remove_all(path);
  }
}

void Cluster::State::start_snapshots(size_t i, Group& group) {
  SnapshotWorkerOptions worker;
  worker.dir = directory(i, group.id);
  worker.live_state = group.state->name;
  worker.self = incarnation_of(i);
  worker.group = group.id;
  worker.seed = prng.next();
  worker.bytes_per_second = options.snapshot_bytes_per_second;
  worker.state_machine = group.state_machine;
  worker.replica = nodes[i]->replica;
  worker.now_ms = [this] { return now_ms; };
  worker.open_state = [this, i, &group](const std::string& name) {
    return open_state(i, group, name);
  };
  worker.board = &group.board;
  worker.sender.chunk_bytes = options.snapshot_chunk_bytes;
  worker.sender.window_bytes = 8 * options.snapshot_chunk_bytes;
  worker.life = ++group.snapshot_lives;
  worker.died = [&group](const std::string&) {
    group.snapshots = nullptr;  // the next timer starts another one
    group.board.set(group.board.get().counters());
    ++group.snapshot_deaths;
  };
  group.snapshots = spawn_snapshot_worker(*system, hosting(i), std::move(worker));
  const SnapshotWorkerStarted started{group.snapshots, group.id};
  caf::anon_send(group.state_machine, started);
  caf::anon_send(group.log_store, started);
  caf::anon_send(nodes[i]->replica, started);
}

// A replica that gives a link up gets a new one.
void Cluster::State::listen_to_links(size_t i) {
  for (size_t other = 0; other < nodes.size(); ++other) {
    if (other == i) {
      continue;
    }
    const std::pair<size_t, size_t> pair = std::minmax(i, other);
    LinkHandle listener = system->spawn([this, pair]() -> LinkHandle::behavior_type {
      return {[this, pair](const LinkState& state) {
                if (!state.up && tokens[pair] == state.token) {
                  given_up.insert(pair);
                }
              },
              [](timer_atom) {}, [](stop_atom) {}};
    });
    caf::anon_send(nodes[i]->replica, LinkRegistered{NodeId{other + 1}, listener});
    nodes[i]->listeners.push_back(std::move(listener));
  }
}

void Cluster::State::prepare_logs() {
  raft::Configuration first;
  first.cluster.bytes.fill(7);
  for (size_t i = 0; i < logs.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    first.members.push_back({id_of(i), incarnation_of(i), "client:" + number, "peer:" + number});
    first.voters.push_back(id_of(i));
  }
  for (size_t i = 0; i < logs.size(); ++i) {
    for (size_t g = 0; g < options.groups; ++g) {
      auto log = std::make_unique<kiwi::test::MemoryLog>();
      raft::PersistRequest request;
      request.entries = {raft::bootstrap_entry(first, now_ms)};
      request.hard_state = raft::HardState{request.entries[0].term, NodeId{}};
      CHECK_INVARIANT(log->persist(request).has_value());
      raft::Identity identity;
      identity.node = id_of(i);
      identity.incarnation = incarnation_of(i);
      identity.cluster = first.cluster;
      CHECK_INVARIANT(log->set_identity(identity).has_value());
      logs[i].push_back(std::move(log));
    }
  }
}

void Cluster::State::start_node(size_t i) {
  CHECK_INVARIANT(nodes[i] == nullptr);
  nodes[i] = std::make_unique<Node>();
  Node& node = *nodes[i];
  node.context = std::make_unique<resp::NodeContext>(node.options, node.metrics, node.raft_metrics);
  node.context->monotonic_ms = [this] { return now_ms; };
  node.context->wall_microseconds = [this] { return now_ms * 1000; };
  start_fanout(i);
  for (size_t g = 0; g < options.groups; ++g) {
    node.groups.push_back(std::make_unique<Group>(GroupId{g + 1}, *logs[i][g]));
    start_group(i, *node.groups.back());
  }
  start_host(i);
  listen_to_links(i);
  if (options.snapshots) {
    for (const auto& group : node.groups) {
      start_snapshots(i, *group);
    }
  }
}

// Publish/subscribe, as Node wires it.
void Cluster::State::start_fanout(size_t i) {
  Node& node = *nodes[i];
  node.context->close_connection = [&node](resp::ConnectionId id) {
    if (const auto found = node.connections.find(id); found != node.connections.end()) {
      caf::anon_send(found->second, work_atom_v);
    }
  };
  node.context->deliver = [&node](resp::ReplyBatch batch) {
    if (const auto found = node.connections.find(batch.connection);
        found != node.connections.end()) {
      caf::anon_send(found->second, std::move(batch));
    }
  };
  FanoutShellOptions fanout;
  fanout.context = node.context.get();
  fanout.now_ms = [this] { return now_ms; };
  fanout.at_end_of_turn = [this, i](std::function<void()> work) {
    elsewhere.push_back({i, std::move(work)});
  };
  fanout.replica = [&node] { return node.replica; };
  node.fanout = std::make_unique<FanoutShell>(std::move(fanout));
}

// As Node does, of its first group.
void Cluster::State::look_after_caches(Node& node) const {
  const Group& group = *node.groups[0];
  resp::Tracking::Sight sight;
  sight.serves = group.service == resp::Service::kUp;
  sight.knows_leader = static_cast<bool>(group.status.leader);
  sight.commit = group.status.commit;
  sight.applied = group.state->executor->applied();
  sight.election_timeout_ms = node.options.raft_election_timeout;
  sight.rests = group.state->executor->rests();
  node.context->look_after_caches(sight, now_ms);
  group.router->set_follows_commits(node.context->tracking.any());
}

void Cluster::State::start_group(size_t i, Group& group) {
  raft::Identity identity = *group.log.identity();
  ++identity.boot_epoch;
  CHECK_INVARIANT(group.log.set_identity(identity).has_value());
  remove_leftovers(i, group);
  auto opened = open_state(i, group, *group.log.live_state());
  CHECK_INVARIANT(opened.has_value());
  group.state = std::move(*opened);
  resp::RouterOptions router;
  router.group = group.id;
  router.node = identity.node;
  router.incarnation = identity.incarnation;
  router.epoch = identity.boot_epoch;
  group.router = std::make_unique<resp::Router>(router);
  spawn_actors(i, group);
}

void Cluster::State::spawn_actors(size_t i, Group& group) {
  const Hosting hosting = this->hosting(i);
  const auto clock = [this] { return now_ms; };
  StateMachineOptions applying;
  applying.executor = group.state->executor.get();
  applying.keyspace = group.state->keyspace.get();
  applying.now_ms = clock;
  applying.listening = [&context = *nodes[i]->context] { return context.listening(); };
  applying.outward = [&context = *nodes[i]->context](std::vector<resp::OutwardEvent> events,
                                                     std::vector<resp::ReplyBatch>& replies) {
    context.publish_outward(std::move(events), replies);
  };
  applying.adopt = [&group,
                    &tracking = nodes[i]->context->tracking](std::shared_ptr<OpenedState> fresh) {
    tracking.flushed();
    return std::exchange(group.state, std::move(fresh));
  };
  group.state_machine = spawn_state_machine(*system, hosting, std::move(applying));
  CommandRouterOptions routing;
  routing.router = group.router.get();
  routing.gate = &group.gate;
  routing.state_machine = group.state_machine;
  routing.now_ms = clock;
  FanoutShell& fanout = *nodes[i]->fanout;
  routing.observe_raft = [&group, &fanout](const RaftReport& report) {
    if (report.status) {
      group.status = *report.status;
    }
    fanout.observe(report.fanout);
  };
  routing.observe_service = [&group, &fanout](resp::Service service) {
    group.service = service;
    if (service == resp::Service::kUp) {
      fanout.is_up(group.status.commit);
    }
  };
  group.router_actor = spawn_command_router(*system, hosting, std::move(routing));
  caf::anon_send(group.state_machine, RouterStarted{group.router_actor});
  LogStoreOptions log_options;
  log_options.storage = &group.log;
  log_options.metrics = &nodes[i]->raft_metrics;
  log_options.elsewhere = [this, i](std::function<void()> job) {
    elsewhere.push_back({i, std::move(job)});
  };
  log_options.long_write_bytes = 4000;
  group.log_store = spawn_log_store(*system, hosting, std::move(log_options));
}

Hosting Cluster::State::hosting(size_t i) {
  Hosting hosting;
  hosting.fail_stop = [&node = *nodes[i]](std::string_view why) {
    if (!node.ending && node.failure.empty()) {
      node.failure = why;
    }
  };
  return hosting;
}

RaftReplicaOptions Cluster::State::replica_options(Group& group) {
  const raft::Identity identity = *group.log.identity();
  RaftReplicaOptions replica;
  replica.core.group = group.id;
  if (options.snapshots) {
    replica.core.window_bytes = 4096;  // the rest is read from the log, as long as it is there
  }
  replica.core.id = identity.node;
  replica.core.incarnation = identity.incarnation;
  replica.core.seed = prng.next();
  replica.start.log = *group.log.load();
  replica.start.applied = group.state->executor->applied();
  replica.start.applied_stamp_ms = group.state->executor->applied_stamp_ms();
  replica.start.sessions = group.state->executor->session_rows();
  group.gate.applied(replica.start.applied);
  const LogIndex last = replica.start.log.last_index;
  for (LogIndex at = replica.start.log.first_index; at <= last;) {
    std::vector<raft::Entry> part = *group.log.read(at, last, 1 << 20);
    at = part.back().index + 1;
    std::ranges::move(part, std::back_inserter(replica.start.tail));
  }
  replica.router = group.router_actor;
  replica.state_machine = group.state_machine;
  replica.log_store = group.log_store;
  return replica;
}

void Cluster::State::start_host(size_t i) {
  Node& node = *nodes[i];
  const auto clock = [this] { return now_ms; };
  ReplicaHostOptions host;
  host.clocks = {clock, clock};
  std::vector<LogIndex> hints;
  for (const auto& group : node.groups) {
    host.groups.push_back(replica_options(*group));
    host.groups.back().metrics = &node.raft_metrics;
    hints.push_back(host.groups.back().start.log.commit);
  }
  node.replica = spawn_replica_host(*system, hosting(i), std::move(host));
  for (size_t g = 0; g < node.groups.size(); ++g) {
    const Group& group = *node.groups[g];
    const ReplicaStarted started{node.replica, hints[g], {}, group.id};
    caf::anon_send(group.log_store, started);
    caf::anon_send(group.state_machine, started);
    caf::anon_send(group.router_actor, started);
  }
}

void Cluster::State::end_node(size_t i) {
  Node& node = *nodes[i];
  node.ending = true;
  for (size_t other = 0; other < nodes.size(); ++other) {
    if (other != i) {
      unjoin(i, other);
    }
  }
  for (const Part p :
       {Part::kRouter, Part::kStateMachine, Part::kReplica, Part::kLogStore, Part::kSnapshots}) {
    stalled.erase(dynamic_cast<caf::resumable*>(part(i, p)));
  }
  const auto exit = [](const auto& handle) { caf::anon_send_exit(handle, caf::exit_reason::kill); };
  for (const auto& [id, connection] : node.connections) {
    exit(connection);
  }
  for (const auto& group : node.groups) {
    exit(group->router_actor);
    exit(group->state_machine);
    exit(group->log_store);
    if (group->snapshots) {
      exit(group->snapshots);
    }
  }
  exit(node.replica);
  for (const LinkHandle& listener : node.listeners) {
    exit(listener);
  }
  while (run_one_job()) {
  }
  std::erase_if(elsewhere, [i](const Elsewhere& e) { return e.node == i; });
  failures[i] = node.failure;
  nodes[i].reset();
  for (const auto& log : logs[i]) {
    log->crash();
  }
}

void Cluster::cut_log(size_t node,
                      uint64_t keep_entries,
                      uint64_t keep_for_laggards,
                      size_t group) {
  auto cutter = std::make_shared<LogCutter>();
  cutter->cut_now(LogCutter::Cut::kUsual, state_->now_ms);
  for (const LogCutterEffects::Flush& asked : cutter->take_effects().flushes) {
    FlushState flush;
    flush.done = [this, cutter, replica = state_->nodes[node]->replica, asked = asked.id,
                  id = state_->group(node, group).id, keep_entries,
                  keep_for_laggards](LogIndex flushed, Term term) {
      constexpr uint64_t kNoMatter = uint64_t{1} << 60;
      LogNow log;
      log.limits = {1, keep_entries, kNoMatter, keep_for_laggards};
      log.size.entry_bytes = 1;
      cutter->flushed(asked, flushed, term, log, state_->now_ms);
      for (CompactLog& cut : cutter->take_effects().cuts) {
        cut.group = id;
        caf::anon_send(replica, cut);
      }
    };
    caf::anon_send(state_->group(node, group).state_machine, std::move(flush));
  }
}

}  // namespace kiwi::actors::test
