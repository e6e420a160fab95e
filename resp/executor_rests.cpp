// Executor: turns on a stack of their own, so that an entry may rest in the middle (SERVICES C3).
// Who calls work() then gets its thread back, and the next work() goes on.
#include <algorithm>
#include <exception>

#include "config/base/check.hpp"
#include "resp/executor_state.hpp"
#include "resp/types/steps.hpp"

namespace kiwi::resp {

// Called inside an entry, every few records and commands; also by reads and looks outside of it.
void Executor::State::may_rest() {
  if (applying == nullptr || !fiber || !fiber->is_running() ||
      options.now_us() - began_us < options.rest_after_us) {
    return;
  }
  if (std::uncaught_exceptions() != 0 || std::current_exception() != nullptr) {
    return;  // where an exception is dealt with, no fiber may be left
  }
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
  rests = false;
  try {
    fiber->resume();
  } catch (const Stopped&) {
  }
  CHECK_INVARIANT(fiber->ended());
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

}  // namespace kiwi::resp
