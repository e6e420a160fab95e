#include "tests/sim/script.hpp"

#include "tests/sim/timeline.hpp"

namespace kiwi::sim {

Script& Script::when(int64_t patience_us, Condition condition, int64_t poll_us) {
  steps_.push_back({patience_us, poll_us, std::move(condition), nullptr});
  return *this;
}

Script& Script::pause(int64_t us) {
  steps_.push_back({us, 0, nullptr, nullptr});
  return *this;
}

Script& Script::then(Action action) {
  steps_.push_back({0, 0, nullptr, std::move(action)});
  return *this;
}

void Script::start(std::function<void(bool)> last) {
  last_ = std::move(last);
  next();
}

void Script::next() {
  if (cancelled_) {
    return;
  }
  while (!steps_.empty() && steps_.front().action) {
    const Action action = std::move(steps_.front().action);
    steps_.pop_front();
    action();
  }
  if (steps_.empty()) {
    last_(true);
    return;
  }
  Step& step = steps_.front();
  if (!step.condition) {
    const int64_t us = step.patience_us;
    steps_.pop_front();
    timeline_.after(us, [self = shared_from_this()] { self->next(); });
    return;
  }
  poll(timeline_.now_us() + step.patience_us);
}

void Script::poll(int64_t until_us) {
  if (cancelled_) {
    return;
  }
  if (steps_.front().condition()) {
    steps_.pop_front();
    next();
  } else if (timeline_.now_us() >= until_us) {
    steps_.clear();
    last_(false);
  } else {
    timeline_.after(steps_.front().poll_us,
                    [self = shared_from_this(), until_us] { self->poll(until_us); });
  }
}

}  // namespace kiwi::sim
