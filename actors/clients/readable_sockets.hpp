// ReadableSockets: which sockets of a client loop have something to read. An epoll of its own that
// Asio sees as one descriptor: Asio re-arms what it waits for after each event, which costs a
// system call and a handler per command, and so they are paid once per turn of the loop.
//
// Owned by the TcpServer, on its loop only. It holds what it watches until unwatch() or clear().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

struct epoll_event;

namespace kiwi::actors {

class ReadableSockets : public std::enable_shared_from_this<ReadableSockets> {
 public:
  class Reader {
   public:
    virtual ~Reader() = default;
    // Something can be read, or the other end is gone. Comes again as long as that is so.
    virtual void readable() = 0;
  };

  using Clock = std::chrono::steady_clock;

  // Around the visits of one look. `behind` is called if `before` said so.
  struct Around {
    std::function<bool()> before;
    std::function<void()> behind;
  };

  explicit ReadableSockets(boost::asio::io_context& io,
                           Around around = {},
                           std::function<Clock::time_point()> now = Clock::now);
  ~ReadableSockets();
  ReadableSockets(const ReadableSockets&) = delete;
  ReadableSockets& operator=(const ReadableSockets&) = delete;

  // false: the kernel has no room for one more (the stream is of no use then).
  [[nodiscard]] bool watch(int socket, std::shared_ptr<Reader> reader);
  void unwatch(int socket);  // before it is closed; harmless if not watched
  void clear();              // lets go of all
  // Clients that were just answered are expected to ask again. They come right after each other,
  // and each would have to wake this thread up, which costs it more than its request: so while they
  // come, the loop looks for the next one a little while before it goes to sleep.
  void expect_requests(bool expected) { expected_ = expected; }
  // While it is held nobody is visited but by look(): whoever could be read waits for something
  // anyway (look_rule.hpp). The first one that comes still wakes the loop, the others do not: Asio
  // wakes for a descriptor that it knows, whether somebody waits for it or not, so it is taken from
  // Asio then. Where somebody came it is taken at once the next time. So a client that is alone,
  // and never comes meanwhile, pays nothing.
  void hold(bool held);
  // Visits all that can be read, once; only if it is held and somebody came, or may have.
  void look();
  bool held() const { return held_; }
  uint64_t looks() const { return looks_; }  // that found somebody

 private:
  // Of a visit: one at a time, or each new client would bring one more.
  enum class Coming : uint8_t { kNo, kWithEvent, kPosted };

  void wait();
  void woken();
  void look_again();
  void let_go();  // Asio knows of no epoll any more
  void visit();
  void visit(const epoll_event* events, int count);
  int ready(epoll_event* events, int max);

  int fd_;                                       // the epoll; < 0 after clear()
  boost::asio::posix::stream_descriptor epoll_;  // the same, while Asio knows it
  const Around around_;
  std::function<Clock::time_point()> now_;
  std::vector<std::shared_ptr<Reader>> readers_;  // by socket
  Coming coming_ = Coming::kNo;
  uint64_t waits_ = 0;  // the number of the last one: an event of an earlier one says nothing
  uint64_t looks_ = 0;
  bool held_ = false;
  bool crowded_ = false;  // somebody came while it was held last
  bool expected_ = false;
  bool awake_ = false;  // the last visit was followed at once by another look
  Clock::time_point last_found_;
};

}  // namespace kiwi::actors
