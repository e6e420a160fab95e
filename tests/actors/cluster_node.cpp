// One node of the test cluster: the same objects that Node composes, on CAF's test scheduler.
#include <filesystem>
#include <future>

#include "actors/caf_system.hpp"
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

  std::optional<std::string_view> get(rocks::Family family, std::string_view key) override {
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
  void put(rocks::Family family, std::string_view key, std::string_view value) override {
    inner_->put(family, key, value);
  }
  void erase(rocks::Family family, std::string_view key) override { inner_->erase(family, key); }
  void erase_range(rocks::Family family, std::string_view from, std::string_view to) override {
    inner_->erase_range(family, from, to);
  }
  void expect_reads(rocks::Family family, std::span<const std::string> keys) override {
    inner_->expect_reads(family, keys);
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

Result<std::shared_ptr<OpenedState>> Cluster::State::open_state(size_t i, const std::string& name) {
  auto state = std::make_shared<OpenedState>();
  state->name = name;
  if (options.snapshots) {
    rocks::KeyspaceOptions keyspace;
    keyspace.path = directory(i) + "/" + name;
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
  const raft::Identity identity = *logs[i]->identity();
  resp::ExecutorOptions executor;
  executor.node = identity.node;
  executor.incarnation = identity.incarnation;
  executor.epoch = identity.boot_epoch;
  state->executor = std::make_unique<resp::Executor>(*state->keyspace, executor);
  return state;
}

// As Storage does it at start.
void Cluster::State::remove_leftovers(size_t i) const {
  if (!options.snapshots) {
    return;
  }
  std::filesystem::create_directories(directory(i));
  const std::string live = *logs[i]->live_state();
  std::vector<std::filesystem::path> going;
  for (const auto& item : std::filesystem::directory_iterator(directory(i))) {
    const std::string name = item.path().filename().string();
    if (name != live && name != "incoming") {
      going.push_back(item.path());
    }
  }
  for (const std::filesystem::path& path : going) {
    std::filesystem::remove_all(path);
  }
}

void Cluster::State::start_snapshots(size_t i) {
  Node& node = *nodes[i];
  SnapshotWorkerOptions worker;
  worker.dir = directory(i);
  worker.live_state = node.state->name;
  worker.self = incarnation_of(i);
  worker.seed = prng.next();
  worker.bytes_per_second = options.snapshot_bytes_per_second;
  worker.state_machine = node.state_machine;
  worker.replica = node.replica;
  worker.now_ms = [this] { return now_ms; };
  worker.open_state = [this, i](const std::string& name) { return open_state(i, name); };
  worker.board = &node.board;
  worker.sender.chunk_bytes = options.snapshot_chunk_bytes;
  worker.sender.window_bytes = 8 * options.snapshot_chunk_bytes;
  worker.life = ++node.snapshot_lives;
  worker.died = [&node](const std::string&) {
    node.snapshots = nullptr;  // the next timer starts another one
    node.board.set(node.board.get().counters());
    ++node.snapshot_deaths;
  };
  node.snapshots = spawn_snapshot_worker(*system, hosting(i), std::move(worker));
  const SnapshotWorkerStarted started{node.snapshots};
  caf::anon_send(node.state_machine, started);
  caf::anon_send(node.log_store, started);
  caf::anon_send(node.replica, started);
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
    logs[i] = std::make_unique<kiwi::test::MemoryLog>();
    raft::PersistRequest request;
    request.entries = {raft::bootstrap_entry(first, now_ms)};
    request.hard_state = raft::HardState{request.entries[0].term, NodeId{}};
    CHECK_INVARIANT(logs[i]->persist(request).has_value());
    raft::Identity identity;
    identity.node = id_of(i);
    identity.incarnation = incarnation_of(i);
    identity.cluster = first.cluster;
    CHECK_INVARIANT(logs[i]->set_identity(identity).has_value());
  }
}

void Cluster::State::start_node(size_t i) {
  CHECK_INVARIANT(nodes[i] == nullptr);
  nodes[i] = std::make_unique<Node>(*logs[i]);
  raft::Identity identity = *logs[i]->identity();
  ++identity.boot_epoch;
  CHECK_INVARIANT(logs[i]->set_identity(identity).has_value());
  Node& node = *nodes[i];
  node.context = std::make_unique<resp::NodeContext>(node.options, node.metrics, node.raft_metrics);
  node.context->monotonic_ms = [this] { return now_ms; };
  node.context->wall_microseconds = [this] { return now_ms * 1000; };
  remove_leftovers(i);
  auto opened = open_state(i, *logs[i]->live_state());
  CHECK_INVARIANT(opened.has_value());
  node.state = std::move(*opened);
  resp::RouterOptions router;
  router.node = identity.node;
  router.incarnation = identity.incarnation;
  router.epoch = identity.boot_epoch;
  node.router = std::make_unique<resp::Router>(router);
  spawn_actors(i, identity);
}

void Cluster::State::spawn_actors(size_t i, const raft::Identity& identity) {
  Node& node = *nodes[i];
  const Hosting hosting = this->hosting(i);
  const auto clock = [this] { return now_ms; };
  StateMachineOptions applying;
  applying.executor = node.state->executor.get();
  applying.keyspace = node.state->keyspace.get();
  applying.now_ms = clock;
  applying.adopt = [&node](std::shared_ptr<OpenedState> fresh) {
    return std::exchange(node.state, std::move(fresh));
  };
  node.state_machine = spawn_state_machine(*system, hosting, std::move(applying));
  CommandRouterOptions routing;
  routing.router = node.router.get();
  routing.gate = &node.gate;
  routing.state_machine = node.state_machine;
  routing.now_ms = clock;
  routing.observe_raft = [&node](const RaftReport& report) {
    if (report.status) {
      node.status = *report.status;
    }
  };
  node.router_actor = spawn_command_router(*system, hosting, std::move(routing));
  caf::anon_send(node.state_machine, RouterStarted{node.router_actor});
  LogStoreOptions log_options;
  log_options.storage = &node.log;
  log_options.metrics = &node.raft_metrics;
  log_options.elsewhere = [this, i](std::function<void()> job) {
    elsewhere.push_back({i, std::move(job)});
  };
  log_options.long_write_bytes = 4000;
  node.log_store = spawn_log_store(*system, hosting, std::move(log_options));
  start_replica(i, identity);
  listen_to_links(i);
  if (options.snapshots) {
    start_snapshots(i);
  }
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

void Cluster::State::start_replica(size_t i, const raft::Identity& identity) {
  Node& node = *nodes[i];
  const auto clock = [this] { return now_ms; };
  RaftReplicaOptions replica;
  if (options.snapshots) {
    replica.core.window_bytes = 4096;  // the rest is read from the log, as long as it is there
  }
  replica.core.id = identity.node;
  replica.core.incarnation = identity.incarnation;
  replica.core.seed = prng.next();
  replica.start.log = *node.log.load();
  replica.start.applied = node.state->executor->applied();
  replica.start.applied_stamp_ms = node.state->executor->applied_stamp_ms();
  replica.start.sessions = node.state->executor->session_rows();
  node.gate.applied(replica.start.applied);
  const LogIndex last = replica.start.log.last_index;
  for (LogIndex at = replica.start.log.first_index; at <= last;) {
    std::vector<raft::Entry> part = *node.log.read(at, last, 1 << 20);
    at = part.back().index + 1;
    std::ranges::move(part, std::back_inserter(replica.start.tail));
  }
  replica.router = node.router_actor;
  replica.state_machine = node.state_machine;
  replica.log_store = node.log_store;
  replica.clocks = {clock, clock};
  replica.metrics = &node.raft_metrics;
  const LogIndex hint = replica.start.log.commit;
  node.replica = spawn_raft_replica(*system, hosting(i), std::move(replica));
  const ReplicaStarted started{node.replica, hint, {}};
  caf::anon_send(node.log_store, started);
  caf::anon_send(node.state_machine, started);
  caf::anon_send(node.router_actor, started);
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
  exit(node.router_actor);
  exit(node.state_machine);
  exit(node.replica);
  exit(node.log_store);
  if (node.snapshots) {
    exit(node.snapshots);
  }
  for (const LinkHandle& listener : node.listeners) {
    exit(listener);
  }
  while (run_one_job()) {
  }
  std::erase_if(elsewhere, [i](const Elsewhere& e) { return e.node == i; });
  failures[i] = node.failure;
  nodes[i].reset();
  logs[i]->crash();
}

}  // namespace kiwi::actors::test
