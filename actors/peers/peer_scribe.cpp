#include "actors/peers/peer_scribe.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include <caf/io/all.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/stream.hpp>

#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace net = caf::io::network;

namespace {

constexpr size_t kReadBytes = size_t{64} * 1024;

class PeerStream final : public net::stream {
 public:
  PeerStream(net::default_multiplexer& multiplexer, PeerWire wire)
      : stream(multiplexer, wire.descriptor),
        tls_(std::move(wire.tls)),
        plain_(std::move(wire.plain)),
        rest_(plain_) {
    CHECK_INVARIANT(tls_ != nullptr || rest_.empty());
  }

  void handle_event(net::operation op) override { handle_event_impl(op, *this); }

  bool encrypts() const { return tls_ != nullptr; }

  // Behind what waits to be sent.
  void encrypt(std::string_view plain) {
    tls_->send(plain);
    append_output();
  }

  // What the kernel does not take now, and every failure, is left to the loop: BASP is not to hear
  // of a broken connection in the middle of a write.
  void send_now(const manager_ptr& manager) {
    buffer_type& out = wr_buf();
    if (!state_.writing && !out.empty()) {
      const ssize_t sent = ::send(fd(), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        out.erase(out.begin(), out.begin() + sent);
      }
    }
    flush(manager);
  }

  // No event of the socket tells of what came before this had it.
  bool has_rest() const { return !rest_.empty(); }
  void read_rest() {
    if (state_.reading && !rest_.empty()) {
      handle_event(net::operation::read);
    }
  }

  // ---- a policy, as handle_event_impl() wants it: reads through a buffer

  net::rw_state read_some(size_t& result, net::native_socket socket, void* to, size_t size) {
    result = 0;
    if (rest_.empty()) {
      if (is_over()) {
        say_why();
        return net::rw_state::failure;
      }
      if (std::exchange(drained_, false)) {
        return net::rw_state::success;  // epoll says when there is more
      }
      if (!read_ahead(socket)) {
        return net::rw_state::failure;
      }
      if (rest_.empty()) {
        drained_ = false;  // this visit ends here: the next one reads
        return net::rw_state::success;
      }
    }
    result = std::min(size, rest_.size());
    std::memcpy(to, rest_.data(), result);
    rest_.remove_prefix(result);
    return net::rw_state::success;
  }
  // Nothing tells of bytes that were read ahead, so no visit ends before them; nor of a TLS
  // connection that has ended behind them.
  bool must_read_more(net::native_socket, size_t) const { return !rest_.empty() || is_over(); }

  static net::rw_state write_some(size_t& result,
                                  net::native_socket socket,
                                  const void* from,
                                  size_t size) {
    const ssize_t sent = ::send(socket, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    const int why = errno;
    result = sent > 0 ? static_cast<size_t>(sent) : 0;
    const bool later = sent < 0 && (why == EAGAIN || why == EWOULDBLOCK || why == EINTR);
    return sent > 0 || later ? net::rw_state::success : net::rw_state::failure;
  }

 private:
  // False: the connection is over. Of TLS it goes on until something can be handed out: a part of a
  // record is nothing yet, and the socket may hold the other part already.
  bool read_ahead(net::native_socket socket) {
    CHECK_INVARIANT(rest_.empty());
    do {
      const ssize_t got = ::recv(socket, ahead_.data(), ahead_.size(), MSG_DONTWAIT);
      const int why = errno;
      if (got <= 0) {
        return got < 0 && (why == EAGAIN || why == EWOULDBLOCK || why == EINTR);
      }
      const std::string_view came(ahead_.data(), static_cast<size_t>(got));
      drained_ = came.size() < ahead_.size();
      rest_ = came;
      if (tls_ != nullptr) {
        plain_.clear();
        tls_->receive(came, plain_);
        append_output();
        rest_ = plain_;
      }
    } while (rest_.empty() && !drained_ && !is_over());
    if (rest_.empty() && is_over()) {
      say_why();
      return false;
    }
    return true;
  }

  bool is_over() const { return tls_ != nullptr && tls_->state() != TlsState::kOpen; }

  // Alerts and answers to a change of keys wait for the next write, or go with the connection.
  void append_output() {
    const std::string_view encrypted = tls_->output();
    wr_buf().insert(wr_buf().end(), encrypted.begin(), encrypted.end());
    tls_->output_taken();
  }

  void say_why() {
    if (tls_->state() == TlsState::kFailed && !std::exchange(said_, true)) {
      const auto address = net::remote_addr_of_fd(fd());
      log_warning("the link to the node at " + (address ? *address : std::string("?")) +
                  " ends, for what came on it was not sent by that node, or was changed on its "
                  "way: " +
                  tls_->error());
    }
  }

  std::unique_ptr<TlsEngine> tls_;
  std::vector<char> ahead_ = std::vector<char>(kReadBytes);
  std::string plain_;      // of TLS: what was decrypted last
  std::string_view rest_;  // what was read ahead and not handed out, in one of the two
  bool drained_ = false;   // the last read took all that there was
  bool said_ = false;
};

class PeerScribe final : public caf::io::scribe {
 public:
  PeerScribe(net::default_multiplexer& multiplexer, PeerWire wire)
      : scribe(net::conn_hdl_from_socket(wire.descriptor)), stream_(multiplexer, std::move(wire)) {}

  void configure_read(caf::io::receive_policy::config config) override {
    stream_.configure_read(config);
    if (!std::exchange(launched_, true)) {
      stream_.start(this);
      if (stream_.has_rest()) {
        stream_.backend().post(
            [self = caf::intrusive_ptr<PeerScribe>(this)] { self->stream_.read_rest(); });
      }
    }
  }
  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  // BASP writes into it at any time; the stream may send what is in its own at any time.
  std::vector<char>& wr_buf() override {
    return stream_.encrypts() ? plain_out_ : stream_.wr_buf();
  }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void flush() override {
    if (!plain_out_.empty()) {
      stream_.encrypt({plain_out_.data(), plain_out_.size()});
      plain_out_.clear();
    }
    stream_.send_now(this);
  }
  void graceful_shutdown() override {
    stream_.graceful_shutdown();
    detach(&stream_.backend(), false);
  }
  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override { stream_.passivate(); }
  std::string addr() const override {
    const auto address = net::remote_addr_of_fd(stream_.fd());
    return address ? *address : std::string();
  }
  uint16_t port() const override {
    const auto port = net::remote_port_of_fd(stream_.fd());
    return port ? *port : uint16_t{0};
  }

 private:
  PeerStream stream_;
  std::vector<char> plain_out_;  // of TLS: what is to be encrypted
  bool launched_ = false;
};

}  // namespace

caf::io::scribe_ptr make_peer_scribe(caf::actor_system& system, PeerWire wire) {
  auto* multiplexer = dynamic_cast<net::default_multiplexer*>(&system.middleman().backend());
  CHECK_INVARIANT(multiplexer != nullptr);
  const int on = 1;
  ::setsockopt(wire.descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  return caf::make_counted<PeerScribe>(*multiplexer, std::move(wire));
}

}  // namespace kiwi::actors
