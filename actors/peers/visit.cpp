#include "actors/peers/visit.hpp"

#include <memory>
#include <utility>

#include "actors/client_loop.hpp"
#include "actors/peers/frame_socket.hpp"
#include "actors/peers/peer_handshake.hpp"

namespace kiwi::actors {

namespace {

// Lives in its socket's events until it is over.
struct Visiting : std::enable_shared_from_this<Visiting> {
  Visiting(Visit visit, VisitDone answered)
      : question(std::move(visit.question)),
        address(visit.address.text()),
        done(std::move(answered)),
        handshake(PeerHandshake::visitor(handshake_options(visit))) {}

  static PeerHandshake::Options handshake_options(const Visit& visit) {
    PeerHandshake::Options options{visit.self, visit.security->secret, {}, random_nonce()};
    options.speaks_tls = visit.security->encrypts();
    return options;
  }

  void talk() {
    if (handshake.proven() && !question.empty()) {
      socket->set_frame_max(handshake.frame_bytes_max());
      handshake.ask(std::exchange(question, {}));
      asked = true;
    }
    for (const std::string& frame : handshake.take_frames()) {
      socket->send(frame);
    }
    if (handshake.phase() == PeerHandshake::Phase::kFailed) {
      end(Error{Errc::kConflict, address + ": " + handshake.failure()});
    } else if (handshake.heard()) {
      end(VisitAnswer{handshake.proof().peer(), *handshake.heard()});
    }
  }

  void closed(const std::string& why) {
    end(Error{Errc::kIo, address + ": " + why +
                             (socket->remote().empty() || handshake.proven()
                                  ? ""
                                  : "; is raft.cluster-secret the same there?")});
  }

  void end(const Result<VisitAnswer>& result) {
    const auto keep = shared_from_this();
    socket->close();
    if (auto answered = std::exchange(done, nullptr)) {
      answered(result, asked);
    }
  }

  std::string question;
  std::string address;
  VisitDone done;
  bool asked = false;
  PeerHandshake handshake;
  std::shared_ptr<FrameSocket> socket;
};

}  // namespace

void pay_visit(ClientLoop& loop, Visit visit, VisitDone done) {
  const config::HostPort address = visit.address;
  const int64_t timeout_ms = visit.timeout_ms;
  const PeerSecurityPtr security = visit.security;
  auto visiting = std::make_shared<Visiting>(std::move(visit), std::move(done));
  visiting->socket = dial_frame_socket(loop, address, timeout_ms, security);
  FrameSocket::Events events;
  events.connected = [visiting] {
    visiting->handshake.bind(visiting->socket->channel());
    visiting->talk();
  };
  events.received = [visiting](const std::string& frame) {
    visiting->handshake.receive(frame);
    visiting->talk();
  };
  events.closed = [visiting](const std::string& why) { visiting->closed(why); };
  visiting->socket->start(std::move(events));
}

}  // namespace kiwi::actors
