#include "actors/peers/frame_socket.hpp"

#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string_view>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "actors/client_loop.hpp"
#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
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

constexpr std::string_view kTlsRecord = "\x16\x03";  // the first bytes of a TLS client
constexpr size_t kEncryptedBytes = size_t{4} * 1024;
constexpr const char* kNotOurs = "it does not speak the protocol of nodes";
// The label is registered nowhere, so it says that it is of nobody's protocol but this one.
constexpr std::string_view kBindingLabel = "EXPORTER-kiwi-peer";
// As the size of a first frame they mean at least 790 bytes: it would be taken for TLS.
static_assert(kNonceBytes + 32 < 0x0316);

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return config::HostPort{host, endpoint.port()}.text();
}

class AsioFrameSocket final : public FrameSocket,
                              public std::enable_shared_from_this<AsioFrameSocket> {
 public:
  AsioFrameSocket(ClientLoop& loop, PeerSecurityPtr security)
      : socket_(loop.io()),
        resolver_(loop.io()),
        timer_(loop.io()),
        security_(std::move(security)) {}

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

  bool ready() const override { return ready_; }
  const PeerSecurityPtr& security() const override { return security_; }

  PeerChannel channel() const override { return channel_; }

  void send(const std::string& frame) override {
    if (closed_) {
      return;
    }
    CHECK_INVARIANT(ready_);
    std::string bytes;
    put_le(bytes, static_cast<uint32_t>(frame.size()));
    bytes += frame;
    if (tls_ != nullptr) {
      tls_->send(bytes);
      bytes = tls_->take_output();
    }
    write(bytes);
  }

  std::string remote() const override { return remote_; }

  PeerWire release() override {
    closed_ = true;
    events_ = {};
    timer_.cancel();
    notice_when_it_is_dead(false);
    ErrorCode error;
    PeerWire wire{socket_.release(error), std::move(tls_), std::move(plain_)};
    CHECK_INVARIANT(wire.tls != nullptr || wire.plain.empty());
    return wire;
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
    if (security_ != nullptr && security_->dials != nullptr && !plain_again_) {
      begin_tls(security_->dials, security_->by_certificate ? address_.host : std::string());
      read_encrypted();
      return;
    }
    ready_ = true;
    tell_connected();
    if (!closed_) {
      read_size();
    }
  }

  void tell_connected() {
    const auto told = events_.connected;  // the owner may change while it runs
    try {
      if (told) {
        told();
      }
    } catch (const std::exception& thrown) {
      fail(thrown.what());
    }
  }

  // ---- TLS

  void begin_tls(std::shared_ptr<const TlsContext> context, std::string name) {
    tls_ = std::make_unique<TlsEngine>(std::move(context), TlsEngineOptions{std::move(name), true});
    encrypted_.resize(kEncryptedBytes);
    write(tls_->take_output());
    if (tls_->state() == TlsState::kFailed) {
      fail(tls_->error());
    }
  }

  void read_encrypted() {
    if (closed_) {
      return;
    }
    socket_.async_read_some(asio::buffer(encrypted_),
                            [self = shared_from_this()](const ErrorCode& error, size_t size) {
                              self->encrypted_is_here(error, size);
                            });
  }

  void encrypted_is_here(const ErrorCode& error, size_t size) {
    if (closed_) {
      return;
    }
    if (error && !tls_answered_ && security_->dials_plain_again && !address_.host.empty()) {
      dial_plain();
    } else if (error) {
      fail(ready_ ? error.message() : "it ended the TLS handshake: " + error.message());
    } else {
      tls_answered_ = true;
      receive(std::string_view(encrypted_).substr(0, size));
      read_encrypted();
    }
  }

  // An older build takes the first record for a frame that is far too long. If it is none, but
  // somebody between the two who wants to read, the proof shows it
  // (PeerProof::Options::speaks_tls).
  void dial_plain() {
    plain_again_ = true;
    tls_.reset();
    ErrorCode ignored;
    socket_.close(ignored);
    remote_.clear();
    dial();
  }

  void receive(std::string_view bytes) {
    const TlsState state = tls_->receive(bytes, plain_);
    write(tls_->take_output());
    if (!ready_ && state == TlsState::kOpen) {
      // Now, for a connection that has failed tells nothing any more.
      channel_.binding = tls_->exporter(kBindingLabel, kBindingBytes);
      if (tls_->proof() == TlsProof::kCertificate) {
        channel_.uris = tls_->peer_uris();
      }
      ready_ = true;
      if (!address_.host.empty()) {
        tell_connected();
      }
    }
    if (ready_) {
      deliver_frames();
    }
    if (closed_) {
      return;  // or another owner has the socket, and the TLS
    }
    if (state == TlsState::kFailed) {
      const bool key = tls_->failure() == TlsFailure::kHandshake && address_.host.empty() &&
                       !tls_->context().psks().empty();
      fail("TLS: " + tls_->error() +
           (key ? "; is raft.cluster-secret the same on both nodes?" : ""));
    } else if (state == TlsState::kEnded) {
      fail("it ended the connection");
    }
  }

  // At most one frame, and as many bytes as one read brought, wait here.
  void deliver_frames() {
    uint32_t size = 0;
    while (!closed_ && plain_.size() >= sizeof(size)) {
      std::memcpy(&size, plain_.data(), sizeof(size));
      if (size == 0 || size > frame_max_) {
        fail(kNotOurs);
        return;
      }
      if (plain_.size() - sizeof(size) < size) {
        return;
      }
      std::string frame = plain_.substr(sizeof(size), size);
      plain_.erase(0, sizeof(size) + size);
      give(std::move(frame));
    }
  }

  // Frames are few and small: the kernel takes them at once, or the peer does not read at all.
  void write(const std::string& bytes) {
    ErrorCode error;
    const size_t sent = bytes.empty() ? 0 : socket_.write_some(asio::buffer(bytes), error);
    if (error || sent != bytes.size()) {
      asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->fail("it does not take what is sent to it");
      });
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
    if (closed_ || (!error && !ready_ && !accept_first(size_bytes_))) {
      return;
    }
    uint32_t size = 0;
    std::memcpy(&size, size_bytes_.data(), sizeof(size));
    if (error || size == 0 || size > frame_max_) {
      fail(error ? error.message() : kNotOurs);
      return;
    }
    frame_.resize(size);
    asio::async_read(socket_, asio::buffer(frame_),
                     [self = shared_from_this()](const ErrorCode& failed, size_t) {
                       self->frame_is_here(failed);
                     });
  }

  // The first bytes of a dialer. False: they are no size of a frame.
  bool accept_first(const std::array<char, sizeof(uint32_t)>& bytes) {
    if (security_ != nullptr && security_->accepts != nullptr &&
        std::string_view(bytes.data(), bytes.size()).starts_with(kTlsRecord)) {
      begin_tls(security_->accepts, {});
      if (!closed_) {
        receive({bytes.data(), bytes.size()});
      }
      read_encrypted();
      return false;
    }
    if (security_ != nullptr && !security_->accepts_plain) {
      fail("it does not encrypt, and this node takes only encrypted links (raft.tls-enabled)");
      return false;
    }
    ready_ = true;
    return true;
  }

  void frame_is_here(const ErrorCode& error) {
    if (closed_) {
      return;
    }
    if (error) {
      fail(error.message());
      return;
    }
    give(std::exchange(frame_, {}));
    if (!closed_) {
      read_size();
    }
  }

  void give(std::string frame) {
    const auto received = events_.received;  // the owner may change while it runs
    try {
      if (received) {
        received(std::move(frame));
      }
    } catch (const std::exception& thrown) {  // ends this connection and nobody else's
      fail(thrown.what());
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

  PeerSecurityPtr security_;
  std::unique_ptr<TlsEngine> tls_;
  PeerChannel channel_;
  std::string encrypted_;      // what one read brought
  std::string plain_;          // of TLS: what no frame has taken
  bool ready_ = false;         // frames may be sent
  bool tls_answered_ = false;  // something came behind the first record
  bool plain_again_ = false;   // an older build is there
};

}  // namespace

std::shared_ptr<FrameSocket> dial_frame_socket(ClientLoop& loop,
                                               const config::HostPort& address,
                                               int64_t timeout_ms,
                                               PeerSecurityPtr security) {
  auto socket = std::make_shared<AsioFrameSocket>(loop, std::move(security));
  socket->dial_to(address);
  socket->set_deadline(timeout_ms);
  return socket;
}

std::shared_ptr<FrameSocket> adopt_frame_socket(ClientLoop& loop,
                                                int descriptor,
                                                PeerSecurityPtr security) {
  auto socket = std::make_shared<AsioFrameSocket>(loop, std::move(security));
  socket->adopt(descriptor);
  return socket;
}

}  // namespace kiwi::actors
