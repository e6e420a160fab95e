// A node that is drained hands leadership over, and again whenever it is elected (DepartureShell),
// and is not ready for new clients; whoever stays it serves on. Until it is taken back, or the
// process ends. This is what those who asked for it are told.
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
    kLate,  // it still leads kPatienceMs after somebody asked
  };
  static constexpr int64_t kPatienceMs = 5000;

  void begin(int64_t now_ms) {
    if (!active_) {
      ask(now_ms);
    }
  }
  // Somebody waits from now on, and nobody did: patience begins anew.
  void ask(int64_t now_ms) {
    active_ = true;
    asked_ms_ = now_ms;
  }
  void end() { active_ = false; }
  bool active() const { return active_; }

  Outcome outcome(const Seen& seen, int64_t now_ms) const {
    if (!seen.leads) {
      return Outcome::kDone;
    }
    if (!seen.others_vote) {
      return Outcome::kAlone;
    }
    return now_ms - asked_ms_ >= kPatienceMs ? Outcome::kLate : Outcome::kUnderWay;
  }

 private:
  bool active_ = false;
  int64_t asked_ms_ = 0;
};

}  // namespace kiwi::actors
