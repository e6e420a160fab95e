// One whole node: raft::Core, resp::Router, resp::Executor, a log disk and a state disk, wired as
// the actors wire them: a client loop and a raft loop that only exchange messages, in order, each
// hop taking a while. Owned by the world. What differs between nodes stands in NodeOptions.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "actors/clients/service_gate.hpp"
#include "actors/node/cluster_facts.hpp"
#include "actors/node/homecoming.hpp"
#include "actors/node/log_cutter.hpp"
#include "actors/node/orders.hpp"
#include "actors/replica/apply_hold.hpp"
#include "actors/replica/log_write.hpp"
#include "raft/core.hpp"
#include "raft/lineage.hpp"
#include "resp/executor.hpp"
#include "resp/router.hpp"
#include "tests/sim/node_options.hpp"
#include "tests/sim/sim_disk.hpp"
#include "tests/sim/state_store.hpp"
#include "tests/sim/transfers.hpp"

namespace kiwi::sim {

class World;

// What is in a data directory, as somebody may copy it and put it back.
struct Directory {
  SimDisk disk;
  Maps maps;
  std::vector<raft::Mark> marks;
};

class Node {
 public:
  Node(World& world, NodeId id, const Incarnation& incarnation, const NodeOptions& options);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // ---- life
  void start();
  void crash();
  bool running() const { return core_ != nullptr; }

  // ---- what the world does to it
  void deliver(raft::Message message);
  void link(NodeId peer, bool up);
  void submit(resp::RequestBatch batch);
  void close(resp::ConnectionId connection);
  void pause(int64_t us);  // SIGSTOP: neither loop runs
  void pause_raft(int64_t us);
  void pause_clients(int64_t us);
  void set_disk_delay(int64_t us) { disk_delay_us_ = us; }
  void jump_clock(int64_t ms);
  void restore_disk() { disk_delay_us_ = options_.disk_us; }
  void set_drift(int64_t per_mille) { drift_per_mille_ = per_mille; }
  void transfer(NodeId target);
  void change(raft::MembershipChange change);
  void wipe(const Incarnation& incarnation);  // while down: a new, empty directory
  void returned(raft::Member member);         // a link's hello told of another incarnation
  void visited(std::function<void(actors::VisitReply)> tell);  // who it is
  raft::Member member() const;

  // ---- its operators, and its log (node_life.cpp)
  void order(actors::AdminOrder what);
  void take_note(NodeId from, std::string bytes);
  void flush_state();  // and mostly cuts the log behind it

  // ---- its directory (node_directory.cpp)
  Directory copy_directory();
  void put_back(const Directory& copy);  // while down
  bool is_old_copy() const { return old_copy_; }
  void draw_mark();
  // Its hello is heard here, and what it knows of others: does it go on from where this node knows
  // it to have been (F52)?
  bool goes_on(const Node& peer) const;
  bool hear(const Node& peer);

  // ---- snapshots (node_snapshots.cpp)
  Copy checkpoint();
  bool pin(NodeId follower, LogIndex index);
  void transfer_ended(NodeId receiver, LogIndex installed, bool ok);
  // It is here, whole. done: what this node says of it to whoever asks, if it lives.
  void receive(std::shared_ptr<const Copy> copy,
               Term sender_term,
               std::function<void(LogIndex, bool)> done);
  void update_service();
  uint64_t life() const { return life_; }

  // ---- what checks look at
  NodeId id() const { return id_; }
  const Incarnation& incarnation() const { return incarnation_; }
  const SimDisk& disk() const { return disk_; }
  SimDisk& disk() { return disk_; }
  // The log as the core last composed it for the disk: terms from index 1 on. What a snapshot
  // stands for counts as being there.
  const std::vector<Term>& log_terms() const { return log_terms_; }
  raft::Status status() const { return core_->status(); }
  const raft::Core& core() const { return *core_; }
  LogIndex applied() const { return executor_->applied(); }
  LogIndex applied_or_zero() const { return running() ? applied() : LogIndex{}; }
  uint64_t state_checksum() const { return executor_->state_checksum(); }
  resp::RouterStatus router_status() const { return router_->status(); }
  std::string describe() const;
  bool serves() const { return service_ == resp::Service::kUp; }
  int64_t wall_ms() const;
  int64_t applied_stamp_ms() const { return running() ? executor_->applied_stamp_ms() : 0; }
  int64_t monotonic_ms() const;

 private:
  // What the raft loop tells the client loop of the core, as RaftReport does.
  struct Report {
    raft::Effects effects;  // without what the raft loop carries out itself
    std::optional<raft::Status> status;
  };

