// The client loop: one thread that runs Asio's io_context and, on it, the actors hosted there.
// Owned by Node; outlives them. Asio itself is seen by client_loop.cpp and the socket files only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "actors/hosting.hpp"

namespace boost::asio {
class io_context;
}

namespace kiwi::actors {

class ClientLoop {
 public:
  // The clock is for how long actors may run before the sockets are looked at.
  explicit ClientLoop(caf::actor_system& system,
                      std::function<int64_t()> now_us = ClientLoop::monotonic_us);
  ~ClientLoop();

  // Actors that have mail run one after the other, those too that get it from them. The sockets are
  // looked at when none is left, or when they have run for so long.
  static constexpr int64_t kActorsUs = 100;
  // For connections, router and links: all mail that waits is handled in one go.
  Hosting hosting();
  // For the StateMachine, whose turns are long: one message, then it is the others' turn.
  Hosting polite_hosting();

  // For a handler that gives many actors mail: hold, then run them behind it, without a look at the
  // sockets in between. If hold is false they are run anyway, and not by this handler.
  [[nodiscard]] bool hold_actors();
  void run_held_actors();
  // Whether actors are running now; and what is done behind the last of them, each time that none
  // is left or that the sockets get their turn: one piece of work, none if empty.
  bool runs_actors() const;
  void behind_actors(std::function<void()> work);

  boost::asio::io_context& io();
  void run();                             // until stop()
  void stop();                            // from any thread
  void post(std::function<void()> work);  // from any thread
  // kAlarms alarms: setting one takes what it was set to before back. On the loop only. Late by the
  // loop's own work; not for anything that must happen.
  static constexpr size_t kAlarms = 2;
  void after_us(size_t alarm, int64_t microseconds, std::function<void()> work);
  // Calls `work` every so many milliseconds until it returns false.
  void every(int64_t milliseconds, std::function<bool()> work);

  static int64_t monotonic_ms();  // CLOCK_BOOTTIME
  static int64_t monotonic_us();
  static int64_t wall_ms();

 private:
  class Ready;
  class Unit;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace kiwi::actors
