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
#include "actors/clients/resp_connection.hpp"
#include "actors/clients/tls_port.hpp"
#include "actors/listeners.hpp"
#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "config/base/open_files.hpp"
#include "config/limits.hpp"
#include "resp/texts.hpp"

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
        read_buffer(std::make_shared<std::string>(config::limits::kSocketReadBytes, '\0')),
        tls(std::make_shared<TlsPort>(TlsPort::Surroundings{
            &options.node->metrics, [&l](std::function<void()> work) { l.post(std::move(work)); },
            ClientLoop::monotonic_ms, [] { return ClientLoop::wall_ms() / 1000; }})) {}
  ~State() {
    tls->close();
    readable->clear();
  }

  // A listening socket, and what it shows the node to be.
  struct Listener {
    Listener(asio::io_context& io, tcp protocol, int fd, resp::Face face_in, bool tls_in)
        : acceptor(io, protocol, fd), face(face_in), tls(tls_in) {}
    tcp::acceptor acceptor;
    const resp::Face face;
    const bool tls;
  };
  Result<void> listen(int64_t port, resp::Face face, bool speaks_tls);
  void accept(const std::shared_ptr<Listener>& listener);
  void welcome(tcp::socket socket, resp::Face face, bool speaks_tls);
  void admit(std::shared_ptr<ByteStream> stream, resp::SessionInfo info);
  bool has_room() const;
  template <class Atom>
  void tell_all(Atom atom);
  void set_socket_options(tcp::socket& socket) const;

  caf::actor_system& system;
  ClientLoop& loop;
  TcpServerOptions options;
  std::shared_ptr<ReadableSockets> readable;
  std::shared_ptr<std::string> read_buffer;
  std::shared_ptr<TlsPort> tls;
  std::vector<std::shared_ptr<Listener>> listeners;
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

bool is_loopback(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
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
  const resp::Face main = resp::main_face(o);
  if (o.tls_port != 0) {
    if (Result<void> loaded = reload_tls(o); !loaded) {
      return Error{Errc::kInvalid, "tls-port: " + loaded.error().text};
    }
    if (Result<void> opened = state_->listen(o.tls_port, main, /*speaks_tls=*/true); !opened) {
      return opened;
    }
  }
  const std::pair<int64_t, resp::Face> plain[] = {
      {o.port, main},
      {o.cluster_client_port, resp::Face::kCluster},
      {o.sentinel_port, resp::Face::kSentinel},
  };
  for (const auto& [port, face] : plain) {
    if (port == 0 || (face == main && port != o.port)) {
      continue;
    }
    if (Result<void> opened = state_->listen(port, face, /*speaks_tls=*/false); !opened) {
      return opened;
    }
  }
  return {};
}

Result<void> TcpServer::reload_tls(const config::Options& options) {
  if (options.tls_port == 0) {
    return {};
  }
  Result<void> loaded = state_->tls->load(options);
  state_->options.node->status.tls_certificate_expires_s = state_->tls->certificate_expires_s();
  return loaded;
}

// Certificates that were replaced come into force, for new connections.
void TcpServer::reload_at_hangup() {
  if (state_->options.node->options.tls_port == 0) {
    return;
  }
  if (const Result<void> loaded = reload_tls(state_->options.node->options); !loaded) {
    log_warning("SIGHUP: the TLS port goes on as before: " + loaded.error().text);
  } else {
    log_notice("SIGHUP: the files of the TLS port were read again");
  }
}

Result<void> TcpServer::State::listen(int64_t port, resp::Face face, bool speaks_tls) {
  CHECK_INVARIANT(port > 0 && port <= UINT16_MAX);
  const config::Options& o = options.node->options;
  Result<std::vector<int>> fds =
      open_listeners(o.bind, static_cast<uint16_t>(port), static_cast<int>(o.tcp_backlog));
  if (!fds) {
    return fds.error();
  }
  for (const int fd : *fds) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    const tcp protocol = address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4();
    listeners.push_back(std::make_shared<Listener>(loop.io(), protocol, fd, face, speaks_tls));
  }
  return {};
}

void TcpServer::start() {
  for (const auto& listener : state_->listeners) {
    state_->accept(listener);
  }
}

void TcpServer::stop_accepting() {
  for (const auto& listener : state_->listeners) {
    // Who the kernel has let in already is a client like the others.
    tcp::acceptor& acceptor = listener->acceptor;
    ErrorCode error;
    acceptor.non_blocking(true, error);
    while (!error) {
      tcp::socket socket(state_->loop.io());
      acceptor.accept(socket, error);
      if (!error) {
        state_->welcome(std::move(socket), listener->face, listener->tls);
      }
    }
    acceptor.close(error);
  }
}

void TcpServer::part() {
  state_->parting = true;
  state_->tell_all(part_atom_v);
}

