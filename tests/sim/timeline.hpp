// Virtual time. Events run in the order of their time, then of their making: the same seed gives
// the same run. Owned by the world; single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

namespace kiwi::sim {

// A broken promise: which check found it, and what it saw.
struct Violation {
  std::string check;
  std::string what;
};

class Timeline {
 public:
  int64_t now_us() const { return now_us_; }
  void at(int64_t when_us, std::function<void()> run) {
    events_.push({when_us < now_us_ ? now_us_ : when_us, ++made_, std::move(run)});
  }
  void after(int64_t delay_us, std::function<void()> run) {
    at(now_us_ + delay_us, std::move(run));
  }
  // False: nothing is left to happen.
  bool step() {
    if (events_.empty()) {
      return false;
    }
    Event event = std::move(const_cast<Event&>(events_.top()));
    events_.pop();
    now_us_ = event.when_us;
    ++steps_;
    event.run();
    return true;
  }
  uint64_t steps() const { return steps_; }

 private:
  struct Event {
    int64_t when_us = 0;
    uint64_t order = 0;
    std::function<void()> run;
    bool operator<(const Event& other) const {  // std::priority_queue gives the largest
      return when_us != other.when_us ? when_us > other.when_us : order > other.order;
    }
  };

  int64_t now_us_ = 0;
  uint64_t made_ = 0;
  uint64_t steps_ = 0;
  std::priority_queue<Event> events_;
};

}  // namespace kiwi::sim
