// A TCP socket that carries length-prefixed frames (u32 LE) while two nodes talk, and gives up its
// descriptor when they are done. Reads exactly one frame at a time, so no byte of what follows the
// hand-over is swallowed. Client loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "config/address.hpp"

namespace kiwi::actors {

class ClientLoop;

class FrameSocket {
 public:
  virtual ~FrameSocket() = default;

  struct Events {
    std::function<void()> connected;  // dialled sockets
    std::function<void(std::string frame)> received;
    std::function<void(std::string why)> closed;  // once, last
  };
  virtual void start(Events events) = 0;
  virtual void set_events(Events events) = 0;    // a new owner takes over
  virtual void set_frame_max(size_t bytes) = 0;  // longer frames close the socket
  virtual void set_deadline(int64_t ms) = 0;     // close after so long; 0 = never
  virtual void send(const std::string& frame) = 0;
  virtual std::string remote() const = 0;  // ip:port, for the log
  virtual int release() = 0;               // the descriptor; no events any more
  virtual void close() = 0;
};

std::shared_ptr<FrameSocket> dial_frame_socket(ClientLoop& loop,
                                               const config::HostPort& address,
                                               int64_t timeout_ms);
std::shared_ptr<FrameSocket> adopt_frame_socket(ClientLoop& loop, int descriptor);

}  // namespace kiwi::actors
