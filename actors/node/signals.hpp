// What signals ask of a running node: SIGTERM and SIGINT to end in order, SIGHUP to open the log
// file anew. On the client loop; owned by Node while it runs.
#pragma once

#include <functional>
#include <memory>

namespace kiwi::actors {

class ClientLoop;

class Signals {
 public:
  // `stop` is called once; the guard takes what comes then (stop_guard.hpp).
  Signals(ClientLoop& loop, std::function<void()> stop);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiwi::actors
