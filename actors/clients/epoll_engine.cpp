// The engine that runs everywhere: each socket is read and written by a system call of its own,
// when an epoll says that it can be (readable_sockets.hpp).
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "actors/clients/asio_stream.hpp"
#include "actors/clients/socket_engine.hpp"
#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

// As many are accepted before the loop's other work gets its turn.
constexpr int kAcceptsMax = 64;
// Out of descriptors, most likely: try again a little later instead of spinning.
constexpr std::chrono::milliseconds kAcceptAgain{100};

class EpollEngine final : public SocketEngine, public std::enable_shared_from_this<EpollEngine> {
 public:
  EpollEngine(asio::io_context& io, LoopHooks hooks)
      : io_(io),
        readable_(std::make_shared<ReadableSockets>(
            io, ReadableSockets::Around{std::move(hooks.before), std::move(hooks.behind)})),
        read_buffer_(std::make_shared<std::string>(config::limits::kSocketReadBytes, '\0')) {}

  void accept(std::vector<int> listeners, Welcome welcome) override {
    const auto shared = std::make_shared<const Welcome>(std::move(welcome));
    for (const int fd : listeners) {
      CHECK_INVARIANT(fd >= 0);
      listeners_.push_back(std::make_shared<Listener>(io_, fd, shared));
      wait(listeners_.back());
    }
  }

  void stop_accepting() override {
    for (const std::shared_ptr<Listener>& listener : std::exchange(listeners_, {})) {
      while (accept_some(*listener) == Accepted::kMore) {
      }
      listener->close();
    }
  }

  std::shared_ptr<ByteStream> make_stream(int fd) override {
    CHECK_INVARIANT(fd >= 0);
    tcp::socket socket(io_);
    ErrorCode error;
    socket.assign(tcp::v4(), fd, error);  // the family does not matter for what is asked of it
    if (error) {
      ::close(fd);
      return nullptr;
    }
    socket.non_blocking(true, error);
    return error ? nullptr : make_asio_stream(std::move(socket), readable_, read_buffer_);
  }

  void expect_requests(bool expected) override { readable_->expect_requests(expected); }
  void hold(bool held) override { readable_->hold(held); }
  void look() override { readable_->look(); }
  uint64_t looks() const override { return readable_->looks(); }
  void flush() override {}  // nothing waits
  void clear() override {
    for (const std::shared_ptr<Listener>& listener : std::exchange(listeners_, {})) {
      listener->close();
    }
    readable_->clear();
  }

 private:
  enum class Accepted : uint8_t { kMore, kAll, kFailed };

  struct Listener {
    Listener(asio::io_context& io, int fd, std::shared_ptr<const Welcome> w)
        : socket(io, fd), again(io), welcome(std::move(w)) {}
    void close() {
      ErrorCode ignored;
      socket.close(ignored);
      again.cancel();
    }
    asio::posix::stream_descriptor socket;
    asio::steady_timer again;
    const std::shared_ptr<const Welcome> welcome;
  };

  void wait(const std::shared_ptr<Listener>& listener) {
    listener->socket.async_wait(asio::posix::stream_descriptor::wait_read,
                                [self = shared_from_this(), listener](const ErrorCode& error) {
                                  if (!error && listener->socket.is_open()) {
                                    self->accept_from(listener);
                                  }
                                });
  }

  void accept_from(const std::shared_ptr<Listener>& listener) {
    if (accept_some(*listener) != Accepted::kFailed) {
      wait(listener);
      return;
    }
    listener->again.expires_after(kAcceptAgain);
    listener->again.async_wait([self = shared_from_this(), listener](const ErrorCode& error) {
      if (!error && listener->socket.is_open()) {
        self->accept_from(listener);
      }
    });
  }

  Accepted accept_some(Listener& listener) {
    for (int i = 0; i < kAcceptsMax; ++i) {
      const int fd = ::accept4(listener.socket.native_handle(), nullptr, nullptr,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        try {
          (*listener.welcome)(fd);
        } catch (const std::exception& thrown) {  // no memory for one more
          log_warning("a client was turned away: " + std::string(thrown.what()));
        }
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return Accepted::kAll;
      } else if (errno != EINTR && errno != ECONNABORTED) {
        log_warning("accepting a client failed: " + std::string(std::strerror(errno)));
        return Accepted::kFailed;
      }
    }
    return Accepted::kMore;
  }

  asio::io_context& io_;
  std::shared_ptr<ReadableSockets> readable_;
  std::shared_ptr<std::string> read_buffer_;
  std::vector<std::shared_ptr<Listener>> listeners_;
};

}  // namespace

std::shared_ptr<SocketEngine> make_epoll_engine(asio::io_context& io, LoopHooks hooks) {
  return std::make_shared<EpollEngine>(io, std::move(hooks));
}

}  // namespace kiwi::actors
