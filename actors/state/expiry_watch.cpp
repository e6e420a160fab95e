#include "actors/state/expiry_watch.hpp"

#include <utility>

namespace kiwi::actors {

std::optional<int64_t> ExpiryWatch::look(int64_t now_us, int64_t now_ms) {
  if (!leads_) {
    looks_ = false;
    look_at_us_ = 0;
    return std::nullopt;
  }
  if (!std::exchange(looks_, true) || pace_.lost(now_us)) {
    pace_.begin();
  }
  if (!pace_.may_propose(now_us)) {
    return std::nullopt;  // a timer that comes in a rest does not end the wait for its end
  }
  look_at_us_ = 0;
  return cluster_time_ms_ + now_ms - told_ms_;
}

std::optional<int64_t> ExpiryWatch::applied(int64_t turn_us, int64_t now_us) {
  const int64_t rest_us = pace_.applied(turn_us, now_us);
  if (rest_us < 0) {
    return std::nullopt;
  }
  look_at_us_ = rest_us > 0 ? now_us + rest_us : 0;
  return rest_us;
}

}  // namespace kiwi::actors
