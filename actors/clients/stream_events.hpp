// The events of a stream, told so that one of them may close the stream, or finish it, from inside:
// what its function captured lives until it has returned. Whoever tells one keeps the stream alive
// meanwhile. Client loop only.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "actors/clients/byte_stream.hpp"

namespace kiwi::actors {

class StreamEvents {
 public:
  void set(ByteStream::Events events) { events_ = std::move(events); }
  void received(std::string_view bytes) {
    if (!deaf_) {
      tell(events_.received, bytes);
    }
  }
  void drained() { tell(events_.drained); }

  void end_receiving() { deaf_ = true; }
  // Nothing more is told.
  void end() {
    ended_ = true;
    if (telling_ == 0) {
      events_ = {};
    }
  }
  // Of a stream that ends by itself: what is to be told behind end(). Empty: nothing.
  std::function<void()> take_closed() { return std::exchange(events_.closed, nullptr); }

 private:
  template <class Event, class... Given>
  void tell(const Event& event, Given... given) {
    if (ended_ || !event) {
      return;
    }
    const Telling telling(*this);
    event(given...);
  }

  struct Telling {
    explicit Telling(StreamEvents& of) : events(of) { ++events.telling_; }
    ~Telling() {
      if (--events.telling_ == 0 && events.ended_) {
        events.events_ = {};
      }
    }
    Telling(const Telling&) = delete;
    Telling& operator=(const Telling&) = delete;
    StreamEvents& events;
  };

  ByteStream::Events events_;
  int telling_ = 0;  // one event may come inside another
  bool deaf_ = false;
  bool ended_ = false;
};

}  // namespace kiwi::actors
