// What signals ask of a running node: SIGTERM and SIGINT to end in order, SIGHUP to open the log
// file anew and to read the files of TLS again. On the client loop; owned by Node while it runs.
#pragma once

#include <functional>
#include <memory>

namespace kiwi::actors {

class ClientLoop;

class Signals {
 public:
  // `stop` is called once; the guard takes what comes then (stop_guard.hpp).
  // `reread` is called at each SIGHUP, behind the log file's.
  Signals(ClientLoop& loop, std::function<void()> stop, std::function<void()> reread);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiwi::actors
