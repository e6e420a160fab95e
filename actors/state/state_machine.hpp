// StateMachine: applies committed entries in index order and answers reads at an index. A shell
// over resp::Executor; vital; on the client loop.
//
// It works in turns of bounded length and puts the rest of its work behind the sockets' events. An
// entry that takes longer rests in between (Executor::rests()): then what needs a whole state
// waits. How much it is handed is the core's to bound: every turn's Applied is the credit for more
// (F28).
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "actors/handles.hpp"
#include "actors/hosting.hpp"
#include "actors/state/applied_news.hpp"
#include "actors/state/expiry_watch.hpp"
#include "actors/state/long_reads.hpp"
#include "actors/state/replay_rest.hpp"
#include "resp/executor.hpp"
#include "resp/latency_monitor.hpp"

namespace kiwi::actors {

struct StateMachineOptions {
  resp::Executor* executor = nullptr;     // outlives the actor, or is replaced by adopt
  std::function<int64_t()> now_ms;        // monotonic
  std::function<int64_t()> now_us;        // the same; none: never rests
  uint64_t expirations_max = 1000;        // keys and fields of one expiry proposal (F8)
  int64_t compare_every_us = 0;           // a leader asks whether all states agree; 0: never
  rocks::StateStore* keyspace = nullptr;  // the executor's
  // Makes the given state the node's own and returns the one it replaces (F14). Same thread.
  std::function<std::shared_ptr<OpenedState>(std::shared_ptr<OpenedState>)> adopt;
  // Who is told of what entries do, asked before each turn; and what they are told, after each, to
  // be added to the turn's replies. Same thread; none: nobody is.
  std::function<resp::Listening()> listening = nullptr;
  std::function<void(std::vector<resp::OutwardEvent>, std::vector<resp::ReplyBatch>&)> outward =
      nullptr;
  resp::LatencyMonitor* latency = nullptr;  // told of turns that took long; none: nobody is
  // Own writes are applied, and nobody was told yet: whoever wrote meanwhile is read first, so that
  // the next group is on its way while this one is answered. Same thread; none: nobody is.
  std::function<void()> before_answers = nullptr;
  // Executor::settings() are others now. Same thread; none: nobody wants to know.
  std::function<void()> settings_changed = nullptr;
  resp::BatchTrace* trace = nullptr;  // none: nothing is traced
  // The same of Executor::users(); called before clients get the answers of that turn.
  std::function<void()> users_changed = nullptr;
};

class StateMachine final : public Hosted<StateMachineHandle> {
 public:
  StateMachine(caf::actor_config& cfg, const Hosting& hosting, StateMachineOptions options);

  behavior_type make_behavior() override;

 protected:
  void stopped() override;

 private:
  void want_turn();
  void turn();
  void await_room();
  void await_timeouts();
  void ship(resp::ExecutorEffects effects);
  void take(ApplyEntries& apply);
  void take(ExecutorOrders& orders);
  void tell_applied(std::optional<std::vector<raft::SessionRow>> sessions = {});
  void expire();
  void expirations_applied(int64_t turn_us);
  void tell_latency(bool expired, int64_t turn_us);
  void tidy();
  void compare();
  int64_t now_us() const { return options_.now_us ? options_.now_us() : options_.now_ms() * 1000; }
  void order_long_reads(resp::ExecutorEffects& effects);
  void pump_long_reads();
  void long_read_done(LongReadDone& answer);
  void checkpoint(MakeCheckpoint& order);
  void flush(FlushState& order);
  void flushed(const StateFlushed& state);
  template <class Order>
  void between_turns(Order& order, void (StateMachine::*then)(Order&));
  void do_later();
  void swap(SwapState& order);

  StateMachineOptions options_;
  RouterHandle router_;
  ReplicaHandle replica_;
  GroupId group_;
  SnapshotWorkerHandle snapshots_;
  std::unordered_map<resp::ConnectionId, ConnectionHandle> connections_;
  std::unique_ptr<LongReads> long_reads_;  // with the first one
  AppliedNews news_;
  LogIndex flushed_told_;      // the state's files hold everything up to here
  uint32_t told_version_ = 0;  // the cluster's, as the replica knows it
  ExpiryWatch expiry_;
  int64_t compare_at_us_ = 0;  // not before that
  LogIndex compared_;          // asked then; nothing but the answers may have come since
  bool tidying_ = false;       // the keyspace has more to free
  int64_t tidy_at_us_ = 0;
  ReplayRest replay_rest_;
  int64_t rest_us_ = 0;  // before the next turn
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  int64_t wake_at_ms_ = kNever;  // a turn is on its way for then
  bool told_waits_ = false;      // ExecutorReport::anybody_waits
  bool turn_wanted_ = false;
  bool room_awaited_ = false;  // KeyspaceHasRoom will come
  bool follows_ = false;       // neither leads nor tries to
  // What came while the executor rested inside an entry and is for whole ones, in order.
  std::vector<std::function<void()>> later_;
};

StateMachineHandle spawn_state_machine(caf::actor_system& system,
                                       const Hosting& hosting,
                                       StateMachineOptions options);

}  // namespace kiwi::actors
