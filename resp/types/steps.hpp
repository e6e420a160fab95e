// How much a command looks at, in records: what decides whether it is too long for its turn, or for
// one command at all, where a long read hears that it is to stop, and where an entry may rest.
//
// Part of the Database; one thread, but for the flag of stop_on().
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "config/base/check.hpp"
#include "resp/types/effects.hpp"

namespace kiwi::resp {

struct TooManySteps {};
// Not a std::exception: nothing between whoever walks and run_long_read() may take it for a command
// that failed.
struct Stopped {};

class Steps {
 public:
  // Whoever walks records calls it for each. Throws TooManySteps above limit(): a read that turns
  // out to be too long for its turn; TooMuchForOneEntry above bound(); Stopped once stop_on()'s
  // flag is up.
  void step(uint64_t records = 1) {
    taken_ += records;
    if (taken_ > next_look_) {
      look();
    }
  }
  // The same for one of the entries that stand together in a record, of which so many take about as
  // long as a record of its own.
  static constexpr uint64_t kEntriesPerStep = 16;
  void entry() {
    if (++entries_ % kEntriesPerStep == 0) {
      step();
    }
  }

  // So many are to come: what would be too much is refused before it is begun.
  void expect(uint64_t records) const {
    if (!in_answer_ && common() < common_max_ && records > common_max_ - common()) {
      throw TooMuchForOneEntry();
    }
  }

  void begin() {
    taken_ = for_answer_ = entries_ = 0;
    max_ = common_max_ = kNoMax;
    plan();
  }
  // Both until begin(). The bound is of those that every node takes, and so the same on all.
  void limit(uint64_t max) {
    max_ = max;
    plan();
  }
  void bound(uint64_t max) {
    common_max_ = max;
    plan();
  }
  // For life. Any thread may set it.
  void stop_on(const std::atomic<bool>* flag) {
    stop_ = flag;
    plan();
  }
  // For life: called now and then between two steps, and by who does much without steps.
  void rest_by(std::function<void()> rest) {
    rest_ = std::move(rest);
    plan();
  }
  void may_rest() {
    if (rest_) {
      rest_();
    }
  }
  // A read that has to leave its turn if it turns out to be long.
  bool limited() const { return max_ != kNoMax; }
  // Where something takes long and looks at no record: Stopped, as step().
  void breathe() const {
    if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) {
      throw Stopped();
    }
  }
  uint64_t taken() const { return taken_; }
  // Those that every node takes.
  uint64_t common() const { return taken_ - for_answer_; }

  // While it lives, what is walked is walked for the answer, which only the origin writes. One at a
  // time.
  class ForAnswer {
   public:
    explicit ForAnswer(Steps& steps)
        : steps_(steps), before_(steps.taken_), entries_before_(steps.entries_) {
      CHECK_INVARIANT(!steps_.in_answer_);
      steps_.in_answer_ = true;
      steps_.plan();
    }
    ~ForAnswer() {
      CHECK_INVARIANT(steps_.in_answer_ && steps_.taken_ >= before_);
      steps_.for_answer_ += steps_.taken_ - before_;
      steps_.entries_ = entries_before_;
      steps_.in_answer_ = false;
      steps_.plan();
    }
    ForAnswer(const ForAnswer&) = delete;
    ForAnswer& operator=(const ForAnswer&) = delete;

   private:
    Steps& steps_;
    uint64_t before_;
    uint64_t entries_before_;
  };

 private:
  static constexpr uint64_t kNoMax = std::numeric_limits<uint64_t>::max();
  // Between two looks at the flag, or rests: less than a millisecond.
  static constexpr uint64_t kBetweenLooks = 64;

  void look() {
    if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) {
      throw Stopped();
    }
    if (taken_ > max_) {
      throw TooManySteps();
    }
    if (!in_answer_ && common() > common_max_) {
      throw TooMuchForOneEntry();
    }
    may_rest();
    plan();
  }
  // Exactly where a maximum is passed: whether a command passes it must not depend on what this
  // node walked beside.
  void plan() {
    next_look_ = max_;
    if (!in_answer_ && common_max_ < kNoMax - for_answer_) {
      next_look_ = std::min(next_look_, common_max_ + for_answer_);
    }
    if (stop_ != nullptr || rest_) {
      next_look_ = std::min(next_look_, taken_ + kBetweenLooks);
    }
  }

  uint64_t next_look_ = kNoMax;  // taken_ above it: look()
  uint64_t taken_ = 0;
  uint64_t for_answer_ = 0;
  uint64_t entries_ = 0;
  uint64_t max_ = kNoMax;
  uint64_t common_max_ = kNoMax;
  bool in_answer_ = false;
  const std::atomic<bool>* stop_ = nullptr;
  std::function<void()> rest_;
};

}  // namespace kiwi::resp
