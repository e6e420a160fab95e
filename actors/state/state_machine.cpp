#include "actors/state/state_machine.hpp"

#include <chrono>
#include <string>
#include <utility>

#include "config/base/check.hpp"
#include "raft/log_window.hpp"

namespace kiwi::actors {

namespace {

// By the core's own measure, and far less than it lets be under way to apply (F28).
constexpr uint64_t kTellBytes = 256 * 1024;
// Between two pieces of what nobody waits for.
constexpr int64_t kTidyRestUs = 2000;

}  // namespace

StateMachine::StateMachine(caf::actor_config& cfg,
                           const Hosting& hosting,
                           StateMachineOptions options)
    : Hosted(cfg, hosting, "StateMachine", Vital::kYes),
      options_(std::move(options)),
      expiry_(options_.expirations_max) {
  CHECK_INVARIANT(options_.executor != nullptr);
  terms_.emplace_back(options_.executor->applied(), options_.executor->applied_term());
}

StateMachine::behavior_type StateMachine::make_behavior() {
  return {
      [this](ConnectionOpened& opened) { connections_[opened.id] = std::move(opened.handle); },
      [this](const ConnectionClosed& closed) {
        connections_.erase(closed.id);
        options_.executor->forget_connection(closed.id);
        want_turn();  // its long reads are of no use any more
      },
      [this](ExecutorOrders& orders) {
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
        want_turn();
      },
      [this](ApplyEntries& apply) { take(apply); },
      [this](const RaftReport& report) {
        if (report.status) {
          leads_ = report.status->role == raft::Role::kLeader && report.status->ready;
          follows_ = report.status->role == raft::Role::kFollower;
          cluster_time_ms_ = report.status->cluster_time_ms;
          told_ms_ = options_.now_ms();
        }
      },
      [this](MakeCheckpoint& order) { checkpoint(order); },
      [this](FlushState& order) { flush(order); },
      [this](const StateFlushed& state) { flushed(state); },
      [this](const KeyspaceHasRoom&) {
        room_awaited_ = false;
        want_turn();
      },
      [this](LongReadDone& answer) { long_read_done(answer); },
      [this](SwapState& order) { swap(order); },
      [this](SnapshotWorkerStarted& started) { snapshots_ = std::move(started.worker); },
      [this](RouterStarted& started) { router_ = std::move(started.router); },
      [this](ReplicaStarted& started) {
        replica_ = std::move(started.replica);
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
        while (options_.executor->work()) {
          ship(options_.executor->take_effects());
        }
        ship(options_.executor->take_effects());
        tell_applied();
        end();
      },
  };
}

void StateMachine::stopped() {
  long_reads_.reset();
  router_ = nullptr;
  replica_ = nullptr;
  snapshots_ = nullptr;
  connections_.clear();
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
  const bool timed = replays || expires_;
  const int64_t began_us = timed ? now_us() : 0;
  const bool more = options_.executor->work();
  resp::ExecutorEffects effects = options_.executor->take_effects();
  const bool expired = effects.expirations != 0;
  ship(std::move(effects));
  if (expired && expires_) {
    expirations_applied(now_us() - began_us);
  }
  if (expire_at_us_ != 0 && now_us() >= expire_at_us_) {
    expire();
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
}

// The router has been slowing down for long: this is the end of its means. Weak, since the answer
// may come when this actor is gone.
void StateMachine::await_room() {
  room_awaited_ = true;
  const auto self = caf::actor_cast<caf::weak_actor_ptr>(StateMachineHandle(this));
  options_.keyspace->when_room([self] {
    if (const auto there = caf::actor_cast<StateMachineHandle>(self)) {
      caf::anon_send(there, KeyspaceHasRoom{});
    }
  });
}

void StateMachine::ship(resp::ExecutorEffects effects) {
  for (resp::ReplyBatch& batch : effects.replies) {
    const auto found = connections_.find(batch.connection);
    if (found != connections_.end()) {
      send(found->second, std::move(batch));
    }
  }
  order_long_reads(effects);
  if (effects.applied_moved) {
    untold_ = effects.applied;
    if (effects.sessions || told_at_once_ != LogIndex{}) {
      tell_applied(std::move(effects.sessions));
    }
  }
  const bool tell_router = effects.applied_moved || !effects.settled.empty() ||
                           !effects.reads_done.empty() || !effects.reads_again.empty() ||
                           !effects.reads_split.empty() || effects.pressure;
  if (tell_router && router_) {
    send(router_, ExecutorReport{std::move(effects.settled), std::move(effects.reads_done),
                                 std::move(effects.reads_again), std::move(effects.reads_split),
                                 options_.executor->applied(), effects.pressure});
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

void StateMachine::take(ApplyEntries& apply) {
  for (const raft::Entry& entry : apply.entries) {
    note(entry);
    if (terms_.empty() || terms_.back().second != entry.term) {
      terms_.emplace_back(entry.index, entry.term);
    }
  }
  options_.executor->apply(std::move(apply.entries));
  want_turn();
}

void StateMachine::note(const raft::Entry& entry) {
  given_ = entry.index;
  untold_bytes_ += raft::entry_bytes(entry);
  const bool plain = entry.kind == raft::EntryKind::kBatch ||
                     entry.kind == raft::EntryKind::kVoid || entry.kind == raft::EntryKind::kTick;
  if (!plain || untold_bytes_ >= kTellBytes) {
    told_at_once_ = entry.index;
  }
}

void StateMachine::tell_applied(std::optional<std::vector<raft::SessionRow>> sessions) {
  if (untold_ == LogIndex{} || !replica_) {
    return;
  }
  if (untold_ >= told_at_once_) {
    told_at_once_ = {};
  }
  if (untold_ == given_) {
    untold_bytes_ = 0;
  }
  send(replica_, Applied{std::exchange(untold_, {}), std::move(sessions)});
}

void StateMachine::long_read_done(LongReadDone& answer) {
  options_.executor->long_read_done(std::move(answer.result));
  want_turn();
}

void StateMachine::pump_long_reads() {
  if (long_reads_) {
    long_reads_->pump(*options_.keyspace, options_.now_ms());
  }
}

int64_t StateMachine::now_us() const {
  return options_.now_us ? options_.now_us() : options_.now_ms() * 1000;
}

void StateMachine::expire() {
  expire_at_us_ = 0;
  if (!leads_ || !router_) {
    expires_ = false;
    return;
  }
  const int64_t asked_us = now_us();
  if (!std::exchange(expires_, true) || expiry_.lost(asked_us)) {
    expiry_.begin();
    options_.executor->forget_expirations();
  }
  const size_t keys_max = expiry_.wanted(asked_us);
  if (keys_max == 0) {
    return;
  }
  // Too late a clock only delays, too early a one is caught by the entry's stamp (F8).
  const int64_t now_ms = cluster_time_ms_ + options_.now_ms() - told_ms_;
  auto next = options_.executor->next_expirations(now_ms, keys_max);
  expiry_.proposed(next.keys, asked_us, now_us());
  if (!next.command.empty()) {
    send(router_, InternalProposal{std::move(next.command)});
  }
}

void StateMachine::expirations_applied(int64_t turn_us) {
  const int64_t rest_us = expiry_.applied(turn_us, now_us());
  if (rest_us == 0) {
    expire();
  } else if (rest_us > 0) {
    expire_at_us_ = now_us() + rest_us;
    delayed_send(this, std::chrono::microseconds(rest_us), work_atom_v);
  }
}

// What was erased is freed, with rests: nobody waits for it.
void StateMachine::tidy() {
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
  tell_applied();  // F13: the log is never cut above what the replica knows to be applied
  while (terms_.size() > 1 && terms_[1].first <= state.index) {
    terms_.pop_front();
  }
  state.done(state.index, term_of(state.index));
}

Term StateMachine::term_of(LogIndex index) const {
  Term term;
  for (const auto& [first, of] : terms_) {
    if (first <= index) {
      term = of;
    }
  }
  return term;
}

// F14, F22: the log names the new state already; from here on it is applied to, read, and answered
// from. What waits in the old executor waits on.
void StateMachine::swap(SwapState& order) {
  ship(options_.executor->take_effects());
  tell_applied();
  told_at_once_ = {};
  untold_bytes_ = 0;
  options_.keyspace->give_up();  // nothing waits for the old state to reach its files
  if (long_reads_) {
    long_reads_->stop();  // they go on, on the new state, which is no older
  }
  resp::Executor* old = options_.executor;
  resp::Executor* fresh = order.fresh->executor.get();
  fresh->take_over(*old);
  options_.executor = fresh;
  options_.keyspace = order.fresh->keyspace.get();
  expires_ = false;
  tidying_ = false;
  room_awaited_ = false;
  terms_.clear();
  terms_.emplace_back(order.meta.index, order.meta.term);
  StateSwapped swapped{order.meta, fresh->applied_stamp_ms(), fresh->session_rows(), nullptr};
  if (replica_) {
    send(replica_, swapped);
  }
  if (router_) {
    send(router_, swapped);
  }
  swapped.old = options_.adopt(std::move(order.fresh));
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
