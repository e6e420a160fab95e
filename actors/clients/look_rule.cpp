#include "actors/clients/look_rule.hpp"

#include <utility>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

// A commit that took long counts so much the less with each one behind it.
constexpr int64_t kSmoothing = 8;

}  // namespace

// One batch at a time, from the turn that handed it over to the first one behind its end.
void LookRule::measure(const resp::Flight& flight, int64_t now_us) {
  CHECK_INVARIANT(flight.oldest <= flight.next);
  if (watched_ != 0 && flight.oldest > watched_) {
    const int64_t took_us = now_us - watched_since_us_;
    commit_us_ = commit_us_ ? *commit_us_ + (took_us - *commit_us_) / kSmoothing : took_us;
    watched_ = 0;
  }
  if (watched_ == 0 && flight.oldest < flight.next) {
    watched_ = flight.next - 1;
    watched_since_us_ = now_us;
  }
  CHECK_INVARIANT(watched_ == 0 || watched_ < flight.next);
}

bool LookRule::may_sleep(const resp::Flight& flight, size_t clients, int64_t now_us) {
  measure(flight, now_us);
  if (std::exchange(gained_, false)) {
    gained_us_ = now_us;
  }
  if (ending_ || clients < 2 || !flight.writes_only || flight.gathers) {
    return false;
  }
  if (gained_us_ && now_us - *gained_us_ < kGainUs) {
    return false;
  }
  // The one under way may be the first that takes long: whoever has a turn meanwhile notices.
  const bool is_short = commit_us_ && *commit_us_ <= kShortUs;
  return is_short && now_us - watched_since_us_ <= kShortUs;
}

}  // namespace kiwi::actors
