#include "actors/state/state_machine.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "actors/opened_state.hpp"
#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "config/setting.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::actors {

namespace {

// Between two looks whether files have caught up with an entry.
constexpr int64_t kRoomRestUs = 2000;
// Between two pieces of what nobody waits for.
constexpr int64_t kTidyRestUs = 2000;

}  // namespace

StateMachine::StateMachine(caf::actor_config& cfg,
                           const Hosting& hosting,
                           StateMachineOptions options)
    : Hosted(cfg, hosting, "StateMachine", Vital::kYes),
      options_(std::move(options)),
      news_(options_.executor->applied(), options_.executor->applied_term()) {}

StateMachine::behavior_type StateMachine::make_behavior() {
  return {
      [this](ConnectionOpened& opened) { connections_[opened.id] = std::move(opened.handle); },
      [this](const ConnectionClosed& closed) {
        connections_.erase(closed.id);
        options_.executor->forget_connection(closed.id);
        want_turn();  // its long reads are of no use any more
      },
      [this](ExecutorOrders& orders) { take(orders); },
      [this](ApplyEntries& apply) { take(apply); },
      [this](const RaftReport& report) {
        if (report.status) {
          follows_ = report.status->role == raft::Role::kFollower;
          expiry_.leads(report.status->leads() && report.status->ready,
                        report.status->cluster_time_ms, options_.now_ms());
        }
      },
      [this](MakeCheckpoint& order) { between_turns(order, &StateMachine::checkpoint); },
      [this](FlushState& order) { between_turns(order, &StateMachine::flush); },
      [this](const StateFlushed& state) { flushed(state); },
      [this](const KeyspaceHasRoom&) {
        room_awaited_ = false;
        want_turn();
      },
      [this](LongReadDone& answer) { long_read_done(answer); },
      [this](const resp::ReplyTaken& taken) {
        if (long_reads_) {
          long_reads_->taken(taken);
        }
      },
      [this](SwapState& order) {
        if (options_.executor->rests()) {  // for room, maybe for ever; the new state has all of it
          options_.executor->abandon();
        }
        swap(order);
      },
      [this](SnapshotWorkerStarted& started) { snapshots_ = std::move(started.worker); },
      [this](RouterStarted& started) { router_ = std::move(started.router); },
      [this](ReplicaStarted& started) {
        replica_ = std::move(started.replica);
        group_ = started.group;
        replay_rest_.begin(started.log_end);
      },
      [this](work_atom) { turn(); },
      [this](timer_atom) {
        tell_applied();
        expire();
        if (!tidying_) {
          tidy();
        }
        pump_long_reads();
      },
      [this](stop_atom) {
        while (options_.executor->work() && !options_.executor->waits_for_room()) {
          ship(options_.executor->take_effects());
        }
        ship(options_.executor->take_effects());
        if (!options_.executor->rests()) {
          do_later();
        }
        tell_applied();
        end();
      },
  };
}

// The keyspace holds half an entry while the executor rests.
template <class Order>
void StateMachine::between_turns(Order& order, void (StateMachine::*then)(Order&)) {
  if (!options_.executor->rests() && later_.empty()) {
    (this->*then)(order);
    return;
  }
  later_.emplace_back(
      [this, then, kept = std::make_shared<Order>(std::move(order))] { (this->*then)(*kept); });
}

void StateMachine::do_later() {
  for (const auto& waited : std::exchange(later_, {})) {
    waited();
  }
}

void StateMachine::stopped() {
  long_reads_.reset();
  router_ = nullptr;
  replica_ = nullptr;
  snapshots_ = nullptr;
  connections_.clear();
  later_.clear();
}

void StateMachine::want_turn() {
  if (turn_wanted_) {
    return;
  }
  turn_wanted_ = true;
  if (const int64_t rest_us = std::exchange(rest_us_, 0)) {
    delayed_send(this, std::chrono::microseconds(rest_us), work_atom_v);
  } else {
    send(this, work_atom_v);  // behind what is in the mailbox now: one turn for all of it
  }
}

