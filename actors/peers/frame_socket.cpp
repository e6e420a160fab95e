#include "actors/peers/frame_socket.hpp"

#include <array>
#include <cstring>
#include <exception>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "actors/client_loop.hpp"
#include "config/base/bytes.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

// While two nodes talk; what CAF gets has the system's own.
constexpr int kAskIdleSeconds = 2;
constexpr int kUnacknowledgedMs = 6000;

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return config::HostPort{host, endpoint.port()}.text();
}

class AsioFrameSocket final : public FrameSocket,
                              public std::enable_shared_from_this<AsioFrameSocket> {
 public:
  explicit AsioFrameSocket(ClientLoop& loop)
      : socket_(loop.io()), resolver_(loop.io()), timer_(loop.io()) {}

  void dial_to(config::HostPort address) { address_ = std::move(address); }
  void adopt(int descriptor) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
    ErrorCode error;
    socket_.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), descriptor, error);
    opened();
  }

  void start(Events events) override {
    events_ = std::move(events);
    if (!address_.host.empty()) {
      dial();
    } else {
      read_size();
    }
  }

  void set_events(Events events) override { events_ = std::move(events); }
  void set_frame_max(size_t bytes) override { frame_max_ = bytes; }

  void set_deadline(int64_t ms) override {
    timer_.cancel();
    if (ms == 0) {
      return;
    }
    timer_.expires_after(std::chrono::milliseconds(ms));
    timer_.async_wait([weak = weak_from_this()](const ErrorCode& cancelled) {
      const auto self = weak.lock();
      if (!cancelled && self) {
        self->fail("it took too long");
      }
    });
  }

  // Frames are few and small: the kernel takes them at once, or the peer does not read at all.
  void send(const std::string& frame) override {
    if (closed_) {
      return;
    }
    std::string bytes;
    put_le(bytes, static_cast<uint32_t>(frame.size()));
    bytes += frame;
    ErrorCode error;
    const size_t sent = socket_.write_some(asio::buffer(bytes), error);
    if (error || sent != bytes.size()) {
      asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->fail("it does not take what is sent to it");
      });
    }
  }

  std::string remote() const override { return remote_; }

  int release() override {
    closed_ = true;
    events_ = {};
    timer_.cancel();
    notice_when_it_is_dead(false);
    ErrorCode error;
    return socket_.release(error);
  }

  void close() override {
    closed_ = true;
    events_ = {};
    timer_.cancel();
    resolver_.cancel();
    ErrorCode ignored;
    socket_.close(ignored);
  }

 private:
  // Names are looked up on one thread, each after the one before it: who has numbers does not wait.
  void dial() {
    ErrorCode is_name;
    const asio::ip::address numbers = asio::ip::make_address(address_.host, is_name);
    if (!is_name) {
      connect(tcp::resolver::results_type::create(tcp::endpoint(numbers, address_.port),
                                                  address_.host, std::to_string(address_.port)));
      return;
    }
    resolver_.async_resolve(
        address_.host, std::to_string(address_.port),
        tcp::resolver::numeric_service | tcp::resolver::address_configured,
        [self = shared_from_this()](const ErrorCode& error, tcp::resolver::results_type found) {
          if (self->closed_) {
            return;
          }
          if (error) {
            self->fail("its address does not resolve: " + error.message());
            return;
          }
          self->connect(std::move(found));
        });
  }

  void connect(tcp::resolver::results_type found) {
    asio::async_connect(socket_, found,
                        [self = shared_from_this()](const ErrorCode& error, const tcp::endpoint&) {
                          if (self->closed_) {
                            return;
                          }
                          if (error) {
                            self->fail(error.message());
                            return;
                          }
                          self->connected();
                        });
  }

  void connected() {
    opened();
    const auto told = events_.connected;  // the owner may change while it runs
    try {
      if (told) {
        told();
      }
    } catch (const std::exception& thrown) {
      fail(thrown.what());
      return;
    }
    if (!closed_) {
      read_size();
    }
  }

  // A talk may be silent for as long as there is nothing new to say; a machine that lost its power
  // says nothing either.
  void notice_when_it_is_dead(bool on) {
    ErrorCode ignored;
    socket_.set_option(asio::socket_base::keep_alive(on), ignored);
    set_tcp(TCP_KEEPIDLE, kAskIdleSeconds);
    set_tcp(TCP_KEEPINTVL, kAskIdleSeconds);
    set_tcp(TCP_USER_TIMEOUT, on ? kUnacknowledgedMs : 0);
  }

  void set_tcp(int name, int value) {
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, name, &value, sizeof(value));
  }

  void opened() {
    ErrorCode ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
    notice_when_it_is_dead(true);
    const tcp::endpoint endpoint = socket_.remote_endpoint(ignored);
    remote_ = text_of(endpoint);
  }

  void read_size() {
    asio::async_read(
        socket_, asio::buffer(size_bytes_),
        [self = shared_from_this()](const ErrorCode& error, size_t) { self->size_is_here(error); });
  }

  void size_is_here(const ErrorCode& error) {
    if (closed_) {
      return;
    }
    uint32_t size = 0;
    std::memcpy(&size, size_bytes_.data(), sizeof(size));
    if (error || size == 0 || size > frame_max_) {
      fail(error ? error.message() : "it does not speak the protocol of nodes");
      return;
    }
    frame_.resize(size);
    asio::async_read(socket_, asio::buffer(frame_),
                     [self = shared_from_this()](const ErrorCode& failed, size_t) {
                       self->frame_is_here(failed);
                     });
  }

  void frame_is_here(const ErrorCode& error) {
    if (closed_) {
      return;
    }
    if (error) {
      fail(error.message());
      return;
    }
    const auto received = events_.received;  // the owner may change while it runs
    try {
      if (received) {
        received(std::move(frame_));
      }
    } catch (const std::exception& thrown) {  // ends this connection and nobody else's
      fail(thrown.what());
      return;
    }
    frame_.clear();
    if (!closed_) {
      read_size();
    }
  }

  void fail(std::string why) {
    if (closed_) {
      return;
    }
    const auto closed = std::move(events_.closed);
    close();
    try {
      if (closed) {
        closed(std::move(why));
      }
    } catch (const std::exception& thrown) {
      log_warning("at the end of a connection of the peer port: " + std::string(thrown.what()));
    }
  }

  tcp::socket socket_;
  tcp::resolver resolver_;
  asio::steady_timer timer_;
  config::HostPort address_;
  Events events_;
  std::string remote_;
  std::array<char, sizeof(uint32_t)> size_bytes_{};
  std::string frame_;
  size_t frame_max_ = config::limits::kHelloBytes;
  bool closed_ = false;
};

}  // namespace

std::shared_ptr<FrameSocket> dial_frame_socket(ClientLoop& loop,
                                               const config::HostPort& address,
                                               int64_t timeout_ms) {
  auto socket = std::make_shared<AsioFrameSocket>(loop);
  socket->dial_to(address);
  socket->set_deadline(timeout_ms);
  return socket;
}

std::shared_ptr<FrameSocket> adopt_frame_socket(ClientLoop& loop, int descriptor) {
  auto socket = std::make_shared<AsioFrameSocket>(loop);
  socket->adopt(descriptor);
  return socket;
}

}  // namespace kiwi::actors
