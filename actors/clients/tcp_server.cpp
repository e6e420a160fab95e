#include "actors/clients/tcp_server.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <netdb.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>

#include "actors/clients/look_rule.hpp"
#include "actors/clients/resp_connection.hpp"
#include "actors/clients/tls_port.hpp"
#include "actors/listeners.hpp"
#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "config/base/open_files.hpp"
#include "config/limits.hpp"
#include "resp/addresses.hpp"
#include "resp/texts.hpp"

namespace kiwi::actors {

struct TcpServer::State : std::enable_shared_from_this<TcpServer::State> {
  State(caf::actor_system& s, ClientLoop& l, TcpServerOptions o)
      : system(s),
        loop(l),
        options(std::move(o)),
        engine(options.engine),
        tls(std::make_shared<TlsPort>(TlsPort::Surroundings{
            &options.node->metrics, [&l](std::function<void()> work) { l.post(std::move(work)); },
            ClientLoop::monotonic_ms, [] { return ClientLoop::wall_ms() / 1000; }})) {
    CHECK_INVARIANT(engine != nullptr);
    loop.behind_actors([flushed = engine] { flushed->flush(); });
  }
  ~State() {
    loop.behind_actors(nullptr);
    tls->close();
    engine->clear();
  }

  // Listening sockets, until start(), and what they show the node to be.
  struct Port {
    std::vector<int> fds;
    resp::Face face;
    bool speaks_tls;
  };
  Result<void> listen(int64_t port, resp::Face face, bool speaks_tls);
  void welcome(int socket, resp::Face face, bool speaks_tls);
  bool takes_in(int socket, bool speaks_tls);
  void admit(std::shared_ptr<ByteStream> stream, resp::SessionInfo info);
  bool has_room() const;
  template <class Atom>
  void tell_all(Atom atom);
  void set_socket_options(int socket) const;
  void look_always() {
    rule->end();
    engine->hold(false);
  }

  caf::actor_system& system;
  ClientLoop& loop;
  TcpServerOptions options;
  std::shared_ptr<SocketEngine> engine;
  std::shared_ptr<LookRule> rule = std::make_shared<LookRule>();
  std::shared_ptr<TlsPort> tls;
  std::vector<Port> ports;
  std::unordered_map<resp::ConnectionId, ConnectionHandle> connections;
  resp::ConnectionId next_id = 1;
  size_t clients_max = 0;  // that there are descriptors for
  // Who comes in late is told, too.
  bool parting = false;
  bool finishing = false;
};

namespace {

// Closes a socket that nobody took.
class OwnSocket {
 public:
  explicit OwnSocket(int fd) : fd_(fd) { CHECK_INVARIANT(fd >= 0); }
  ~OwnSocket() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  OwnSocket(const OwnSocket&) = delete;
  OwnSocket& operator=(const OwnSocket&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// ip:port of one end; empty: the connection is gone.
std::string address_of(int socket, int (*name)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (name(socket, generic, &size) != 0 ||
      ::getnameinfo(generic, size, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  const std::string_view where = host.data();
  return (address.ss_family == AF_INET6 ? "[" + std::string(where) + "]" : std::string(where)) +
         ":" + port.data();
}

bool is_from_this_machine(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return false;
  }
  constexpr uint32_t kLoopbackNet = 127;
  if (address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    return (ntohl(v4->sin_addr.s_addr) >> 24) == kLoopbackNet;
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6);
  return address.ss_family == AF_INET6 &&
         (IN6_IS_ADDR_LOOPBACK(&v6) || (mapped && v6.s6_addr[12] == kLoopbackNet));
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
  ports.push_back({std::move(*fds), face, speaks_tls});
  return {};
}

void TcpServer::start() {
  for (State::Port& port : std::exchange(state_->ports, {})) {
    state_->engine->accept(std::move(port.fds),
                           [weak = std::weak_ptr<State>(state_), face = port.face,
                            speaks_tls = port.speaks_tls](int socket) {
                             if (const auto state = weak.lock()) {
                               state->welcome(socket, face, speaks_tls);
                             } else {
                               ::close(socket);
                             }
                           });
  }
}

void TcpServer::stop_accepting() { state_->engine->stop_accepting(); }

void TcpServer::part() {
  state_->parting = true;
  state_->look_always();
  state_->tell_all(part_atom_v);
}

void TcpServer::finish() {
  state_->finishing = true;
  state_->look_always();
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
  bool idle = true;
  state_->options.node->sessions.each(
      [&idle](const resp::Session& session) { idle = idle && session.idle(); });
  return idle;
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
  state_->options.node->sessions.each([now_ms](resp::Session& session) { session.tick(now_ms); });
  state_->tls->tick();
}

bool TcpServer::router_turned(const resp::Flight& flight) {
  State& s = *state_;
  const bool sleeps = s.rule->may_sleep(flight, s.connections.size(), ClientLoop::monotonic_us());
  s.engine->expect_requests(flight.gathers);
  s.engine->hold(sleeps);
  return sleeps;
}

void TcpServer::look_at_sockets() { state_->engine->look(); }
uint64_t TcpServer::looks_at_commits() const { return state_->engine->looks(); }

size_t TcpServer::clients() const { return state_->connections.size(); }

void TcpServer::State::welcome(int socket, resp::Face face, bool speaks_tls) {
  OwnSocket own(socket);
  resp::SessionInfo info;
  info.peer_address = address_of(socket, ::getpeername);
  info.local_address = address_of(socket, ::getsockname);
  info.file_descriptor = socket;
  info.face = face;
  info.tls = speaks_tls;
  if (info.peer_address.empty() || info.local_address.empty()) {
    return;  // gone already
  }
  if (!takes_in(socket, speaks_tls)) {
    ++options.node->metrics.rejected_connections;
    return;
  }
  set_socket_options(socket);
  std::shared_ptr<ByteStream> stream = engine->make_stream(own.release());
  if (!stream) {
    return;
  }
  ++options.node->metrics.connections_received;
  if (!speaks_tls) {
    admit(std::move(stream), std::move(info));
    return;
  }
  // Its handshake is read although commits are under way.
  rule->can_gain();
  engine->hold(false);
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

// Who is turned away is told why, but where no word means anything yet.
bool TcpServer::State::takes_in(int socket, bool speaks_tls) {
  std::string_view words;
  if (!has_room()) {
    words = resp::kTooManyClients;
  } else if (options.node->turns_away(is_from_this_machine(socket))) {
    words = resp::texts::kProtectedMode;
  } else {
    return true;
  }
  if (!speaks_tls) {
    [[maybe_unused]] const ssize_t sent =
        ::send(socket, words.data(), words.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  return false;
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
  engine->hold(false);
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

void TcpServer::State::set_socket_options(int socket) const {
  const auto set = [socket](int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof(value));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  const auto keepalive = static_cast<int>(options.node->options.tcp_keepalive);
  if (keepalive > 0) {
    // As Redis: first probe after the interval, then three more a third of it apart.
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, keepalive);
    set(IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, keepalive / 3));
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  }
}

}  // namespace kiwi::actors
