// Signs of life while a thread does one long thing: reading a state to prove it takes minutes, and
// whoever waits for this node must not take them for its end. Signs end when the work stands still,
// so that a disk that hangs is not waited for. begin() and end() are one thread's; the signs are
// given on a thread of this object.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace kiwi::actors {

class SignsOfLife {
 public:
  struct Pace {
    std::chrono::milliseconds every{500};        // below what repeats unanswered chunks
    std::chrono::milliseconds patience{60'000};  // with work that does not go on
  };

  SignsOfLife() : SignsOfLife(Pace{}) {}
  explicit SignsOfLife(Pace pace) : pace_(pace) {}
  ~SignsOfLife();
  SignsOfLife(const SignsOfLife&) = delete;
  SignsOfLife& operator=(const SignsOfLife&) = delete;

  // Long work may follow on this thread; rocks::breathe() says that it goes on.
  void begin(std::function<void()> sign);
  void end();  // no sign is given after it returned

 private:
  using Clock = std::chrono::steady_clock;
  void run();

  const Pace pace_;
  std::atomic<uint64_t> steps_{0};  // of the work
  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> sign_;  // empty: nothing is done
  Clock::time_point began_;
  Clock::time_point moved_;
  uint64_t seen_steps_ = 0;
  bool ending_ = false;
  std::thread thread_;  // from the first work on
};

}  // namespace kiwi::actors
