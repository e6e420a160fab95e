// The inside of Node, for node.cpp (opening, cluster life) and node_links.cpp (peers),
// node_disk.cpp (room on the disk) and node_stop.cpp (the orderly end) only. All of it runs on the
// client loop.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/bootstrap.hpp"
#include "actors/client_loop.hpp"
#include "actors/handles.hpp"
#include "actors/node.hpp"
#include "actors/peer_link.hpp"
#include "actors/peer_listener.hpp"
#include "actors/raft_loop.hpp"
#include "actors/service_gate.hpp"
#include "actors/storage.hpp"
#include "actors/tcp_server.hpp"
#include "actors/worker.hpp"
#include "config/metrics.hpp"
#include "resp/node_context.hpp"
#include "resp/router.hpp"

namespace kiwi::actors {

struct Node::State {
  explicit State(const config::Options& options_in);

  // node.cpp
  Result<void> open();
  void spawn_actors();
  void set_up_context();
  void refresh_status();
  void observe_raft(const RaftReport& report);
  void decide();  // bootstrap
  Result<ClusterId> init_cluster(std::optional<ClusterId> cluster);
  void say_what_is_waited_for();
  void found(const std::vector<raft::Member>& members);
  void join(const Bootstrap::Join& join);
  void start_core();
  raft::CoreOptions core_options() const;
  raft::Member self() const;

  // node_links.cpp
  Result<void> open_peer_port();
  void ensure_links();
  void add_link(NodeId peer);
  PeerHello hello_for(NodeId peer) const;
  void peer_said(const PeerHello& hello);
  void peer_gone(NodeId peer);
  void links_timer();
  config::HostPort peer_address(NodeId peer) const;

  // node_disk.cpp
  void disk_timer();
  void hand_over_on_full_disk();

  // node_stop.cpp
  void stop(const char* why);
  void stop_step();
  void finish();

  // Declared in the order in which they are built; destroyed the other way round.
  config::Options options;
  config::ClientMetrics metrics;
  config::RaftMetrics raft_metrics;
  resp::NodeContext context;
  std::unique_ptr<Storage> storage;
  std::unique_ptr<resp::Router> router;
  ServiceGate gate;
  std::optional<ClusterId> chosen_cluster;  // by RAFT.CLUSTER INIT
  std::optional<Bootstrap> bootstrap;       // until the core runs

  std::unique_ptr<caf::actor_system_config> system_config;
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<RaftLoop> raft_loop;
  std::unique_ptr<ClientLoop> client_loop;
  std::unique_ptr<Worker> log_worker;  // long writes of LogStore

  StateMachineHandle state_machine_actor;
  RouterHandle router_actor;
  LogStoreHandle log_store_actor;
  ReplicaHandle replica_actor;
  std::unique_ptr<TcpServer> server;
  std::unique_ptr<PeerListener> listener;

  struct Link {
    SpawnedLink spawned;
    std::optional<PeerHello> hello;  // what the peer says now, while it talks
  };
  std::map<NodeId, Link> links;
  std::string first_entry;  // encoded, for empty founders
  raft::Configuration configuration;
  raft::Status raft_status;
  std::string waiting_text;
  int64_t waiting_since_ms = 0;
  bool waiting_said = false;
  uint64_t timer_rounds = 0;

  bool disk_full = false;
  bool disk_full_told = false;  // what the core was told last
  int64_t disk_transfer_ms = 0;

  // The orderly end.
  enum class Stopping : uint8_t { kNo, kHandingOver, kFinishing, kDone };
  Stopping stopping = Stopping::kNo;
  int64_t stop_deadline_ms = 0;
};

}  // namespace kiwi::actors
