// The inside of Node, for node.cpp (opening, cluster life) and node_links.cpp (peers),
// node_disk.cpp, node_join.cpp, node_admin.cpp, node_snapshot.cpp and node_stop.cpp (the orderly
// end) only. All of it runs on the client loop.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "actors/client_loop.hpp"
#include "actors/clients/service_gate.hpp"
#include "actors/clients/tcp_server.hpp"
#include "actors/handles.hpp"
#include "actors/node/admin_request.hpp"
#include "actors/node/bootstrap.hpp"
#include "actors/node/directory_marks.hpp"
#include "actors/node/node.hpp"
#include "actors/node/stop_guard.hpp"
#include "actors/node/storage.hpp"
#include "actors/peers/peer_link.hpp"
#include "actors/peers/peer_listener.hpp"
#include "actors/peers/visit.hpp"
#include "actors/raft_loop.hpp"
#include "actors/snapshots/snapshot_worker.hpp"
#include "actors/state/compaction.hpp"
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
  static uint64_t random_seed();
  raft::Member self() const;

  // node_links.cpp
  Result<void> open_peer_port();
  void ensure_links();
  void tell_listener_of_members();
  void add_link(NodeId peer);
  PeerHello hello_for(NodeId peer) const;
  void peer_said(const PeerHello& hello);
  void peer_gone(NodeId peer);
  void links_timer();
  config::HostPort peer_address(NodeId peer);

  // node_lineage.cpp
  void judge_directory(const PeerHello& hello);
  void remember_mark(NodeId peer, const Incarnation& incarnation, const raft::Mark& mark);
  void take_marks(NodeId peer, const std::string& bytes);
  void marks_timer();
  void marks_are_durable(const std::vector<raft::Mark>& marks);
  [[noreturn]] void end_as_old_copy(const std::string& proof);
  void observe_identity(const RaftReport& report);
  void member_lives(const raft::MemberLives& lives);
  void compare_timeouts(const PeerHello& hello);
  void judge_cluster(const PeerHello& hello);
  void advise_join_option();

  // node_disk.cpp
  void disk_timer();
  uint64_t owed_bytes() const;
  Result<void> room_for(uint64_t bytes) const;
  void tell_of_disk();
  void take_disk(NodeId peer, const std::string& bytes);
  bool is_full(NodeId peer) const;
  bool majority_has_room() const;
  void hand_over_on_full_disk();

  // node_pressure.cpp
  void pressure_timer();
  void take_pressure(NodeId peer, const std::string& bytes);

  // node_admin.cpp
  struct Order {
    uint64_t id = 0;
    AdminOrder what;
    resp::AdminDone done;
    NodeId first_leader;
    int64_t begun_ms = 0;
    int64_t deadline_ms = 0;
    int64_t again_ms = 0;   // not tried before
    bool stepping = false;  // this node's core is at it
    bool busy = false;      // another change was under way
    OrderFate fate;
    std::string error;  // final
  };
  void set_up_admin();
  void order(AdminOrder what, resp::AdminDone done);
  void drive_orders();
  std::optional<std::string> drive(Order& order, int64_t now_ms);
  void lead(Order& order, int64_t now_ms);
  bool plan(const Reconfigure& wanted, raft::MembershipChange& change) const;
  void membership_done(const raft::MembershipDone& done);
  void settle(Order& order, const std::string& error) const;
  void configuration_committed(const raft::Configuration& now);
  void take_note(const PeerNote& note);

  // node_join.cpp
  struct Joining {
    std::vector<config::PeerAddress> addresses;
    size_t next = 0;
    size_t rounds_left = 0;  // by hand only
    bool asking = false;
    bool admitted = false;
    bool unknown = false;  // a member may have let this node in without saying so
    int64_t again_ms = 0;
    int64_t deadline_ms = 0;
    std::string said;
    resp::AdminDone done;  // by hand only
  };
  using WhoDone = std::function<void(const std::string& error, const raft::Member& member)>;
  std::string acquaintances_path() const;
  void get_acquainted(const raft::Configuration& members);
  void write_acquaintances();
  void remember_acquaintances();
  void join_by_hand(const std::vector<std::string>& addresses, resp::AdminDone done);
  void start_joining();
  void start_coming_back();
  void joining_timer();
  void join_answered(const Result<VisitAnswer>& answer, bool asked);
  void joining_over(const std::string& error);
  void visited(NodeId from, const std::string& question, std::function<void(std::string)> tell);
  void let_in(NodeId from, const raft::Member& member, std::function<void(std::string)> tell);
  void ask_whether_removed();
  void removed_says(NodeId who);
  void ask_who(const resp::NodeAddress& node, const WhoDone& done);
  void welcome(const raft::Member& member);
  void add_node(resp::NodeAddress node, resp::AdminDone done);
  void reconfigure(std::vector<resp::NodeAddress> nodes, resp::AdminDone done);
  void welcome_when_in(const std::vector<raft::Member>& members);
  void welcome_timer();

  // node_snapshot.cpp
  void start_snapshots();
  void snapshot_worker_died(const std::string& why);
  void snapshot_timer();
  CompactionLimits compaction_limits() const;
  LogSize log_size() const;
  enum class Cut : uint8_t { kUsual, kAll };  // a tail and what laggards need stays, or nothing
  void cut_log(Cut cut);
  void cut_behind_flushes();
  void compact_log(Cut cut, LogIndex flushed, Term term);
  void cut_now(Cut cut, resp::AdminDone done);
  void back_up(std::string directory, resp::AdminDone done);
  void refresh_snapshot_status();

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
  SnapshotBoard snapshot_board;         // outlives the worker: members are destroyed backwards
  SnapshotWorkerHandle snapshot_actor;  // null: died, another one comes at snapshot_again_ms
  uint64_t snapshot_lives = 0;          // workers started
  int64_t snapshot_again_ms = 0;
  std::map<uint64_t, resp::AdminDone> backups;
  uint64_t next_backup = 1;
  CompactionPolicy compaction;
  LogIndex flushed_seen;  // by cut_behind_flushes()
  uint64_t logs_cut = 0;
  int64_t last_cut_seconds = -1;
  std::map<Cut, std::vector<resp::AdminDone>> waiting_for_cut;
  std::unique_ptr<TcpServer> server;
  std::unique_ptr<PeerListener> listener;

  struct Link {
    SpawnedLink spawned;
    std::optional<PeerHello> hello;  // what the peer says now, while it talks
    bool old_copy = false;           // it runs on one (F52)
    uint64_t dials = 0;
    uint32_t election_timeout_ms = 0;  // as it said last; 0: never
  };
  std::map<NodeId, Link> links;
  KnownMarks known_marks;  // of the peers' directories (F52)
  int64_t next_mark_ms = 0;
  bool mark_under_way = false;
  std::map<Incarnation, int64_t> doubles;  // of ids that live, since when (F49)
  bool join_option_advised = false;
  std::string first_entry;            // encoded, for empty founders
  raft::Configuration configuration;  // the latest in the log; before that, who was met on joining
  raft::Configuration committed;      // the latest that is committed, as far as this node knows
  std::vector<Order> orders;
  uint64_t next_order = 1'000;
  std::set<std::pair<NodeId, uint64_t>> forwarded;  // orders of other nodes that are driven here
  std::optional<Joining> joining;
  std::vector<raft::Member> to_welcome;
  bool acquaintances_unwritten = false;
  raft::Status raft_status;
  bool told_removed = false;
  int64_t leaderless_since_ms = 0;
  size_t members_asked = 0;
  std::string waiting_text;
  int64_t waiting_since_ms = 0;
  bool waiting_said = false;
  uint64_t timer_rounds = 0;

  uint32_t pressure_told = 0;  // to the other nodes, while this one leads

  std::atomic<int64_t> log_room{INT64_MAX};  // LogStoreOptions::room
  std::atomic<uint64_t> disk_reserve{0};     // bytes that snapshots may not take
  std::map<NodeId, int64_t> full_peers;      // that said so, and when
  bool disk_full = false;
  bool disk_full_told = false;  // what the core was told last
  int64_t disk_transfer_ms = 0;

  // The orderly end.
  enum class Stopping : uint8_t { kNo, kHandingOver, kParting, kFinishing, kLingering, kDone };
  Stopping stopping = Stopping::kNo;
  int64_t stop_deadline_ms = 0;
  StopGuard stop_guard;
};

}  // namespace kiwi::actors