void StateMachine::turn() {
  turn_wanted_ = false;
  const bool replays =
      options_.now_us && replay_rest_.wanted(options_.executor->applied(), follows_);
  const bool told = options_.latency != nullptr && options_.latency->on();
  const bool timed = replays || expiry_.looks() || told;
  const int64_t began_us = timed ? now_us() : 0;
  if (options_.executor->anybody_waits()) {
    options_.executor->set_clock(options_.now_ms());
  }
  if (options_.listening) {
    options_.executor->listen(options_.listening());
  }
  const bool more = options_.executor->work();
  resp::ExecutorEffects effects = options_.executor->take_effects();
  const bool expired = effects.expirations != 0;
  if (told) {
    tell_latency(expired, now_us() - began_us);
  }
  ship(std::move(effects));
  if (options_.executor->rests()) {
    rest_us_ = options_.executor->waits_for_room() ? kRoomRestUs : 0;
    want_turn();
    return;
  }
  do_later();
  if (expired && expiry_.looks()) {
    expirations_applied(now_us() - began_us);
  }
  if (expiry_.waits() && expiry_.due(now_us())) {
    expire();
  }
  if (expiry_.looks() && options_.compare_every_us != 0) {
    compare();
  }
  if (tidying_ && now_us() >= tidy_at_us_) {
    tidy();
  }
  rest_us_ = replays ? replay_rest_.after_turn(options_.now_us() - began_us) : 0;
  if (more) {
    want_turn();
  } else if (options_.executor->held() && !room_awaited_) {
    await_room();
  }
  await_timeouts();
}

// Of clients that wait. A turn too many does nothing.
void StateMachine::await_timeouts() {
  const std::optional<int64_t> at = options_.executor->wake_at_ms();
  if (!at) {
    return;
  }
  const int64_t now_ms = options_.now_ms();
  if (wake_at_ms_ <= now_ms) {
    wake_at_ms_ = kNever;
  }
  if (*at < wake_at_ms_) {
    wake_at_ms_ = *at;
    const int64_t after_ms = std::max<int64_t>(1, *at - now_ms);
    delayed_send(this, std::chrono::milliseconds(after_ms), work_atom_v);
  }
}

// The router has been slowing down for long: this is the end of its means. Weak, since the answer
// may come when this actor is gone.
void StateMachine::await_room() {
  CHECK_INVARIANT(!room_awaited_);
  room_awaited_ = true;
  const auto self = caf::actor_cast<caf::weak_actor_ptr>(StateMachineHandle(this));
  options_.keyspace->when_room([self] {
    if (const auto there = caf::actor_cast<StateMachineHandle>(self)) {
      caf::anon_send(there, KeyspaceHasRoom{});
    }
  });
}

void StateMachine::ship(resp::ExecutorEffects effects) {
  if (effects.users_changed && options_.users_changed) {
    options_.users_changed();
  }
  if (!effects.settled.empty() && options_.before_answers) {
    options_.before_answers();
  }
  if (options_.outward && !options_.executor->rests()) {
    options_.outward(std::move(effects.outward), effects.replies);
  }
  for (resp::ReplyBatch& batch : effects.replies) {
    const auto found = connections_.find(batch.connection);
    if (found != connections_.end()) {
      send(found->second, std::move(batch));
    }
  }
  for (std::string& command : effects.proposals) {
    if (router_) {
      send(router_, InternalProposal{std::move(command), true});
    }
  }
  order_long_reads(effects);
  if (effects.settings_changed && options_.settings_changed) {
    options_.settings_changed();
  }
  if (effects.applied_moved) {
    news_.applied(effects.applied);
    if (effects.sessions || effects.settings_changed || news_.urgent()) {
      tell_applied(std::move(effects.sessions));
    }
  }
  if (options_.trace != nullptr && !effects.settled.empty()) {
    options_.trace->settled(effects.settled, resp::TraceStage::kApplied, options_.now_us());
  }
  const bool waits = options_.executor->anybody_waits();
  const bool tell_router = effects.applied_moved || !effects.settled.empty() ||
                           !effects.reads.empty() || !effects.serves.empty() || effects.pressure ||
                           waits != told_waits_;
  if (tell_router && router_) {
    send(router_, ExecutorReport{.settled = std::move(effects.settled),
                                 .reads = std::move(effects.reads),
                                 .applied = options_.executor->applied(),
                                 .pressure = effects.pressure,
                                 .serves = std::move(effects.serves),
                                 .anybody_waits = waits});
    told_waits_ = waits;
  }
}

