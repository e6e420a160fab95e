// SocketEngine: how the sockets of a client loop are accepted, watched, read and written. Two of
// them: epoll (epoll_engine.cpp) and io_uring (uring_engine.hpp); who uses one cannot tell which.
// Made by TcpServer's owner, on the client loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "actors/clients/byte_stream.hpp"

namespace boost::asio {
class io_context;
}

namespace kiwi::actors {

// What the loop does around the sockets' events. None of it need be there.
struct LoopHooks {
  // Around all events of one look. `behind` is called if `before` said so.
  std::function<bool()> before;
  std::function<void()> behind;
  // Whether flush() is called anyway before the loop sleeps, so that nobody else need see to it.
  std::function<bool()> flushes;
};

class SocketEngine {
 public:
  // Each new socket is the callee's to keep or to close, whatever it throws.
  using Welcome = std::function<void(int socket)>;

  virtual ~SocketEngine() = default;

  // Takes the listening sockets, which do not block, and accepts from now on. More than once: each
  // with its own welcome.
  virtual void accept(std::vector<int> listeners, Welcome welcome) = 0;
  // Closes them. Who the kernel has let in already is welcomed first.
  virtual void stop_accepting() = 0;
  // Takes the socket. Null: the kernel has no room for one more, and the socket is closed.
  virtual std::shared_ptr<ByteStream> make_stream(int socket) = 0;

  // Clients that were just answered are expected to ask again. They come right after each other,
  // and each would have to wake this thread up, which costs it more than its request: so while they
  // come, the loop looks for the next one a little while before it goes to sleep.
  virtual void expect_requests(bool expected) = 0;
  // While they are held nobody is read but by look() (look_rule.hpp).
  virtual void hold(bool held) = 0;
  virtual void look() = 0;
  virtual uint64_t looks() const = 0;  // that found somebody
  virtual void flush() = 0;            // what was written goes to the kernel now
  virtual void clear() = 0;            // the end: lets go of all streams and of what listens
};

std::shared_ptr<SocketEngine> make_epoll_engine(boost::asio::io_context& io, LoopHooks hooks);

}  // namespace kiwi::actors
