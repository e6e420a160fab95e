#include "actors/peers/peer_scribe.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <vector>

#include <caf/io/all.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/stream.hpp>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace net = caf::io::network;

namespace {

constexpr size_t kReadBytes = size_t{64} * 1024;

class PeerStream final : public net::stream {
 public:
  using stream::stream;

  void handle_event(net::operation op) override { handle_event_impl(op, *this); }

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

  // ---- a policy, as handle_event_impl() wants it: reads through a buffer

  net::rw_state read_some(size_t& result, net::native_socket socket, void* to, size_t size) {
    result = 0;
    if (next_ == end_) {
      if (std::exchange(drained_, false)) {
        return net::rw_state::success;  // epoll says when there is more
      }
      const ssize_t got = ::recv(socket, ahead_.data(), ahead_.size(), MSG_DONTWAIT);
      const int why = errno;
      next_ = 0;
      end_ = got > 0 ? static_cast<size_t>(got) : 0;
      if (got == 0 || (got < 0 && why != EAGAIN && why != EWOULDBLOCK && why != EINTR)) {
        return net::rw_state::failure;
      }
      drained_ = end_ != 0 && end_ < ahead_.size();
    }
    CHECK_INVARIANT(next_ <= end_ && end_ <= ahead_.size());
    result = std::min(size, end_ - next_);
    std::memcpy(to, ahead_.data() + next_, result);
    next_ += result;
    return net::rw_state::success;
  }
  // Nothing tells of bytes that were read ahead, so no visit ends before them.
  bool must_read_more(net::native_socket, size_t) const { return next_ < end_; }

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
  std::vector<char> ahead_ = std::vector<char>(kReadBytes);
  size_t next_ = 0;  // what was read ahead and not handed out: [next_, end_)
  size_t end_ = 0;
  bool drained_ = false;  // the last read took all that there was
};

class PeerScribe final : public caf::io::scribe {
 public:
  PeerScribe(net::default_multiplexer& multiplexer, int socket)
      : scribe(net::conn_hdl_from_socket(socket)), stream_(multiplexer, socket) {}

  void configure_read(caf::io::receive_policy::config config) override {
    stream_.configure_read(config);
    if (!std::exchange(launched_, true)) {
      stream_.start(this);
    }
  }
  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void flush() override { stream_.send_now(this); }
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
  bool launched_ = false;
};

}  // namespace

caf::io::scribe_ptr make_peer_scribe(caf::actor_system& system, int socket) {
  auto* multiplexer = dynamic_cast<net::default_multiplexer*>(&system.middleman().backend());
  CHECK_INVARIANT(multiplexer != nullptr);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  return caf::make_counted<PeerScribe>(*multiplexer, socket);
}

}  // namespace kiwi::actors