void StateMachine::order_long_reads(resp::ExecutorEffects& effects) {
  if (!effects.long_reads.empty()) {
    if (!long_reads_) {
      long_reads_ = std::make_unique<LongReads>(
          [self = StateMachineHandle(this)](resp::LongReadResult result) {
            caf::anon_send(self, LongReadDone{std::move(result)});
          });
    }
    long_reads_->add(std::move(effects.long_reads));
  }
  if (!long_reads_) {
    return;
  }
  if (!effects.long_reads_dropped.empty()) {
    long_reads_->drop(effects.long_reads_dropped);
  }
  if (!effects.long_reads_expired.empty()) {
    for (resp::LongReadResult& result : long_reads_->expire(effects.long_reads_expired)) {
      options_.executor->long_read_done(std::move(result));
      want_turn();
    }
  }
  pump_long_reads();
}

void StateMachine::take(ExecutorOrders& orders) {
  // Writes that are expected have nothing to do before their entry comes.
  const bool act = !orders.run_reads.empty() || !orders.cancel_reads.empty() ||
                   !orders.forget.empty() || !orders.serves_returned.empty() ||
                   !orders.serves_answered.empty() || !orders.gone.empty() || orders.end_waits;
  for (auto& batch : orders.expect) {
    options_.executor->expect(std::move(batch));
  }
  for (const uint64_t sequence : orders.forget) {
    options_.executor->forget(sequence);
  }
  for (auto& batch : orders.run_reads) {
    options_.executor->run_reads(std::move(batch));
  }
  options_.executor->cancel_reads(orders.cancel_reads);
  options_.executor->clients_answered(orders.answered);
  for (const resp::ConnectionId gone : orders.gone) {
    options_.executor->forget_connection(gone);
  }
  options_.executor->serves_returned(orders.serves_returned);
  options_.executor->serves_answered(orders.serves_answered);
  if (orders.end_waits) {
    options_.executor->end_waits();
  }
  if (act) {
    want_turn();
  }
}

void StateMachine::take(ApplyEntries& apply) {
  if (!apply.entries.empty()) {
    const std::vector<raft::Entry>& entries = apply.entries;
    CHECK_INVARIANT(entries.back().index == entries.front().index + (entries.size() - 1));
  }
  for (const raft::Entry& entry : apply.entries) {
    news_.given(entry);
  }
  options_.executor->apply(std::move(apply.entries));
  want_turn();
}

void StateMachine::tell_applied(std::optional<std::vector<raft::SessionRow>> sessions) {
  if (!replica_) {
    return;
  }
  if (const std::optional<LogIndex> index = news_.take()) {
    const uint32_t version = options_.executor->cluster_version();
    // That of half a turn is not told: it may be undone.
    const bool news =
        !options_.executor->rests() && std::exchange(told_version_, version) != version;
    send(replica_, Applied{.index = *index,
                           .sessions = std::move(sessions),
                           .group = group_,
                           .cluster_version = news ? version : 0});
  }
}

void StateMachine::long_read_done(LongReadDone& answer) {
  options_.executor->long_read_done(std::move(answer.result));
  want_turn();
}

void StateMachine::pump_long_reads() {
  if (long_reads_ && !options_.executor->rests()) {
    long_reads_->pump(*options_.keyspace, options_.now_ms());
  }
}

void StateMachine::expire() {
  if (options_.executor->rests() ||
      options_.executor->settings().says_no(config::kActiveExpireSetting)) {
    return;
  }
  const int64_t asked_us = now_us();
  const std::optional<int64_t> due_by_ms = expiry_.look(asked_us, options_.now_ms());
  if (!due_by_ms || !router_) {
    return;
  }
  if (const auto since_ms = options_.executor->due_since(*due_by_ms)) {
    expiry_.proposed(*due_by_ms - *since_ms, asked_us, now_us());
    send(router_, InternalProposal{resp::Executor::expire_command(options_.expirations_max)});
  }
}

void StateMachine::tell_latency(bool expired, int64_t turn_us) {
  options_.latency->add(resp::LatencyEvent::kApplyTurn, turn_us / 1000);
  if (expired) {
    options_.latency->add(resp::LatencyEvent::kExpireCycle, turn_us / 1000);
  }
}

void StateMachine::expirations_applied(int64_t turn_us) {
  const std::optional<int64_t> rest_us = expiry_.applied(turn_us, now_us());
  if (rest_us == 0) {
    expire();
  } else if (rest_us) {
    delayed_send(this, std::chrono::microseconds(*rest_us), work_atom_v);
  }
}

