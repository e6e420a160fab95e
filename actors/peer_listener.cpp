#include "actors/peer_listener.hpp"

#include <map>
#include <set>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "actors/tcp_server.hpp"
#include "base/log.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {
constexpr int64_t kVisitMs = 60'000;
constexpr int64_t kLogAgainMs = 60'000;
constexpr size_t kLoggedAddresses = 1024;  // beyond it the oldest are forgotten
}  // namespace

struct PeerListener::State : std::enable_shared_from_this<PeerListener::State> {
  State(ClientLoop& l, PeerListenerOptions o) : loop(l), options(std::move(o)) {}

  void accept(const std::shared_ptr<tcp::acceptor>& acceptor);
  void examine(int descriptor);
  void received(const AcceptedPeer& stranger, const std::string& frame);
  void serve_visit(const AcceptedPeer& visitor);
  void refuse(const AcceptedPeer& stranger, const std::string& why);

  ClientLoop& loop;
  PeerListenerOptions options;
  std::vector<std::shared_ptr<tcp::acceptor>> acceptors;
  std::set<std::shared_ptr<FrameSocket>> strangers;
  std::map<std::string, int64_t> logged;  // address without port -> when
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
  for (const auto& socket : std::exchange(state_->strangers, {})) {
    socket->close();
  }
}

void PeerListener::State::accept(const std::shared_ptr<tcp::acceptor>& acceptor) {
  acceptor->async_accept(
      [self = shared_from_this(), acceptor](const ErrorCode& error, tcp::socket socket) {
        if (!acceptor->is_open()) {
          return;
        }
        if (!error) {
          if (self->strangers.size() < config::limits::kHandshakes) {
            ErrorCode released;
            self->examine(socket.release(released));
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
  PeerHandshake::Options handshake{options.self, options.secret, options.knows, random_nonce()};
  AcceptedPeer stranger{
      adopt_frame_socket(loop, descriptor),
      std::make_shared<PeerHandshake>(PeerHandshake::acceptor(std::move(handshake)))};
  strangers.insert(stranger.socket);
  stranger.socket->set_deadline(config::limits::kHelloMilliseconds);
  FrameSocket::Events events;
  events.received = [self = shared_from_this(), stranger](const std::string& frame) {
    self->received(stranger, frame);
  };
  events.closed = [self = shared_from_this(), stranger](const std::string& why) {
    self->refuse(stranger, why);
  };
  stranger.socket->start(std::move(events));
}

void PeerListener::State::received(const AcceptedPeer& stranger, const std::string& frame) {
  const AcceptedPeer kept = stranger;  // the events that hold it may be replaced below
  kept.handshake->receive(frame);
  for (const std::string& answer : kept.handshake->take_frames()) {
    kept.socket->send(answer);
  }
  if (kept.handshake->phase() == PeerHandshake::Phase::kFailed) {
    kept.socket->close();
    refuse(kept, kept.handshake->failure());
  } else if (kept.handshake->proven() && kept.handshake->is_visit()) {
    serve_visit(kept);
  } else if (kept.handshake->proven()) {
    strangers.erase(kept.socket);
    options.accepted(kept.handshake->peer(), kept);
  }
}

// The question may take seconds to answer: a membership change is one.
void PeerListener::State::serve_visit(const AcceptedPeer& visitor) {
  visitor.socket->set_frame_max(visitor.handshake->frame_bytes_max());
  visitor.socket->set_deadline(kVisitMs);
  if (!visitor.handshake->asked()) {
    return;
  }
  options.visited(visitor.handshake->peer(), *visitor.handshake->asked(),
                  [self = shared_from_this(), visitor](std::string answer) {
                    visitor.handshake->tell(std::move(answer));
                    for (const std::string& frame : visitor.handshake->take_frames()) {
                      visitor.socket->send(frame);
                    }
                  });
}

void PeerListener::State::refuse(const AcceptedPeer& stranger, const std::string& why) {
  strangers.erase(stranger.socket);
  if (stranger.handshake->proven()) {
    return;  // a visitor that has its answer, or gave up waiting
  }
  options.refused();
  const std::string remote = stranger.socket->remote();
  const std::string address = remote.substr(0, remote.rfind(':'));
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
