#include "actors/node/latency_watch.hpp"

#include <algorithm>
#include <utility>

namespace kiwi::actors {

using resp::LatencyEvent;

void LatencyWatch::look(const Seen& seen) {
  if (looked_ms_ >= 0) {
    monitor_.add(LatencyEvent::kLoopStall, seen.now_ms - looked_ms_ - period_ms_);
  }
  looked_ms_ = seen.now_ms;
  monitor_.add(LatencyEvent::kCommit, seen.commit_ms);
  monitor_.add(LatencyEvent::kReadRound, seen.read_round_ms);
  monitor_.add(LatencyEvent::kLogSync, static_cast<int64_t>(seen.log_sync_us / 1000));
  if (seen.state != nullptr) {
    look_at_files(*seen.state);
  }
}

// Sums are all they tell: of several flushes between two looks, the mean. A state that a snapshot
// brought counts from 0.
void LatencyWatch::look_at_files(const rocks::StateStore::Usage& state) {
  const bool goes_on = std::exchange(files_known_, true) && state.flushes >= flushes_ &&
                       state.flush_us >= flush_us_ && state.flush_wait_us >= flush_wait_us_;
  if (goes_on) {
    const uint64_t count = std::max<uint64_t>(1, state.flushes - flushes_);
    monitor_.add(LatencyEvent::kFlush,
                 static_cast<int64_t>((state.flush_us - flush_us_) / count / 1000));
    monitor_.add(LatencyEvent::kCompactionWait,
                 static_cast<int64_t>((state.flush_wait_us - flush_wait_us_) / count / 1000));
  }
  flushes_ = state.flushes;
  flush_us_ = state.flush_us;
  flush_wait_us_ = state.flush_wait_us;
}

void LatencyWatch::leader(bool ready, int64_t now_ms) {
  if (!ready) {
    leaderless_since_ms_ = leaderless_since_ms_ < 0 ? now_ms : leaderless_since_ms_;
  } else if (leaderless_since_ms_ >= 0) {
    monitor_.add(LatencyEvent::kElection, now_ms - std::exchange(leaderless_since_ms_, -1));
  }
}

}  // namespace kiwi::actors
