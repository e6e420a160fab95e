#include "actors/clients/exchange.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "actors/client_loop.hpp"
#include "resp/migration.hpp"
#include "resp/reply_size.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

// Of a target that answers something else than a few words to each command.
constexpr size_t kReplyBytes = 4096;
// Asio looks names up on one thread for each protocol, one after the other, and a name whose server
// is silent takes it for half a minute. The names of peers are tcp's (frame_socket.cpp): those that
// clients say may not hold them up.
using Resolver = asio::ip::udp::resolver;

class Conversation final : public std::enable_shared_from_this<Conversation> {
 public:
  Conversation(asio::io_context& io, resp::Exchange what, resp::ExchangeDone done)
      : what_(std::move(what)),
        done_(std::move(done)),
        resolver_(io),
        socket_(io),
        timer_(io),
        replies_left_(what_.replies) {}

  void begin() {
    timer_.expires_after(std::chrono::milliseconds(what_.timeout_ms));
    timer_.async_wait([self = shared_from_this()](ErrorCode error) {
      if (!error) {
        self->fail();
      }
    });
    resolver_.async_resolve(what_.host, what_.port,
                            [self = shared_from_this()](ErrorCode error, const auto& found) {
                              error ? self->fail() : self->connect(found);
                            });
  }

  void cancel() {
    done_ = nullptr;
    // To look up a name may take long, and nothing is being written yet.
    if (!socket_.is_open()) {
      std::string().swap(what_.request);
    }
    close();
  }

 private:
  void connect(const Resolver::results_type& found) {
    if (!done_) {
      return;  // over before this came: no socket is opened again
    }
    std::vector<tcp::endpoint> targets;
    for (const auto& one : found) {
      targets.emplace_back(one.endpoint().address(), one.endpoint().port());
    }
    asio::async_connect(socket_, targets,
                        [self = shared_from_this()](ErrorCode error, const tcp::endpoint&) {
                          error ? self->fail() : self->write();
                        });
  }

  void write() {
    where_ = "writing to target instance";
    asio::async_write(socket_, asio::buffer(what_.request),
                      [self = shared_from_this()](ErrorCode error, size_t) {
                        error ? self->fail() : self->written();
                      });
  }

  void written() {
    std::string().swap(what_.request);
    where_ = "reading to target instance";  // Redis' words
    read();
  }

  void read() {
    const size_t before = answer_.size();
    answer_.resize(before + kReplyBytes);
    socket_.async_read_some(asio::buffer(answer_.data() + before, kReplyBytes),
                            [self = shared_from_this(), before](ErrorCode error, size_t bytes) {
                              self->answer_.resize(before + bytes);
                              error ? self->fail() : self->look();
                            });
  }

  void look() {
    while (replies_left_ > 0) {
      const size_t size = resp::reply_size(std::string_view(answer_).substr(seen_));
      if (size == 0) {
        return answer_.size() - seen_ > kReplyBytes ? fail() : read();
      }
      seen_ += size;
      --replies_left_;
    }
    answer_.resize(seen_);
    finish(std::move(answer_));
  }

  void fail() { finish(resp::Migration::io_error(where_)); }

  void finish(std::string bytes) {
    if (!done_) {
      return;
    }
    close();
    std::exchange(done_, nullptr)(std::move(bytes));
  }

  // What still waits for an event hears that it is cancelled, and lets go of this.
  void close() {
    resolver_.cancel();
    timer_.cancel();
    ErrorCode ignored;
    socket_.close(ignored);
  }

  resp::Exchange what_;
  resp::ExchangeDone done_;
  Resolver resolver_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  std::string_view where_ = "connecting to the client";
  std::string answer_ = "+";  // what ExchangeDone is given
  size_t seen_ = 1;
  size_t replies_left_;
};

}  // namespace

resp::ExchangeCancel exchange(ClientLoop& loop, resp::Exchange what, resp::ExchangeDone done) {
  const auto begun = std::make_shared<Conversation>(loop.io(), std::move(what), std::move(done));
  begun->begin();
  return [weak = std::weak_ptr<Conversation>(begun)] {
    if (const auto conversation = weak.lock()) {
      conversation->cancel();
    }
  };
}

}  // namespace kiwi::actors
