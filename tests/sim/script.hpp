// A course of events that the nemesis steers on purpose: wait for something, do something, and so
// on. What does not come about within its patience ends the script; its last act is done always.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace kiwi::sim {

class Timeline;

class Script : public std::enable_shared_from_this<Script> {
 public:
  using Condition = std::function<bool()>;
  using Action = std::function<void()>;

  explicit Script(Timeline& timeline) : timeline_(timeline) {}

  // Looked at so often.
  Script& when(int64_t patience_us, Condition condition, int64_t poll_us = 1'000);
  Script& pause(int64_t us);
  Script& then(Action action);
  // completed: nothing ran out of patience. Then the script is over.
  void start(std::function<void(bool completed)> last);
  void cancel() { cancelled_ = true; }  // not even the last act

 private:
  struct Step {
    int64_t patience_us = 0;  // of the condition; without one, how long to wait
    int64_t poll_us = 0;
    Condition condition;
    Action action;
  };
  void next();
  void poll(int64_t until_us);

  Timeline& timeline_;
  std::deque<Step> steps_;
  std::function<void(bool)> last_;
  bool cancelled_ = false;
};

}  // namespace kiwi::sim
