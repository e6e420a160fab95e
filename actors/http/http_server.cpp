#include "actors/http/http_server.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using resp::web::Method;
using resp::web::WebAnswer;
using resp::web::WebRequest;

namespace {

// What no answer of this port needs a browser to do, or to keep.
constexpr std::pair<const char*, const char*> kAlways[] = {
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri "
     "'none'; "
     "form-action 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
};

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::kGet;
    case http::verb::head:
      return Method::kHead;
    case http::verb::post:
      return Method::kPost;
    case http::verb::delete_:
      return Method::kDelete;
    default:
      return Method::kOther;
  }
}

template <class Fields, class Name>
std::string header(const Fields& fields, Name name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string()
                               : std::string(found->value().data(), found->value().size());
}

}  // namespace

struct HttpServer::State : std::enable_shared_from_this<HttpServer::State> {
  class Connection;
  using Connections = std::list<std::shared_ptr<Connection>>;

  State(Handler handler_in, HttpLimits limits_in)
      : handler(std::move(handler_in)), limits(limits_in), guard(io.get_executor()) {}

  void accept(const std::shared_ptr<tcp::acceptor>& acceptor);
  void welcome(tcp::socket socket);
  bool make_room();

  const Handler handler;
  const HttpLimits limits;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  Connections connections;  // by when what they do now began
  std::thread thread;
};

// One client. It is in the list as long as its socket is open; handlers that Asio holds keep it
// alive until they ran.
class HttpServer::State::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(State& server, tcp::socket socket)
      : server_(server),
        stream_(std::move(socket)),
        buffer_(server.limits.header_bytes + server.limits.body_bytes) {}

  void begin(Connections::iterator place) {
    place_ = place;
    read();
  }
  // Else it keeps the node waiting: between two requests, in the middle of one, or for room to send
  // its answer.
  bool is_unanswered() const { return answering_; }
  void close() {
    if (!std::exchange(closed_, true)) {
      stream_.close();
      server_.connections.erase(place_);
    }
  }

 private:
  void read();
  void got(const ErrorCode& error);
  void answer(WebAnswer answer);
  // From now on it is the node that waits.
  void begin_to_wait() {
    server_.connections.splice(server_.connections.end(), server_.connections, place_);
  }

  State& server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  Connections::iterator place_;
  bool answering_ = false;  // the handler has a request
  bool closed_ = false;
  bool head_ = false;
  bool keep_alive_ = false;
  unsigned version_ = 11;
};

void HttpServer::State::Connection::read() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(server_.limits.header_bytes));
  parser_->body_limit(server_.limits.body_bytes);
  begin_to_wait();
  stream_.expires_after(std::chrono::milliseconds(server_.limits.request_ms));
  http::async_read(stream_, buffer_, *parser_,
                   [self = shared_from_this()](const ErrorCode& error, size_t) {
                     try {
                       self->got(error);
                     } catch (const std::exception&) {  // no memory for it
                       self->close();
                     }
                   });
}

void HttpServer::State::Connection::got(const ErrorCode& error) {
  if (closed_) {
    return;
  }
  version_ = parser_->get().version() == 10 ? 10 : 11;
  head_ = false;
  if (error == http::error::body_limit || error == http::error::header_limit ||
      error == http::error::buffer_overflow) {
    keep_alive_ = false;
    return answer(WebAnswer::text(413, "the request is too large"));
  }
  if (error.category() == http::make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    keep_alive_ = false;
    return answer(WebAnswer::text(400, "that is no HTTP request"));
  }
  if (error) {
    return close();  // it went away, or took too long
  }
  auto& message = parser_->get();
  keep_alive_ = message.keep_alive();
  head_ = message.method() == http::verb::head;
  WebRequest request;
  request.method = method_of(message.method());
  request.target = std::string(message.target().data(), message.target().size());
  request.host = header(message, http::field::host);
  request.origin = header(message, http::field::origin);
  request.authorization = header(message, http::field::authorization);
  request.cookie = header(message, http::field::cookie);
  request.user_agent = header(message, http::field::user_agent);
  request.token = header(message, "X-Kiwi-Token");
  request.body = std::move(message.body());
  ErrorCode gone;
  const tcp::endpoint remote = stream_.socket().remote_endpoint(gone);
  if (gone) {
    return close();
  }
  request.address = remote.address().to_string();
  request.loopback =
      remote.address().is_loopback() ||
      (remote.address().is_v6() && remote.address().to_v6().is_v4_mapped() &&
       asio::ip::make_address_v4(asio::ip::v4_mapped, remote.address().to_v6()).is_loopback());
  stream_.expires_never();
  answering_ = true;
  // Whoever answers may outlive both. An answer that is given at once is sent at once: a place
  // counts as taken by the node until then, and a newcomer would find all of them so.
  server_.handler(std::move(request), [weak = weak_from_this(),
                                       weak_server = server_.weak_from_this()](WebAnswer said) {
    const std::shared_ptr<State> server = weak_server.lock();
    if (!server) {
      return;
    }
    asio::dispatch(server->io, [weak, said = std::move(said)]() mutable {
      const std::shared_ptr<Connection> self = weak.lock();
      if (self && !self->closed_ && std::exchange(self->answering_, false)) {
        self->answer(std::move(said));
      }
    });
  });
}

