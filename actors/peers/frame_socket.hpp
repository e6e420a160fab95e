// A TCP socket that carries length-prefixed frames (u32 LE) while two nodes talk, and is given up
// when they are done: its descriptor, its TLS and what came behind the last frame. Without TLS it
// reads exactly one frame at a time, so nothing does. Client loop only.
//
// Who dials begins TLS or not; who accepts sees it by the first byte, for a record of TLS begins
// with 0x16 and no first frame is that long.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "actors/peers/peer_auth.hpp"
#include "actors/peers/peer_security.hpp"
#include "actors/tls/tls_engine.hpp"
#include "config/address.hpp"

namespace kiwi::actors {

class ClientLoop;

// What is left of a socket for its next owner.
struct PeerWire {
  int descriptor = -1;
  std::unique_ptr<TlsEngine> tls = {};  // none: plain text
  std::string plain = {};               // came already, and nobody read it
};

class FrameSocket {
 public:
  virtual ~FrameSocket() = default;

  struct Events {
    std::function<void()> connected;  // dialled sockets: frames may be sent
    std::function<void(std::string frame)> received;
    std::function<void(std::string why)> closed;  // once, last
  };
  virtual void start(Events events) = 0;
  virtual void set_events(Events events) = 0;    // a new owner takes over
  virtual void set_frame_max(size_t bytes) = 0;  // longer frames close the socket
  virtual void set_deadline(int64_t ms) = 0;     // close after so long; 0 = never
  virtual bool ready() const = 0;                // frames may be sent; always once one was received
  virtual PeerChannel channel() const = 0;       // once ready; of plain text: empty
  virtual const PeerSecurityPtr& security() const = 0;  // that it was made with; may be none
  virtual void send(const std::string& frame) = 0;      // once ready
  virtual std::string remote() const = 0;               // ip:port, for the log
  virtual PeerWire release() = 0;                       // no events any more
  virtual void close() = 0;
};

// No security: plain text.
std::shared_ptr<FrameSocket> dial_frame_socket(ClientLoop& loop,
                                               const config::HostPort& address,
                                               int64_t timeout_ms,
                                               PeerSecurityPtr security = nullptr);
std::shared_ptr<FrameSocket> adopt_frame_socket(ClientLoop& loop,
                                                int descriptor,
                                                PeerSecurityPtr security = nullptr);

}  // namespace kiwi::actors
