// When the leader proposes to remove keys whose time is over, and how many at once (F56): one
// proposal under way; the next one follows as soon as it is applied while more is due, but takes no
// more than half of the loop's time. Plain; StateMachine's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kiwi::actors {

class ExpiryPace {
 public:
  explicit ExpiryPace(size_t keys_max) : keys_max_(keys_max) {}

  // Another leadership, another state: what is under way is no longer known.
  void begin() { *this = ExpiryPace(keys_max_); }
  // What was proposed got lost, or takes so long that it may be said again: it is conditional (F8).
  bool lost(int64_t now_us) const { return under_way_ && now_us - asked_us_ > kLostUs; }

  // Whether to ask now for what is due, and for how many keys: 0 = not now.
  size_t wanted(int64_t now_us) const { return under_way_ || now_us < rest_until_us_ ? 0 : keys_; }
  // As many were found as that, at `asked_us`, and it took until `now_us`.
  void proposed(size_t keys, int64_t asked_us, int64_t now_us) {
    under_way_ = keys != 0;
    more_ = keys >= keys_;
    asked_us_ = asked_us;
    work_us_ = now_us - asked_us;
    // Few keys are applied in no time; who has many to remove does better with large entries.
    keys_ = more_ ? (keys_ * 2 < keys_max_ ? keys_ * 2 : keys_max_) : kFirst;
    keys_ = keys_ < keys_max_ ? keys_ : keys_max_;
  }
  // A turn that executed it took so long. Returns how long to wait until the next one is asked for;
  // negative: until the timer.
  int64_t applied(int64_t turn_us, int64_t now_us) {
    if (!under_way_) {
      return -1;
    }
    under_way_ = false;
    work_us_ += turn_us;
    rest_until_us_ = asked_us_ + 2 * work_us_;
    if (!more_) {
      return -1;
    }
    return rest_until_us_ > now_us ? rest_until_us_ - now_us : 0;
  }

 private:
  static constexpr size_t kFirst = 128;
  static constexpr int64_t kLostUs = 2'000'000;

  size_t keys_max_;
  size_t keys_ = kFirst < keys_max_ ? kFirst : keys_max_;
  bool under_way_ = false;
  bool more_ = false;  // the last one was full
  int64_t asked_us_ = 0;
  int64_t work_us_ = 0;
  int64_t rest_until_us_ = 0;
};

}  // namespace kiwi::actors