void HttpServer::State::Connection::answer(WebAnswer said) {
  CHECK_INVARIANT(!closed_ && said.status >= 200 && said.status < 600);
  response_ = {};
  response_.version(version_);
  response_.result(said.status);
  response_.set(http::field::content_type, said.type);
  for (const auto& [name, value] : kAlways) {
    response_.set(name, value);
  }
  for (const auto& [name, value] : said.headers) {
    response_.set(name, value);
  }
  response_.keep_alive(keep_alive_);
  if (head_) {
    response_.content_length(said.body.size());
  } else {
    response_.body() = std::move(said.body);
    response_.prepare_payload();
  }
  begin_to_wait();
  stream_.expires_after(std::chrono::milliseconds(server_.limits.answer_ms));
  http::async_write(stream_, response_,
                    [self = shared_from_this()](const ErrorCode& error, size_t) {
                      if (self->closed_) {
                        return;
                      }
                      self->response_ = {};
                      if (error || !self->keep_alive_) {
                        ErrorCode ignored;
                        self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                        self->close();
                        return;
                      }
                      self->read();
                    });
}

// The one that has kept the node waiting since longest ago goes. Who takes no answer does so, too:
// else a few that ask for much and read nothing would keep everybody out, who asks after health
// first of all.
bool HttpServer::State::make_room() {
  if (connections.size() < limits.connections) {
    return true;
  }
  for (const std::shared_ptr<Connection>& connection : connections) {
    if (!connection->is_unanswered()) {
      const std::shared_ptr<Connection> held = connection;
      held->close();
      return true;
    }
  }
  return false;
}

void HttpServer::State::welcome(tcp::socket socket) {
  if (!make_room()) {
    return;
  }
  ErrorCode ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  connections.push_back(std::make_shared<Connection>(*this, std::move(socket)));
  CHECK_INVARIANT(connections.size() <= limits.connections);
  connections.back()->begin(std::prev(connections.end()));
}

void HttpServer::State::accept(const std::shared_ptr<tcp::acceptor>& acceptor) {
  acceptor->async_accept([this, acceptor](const ErrorCode& error, tcp::socket socket) {
    if (!error) {
      try {
        welcome(std::move(socket));
      } catch (const std::exception&) {  // no memory for one more
      }
      accept(acceptor);
      return;
    }
    if (error == asio::error::operation_aborted) {
      return;
    }
    // Out of descriptors, most likely: try again a little later instead of spinning.
    auto timer = std::make_shared<asio::steady_timer>(io, std::chrono::milliseconds(100));
    timer->async_wait([this, acceptor, timer](const ErrorCode& cancelled) {
      if (!cancelled) {
        accept(acceptor);
      }
    });
  });
}

HttpServer::HttpServer(Handler handler, HttpLimits limits)
    : state_(std::make_shared<State>(std::move(handler), limits)) {
  CHECK_INVARIANT(state_->handler && limits.connections > 0);
}

HttpServer::~HttpServer() {
  state_->io.stop();
  if (state_->thread.joinable()) {
    state_->thread.join();
  }
  // What waits in the loop goes with it.
  for (const auto& connection : State::Connections(state_->connections)) {
    connection->close();
  }
}

void HttpServer::start(const std::vector<int>& listening) {
  CHECK_INVARIANT(!state_->thread.joinable());
  for (const int fd : listening) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    const tcp protocol = address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4();
    state_->accept(std::make_shared<tcp::acceptor>(state_->io, protocol, fd));
  }
  state_->thread = std::thread([state = state_.get()] {
    // An exception in a handler of one connection is the end of nothing else.
    while (!state->io.stopped()) {
      try {
        state->io.run();
      } catch (const std::exception& thrown) {
        log_warning("the HTTP port goes on after: " + std::string(thrown.what()));
      }
    }
  });
}

size_t HttpServer::unanswered() const {
  const auto count = std::ranges::count_if(
      state_->connections, [](const auto& connection) { return connection->is_unanswered(); });
  CHECK_INVARIANT(static_cast<size_t>(count) <= state_->limits.connections);
  return static_cast<size_t>(count);
}

void HttpServer::post(std::function<void()> work) { asio::post(state_->io, std::move(work)); }

void HttpServer::after_ms(int64_t milliseconds, std::function<void()> work) {
  CHECK_INVARIANT(milliseconds >= 0);
  asio::post(state_->io, [state = state_.get(), milliseconds, work = std::move(work)]() mutable {
    auto timer =
        std::make_shared<asio::steady_timer>(state->io, std::chrono::milliseconds(milliseconds));
    timer->async_wait([timer, work = std::move(work)](const ErrorCode& error) {
      if (!error) {
        work();
      }
    });
  });
}

}  // namespace kiwi::actors
