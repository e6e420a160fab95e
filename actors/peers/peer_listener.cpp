#include "actors/peers/peer_listener.hpp"

#include <exception>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "actors/listeners.hpp"
#include "actors/peers/strangers.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {
constexpr int64_t kVisitMs = 60'000;
constexpr int64_t kLogAgainMs = 60'000;
constexpr size_t kLoggedAddresses = 1024;  // beyond it the oldest are forgotten
constexpr size_t kProvenSources = 256;     // where members were seen; then it is learnt anew

std::string ip_of(const FrameSocket& socket) {
  const std::string remote = socket.remote();
  return remote.substr(0, remote.rfind(':'));
}
}  // namespace

struct PeerListener::State : std::enable_shared_from_this<PeerListener::State> {
  State(ClientLoop& l, PeerListenerOptions o) : loop(l), options(std::move(o)), resolver(l.io()) {}

  using Id = Strangers::Id;

  void accept(const std::shared_ptr<tcp::acceptor>& acceptor);
  void examine(int descriptor);
  void received(Id id, const AcceptedPeer& stranger, const std::string& frame);
  void proven(Id id, const AcceptedPeer& peer);
  void serve_visit(Id id, const AcceptedPeer& visitor);
  void refuse(Id id, const AcceptedPeer& stranger, const std::string& why);
  bool is_of_a_member(const std::string& source) const {
    return member_sources.contains(source) || proven_sources.contains(source);
  }

  ClientLoop& loop;
  PeerListenerOptions options;
  tcp::resolver resolver;
  std::vector<std::shared_ptr<tcp::acceptor>> acceptors;
  Strangers strangers{{config::limits::kHandshakes, config::limits::kHandshakesOfAddress}};
  std::map<Id, std::shared_ptr<FrameSocket>> sockets;  // of strangers
  std::map<Id, std::shared_ptr<FrameSocket>> visits;   // proven, and asking
  std::set<std::string> member_sources;                // by their addresses
  std::set<std::string> proven_sources;                // where a proof came from
  std::map<std::string, int64_t> logged;               // address without port -> when
};

PeerListener::PeerListener(ClientLoop& loop, PeerListenerOptions options)
    : state_(std::make_shared<State>(loop, std::move(options))) {}

PeerListener::~PeerListener() { stop(); }

Result<void> PeerListener::listen() {
  Result<std::vector<int>> fds =
      open_listeners(state_->options.bind, state_->options.port, state_->options.backlog);
  if (!fds) {
    return Error{fds.error().code, "peer port: " + fds.error().text};
  }
  for (const int fd : *fds) {
    auto acceptor = std::make_shared<tcp::acceptor>(state_->loop.io());
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    acceptor->assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), fd);
    state_->acceptors.push_back(acceptor);
    state_->accept(acceptor);
  }
  return {};
}

void PeerListener::stop() {
  for (const auto& acceptor : state_->acceptors) {
    ErrorCode ignored;
    acceptor->close(ignored);
  }
  state_->resolver.cancel();
  for (auto* all : {&state_->sockets, &state_->visits}) {
    for (const auto& [id, socket] : std::exchange(*all, {})) {
      socket->close();
    }
  }
}

void PeerListener::members_at(const std::set<std::string>& hosts) {
  std::set<std::string>& known = state_->member_sources;
  std::set<std::string> numbers;
  for (const std::string& host : hosts) {
    ErrorCode is_name;
    asio::ip::make_address(host, is_name);
    if (!is_name) {
      numbers.insert(source_of(host));
      continue;
    }
    state_->resolver.async_resolve(
        host, "", [state = state_](const ErrorCode& error, tcp::resolver::results_type found) {
          for (const auto& one : error ? tcp::resolver::results_type() : found) {
            if (state->member_sources.size() < kProvenSources) {
              state->member_sources.insert(source_of(one.endpoint().address().to_string()));
            }
          }
        });
  }
  known = std::move(numbers);
}

void PeerListener::State::accept(const std::shared_ptr<tcp::acceptor>& acceptor) {
  acceptor->async_accept(
      [self = shared_from_this(), acceptor](const ErrorCode& error, tcp::socket socket) {
        if (!acceptor->is_open()) {
          return;
        }
        if (!error) {
          ErrorCode released;
          try {
            self->examine(socket.release(released));
          } catch (const std::exception& thrown) {
            log_warning("a connection to the peer port was dropped: " + std::string(thrown.what()));
          }
          self->accept(acceptor);
          return;
        }
        auto timer =
            std::make_shared<asio::steady_timer>(self->loop.io(), std::chrono::milliseconds(100));
        timer->async_wait([self, acceptor, timer](const ErrorCode& cancelled) {
          if (!cancelled && acceptor->is_open()) {
            self->accept(acceptor);
          }
        });
      });
}