// Only while something happens: the answers themselves are no reason to ask again.
void StateMachine::compare() {
  constexpr uint64_t kAnswers = 2 * config::limits::kMembers;
  const LogIndex applied = options_.executor->applied();
  const int64_t at_us = now_us();
  if (compare_at_us_ == 0) {
    compare_at_us_ = at_us + options_.compare_every_us;
  }
  if (!router_ || at_us < compare_at_us_ || applied.value < compared_.value + kAnswers) {
    return;
  }
  compare_at_us_ = at_us + options_.compare_every_us;
  compared_ = applied;
  send(router_, InternalProposal{resp::Executor::compare_command()});
}

// What was erased is freed, with rests: nobody waits for it.
void StateMachine::tidy() {
  if (options_.executor->rests()) {
    return;
  }
  tidying_ = options_.keyspace->tidy();
  if (tidying_) {
    tidy_at_us_ = now_us() + kTidyRestUs;
    delayed_send(this, std::chrono::microseconds(kTidyRestUs), work_atom_v);
  }
}

// ---------------------------------------------------------------- snapshots

void StateMachine::checkpoint(MakeCheckpoint& order) {
  options_.keyspace->checkpoint(std::move(order.directory), std::move(order.done));
}

// The answer takes the way through this actor's mail: by then the replica knows what was applied.
void StateMachine::flush(FlushState& order) {
  if (!order.write) {
    flushed({options_.keyspace->flushed_index(), std::move(order.done)});
    return;
  }
  options_.keyspace->flush_async(
      [self = StateMachineHandle(this), done = std::move(order.done)](LogIndex flushed) {
        caf::anon_send(self, StateFlushed{flushed, done});
      });
}

void StateMachine::flushed(const StateFlushed& state) {
  CHECK_INVARIANT(state.index <= options_.executor->applied());
  tell_applied();  // F13: the log is never cut above what the replica knows to be applied
  // Answers overtake each other: one that went through the mail may be older than what the keyspace
  // was asked meanwhile, or of a state that was swapped. The files do not fall behind what was
  // told, and the terms below it are forgotten.
  flushed_told_ = std::max(flushed_told_, state.index);
  const std::optional<Term> term = news_.term_of(flushed_told_);
  if (!term) {  // nothing was flushed since this start
    state.done(LogIndex{}, Term{});
    return;
  }
  news_.forget_below(flushed_told_);
  state.done(flushed_told_, *term);
}

// F14, F22: the log names the new state already; from here on it is applied to, read, and answered
// from. What waits in the old executor waits on.
void StateMachine::swap(SwapState& order) {
  ship(options_.executor->take_effects());
  tell_applied();
  news_.begin(order.meta.index, order.meta.term);
  flushed_told_ = order.meta.index;
  options_.keyspace->give_up();  // nothing waits for the old state to reach its files
  if (long_reads_) {
    long_reads_->stop();  // they go on, on the new state, which is no older
  }
  resp::Executor* old = options_.executor;
  resp::Executor* fresh = order.fresh->executor.get();
  CHECK_INVARIANT(fresh != old && fresh->applied() == order.meta.index);
  CHECK_INVARIANT(order.meta.index > old->applied());  // F15
  fresh->take_over(*old);
  options_.executor = fresh;
  options_.keyspace = order.fresh->keyspace.get();
  expiry_.state_swapped();
  tidying_ = false;
  room_awaited_ = false;
  StateSwapped swapped{order.meta, fresh->applied_stamp_ms(), fresh->session_rows(), nullptr,
                       group_,     fresh->cluster_version()};
  told_version_ = swapped.cluster_version;
  if (replica_) {
    send(replica_, swapped);
  }
  if (router_) {
    send(router_, swapped);
  }
  swapped.old = options_.adopt(std::move(order.fresh));
  if (options_.settings_changed) {
    options_.settings_changed();
  }
  if (options_.users_changed) {
    options_.users_changed();
  }
  if (snapshots_) {
    send(snapshots_, std::move(swapped));
  }
  want_turn();
}

StateMachineHandle spawn_state_machine(caf::actor_system& system,
                                       const Hosting& hosting,
                                       StateMachineOptions options) {
  return spawn_hosted<StateMachine>(system, hosting, std::move(options));
}

}  // namespace kiwi::actors
