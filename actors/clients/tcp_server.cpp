#include "actors/clients/tcp_server.hpp"

#include <algorithm>
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
#include "actors/listeners.hpp"
#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "config/base/open_files.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

struct TcpServer::State : std::enable_shared_from_this<TcpServer::State> {
  State(caf::actor_system& s, ClientLoop& l, TcpServerOptions o)
      : system(s), loop(l), options(std::move(o)), engine(options.engine) {
    CHECK_INVARIANT(engine != nullptr);
    loop.behind_actors([flushed = engine] { flushed->flush(); });
  }
  ~State() {
    loop.behind_actors(nullptr);
    engine->clear();
  }

  void welcome(int socket);
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
  std::vector<int> listeners;  // until start()
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
  state_->listeners = std::move(*fds);
  return {};
}

void TcpServer::start() {
  state_->engine->accept(std::exchange(state_->listeners, {}),
                         [weak = std::weak_ptr<State>(state_)](int socket) {
                           if (const auto state = weak.lock()) {
                             state->welcome(socket);
                           } else {
                             ::close(socket);
                           }
                         });
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

void TcpServer::State::welcome(int socket) {
  resp::NodeContext& node = *options.node;
  OwnSocket own(socket);
  std::string remote = address_of(socket, ::getpeername);
  std::string local = address_of(socket, ::getsockname);
  if (remote.empty() || local.empty()) {
    return;  // gone already
  }
  // More than the files leave there are never, whatever CONFIG SET says.
  if (connections.size() >= std::min(static_cast<size_t>(node.options.maxclients), clients_max)) {
    const std::string_view words = resp::kTooManyClients;
    [[maybe_unused]] const ssize_t sent =
        ::send(socket, words.data(), words.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ++node.metrics.rejected_connections;
    return;
  }
  set_socket_options(socket);
  RespConnectionOptions connection;
  connection.stream = engine->make_stream(own.release());
  if (!connection.stream) {
    return;
  }
  ++node.metrics.connections_received;
  connection.node = &node;
  connection.info = {next_id++, std::move(remote), std::move(local), socket};
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
