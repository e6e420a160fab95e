// The raft loop: CAF's multiplexer thread, where BASP, ReplicaHost and LogStore run. This adds a
// timer to it.
//
// Owned by Node. The handlers live on the multiplexer's thread; stop() takes them off it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "actors/hosting.hpp"

namespace kiwi::actors {

class RaftLoop {
 public:
  explicit RaftLoop(caf::actor_system& system);
  ~RaftLoop();  // after stop()

  Hosting hosting();
  // Calls `work` on the raft loop every so many milliseconds.
  void every(int64_t milliseconds, std::function<void()> work);
  void stop();  // blocks until the loop has let go of the event sources

 private:
  struct Parts;
  caf::actor_system& system_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace kiwi::actors
