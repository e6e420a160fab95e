// A node that is drained: it hands leadership over, and again whenever it is elected, and is not
// ready for new clients; those that it has it serves on. Until it is taken back, or the process
// ends.
//
// Plain class. Owned by HttpShell, client loop. Times are monotonic milliseconds.
#pragma once

#include <cstdint>

namespace kiwi::actors {

class Drain {
 public:
  struct Seen {
    bool leads = false;
    bool others_vote = false;  // there is somebody to hand over to
  };
  enum class Outcome : uint8_t {
    kUnderWay,
    kDone,  // another node leads, or none
    kAlone,
    kLate,  // it still leads after kPatienceMs
  };
  static constexpr int64_t kPatienceMs = 5000;
  static constexpr int64_t kBetweenMs = 1000;  // two attempts

  void begin(int64_t now_ms) {
    if (!active_) {
      active_ = true;
      began_ms_ = now_ms;
      asked_ms_ = now_ms - kBetweenMs;
    }
  }
  void end() { active_ = false; }
  bool active() const { return active_; }

  // True: ask for a hand-over now.
  bool step(const Seen& seen, int64_t now_ms) {
    if (!active_ || !seen.leads || !seen.others_vote || now_ms - asked_ms_ < kBetweenMs) {
      return false;
    }
    asked_ms_ = now_ms;
    return true;
  }
  Outcome outcome(const Seen& seen, int64_t now_ms) const {
    if (!seen.leads) {
      return Outcome::kDone;
    }
    if (!seen.others_vote) {
      return Outcome::kAlone;
    }
    return now_ms - began_ms_ >= kPatienceMs ? Outcome::kLate : Outcome::kUnderWay;
  }

 private:
  bool active_ = false;
  int64_t began_ms_ = 0;
  int64_t asked_ms_ = 0;
};

}  // namespace kiwi::actors