void PeerListener::State::examine(int descriptor) {
  const PeerSecurityPtr security = options.security();
  PeerHandshake::Options handshake{options.self, security->secret, options.knows, random_nonce()};
  handshake.secret_also = security->secret_also;
  handshake.speaks_tls = security->accepts != nullptr;
  AcceptedPeer stranger{
      adopt_frame_socket(loop, descriptor, security),
      std::make_shared<PeerHandshake>(PeerHandshake::acceptor(std::move(handshake)))};
  const std::string source = source_of(ip_of(*stranger.socket));
  const Strangers::Welcome welcome = strangers.come(source, is_of_a_member(source));
  if (welcome.leaves) {
    sockets.at(*welcome.leaves)->close();
    sockets.erase(*welcome.leaves);
    options.refused();
  }
  if (welcome.id == 0) {
    stranger.socket->close();
    options.refused();
    return;
  }
  const Id id = welcome.id;
  sockets.emplace(id, stranger.socket);
  stranger.socket->set_deadline(config::limits::kHelloMilliseconds);
  FrameSocket::Events events;
  events.received = [self = shared_from_this(), id, stranger](const std::string& frame) {
    self->received(id, stranger, frame);
  };
  events.closed = [self = shared_from_this(), id, stranger](const std::string& why) {
    self->refuse(id, stranger, why);
  };
  stranger.socket->start(std::move(events));
}

void PeerListener::State::received(Id id, const AcceptedPeer& stranger, const std::string& frame) {
  const AcceptedPeer kept = stranger;  // the events that hold it may be replaced below
  if (kept.handshake->phase() == PeerHandshake::Phase::kProving) {
    kept.handshake->bind(kept.socket->channel());
  }
  kept.handshake->receive(frame);
  for (const std::string& answer : kept.handshake->take_frames()) {
    kept.socket->send(answer);
  }
  if (kept.handshake->phase() == PeerHandshake::Phase::kFailed) {
    kept.socket->close();
    refuse(id, kept, kept.handshake->failure());
  } else if (kept.handshake->proven()) {
    proven(id, kept);
  } else if (kept.handshake->proof().opened()) {
    strangers.spoke(id);
  }
}

// It is no stranger any more, and takes no stranger's place.
void PeerListener::State::proven(Id id, const AcceptedPeer& peer) {
  if (sockets.erase(id) != 0) {
    strangers.leave(id);
    if (proven_sources.size() >= kProvenSources) {
      proven_sources.clear();
    }
    proven_sources.insert(source_of(ip_of(*peer.socket)));
    if (peer.handshake->proof().is_visit()) {
      if (visits.size() >= config::limits::kVisits) {
        visits.begin()->second->close();
        visits.erase(visits.begin());
      }
      visits.emplace(id, peer.socket);
    }
  }
  if (peer.handshake->proof().is_visit()) {
    serve_visit(id, peer);
  } else {
    options.accepted(peer.handshake->proof().peer(), peer);
  }
}

// The question may take seconds to answer: a membership change is one.
void PeerListener::State::serve_visit(Id id, const AcceptedPeer& visitor) {
  visitor.socket->set_frame_max(visitor.handshake->frame_bytes_max());
  if (!visitor.handshake->heard()) {
    return;
  }
  visitor.socket->set_deadline(kVisitMs);
  options.visited(visitor.handshake->proof().peer(), *visitor.handshake->heard(),
                  [self = shared_from_this(), id, visitor](std::string answer) {
                    visitor.handshake->tell(std::move(answer));
                    for (const std::string& frame : visitor.handshake->take_frames()) {
                      visitor.socket->send(frame);
                    }
                    if (self->visits.contains(id)) {  // it closes when it has read that
                      visitor.socket->set_deadline(config::limits::kHelloMilliseconds);
                    }
                  });
}

void PeerListener::State::refuse(Id id, const AcceptedPeer& stranger, const std::string& why) {
  strangers.leave(id);
  sockets.erase(id);
  if (visits.erase(id) != 0 || stranger.handshake->proven()) {
    return;  // a visitor that has its answer, or gave up waiting
  }
  options.refused();
  const std::string remote = stranger.socket->remote();
  const std::string address = ip_of(*stranger.socket);
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (logged.size() >= kLoggedAddresses) {
    std::erase_if(logged, [&](const auto& entry) { return now_ms - entry.second > kLogAgainMs; });
    if (logged.size() >= kLoggedAddresses) {
      return;
    }
  }
  const auto [entry, first] = logged.try_emplace(address, now_ms);
  if (first || now_ms - entry->second > kLogAgainMs) {
    entry->second = now_ms;
    log_warning("refused a connection to the peer port from " + remote + ": " + why);
  }
}

}  // namespace kiwi::actors
