// Executor: turns on a stack of their own, so that an entry may rest in the middle (SERVICES C3).
// Who calls work() then gets its thread back, and the next work() goes on.
#include <algorithm>
#include <exception>
#include <memory>
#include <utility>

#include "config/base/check.hpp"
#include "resp/executor_state.hpp"
#include "resp/types/steps.hpp"

namespace kiwi::resp {

void Executor::State::allow_rests() {
  database.effects().spill_at(options.spill_bytes);
  if (options.now_us) {
    database.effects().before_spill([this] {
      await_room();
      rested = true;  // the turn ends behind this entry: its commit may have to wait, too
    });
    database.effects().rest_by([this] { may_rest(); });
    database.steps().rest_by([this] { may_rest(); });
  }
}

// Where an exception is dealt with, no fiber may be left.
bool Executor::State::may_leave() const {
  return fiber && fiber->is_running() && std::uncaught_exceptions() == 0 &&
         std::current_exception() == nullptr;
}

// Called inside an entry, every few records and commands; also by reads and looks outside of it.
void Executor::State::may_rest() {
  if (applying == nullptr || !fiber || !fiber->is_running() ||
      options.now_us() - began_us < options.rest_after_us) {
    return;
  }
  if (may_leave()) {
    rest();
  }
}

void Executor::State::rest() {
  CHECK_INVARIANT(!rests);
  rests = rested = true;
  stopwatch.rest();
  fiber->rest();
  stopwatch.go_on();
  CHECK_INVARIANT(!rests);
  if (abandoned) {
    throw Stopped();  // which nothing between here and abandon() takes for a failure
  }
}

void Executor::State::note_arrivals() {
  while (!arrivals.empty() && arrivals.front().last <= database.record().index) {
    arrivals.pop_front();
  }
  const LogIndex known = arrivals.empty() ? database.record().index : arrivals.back().last;
  if (known < queued) {
    arrivals.push_back({queued, options.now_us()});
  }
}

// Before what would wait for the files, and hold up the thread: a spill, and the commit behind one.
// A swap or a stop may leave it here as anywhere in an entry.
void Executor::State::await_room() {
  while (may_leave() && store->pressure() >= rocks::StateStore::kPressureFull) {
    waits_for_room = true;
    tell_entry_waits();
    rest();
    waits_for_room = false;
  }
}

bool Executor::State::work_on_turn() {
  if (!options.now_us) {
    apply_turn();
    return true;
  }
  note_arrivals();
  if (!rests && queue.empty()) {
    held = false;
    return true;
  }
  if (!fiber) {
    scripts.clock(options.now_us);
    constexpr size_t kStackBytes = size_t{8} << 20;  // a thread's: what scripts nest is deep
    fiber = std::make_unique<Fiber>(
        [this] {
          while (!abandoned) {
            apply_turn();
            fiber->rest();
          }
        },
        kStackBytes);
  }
  began_us = options.now_us();
  rested = rests;  // else a turn begins
  rests = false;
  fiber->resume();
  return !rests;
}

// Whoever ends in the middle of an entry leaves half of it in the keyspace: that is not to be used
// any more, and holds on its next start what was committed.
void Executor::State::abandon() {
  if (!fiber || fiber->ended()) {
    return;
  }
  abandoned = true;
  half_done = std::exchange(rests, false);
  try {
    fiber->resume();
  } catch (const Stopped&) {
  }
  CHECK_INVARIANT(fiber->ended());
  if (half_done) {
    forget_half_turn();
  }
}

// Nothing of it is told, as if its entries had never come here. Those who wait for them hear from
// the state that takes this one's place: its session rows say that they are in (F22).
void Executor::State::forget_half_turn() {
  replies.take();
  effects = {};
  database.outward().take();
  context.take_expire_commands();
  opened_term = false;
  for (const std::shared_ptr<const PendingBatch>& batch : taken_batches) {
    for (const PendingOp& op : batch->ops) {
      if (op.waiter != 0) {
        waiters.lost_if_asked(op.waiter);
      }
    }
  }
  taken_batches.clear();
}

bool Executor::rests() const { return state_->rests; }

std::optional<int64_t> Executor::script_us() const { return state_->scripts.running_us(); }

int64_t Executor::behind_scripts_us() const {
  const State& s = *state_;
  const auto oldest = std::ranges::find_if(s.arrivals, [&](const State::Arrival& arrival) {
    return arrival.last > s.database.record().index;
  });
  return oldest != s.arrivals.end() && s.scripts.ran_long() ? s.options.now_us() - oldest->at_us
                                                            : 0;
}

void Executor::abandon() { state_->abandon(); }

bool Executor::waits_for_room() const { return state_->rests && state_->waits_for_room; }

}  // namespace kiwi::resp
