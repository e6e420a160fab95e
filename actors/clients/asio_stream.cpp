#include "actors/clients/asio_stream.hpp"

#include <exception>
#include <netinet/tcp.h>
#include <string>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include "actors/clients/stream_events.hpp"
#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

class AsioStream final : public ByteStream,
                         public ReadableSockets::Reader,
                         public std::enable_shared_from_this<AsioStream> {
 public:
  AsioStream(tcp::socket socket,
             std::shared_ptr<ReadableSockets> readable,
             std::shared_ptr<std::string> read_buffer)
      : socket_(std::move(socket)),
        readable_(std::move(readable)),
        read_buffer_(std::move(read_buffer)) {}

  void start(Events events) override {
    events_.set(std::move(events));
    watch();
  }

  void pause() override { paused_ = true; }  // noticed when there is something to read
  void resume() override {
    paused_ = false;
    watch();
  }

  void write(std::string bytes) override {
    if (closed_ || bytes.empty()) {
      return;
    }
    if (sent_ < pending_.size()) {
      pending_.append(bytes);
      return;
    }
    pending_ = std::move(bytes);
    sent_ = 0;
    push();
  }

  size_t unsent_bytes() const override {
    CHECK_INVARIANT(sent_ <= pending_.size());
    return pending_.size() - sent_;
  }

  bool has_unread() const override {
    ErrorCode ignored;
    return !closed_ && socket_.available(ignored) > 0;
  }

  void cork(bool yes) override {
    const int value = yes ? 1 : 0;
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_CORK, &value, sizeof(value));
  }

  void finish() override {
    ErrorCode ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    events_.end_receiving();
    resume();
  }

  void close() override {
    const auto self = shared_from_this();  // to be watched may be all that it lives by
    closed_ = true;
    events_.end();
    unwatch();
    ErrorCode ignored;
    socket_.close(ignored);
  }

 private:
  void watch() {
    if (closed_ || watched_) {
      return;
    }
    watched_ = readable_->watch(socket_.native_handle(), shared_from_this());
    if (!watched_) {
      asio::post(socket_.get_executor(), [self = shared_from_this()] { self->fail(); });
    }
  }

  void unwatch() {
    if (std::exchange(watched_, false)) {
      readable_->unwatch(socket_.native_handle());
    }
  }

  // What is thrown in an event (no memory, most likely) ends this connection and nobody else's.
  template <class Work>
  void contain(const Work& work) {
    try {
      work();
    } catch (const std::exception& thrown) {
      log_warning("a client's connection is closed, for it failed: " + std::string(thrown.what()));
      fail();
    }
  }

  void readable() override {
    contain([this] { read(); });
  }

  void read() {
    if (paused_) {
      unwatch();
      return;
    }
    ErrorCode error;
    const size_t size = socket_.read_some(asio::buffer(*read_buffer_), error);
    if (error && error != asio::error::would_block && error != asio::error::interrupted) {
      fail();
      return;
    }
    if (size > 0) {
      events_.received(std::string_view(*read_buffer_).substr(0, size));
    }
  }

  void push() {
    ErrorCode error;
    while (sent_ < pending_.size()) {
      const auto rest = asio::buffer(pending_.data() + sent_, pending_.size() - sent_);
      sent_ += socket_.write_some(rest, error);
      if (error == asio::error::would_block) {
        wait_writable();
        return;
      }
      if (error && error != asio::error::interrupted) {
        asio::post(socket_.get_executor(), [self = shared_from_this()] { self->fail(); });
        return;
      }
    }
    CHECK_INVARIANT(sent_ == pending_.size());
    std::string().swap(pending_);  // the next write brings its own
    sent_ = 0;
  }

  void wait_writable() {
    // What is sent already need not be kept while the rest waits; but to move all of a long rest
    // after each portion would cost the square of its length.
    if (sent_ >= pending_.size() / 2) {
      pending_.erase(0, sent_);
      sent_ = 0;
    }
    socket_.async_wait(tcp::socket::wait_write,
                       [self = shared_from_this()](const ErrorCode& error) {
                         if (!error && !self->closed_) {
                           self->contain([&self] { self->go_on_writing(); });
                         }
                       });
  }

  void go_on_writing() {
    push();
    if (unsent_bytes() == 0) {
      events_.drained();
    }
  }

  void fail() {
    if (closed_) {
      return;
    }
    auto closed = events_.take_closed();
    close();
    if (closed) {
      closed();
    }
  }

  tcp::socket socket_;
  std::shared_ptr<ReadableSockets> readable_;
  std::shared_ptr<std::string> read_buffer_;
  StreamEvents events_;
  std::string pending_;
  size_t sent_ = 0;
  bool paused_ = false;
  bool watched_ = false;
  bool closed_ = false;
};

}  // namespace

std::shared_ptr<ByteStream> make_asio_stream(tcp::socket socket,
                                             std::shared_ptr<ReadableSockets> readable,
                                             std::shared_ptr<std::string> read_buffer) {
  return std::make_shared<AsioStream>(std::move(socket), std::move(readable),
                                      std::move(read_buffer));
}

}  // namespace kiwi::actors
