// What the parts of a node's life share: its options, what it has on disk, its loops, its actors
// and what it knows of its cluster. Built by Node (node.cpp); all of it on the client loop.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "actors/clients/service_gate.hpp"
#include "actors/handles.hpp"
#include "actors/node/cluster_facts.hpp"
#include "actors/node/node_note.hpp"
#include "actors/node/peer_directory.hpp"
#include "actors/node/pulse.hpp"
#include "actors/peers/peer_security.hpp"
#include "actors/replica_requests.hpp"
#include "config/metrics.hpp"
#include "config/options.hpp"
#include "resp/admin.hpp"
#include "resp/node_context.hpp"

namespace kiwi {
class JobThread;
}

namespace kiwi::resp {
class Router;
}

namespace kiwi::actors {

class ClientLoop;
class RaftLoop;
class Storage;
class TcpServer;

// Whoever works with a part that stands here by pointer includes its header.
struct NodeParts {
  explicit NodeParts(const config::Options& options_in);
  ~NodeParts();

  // Sent to the replica, in this order. Only while the core runs.
  void ask_replica(ReplicaRequests requests);
  // To all members but this node; to nobody before the core runs.
  void tell_members(const NodeNote& note);

  // Declared in the order in which they are built; destroyed the other way round.
  config::Options options;
  config::ClientMetrics metrics;
  config::RaftMetrics raft_metrics;
  resp::NodeContext context;
  std::unique_ptr<Storage> storage;
  std::unique_ptr<resp::Router> router;
  ServiceGate gate;
  ClusterFacts facts;
  OwnNode own;
  PeerSecurityPtr peer_security;  // replaced as a whole; set before the peer port opens

  std::unique_ptr<caf::actor_system_config> system_config;
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<RaftLoop> raft_loop;
  std::unique_ptr<ClientLoop> client_loop;
  std::unique_ptr<JobThread> worker;  // long writes of LogStore, small files
  // CONFIG REWRITE: the file may lie on a file system that hangs, and the log may not wait for it.
  std::unique_ptr<JobThread> config_writer;

  StateMachineHandle state_machine;
  RouterHandle router_actor;
  LogStoreHandle log_store;
  ReplicaHandle replica;  // once the core runs
  std::unique_ptr<TcpServer> server;

  std::atomic<int64_t> log_room{INT64_MAX};  // bytes that LogStore may write entries into
  std::atomic<uint64_t> disk_reserve{0};     // bytes that the files of a snapshot leave free
  Pulse pulse;
  std::atomic<uint64_t> slowest_sync_us{0};  // of the log, since the timer took it
  bool draining = false;                     // this node is about to go
  uint64_t timer_rounds = 0;                 // ten a second
  std::function<void()> members_changed;     // whom to link to may have
  std::function<void()> removed_for_good;    // this node, as a member says
};

inline resp::AdminAnswer refused(std::string text) {
  resp::AdminAnswer answer;
  answer.error = std::move(text);
  return answer;
}

uint64_t random_seed();
std::string own_path();  // of this program

}  // namespace kiwi::actors
