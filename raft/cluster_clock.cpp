#include "raft/cluster_clock.hpp"

#include <algorithm>

#include "raft/mutants.hpp"

namespace kiwi::raft {

void ClusterClock::set_time(int64_t wall_ms, int64_t monotonic_ms) {
  wall_ms_ = wall_ms;
  if (!started_) {
    started_ = true;
    monotonic_ms_ = monotonic_ms;
    now_us_ = std::max(now_us_, wall_ms * 1000);
    return;
  }
  int64_t passed_us = std::max<int64_t>(0, monotonic_ms - monotonic_ms_) * 1000;
  monotonic_ms_ = std::max(monotonic_ms_, monotonic_ms);
  now_us_ += passed_us;
  int64_t slew_max_us = passed_us / 10;
  now_us_ += std::clamp(wall_ms * 1000 - now_us_, -slew_max_us, slew_max_us);
}

void ClusterClock::start_leading(int64_t last_stamp_ms) {
  int64_t floor_ms = read_bound_of(last_stamp_ms) + 1;
  if (mutant(Mutant::kNewTermKeepsClock)) {
    floor_ms = last_stamp_ms;
  }
  now_us_ = std::max(wall_ms_, floor_ms) * 1000;
}

void ClusterClock::follow(int64_t leader_time_ms) { now_us_ = leader_time_ms * 1000; }

}  // namespace kiwi::raft