void TcpServer::finish() {
  state_->finishing = true;
  state_->tls->close();
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
  state_->tls->tick();
}

void TcpServer::expect_requests(bool expected) { state_->readable->expect_requests(expected); }

size_t TcpServer::clients() const { return state_->connections.size(); }

void TcpServer::State::accept(const std::shared_ptr<Listener>& listener) {
  listener->acceptor.async_accept(
      [self = shared_from_this(), listener](const ErrorCode& error, tcp::socket socket) {
        if (!error) {
          try {
            self->welcome(std::move(socket), listener->face, listener->tls);
          } catch (const std::exception& thrown) {  // no memory for one more
            log_warning("a client was turned away: " + std::string(thrown.what()));
          }
        }
        if (!listener->acceptor.is_open()) {
          return;
        }
        if (!error) {
          self->accept(listener);
          return;
        }
        // Out of descriptors, most likely: try again a little later instead of spinning.
        log_warning("accepting a client failed: " + error.message());
        auto timer =
            std::make_shared<asio::steady_timer>(self->loop.io(), std::chrono::milliseconds(100));
        timer->async_wait([self, listener, timer](const ErrorCode& cancelled) {
          if (!cancelled && listener->acceptor.is_open()) {
            self->accept(listener);
          }
        });
      });
}

void TcpServer::State::welcome(tcp::socket socket, resp::Face face, bool speaks_tls) {
  resp::NodeContext& node = *options.node;
  ErrorCode error;
  const tcp::endpoint remote = socket.remote_endpoint(error);
  const tcp::endpoint local = socket.local_endpoint(error);
  socket.non_blocking(true, error);
  if (error) {
    return;  // gone already
  }
  if (!has_room()) {
    if (!speaks_tls) {  // to whom no word means anything yet
      socket.write_some(asio::buffer(resp::kTooManyClients.data(), resp::kTooManyClients.size()),
                        error);
    }
    ++node.metrics.rejected_connections;
    return;
  }
  if (node.turns_away(is_loopback(remote.address()))) {
    if (!speaks_tls) {
      socket.write_some(
          asio::buffer(resp::texts::kProtectedMode.data(), resp::texts::kProtectedMode.size()),
          error);
    }
    ++node.metrics.rejected_connections;
    return;
  }
  set_socket_options(socket);
  ++node.metrics.connections_received;
  resp::SessionInfo info;
  info.peer_address = text(remote);
  info.local_address = text(local);
  info.file_descriptor = socket.native_handle();
  info.face = face;
  info.tls = speaks_tls;
  std::shared_ptr<ByteStream> stream = make_asio_stream(std::move(socket), readable, read_buffer);
  if (!speaks_tls) {
    admit(std::move(stream), std::move(info));
    return;
  }
  std::string who = info.peer_address;
  tls->welcome(std::move(stream), std::move(who),
               [weak = weak_from_this(), info](const std::shared_ptr<TlsStream>& open) {
                 if (const auto self = weak.lock()) {
                   resp::SessionInfo known = info;
                   if (open->engine().proof() == TlsProof::kCertificate) {
                     known.certificate_name = open->engine().peer_common_name();
                   }
                   self->admit(open, std::move(known));
                 }
               });
}

// More than the files leave there are never, whatever CONFIG SET says. Who shakes hands counts.
bool TcpServer::State::has_room() const {
  return connections.size() + tls->strangers() <
         std::min(static_cast<size_t>(options.node->options.maxclients), clients_max);
}

void TcpServer::State::admit(std::shared_ptr<ByteStream> stream, resp::SessionInfo info) {
  RespConnectionOptions connection;
  connection.node = options.node;
  connection.info = std::move(info);
  connection.info.id = next_id++;
  connection.stream = std::move(stream);
  connection.router = options.router;
  connection.state_machine = options.state_machine;
  connection.now_ms = ClientLoop::monotonic_ms;
  connection.ended = [weak = weak_from_this()](resp::ConnectionId id) {
    if (const auto self = weak.lock()) {
      self->connections.erase(id);
    }
  };
  const resp::ConnectionId id = connection.info.id;
  const auto [made, is_new] =
      connections.emplace(id, spawn_resp_connection(system, loop.hosting(), std::move(connection)));
  CHECK_INVARIANT(is_new);
  if (finishing) {
    caf::anon_send(made->second, end_now_atom_v);
  } else if (parting) {
    caf::anon_send(made->second, part_atom_v);
  }
}

bool TcpServer::adopt(std::shared_ptr<ByteStream> stream, const std::string& address) {
  if (!state_->has_room() || state_->parting || state_->finishing) {
    return false;
  }
  resp::SessionInfo info;
  info.peer_address = address;
  info.local_address = "console";
  info.file_descriptor = -1;
  ++state_->options.node->metrics.connections_received;
  state_->admit(std::move(stream), std::move(info));
  return true;
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
