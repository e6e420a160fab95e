// A client's socket as RespConnection sees it. An engine makes them (socket_engine.hpp); what lies
// above one, as a cipher would, is a ByteStream again. Client loop only.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace kiwi::actors {

class ByteStream {
 public:
  virtual ~ByteStream() = default;

  struct Events {
    std::function<void(std::string_view)> received;  // the bytes live until it returns
    std::function<void()> drained;                   // all bytes of write() are with the kernel
    std::function<void()> closed;                    // by the peer or by an error; comes once, last
  };
  // From here on events come, never from inside a call to the stream. close() ends them.
  virtual void start(Events events) = 0;
  // Stop reading. What is on its way already may still be given: it is bounded.
  virtual void pause() = 0;
  virtual void resume() = 0;
  // What the kernel does not take is kept. It may be given to the kernel no sooner than the turn of
  // the loop ends, with what others write; drained() comes behind it then.
  virtual void write(std::string bytes) = 0;
  virtual size_t unsent_bytes() const = 0;
  virtual bool has_unread() const = 0;  // bytes that came and were not given to received yet
  virtual void cork(bool yes) = 0;      // small writes wait for more of them, or for finish()
  virtual void close() = 0;             // what was written and the kernel has no room for is lost
  // Nothing more will be written: tells the peer so once all bytes are with the kernel, then throws
  // away what it still sends (closing at once could destroy replies that it has not read yet).
  virtual void finish() = 0;
};

}  // namespace kiwi::actors
