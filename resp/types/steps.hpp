// How much a command looks at, in records: what decides whether it is too long for its turn.
#pragma once

#include <cstdint>
#include <limits>

namespace kiwi::resp {

struct TooManySteps {};

class Steps {
 public:
  // Whoever walks records calls it for each. Throws TooManySteps above the limit: a read that turns
  // out to be too long for its turn.
  void step() {
    if (++taken_ > max_) {
      throw TooManySteps();
    }
  }
  void begin() {
    taken_ = for_answer_ = 0;
    max_ = std::numeric_limits<uint64_t>::max();
  }
  void limit(uint64_t max) { max_ = max; }  // until begin()
  uint64_t taken() const { return taken_; }
  // Those that every node takes.
  uint64_t common() const { return taken_ - for_answer_; }

  // While it lives, what is walked is walked for the answer, which only the origin writes.
  class ForAnswer {
   public:
    explicit ForAnswer(Steps& steps) : steps_(steps), before_(steps.taken_) {}
    ~ForAnswer() { steps_.for_answer_ += steps_.taken_ - before_; }
    ForAnswer(const ForAnswer&) = delete;
    ForAnswer& operator=(const ForAnswer&) = delete;

   private:
    Steps& steps_;
    uint64_t before_;
  };

 private:
  uint64_t taken_ = 0;
  uint64_t for_answer_ = 0;
  uint64_t max_ = std::numeric_limits<uint64_t>::max();
};

}  // namespace kiwi::resp
