// How a node that comes back rests while it applies its own log again: as long as it works. Its
// clients get LOADING meanwhile, those of the others get answers, and a node on a shared machine
// that took a whole processor for this was seen by them. Bounded, since the cluster lacks a state
// until it is done; not at all on a leader or a candidate, for whom all others wait.
// A plain class, owned by StateMachine, on the client loop.
#pragma once

#include <algorithm>
#include <cstdint>

#include "config/base/check.hpp"
#include "config/base/ids.hpp"

namespace kiwi::actors {

class ReplayRest {
 public:
  static constexpr int64_t kWorkUs = 500;            // before a rest
  static constexpr int64_t kRestMaxUs = 2'000;       // at once
  static constexpr int64_t kRestsMaxUs = 2'000'000;  // in all
  static_assert(kWorkUs <= kRestMaxUs && kRestMaxUs <= kRestsMaxUs);

  void begin(LogIndex log_end) { log_end_ = log_end; }

  // Whether the next turn is one of those; `follows`: it neither leads nor tries to.
  bool wanted(LogIndex applied, bool follows) const {
    return follows && applied < log_end_ && left_us_ > 0;
  }
  // How long to rest behind a turn that was, and took so long.
  int64_t after_turn(int64_t took_us) {
    worked_us_ += took_us;
    if (worked_us_ < kWorkUs) {
      return 0;
    }
    const int64_t rest_us = std::min({worked_us_, kRestMaxUs, left_us_});
    left_us_ -= rest_us;
    CHECK_INVARIANT(left_us_ >= 0);
    worked_us_ = 0;
    return rest_us;
  }

 private:
  LogIndex log_end_;  // as it was at the start
  int64_t worked_us_ = 0;
  int64_t left_us_ = kRestsMaxUs;
};

}  // namespace kiwi::actors
