// The inside of test::Cluster, for cluster.cpp and cluster_node.cpp. Sees CAF.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <caf/scheduler/test_coordinator.hpp>

#include "actors/clients/command_router.hpp"
#include "actors/clients/resp_connection.hpp"
#include "actors/clients/service_gate.hpp"
#include "actors/node/fanout_shell.hpp"
#include "actors/node/storage.hpp"
#include "actors/replica/log_store.hpp"
#include "actors/replica/replica_host.hpp"
#include "actors/snapshots/snapshot_worker.hpp"
#include "actors/state/state_machine.hpp"
#include "config/base/prng.hpp"
#include "tests/actors/cluster.hpp"
#include "tests/support/memory_keyspace.hpp"

namespace kiwi::actors::test {

// A client's socket.
class FakeStream final : public ByteStream {
 public:
  void start(Events events) override { events_ = std::move(events); }
  void pause() override { paused_ = true; }
  void resume() override { paused_ = false; }
  void write(std::string bytes) override { output_ += bytes; }
  size_t unsent_bytes() const override { return 0; }
  bool has_unread() const override { return !input_.empty(); }
  void cork(bool) override {}
  void finish() override { close(); }
  void close() override {
    closed_ = true;
    events_ = {};
  }

  void deliver();
  void client_hangs_up() { hung_up_ = true; }
  void client_sends(const std::string& bytes) { input_ += bytes; }
  std::string take() { return std::exchange(output_, {}); }
  bool closed() const { return closed_; }

 private:
  Events events_;
  std::string input_;
  std::string output_;
  bool paused_ = false;
  bool hung_up_ = false;
  bool closed_ = false;
};

// One direction of a link: stands where the remote replica's handle would be.
class LinkActor final : public caf::monitorable_actor {
 public:
  explicit LinkActor(caf::actor_config& cfg) : monitorable_actor(cfg) {}
  using monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr mail, caf::execution_unit*) override;
  const char* name() const override { return "link"; }

  struct Frame {
    PeerFrame frame;
    int64_t due_ms = 0;
  };
  std::deque<Frame> frames;
  uint64_t seen = 0;
  std::function<void(LinkActor&, PeerFrame)> accept;
};

// One node's part of one Raft group.
struct Group {
  Group(GroupId id_in, kiwi::test::MemoryLog& log_in) : id(id_in), log(log_in) {}

  GroupId id;
  kiwi::test::MemoryLog& log;
  std::shared_ptr<OpenedState> state;
  std::unique_ptr<resp::Router> router;
  ServiceGate gate{600, 5000};
  raft::Status status;
  resp::Service service = resp::Service::kLoading;
  StateMachineHandle state_machine;
  RouterHandle router_actor;
  LogStoreHandle log_store;
  SnapshotBoard board;
  SnapshotWorkerHandle snapshots;
  uint64_t snapshot_lives = 0;
  uint64_t snapshot_deaths = 0;
};

struct Node {
  config::Options options;
  config::ClientMetrics metrics;
  config::RaftMetrics raft_metrics;
  std::unique_ptr<resp::NodeContext> context;
  std::unique_ptr<FanoutShell> fanout;
  std::vector<std::unique_ptr<Group>> groups;
  ReplicaHandle replica;  // of all groups
  std::vector<LinkHandle> listeners;
  std::map<resp::ConnectionId, ConnectionHandle> connections;
  std::string failure;
  bool ending = false;  // the test ends it: its actors' deaths are no failure
};

struct Cluster::State {
  State(size_t nodes, uint64_t seed, const ClusterOptions& options_in);
  ~State();

  // cluster_node.cpp
  void prepare_logs();
  void start_node(size_t i);
  void start_fanout(size_t i);
  void look_after_caches(Node& node) const;
  void end_node(size_t i);
  void start_group(size_t i, Group& group);
  void spawn_actors(size_t i, Group& group);
  RaftReplicaOptions replica_options(Group& group);
  void start_host(size_t i);
  void start_snapshots(size_t i, Group& group);
  Result<std::shared_ptr<OpenedState>> open_state(size_t i,
                                                  const Group& group,
                                                  const std::string& name) const;
  void remove_leftovers(size_t i, const Group& group) const;
  std::string directory(size_t i, GroupId group = kFirstGroup) const {
    return root + "/node-" + std::to_string(i) + "/group-" + std::to_string(group.value);
  }
  Group& group(size_t node, size_t g = 0) const { return *nodes[node]->groups[g]; }
  Hosting hosting(size_t i);
  void listen_to_links(size_t i);

  // cluster.cpp
  void join(size_t a, size_t b);
  void unjoin(size_t a, size_t b);
  void timers();
  bool pump();  // runs everything that is due now; false: nothing was
  bool run_one_job();
  bool deliver_one();
  void accept_frame(size_t from, size_t to, LinkActor& link, PeerFrame frame);
  void end_failed_nodes();
  bool is_stalled(const caf::resumable* job) const;
  caf::abstract_actor* part(size_t i, Part p) const;

  ClusterOptions options;
  std::string root;  // of the nodes' directories; empty: no files
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  caf::scheduler::test_coordinator* scheduler = nullptr;
  Prng prng;
  int64_t now_ms = 1'000'000;
  int64_t link_generation = 0;
  resp::ConnectionId next_connection = 1;

  std::vector<std::vector<std::unique_ptr<kiwi::test::MemoryLog>>> logs;  // node, group
  std::vector<std::unique_ptr<Node>> nodes;                               // null: down
  std::vector<std::string> failures;
  std::map<std::pair<size_t, size_t>, caf::strong_actor_ptr> links;  // from, to
  std::map<std::pair<size_t, size_t>, LinkToken> tokens;  // of those links; smaller node first
  std::set<std::pair<size_t, size_t>> given_up;           // by a replica: to be joined anew
  std::map<std::pair<size_t, size_t>, uint64_t> sent;
  std::set<std::pair<size_t, size_t>> deaf;
  std::set<const caf::resumable*> stalled;
  LinkFaults faults;

  struct Client {
    size_t node = 0;
    std::shared_ptr<FakeStream> stream;
  };
  std::vector<Client> clients;

  // Long writes of the log, on a thread of their own as it were: done whenever chance has it.
  struct Elsewhere {
    size_t node = 0;
    std::function<void()> job;
  };
  std::deque<Elsewhere> elsewhere;
  bool do_elsewhere();
};

}  // namespace kiwi::actors::test
