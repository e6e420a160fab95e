// A second stack for work that rests in the middle: resume() runs it until it calls rest() or ends,
// and the next resume() goes on where it rested. Nothing runs at the same time: it is a way to
// return from the middle of a function. Plain class over Boost.Context; all on one thread.
//
// Nothing may rest while an exception is in flight or caught: the runtime counts them by thread.
// What the work throws comes out of resume().
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace kiwi {

class Fiber {
 public:
  static constexpr size_t kStackBytes = 4 << 20;  // touched pages are kept; a guard page below

  explicit Fiber(std::function<void()> work, size_t stack_bytes = kStackBytes);
  ~Fiber();  // it has ended, or was never resumed
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void resume();            // from outside, while !ended()
  void rest();              // from inside
  bool is_running() const;  // the caller is inside
  bool ended() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiwi
