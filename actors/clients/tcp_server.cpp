#include "actors/clients/tcp_server.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <unordered_map>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "actors/clients/asio_stream.hpp"
#include "actors/clients/look_rule.hpp"
#include "actors/clients/resp_connection.hpp"
#include "actors/listeners.hpp"
#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "config/base/open_files.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

struct TcpServer::State : std::enable_shared_from_this<TcpServer::State> {
  State(caf::actor_system& s, ClientLoop& l, TcpServerOptions o)
      : system(s),
        loop(l),
        options(std::move(o)),
        // What the connections read is routed in the same handler.
        readable(std::make_shared<ReadableSockets>(
            l.io(),
            ReadableSockets::Around{[&l] { return l.hold_actors(); },
                                    [&l] { l.run_held_actors(); }})),
        read_buffer(std::make_shared<std::string>(config::limits::kSocketReadBytes, '\0')) {}
  ~State() { readable->clear(); }

  void accept(const std::shared_ptr<tcp::acceptor>& acceptor);
  void welcome(tcp::socket socket);
  template <class Atom>
  void tell_all(Atom atom);
  void set_socket_options(tcp::socket& socket) const;
  void look_always() {
    rule->end();
    readable->hold(false);
  }

  caf::actor_system& system;
  ClientLoop& loop;
  TcpServerOptions options;
  std::shared_ptr<ReadableSockets> readable;
  std::shared_ptr<std::string> read_buffer;
  std::shared_ptr<LookRule> rule = std::make_shared<LookRule>();
  std::vector<std::shared_ptr<tcp::acceptor>> acceptors;
  std::unordered_map<resp::ConnectionId, ConnectionHandle> connections;
  resp::ConnectionId next_id = 1;
  size_t clients_max = 0;  // that there are descriptors for
  // Who comes in late is told, too.
  bool parting = false;
  bool finishing = false;
};

namespace {

std::string text(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

}  // namespace

TcpServer::TcpServer(caf::actor_system& system, ClientLoop& loop, TcpServerOptions options)
    : state_(std::make_shared<State>(system, loop, std::move(options))) {}
TcpServer::~TcpServer() = default;

namespace {

// What the files of the databases leave.
size_t clients_max(config::Options& options) {
  const uint64_t limit = open_files_limit();
  const uint64_t possible = share_open_files(limit).clients;
  if (static_cast<uint64_t>(options.maxclients) > possible) {
    log_warning("maxclients " + std::to_string(options.maxclients) + " is too many for " +
                std::to_string(limit) + " open files, which this process may have: maxclients is " +
                std::to_string(possible) + " now; raise ulimit -n for more");
    options.maxclients = static_cast<int64_t>(possible);
  }
  return possible;
}

}  // namespace

Result<void> TcpServer::listen() {
  config::Options& o = state_->options.node->options;
  state_->clients_max = clients_max(o);
  Result<std::vector<int>> fds =
      open_listeners(o.bind, static_cast<uint16_t>(o.port), static_cast<int>(o.tcp_backlog));
  if (!fds) {
    return fds.error();
  }
  for (const int fd : *fds) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    const tcp protocol = address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4();
    state_->acceptors.push_back(std::make_shared<tcp::acceptor>(state_->loop.io(), protocol, fd));
  }
  return {};
}

void TcpServer::start() {
  for (const auto& acceptor : state_->acceptors) {
    state_->accept(acceptor);
  }
}

void TcpServer::stop_accepting() {
  for (const auto& acceptor : state_->acceptors) {
    // Who the kernel has let in already is a client like the others.
    ErrorCode error;
    acceptor->non_blocking(true, error);
    while (!error) {
      tcp::socket socket(state_->loop.io());
      acceptor->accept(socket, error);
      if (!error) {
        state_->welcome(std::move(socket));
      }
    }
    acceptor->close(error);
  }
}

void TcpServer::part() {
  state_->parting = true;
  state_->look_always();
  state_->tell_all(part_atom_v);
}

void TcpServer::finish() {
  state_->finishing = true;
  state_->look_always();
  state_->tell_all(end_now_atom_v);
}

template <class Atom>
void TcpServer::State::tell_all(Atom atom) {
  for (const auto& [id, connection] : connections) {
    caf::anon_send(connection, atom);
  }
}

bool TcpServer::idle() const {
  return std::ranges::all_of(state_->options.node->sessions,
                             [](const auto& item) { return item.second->idle(); });
}

void TcpServer::close(resp::ConnectionId id) {
  const auto found = state_->connections.find(id);
  if (found != state_->connections.end()) {
    caf::anon_send(found->second, work_atom_v);
  }
}

void TcpServer::deliver(resp::ReplyBatch batch) {
  const auto found = state_->connections.find(batch.connection);
  if (found != state_->connections.end()) {
    caf::anon_send(found->second, std::move(batch));
  }
}

void TcpServer::tick() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  for (const auto& [id, session] : state_->options.node->sessions) {
    session->tick(now_ms);
  }
}

bool TcpServer::router_turned(const resp::Flight& flight) {
  State& s = *state_;
  const bool sleeps = s.rule->may_sleep(flight, s.connections.size(), ClientLoop::monotonic_us());
  s.readable->expect_requests(flight.gathers);
  s.readable->hold(sleeps);
  return sleeps;
}

void TcpServer::look_at_sockets() { state_->readable->look(); }
uint64_t TcpServer::looks_at_commits() const { return state_->readable->looks(); }

size_t TcpServer::clients() const { return state_->connections.size(); }

void TcpServer::State::accept(const std::shared_ptr<tcp::acceptor>& acceptor) {
  acceptor->async_accept(
      [self = shared_from_this(), acceptor](const ErrorCode& error, tcp::socket socket) {
        if (!error) {
          try {
            self->welcome(std::move(socket));
          } catch (const std::exception& thrown) {  // no memory for one more
            log_warning("a client was turned away: " + std::string(thrown.what()));
          }
        }
        if (!acceptor->is_open()) {
          return;
        }
        if (!error) {
          self->accept(acceptor);
          return;
        }
        // Out of descriptors, most likely: try again a little later instead of spinning.
        log_warning("accepting a client failed: " + error.message());
        auto timer =
            std::make_shared<asio::steady_timer>(self->loop.io(), std::chrono::milliseconds(100));
        timer->async_wait([self, acceptor, timer](const ErrorCode& cancelled) {
          if (!cancelled && acceptor->is_open()) {
            self->accept(acceptor);
          }
        });
      });
}

void TcpServer::State::welcome(tcp::socket socket) {
  resp::NodeContext& node = *options.node;
  ErrorCode error;
  const tcp::endpoint remote = socket.remote_endpoint(error);
  const tcp::endpoint local = socket.local_endpoint(error);
  socket.non_blocking(true, error);
  if (error) {
    return;  // gone already
  }
  // More than the files leave there are never, whatever CONFIG SET says.
  if (connections.size() >= std::min(static_cast<size_t>(node.options.maxclients), clients_max)) {
    socket.write_some(asio::buffer(resp::kTooManyClients.data(), resp::kTooManyClients.size()),
                      error);
    ++node.metrics.rejected_connections;
    return;
  }
  set_socket_options(socket);
  ++node.metrics.connections_received;
  RespConnectionOptions connection;
  connection.node = &node;
  connection.info = {next_id++, text(remote), text(local), socket.native_handle()};
  connection.stream = make_asio_stream(std::move(socket), readable, read_buffer);
  connection.router = options.router;
  connection.state_machine = options.state_machine;
  connection.now_ms = ClientLoop::monotonic_ms;
  connection.rule = rule;
  connection.ended = [weak = weak_from_this()](resp::ConnectionId id) {
    if (const auto self = weak.lock()) {
      self->connections.erase(id);
    }
  };
  const resp::ConnectionId id = connection.info.id;
  const auto [made, is_new] =
      connections.emplace(id, spawn_resp_connection(system, loop.hosting(), std::move(connection)));
  CHECK_INVARIANT(is_new);
  rule->can_gain();
  readable->hold(false);
  if (finishing) {
    caf::anon_send(made->second, end_now_atom_v);
  } else if (parting) {
    caf::anon_send(made->second, part_atom_v);
  }
}

void TcpServer::State::set_socket_options(tcp::socket& socket) const {
  ErrorCode ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const auto keepalive = static_cast<int>(options.node->options.tcp_keepalive);
  if (keepalive > 0) {
    // As Redis: first probe after the interval, then three more a third of it apart.
    const int fd = socket.native_handle();
    const int third = std::max(1, keepalive / 3);
    const int probes = 3;
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive, sizeof(keepalive));
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &third, sizeof(third));
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
  }
}

}  // namespace kiwi::actors
