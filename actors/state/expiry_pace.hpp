// When the leader may propose to remove what is due (F56): one proposal under way; the next one
// right behind it while more is due, but for no more than a quarter of the loop's time, or half of
// it once more than a second of deadlines is behind. Plain; ExpiryWatch's.
#pragma once

#include <cstdint>

namespace kiwi::actors {

class ExpiryPace {
 public:
  // Another leadership, another state: what is under way is no longer known.
  void begin() { *this = ExpiryPace(); }
  // What was proposed got lost, or takes so long that it may be said again: it removes what is due
  // when it comes, and nothing else (F8).
  bool lost(int64_t now_us) const { return under_way_ && now_us - asked_us_ > kLostUs; }

  bool may_propose(int64_t now_us) const { return !under_way_ && now_us >= rest_until_us_; }
  // The earliest deadline is so far behind. To ask took from `asked_us` until `now_us`.
  void proposed(int64_t behind_ms, int64_t asked_us, int64_t now_us) {
    under_way_ = true;
    share_ = behind_ms < kHurryMs ? kQuarter : kHalf;
    asked_us_ = asked_us;
    work_us_ = now_us - asked_us;
  }
  // A turn that executed it took so long. Returns how long to rest before the next look; negative:
  // it was not ours.
  int64_t applied(int64_t turn_us, int64_t now_us) {
    if (!under_way_) {
      return -1;
    }
    under_way_ = false;
    work_us_ += turn_us;
    rest_until_us_ = asked_us_ + share_ * work_us_;
    return rest_until_us_ > now_us ? rest_until_us_ - now_us : 0;
  }

 private:
  static constexpr int64_t kLostUs = 2'000'000;
  static constexpr int64_t kHurryMs = 1000;
  static constexpr int64_t kQuarter = 4;
  static constexpr int64_t kHalf = 2;

  bool under_way_ = false;
  int64_t share_ = kQuarter;
  int64_t asked_us_ = 0;
  int64_t work_us_ = 0;
  int64_t rest_until_us_ = 0;
};

}  // namespace kiwi::actors
