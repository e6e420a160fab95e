// Executor: turns on a stack of their own, so that an entry may rest in the middle (SERVICES C3).
// Who calls work() then gets its thread back, and the next work() goes on.
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

bool Executor::State::work_on_turn() {
  if (!options.now_us) {
    apply_turn();
    return true;
  }
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

}  // namespace kiwi::resp
