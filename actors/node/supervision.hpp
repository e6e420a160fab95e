// What a service manager is told of this node, and when (sd_notify(3)): that it listens, what it
// does, that it lives, that it stops. It is ready when it listens, not when there is a quorum: a
// manager that starts all nodes of a cluster would wait for ever. That it lives is said from the
// client loop only while /livez says so, for both loops: a watchdog with a thread of its own would
// go on when they do not.
//
// Plain class: what it sees in, what to say out. Owned by Node, client loop. Times are monotonic
// milliseconds.
#pragma once

#include <cstdint>
#include <string>

#include "resp/web/health.hpp"

namespace kiwi::actors {

class Supervision {
 public:
  struct Seen {
    resp::web::Vitals vitals;
    uint64_t leader = 0;  // 0: none is known
    bool stopping = false;
    int64_t stop_ms = 0;  // what stopping may take
  };

  // watchdog_us: the node is ended when it did not say for so long that it lives; 0: nobody looks.
  explicit Supervision(int64_t watchdog_us) : watchdog_ms_(watchdog_us / 1000) {}

  // Lines to send now; empty: none. The same again until said().
  std::string step(const Seen& seen);
  void said();

 private:
  struct Told {
    bool ready = false;
    bool stopping = false;
    std::string status;
    int64_t status_ms = 0;
    int64_t alive_ms = 0;
  };

  const int64_t watchdog_ms_;
  bool begun_ = false;
  Told told_;
  Told next_;
};

}  // namespace kiwi::actors
