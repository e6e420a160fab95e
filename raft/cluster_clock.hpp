// Cluster time (F9, F37): what a leader stamps into entries and hands to readers. It runs on the
// shell's monotonic clock from a base fixed at election, is slewed towards the wall clock by at
// most a tenth, and never goes back. Owned by the core.
#pragma once

#include <cstdint>

namespace kiwi::raft {

class ClusterClock {
 public:
  // read_bound_ms: how far beyond the stamp of a committed entry a reader's time may be.
  explicit ClusterClock(int64_t read_bound_ms) : read_bound_ms_(read_bound_ms) {}

  void set_time(int64_t wall_ms, int64_t monotonic_ms);

  // At election: starts above everything that any reader of an older term may have been told,
  // which is the read bound of the last entry in the new leader's log.
  void start_leading(int64_t last_stamp_ms);
  // A follower's estimate; nothing that must be right depends on it.
  void follow(int64_t leader_time_ms);

  int64_t now_ms() const { return now_us_ / 1000; }
  int64_t monotonic_ms() const { return monotonic_ms_; }  // as given by the shell, as is
  int64_t wall_ms() const { return wall_ms_; }
  int64_t read_bound_of(int64_t stamp_ms) const { return stamp_ms + read_bound_ms_; }

 private:
  int64_t read_bound_ms_;
  bool started_ = false;
  int64_t wall_ms_ = 0;
  int64_t monotonic_ms_ = 0;
  int64_t now_us_ = 0;  // microseconds, so that slewing by a tenth works on steps of 1 ms
};

}  // namespace kiwi::raft
