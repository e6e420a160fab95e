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
    taken_ = 0;
    max_ = std::numeric_limits<uint64_t>::max();
  }
  void limit(uint64_t max) { max_ = max; }  // until begin()
  uint64_t taken() const { return taken_; }

 private:
  uint64_t taken_ = 0;
  uint64_t max_ = std::numeric_limits<uint64_t>::max();
};

}  // namespace kiwi::resp