  std::unique_ptr<StateStore> make_store();
  void open_core(uint64_t epoch);
  void raft_input(std::function<void()> input);
  void client_input(std::function<void()> input);
  void schedule_raft();
  void schedule_client();
  void raft_turn();
  void client_turn();
  void ship(raft::Effects effects);
  struct Install {
    raft::SnapshotMeta meta;
    std::string name;
  };
  using DiskWrite = std::variant<actors::LogWrite, raft::CutRequest, Install>;
  struct Installing {
    std::shared_ptr<const Copy> copy;
    std::string name;
    std::function<void(LogIndex, bool)> done;
    bool queued = false;
  };
  void persist(raft::PersistRequest request);
  void write(DiskWrite write);
  void to_disk(const DiskWrite& write);
  void begin_life(const raft::StartState& start);
  void observe_life(const raft::Event& event);
  void life_tick();
  void carry_out_orders();
  void carry_out_visits();
  void carry_out(actors::ReplicaRequests requests);
  bool is_empty() const;
  void carry_out_cuts();
  actors::LogNow log_now() const;
  void compact(const actors::CompactLog& cut);
  void queue_install();
  void installed_on_disk();
  void swap_state();
  void begin_write();
  void note_log(const raft::PersistRequest& request);
  void read_log(const raft::LogRead& request);
  void note_events(const raft::Effects& effects, bool installed);
  void from_raft(Report& report);
  void on_event(const raft::Event& event);
  void check_service();
  void executor_turns();
  void take_executor(resp::ExecutorEffects effects);
  std::optional<raft::Proposal> forget_batch(std::vector<raft::SessionRow>& rows);
  void router_turn();
  void ship_router();
  void ask_reads(const std::vector<resp::ReadIndexAsk>& asks);
  void let_wait(resp::Router::Waiting what);
  void order_long_reads(resp::ExecutorEffects& effects);
  void pump_long_reads();
  void run_long_reads(std::unique_ptr<rocks::Reader> view);
  void stop_long_reads();
  void state_tick();
  void raft_tick();
  void client_tick();
  int64_t hop_us(int64_t paused_until_us);
  raft::StartState load();
  // Runs `f` unless this life of the node has ended by then.
  void later(int64_t delay_us, std::function<void()> f);

  World& world_;
  NodeId id_;
  Incarnation incarnation_;
  SimDisk disk_;
  NodeOptions options_;
  std::map<std::string, std::unique_ptr<StateStore>> states_;  // directories (F14)
  StateStore* state_ = nullptr;  // the live one; keeps what was flushed over a crash
  uint64_t states_made_ = 1;
  uint64_t stores_made_ = 0;
  bool old_copy_ = false;
  std::vector<raft::Mark> marks_;  // of the directory (F52)
  std::map<std::pair<NodeId, Incarnation>, raft::Lineage> known_marks_;

  // This life.
  uint64_t life_ = 0;
  std::unique_ptr<resp::Executor> executor_;
  std::unique_ptr<resp::Router> router_;
  std::unique_ptr<raft::Core> core_;
  std::deque<std::function<void()>> raft_inbox_;
  std::deque<std::function<void()>> client_inbox_;
  bool raft_scheduled_ = false;
  bool client_scheduled_ = false;
  std::deque<DiskWrite> writes_;
  bool writing_ = false;
  std::optional<Installing> installing_;
  bool just_installed_ = false;
  actors::ClusterFacts facts_;
  std::unique_ptr<actors::Orders> orders_;
  std::unique_ptr<actors::Homecoming> home_;
  std::map<uint64_t, int64_t> orders_given_ms_;
  actors::LogCutter cutter_;
  resp::ExecutorOptions executor_options_;
  std::vector<Term> log_terms_;
  raft::HardState told_vote_;  // the last one that left this directory's node (§3.8)
  std::optional<actors::ServiceGate> gate_;
  bool gate_started_ = false;
  resp::Service service_ = resp::Service::kUninitialized;
  raft::LeaderChanged leader_;
  actors::ApplyHold hold_;
  std::map<NodeId, raft::Entry> last_batches_;  // of each origin, committed
  bool tick_due_ = false;
  bool install_due_ = false;
  bool room_awaited_ = false;
  uint32_t pressure_ = 0;
  uint64_t delayed_[2] = {0, 0};  // the router's waits, by resp::Router::Waiting
  std::deque<resp::LongRead> long_waiting_;
  std::deque<resp::LongRead> long_running_;
  std::unique_ptr<rocks::Reader> long_view_;
  uint64_t long_rounds_ = 0;
  int64_t long_next_us_ = 0;

  // Clocks and faults.
  int64_t started_us_ = 0;
  int64_t drift_per_mille_ = 0;
  int64_t wall_offset_ms_ = 0;
  int64_t disk_delay_us_ = options_.disk_us;
  int64_t raft_paused_until_us_ = 0;
  int64_t clients_paused_until_us_ = 0;
};

}  // namespace kiwi::sim
