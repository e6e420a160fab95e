// StopGuard: sees to it that a process that is to stop does. From arm() on, a further signal to
// stop ends it at once, whatever its loops wait for (a dead disk, a flush); so does the end of
// patience. A third signal ends it even if the log cannot be written any more. One for the process.
#pragma once

#include <chrono>

namespace kiwi::actors {

class StopGuard {
 public:
  StopGuard() = default;
  StopGuard(const StopGuard&) = delete;
  StopGuard& operator=(const StopGuard&) = delete;

  // Takes SIGTERM and SIGINT over; the second call changes nothing.
  void arm(std::chrono::milliseconds patience);
  bool armed() const { return armed_; }

 private:
  bool armed_ = false;
};

}  // namespace kiwi::actors
