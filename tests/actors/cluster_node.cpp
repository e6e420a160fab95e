// One node of the test cluster: the same objects that Node composes, on CAF's test scheduler.
#include "actors/caf_system.hpp"
#include "base/check.hpp"
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

}  // namespace

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
  resp::ExecutorOptions executor;
  executor.node = identity.node;
  executor.incarnation = identity.incarnation;
  executor.epoch = identity.boot_epoch;
  node.executor = std::make_unique<resp::Executor>(node.keyspace, executor);
  resp::RouterOptions router;
  router.node = identity.node;
  router.incarnation = identity.incarnation;
  router.epoch = identity.boot_epoch;
  node.router = std::make_unique<resp::Router>(router);
  spawn_actors(i, identity);
}

void Cluster::State::spawn_actors(size_t i, const raft::Identity& identity) {
  Node& node = *nodes[i];
  Hosting hosting;
  hosting.fail_stop = [&node](std::string_view why) {
    if (!node.ending && node.failure.empty()) {
      node.failure = why;
    }
  };
  const auto clock = [this] { return now_ms; };
  StateMachineOptions applying;
  applying.executor = node.executor.get();
  applying.now_ms = clock;
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

  RaftReplicaOptions replica;
  replica.core.id = identity.node;
  replica.core.incarnation = identity.incarnation;
  replica.core.seed = prng.next();
  replica.start.log = *node.log.load();
  replica.start.applied = node.executor->applied();
  replica.start.applied_stamp_ms = node.executor->applied_stamp_ms();
  replica.start.sessions = node.executor->session_rows();
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
  node.replica = spawn_raft_replica(*system, hosting, std::move(replica));
  const ReplicaStarted started{node.replica, hint};
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
  for (const Part p : {Part::kRouter, Part::kStateMachine, Part::kReplica, Part::kLogStore}) {
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
  while (run_one_job()) {
  }
  std::erase_if(elsewhere, [i](const Elsewhere& e) { return e.node == i; });
  failures[i] = node.failure;
  nodes[i].reset();
  logs[i]->crash();
}

}  // namespace kiwi::actors::test
