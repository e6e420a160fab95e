#include "actors/peers/peer_link.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/network/multiplexer.hpp>

#include "actors/client_loop.hpp"
#include "actors/peers/peer_scribe.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {

constexpr uint16_t kBaspPort = 1;         // a name only: BASP listens nowhere
constexpr int64_t kHelloAnswerMs = 1000;  // for CAF's handshake and the answered hello
constexpr int64_t kOldLinkMs = 2000;      // for the replica to notice that an old link was cut
constexpr int64_t kBackoffMaxMs = 500;    // a node that comes back is wanted soon
constexpr int64_t kDialTooMs = 2000;      // without a link: the higher id dials, too
constexpr int64_t kRivalMs = 500;         // for a link that is dead already to be seen so
constexpr int64_t kRivalEndsMs = 3000;
constexpr int64_t kSilentTalkMs = 2000;  // then another connection of the peer is worth more
// Between the dials of one whose place is taken, or to one that no cluster can have beside this
// node: it dials when it begins anew.
constexpr int64_t kUnwantedMs = 30'000;

}  // namespace

PeerLink::PeerLink(caf::actor_config& cfg, const Hosting& hosting, PeerLinkOptions options)
    : Hosted(cfg, hosting, "PeerLink", Vital::kNo),
      options_(std::move(options)),
      unlinked_since_ms_(ClientLoop::monotonic_ms()) {}

PeerLink::behavior_type PeerLink::make_behavior() {
  return {
      [this](const LinkState& state) { contain([&] { take(state); }); },
      [this](timer_atom) { contain([this] { timer(); }); },
      [this](stop_atom) { end(); },
  };
}

void PeerLink::stopped() {
  end_talk();
  end_rival();
  cut();
}

void PeerLink::died(const std::string& why) {
  hosting().fail_stop("the link to node " + std::to_string(options_.peer.value) + " ended: " + why);
}

void PeerLink::contain(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& thrown) {
    lost(thrown.what());
  }
}

// Both may dial at the same time: see accept().
bool PeerLink::may_dial(int64_t now_ms) const {
  return now_ms >= next_dial_ms_ &&
         (options_.self < options_.peer || now_ms - unlinked_since_ms_ >= kDialTooMs);
}

void PeerLink::timer() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (rival_ && !rival_->told && now_ms - rival_->since_ms >= kRivalMs) {
    tell_rival();
  } else if (rival_ && now_ms - rival_->since_ms >= kRivalEndsMs) {
    end_rival();
  }
  switch (phase_) {
    case Phase::kIdle:
      if (replica_has_it_ && now_ms < deadline_ms_) {
        return;  // the old link's end is not through yet
      }
      if (may_dial(now_ms)) {
        dial();
      }
      return;
    case Phase::kTalking:
      handshake_->delay_switch(replica_has_it_ && now_ms < deadline_ms_);
      talk();
      return;
    case Phase::kHandedOver:
      if (now_ms >= deadline_ms_) {
        lost("it did not answer through CAF in time");
      }
      return;
    case Phase::kUp:
      return;
  }
}

void PeerLink::dial() {
  const config::HostPort address = options_.address();
  if (address.port == 0) {
    return;
  }
  phase_ = Phase::kTalking;
  heard_ms_ = ClientLoop::monotonic_ms();
  dialled_here_ = true;
  const PeerSecurityPtr security = options_.security();
  PeerHandshake::Options options{options_.self, security->secret, {}, random_nonce()};
  options.speaks_tls = security->encrypts();
  handshake_ = std::make_shared<PeerHandshake>(
      PeerHandshake::dialer(std::move(options), options_.peer, random_nonce(16)));
  handshake_->approve(false);
  socket_ = dial_frame_socket(*options_.loop, address, options_.connection_timeout_ms, security);
  watch(socket_);
}

void PeerLink::accept(AcceptedPeer accepted) {
  accepted.handshake->approve(false);
  if (phase_ == Phase::kHandedOver || phase_ == Phase::kUp) {
    end_rival();
    rival_ = Rival{std::move(accepted.socket), std::move(accepted.handshake),
                   ClientLoop::monotonic_ms(), false};
    const LinkHandle self = this;
    const FrameSocket* which = rival_->socket.get();
    FrameSocket::Events events;
    events.received = [this, self, which](const std::string& frame) {
      if (rival_ && rival_->socket.get() == which) {
        rival_->handshake->receive(frame);
        hear_rival();
      }
    };
    events.closed = [this, self, which](const std::string&) {
      if (rival_ && rival_->socket.get() == which) {
        rival_.reset();
      }
    };
    rival_->socket->set_events(std::move(events));
    hear_rival();
    return;
  }
  // Both dialled: what the lower id dialled is kept, once it is connected. But if nothing comes
  // from there, the peer's machine may have forgotten that connection.
  if (phase_ == Phase::kTalking && dialled_here_ && options_.self < options_.peer &&
      !socket_->remote().empty() && ClientLoop::monotonic_ms() - heard_ms_ < kSilentTalkMs) {
    accepted.socket->close();
    return;
  }
  take_over(std::move(accepted));
}

void PeerLink::refuse(const std::string& why) {
  if (phase_ == Phase::kHandedOver || phase_ == Phase::kUp) {
    send(options_.replica(), LinkRefused{options_.peer});
    lost(why);
  }  // else whoever talks is judged by its hello
}

bool PeerLink::renew() {
  if ((phase_ != Phase::kHandedOver && phase_ != Phase::kUp) ||
      handed_security_ == options_.security()) {
    return false;
  }
  lost("");
  return true;
}

void PeerLink::take_over(AcceptedPeer accepted) {
  if (phase_ == Phase::kTalking) {
    end_talk();
  }
  phase_ = Phase::kTalking;
  heard_ms_ = ClientLoop::monotonic_ms();
  dialled_here_ = false;
  socket_ = std::move(accepted.socket);
  handshake_ = std::move(accepted.handshake);
  handshake_->delay_switch(replica_has_it_);
  watch(socket_);
  talk();
}

// Of the same life: the peer knows that the old connection is dead before this side does. Or the
// member itself, while the link is to a life of it that is none any more.
bool PeerLink::may_take_over(const PeerHello& rival) const {
  return rival.incarnation == peer_incarnation_ ||
         (options_.is_member(rival.incarnation) && !options_.is_member(peer_incarnation_));
}

// Its hello tells who it is. It hears none before that is known: a hello of its own cluster would
// make it hand over, and after that it listens to no other.
void PeerLink::hear_rival() {
  const std::shared_ptr<FrameSocket> socket = rival_->socket;
  const std::shared_ptr<PeerHandshake> handshake = rival_->handshake;
  for (const std::string& frame : handshake->take_frames()) {
    socket->send(frame);
  }
  const std::optional<PeerHello>& hello = handshake->peer_hello();
  if (handshake->phase() == PeerHandshake::Phase::kFailed) {
    say("another connection from node " + std::to_string(options_.peer.value) + ", from " +
        socket->remote() + ": " + handshake->failure());
    end_rival();
  } else if (hello && may_take_over(*hello)) {
    rival_.reset();
    deadline_ms_ = ClientLoop::monotonic_ms() + kOldLinkMs;
    cut();
    take_over({socket, handshake});
  }
}

// F49: a process with an empty directory, or with one of an earlier life, says the id of a node
// that lives.
void PeerLink::tell_rival() {
  rival_->told = true;
  const std::optional<PeerHello>& theirs = rival_->handshake->peer_hello();
  if (!theirs) {
    return;
  }
  PeerHello hello = options_.hello();
  hello.you = theirs->initialized() ? PeerHello::You::kOtherIncarnation : PeerHello::You::kInUse;
  hello.where = peer_remote_;
  rival_->handshake->say(hello);
  const std::string remote = rival_->socket->remote();
  const std::string host = remote.substr(0, remote.rfind(':'));
  if (const std::string who = host + theirs->incarnation.hex(); who != rival_said_) {
    rival_said_ = who;
    log_warning("a process at " + remote + " says that it is node " +
                std::to_string(options_.peer.value) +
                (theirs->initialized() ? " and has the data directory of another life of it"
                                       : " and has an empty data directory") +
                ", but node " + std::to_string(options_.peer.value) + " lives, its link is from " +
                peer_remote_ + ": that one stays a member. Give the process at " + host +
                " a raft.id of its own, or stop the node that it is to replace");
  }
  hear_rival();
}

void PeerLink::end_rival() {
  if (rival_) {
    rival_->socket->close();
    rival_.reset();
  }
}

void PeerLink::watch(const std::shared_ptr<FrameSocket>& socket) {
  const LinkHandle self = this;
  const FrameSocket* which = socket.get();
  FrameSocket::Events events;
  events.connected = [this, self, which] {
    if (socket_.get() == which) {
      handshake_->bind(socket_->channel());
      talk();
    }
  };
  events.received = [this, self, which](const std::string& frame) {
    if (socket_.get() == which) {
      heard_ms_ = ClientLoop::monotonic_ms();
      handshake_->receive(frame);
      talk();
    }
  };
  events.closed = [this, self, which](const std::string& why) {
    if (socket_.get() == which) {
      const bool answered = !socket_->remote().empty();
      lost(answered && !handshake_->proven()
               ? "it closed the connection (" + why +
                     "); is raft.cluster-secret the same there, and this node in its raft.peers?"
               : why);
    }
  };
  if (dialled_here_) {
    socket->start(std::move(events));
  } else {
    socket->set_events(std::move(events));  // the listener started it
  }
}

void PeerLink::talk() {
  if (phase_ != Phase::kTalking) {
    return;
  }
  const std::shared_ptr<FrameSocket> socket = socket_;
  const std::shared_ptr<PeerHandshake> handshake = handshake_;
  if (handshake->proven()) {
    socket->set_deadline(0);
    socket->set_frame_max(handshake->frame_bytes_max());
    handshake->say(options_.hello());
  }
  bool approved = false;
  if (handshake->peer_hello()) {
    backoff_ms_ = 0;
    const PeerHello& hello = *handshake->peer_hello();
    peer_incarnation_ = hello.incarnation;
    options_.peer_said(hello);
    if (hello.you == PeerHello::You::kOldCopy) {
      // This node did not end, so what the peer judged was a hello of before, which lay in a
      // socket. After kSwitch none follows it in this talk.
      lost("it was told an old hello of this node, and is told the present one");
      return;
    }
    approved = options_.approves(hello);
    handshake->approve(approved);
    const PeerHello mine = options_.hello();
    unwanted_ = (hello.you == PeerHello::You::kOtherIncarnation && mine.initialized() &&
                 mine.cluster == hello.cluster) ||
                !misfit(mine.build_facts(), hello.build_facts()).empty();
    handshake->say(mine);  // what it said may have made this node a member
  }
  if (!socket->ready()) {
    return;  // still dialling: kOpen waits
  }
  for (const std::string& frame : handshake->take_frames()) {
    socket->send(frame);
  }
  if (handshake->phase() == PeerHandshake::Phase::kFailed) {
    lost(handshake->failure());
  } else if (handshake->phase() == PeerHandshake::Phase::kSwitched) {
    // What others told of it may have come between its hello and its kSwitch.
    approved ? hand_over() : lost("it may not be linked to any more");
  }
}

void PeerLink::hand_over() {
  const ReplicaHandle replica = options_.replica();
  token_ = handshake_->token();
  peer_remote_ = socket_->remote();
  handed_security_ = socket_->security();
  PeerWire wire = socket_->release();
  handed_encrypted_ = wire.tls != nullptr;
  const int fd = wire.descriptor;
  socket_.reset();
  handshake_.reset();
  options_.peer_gone();
  handed_fd_ = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  phase_ = Phase::kHandedOver;
  if (handed_fd_ < 0) {  // a link that could not be cut is none
    const int error = errno;
    ::close(fd);
    lost("no descriptor for it is left (" + std::string(std::strerror(error)) +
         "); raise ulimit -n");
    return;
  }
  deadline_ms_ = ClientLoop::monotonic_ms() + kHelloAnswerMs;
  auto& middleman = system().middleman();
  const auto basp = middleman.named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  auto scribe = make_peer_scribe(system(), std::move(wire));
  send(replica, LinkRegistered{options_.peer, LinkHandle(this)});
  if (dialled_here_) {
    request(basp, std::chrono::milliseconds(kHelloAnswerMs), caf::connect_atom_v, std::move(scribe),
            kBaspPort)
        .then(
            [this, token = token_](caf::node_id&, caf::strong_actor_ptr& remote,
                                   std::set<std::string>&) {
              if (token == token_ && phase_ == Phase::kHandedOver) {
                dialled(std::move(remote));
              }
            },
            [this, token = token_](caf::error& error) {
              if (token == token_ && phase_ == Phase::kHandedOver) {
                lost("CAF refused the connection: " + system().render(error));
              }
            });
    return;
  }
  // The replica must know the token before the peer can say it.
  replica_has_it_ = true;
  send(replica, LinkExpected{options_.peer, peer_incarnation_, token_});
  caf::anon_send(basp, caf::publish_atom_v, std::move(scribe), kBaspPort,
                 caf::actor_cast<caf::strong_actor_ptr>(replica),
                 system().message_types(caf::detail::type_list<PeerPort>{}));
}

void PeerLink::dialled(caf::strong_actor_ptr remote) {
  if (remote == nullptr) {
    lost("CAF found no replica there");
    return;
  }
  replica_has_it_ = true;
  send(options_.replica(), LinkDialled{options_.peer, peer_incarnation_, token_,
                                       caf::actor_cast<PeerPort>(std::move(remote))});
}

void PeerLink::take(const LinkState& state) {
  if (state.token != token_) {
    return;
  }
  if (!state.up) {
    replica_has_it_ = false;
    if (phase_ == Phase::kHandedOver || phase_ == Phase::kUp) {
      lost("");
    } else if (phase_ == Phase::kTalking) {
      handshake_->delay_switch(false);
      talk();
    }
    return;
  }
  if (phase_ == Phase::kHandedOver) {
    phase_ = Phase::kUp;
    last_said_.clear();
    if (options_.status != nullptr) {
      options_.status->up = true;
      options_.status->encrypted = handed_encrypted_;
      options_.status->connected_at_ms = ClientLoop::monotonic_ms();
      ++options_.status->connections;
    }
  }
}

void PeerLink::lost(const std::string& why) {
  const Phase was = std::exchange(phase_, Phase::kIdle);
  const bool was_linked = was == Phase::kUp;
  if (was == Phase::kTalking) {
    end_talk();
  } else {
    cut();
  }
  end_rival();  // it comes again, and is heard then
  if (options_.status != nullptr) {
    options_.status->up = false;
    ++options_.status->errors;
  }
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (was_linked) {
    unlinked_since_ms_ = now_ms;
  }
  deadline_ms_ = now_ms + kOldLinkMs;
  next_dial_ms_ = now_ms + std::max(backoff_ms_, options_.reconnect_interval_ms);
  backoff_ms_ = std::min(kBackoffMaxMs, std::max<int64_t>(50, backoff_ms_ * 2));
  if (std::exchange(unwanted_, false) && !was_linked) {
    next_dial_ms_ = now_ms + kUnwantedMs;
  }
  if (!why.empty()) {
    say("no link to node " + std::to_string(options_.peer.value) + " yet: " + why);
  }
}

void PeerLink::end_talk() {
  if (const auto socket = std::exchange(socket_, nullptr)) {
    socket->close();
    handshake_.reset();
    options_.peer_gone();
  }
}

void PeerLink::cut() {
  if (handed_fd_ >= 0) {
    ::shutdown(handed_fd_, SHUT_RDWR);
    ::close(handed_fd_);
    handed_fd_ = -1;
  }
  if (options_.status != nullptr) {
    options_.status->up = false;
  }
}

void PeerLink::say(const std::string& text) {
  if (text != last_said_) {
    last_said_ = text;
    log_notice(text);
  }
}

SpawnedLink spawn_peer_link(caf::actor_system& system,
                            const Hosting& hosting,
                            PeerLinkOptions options) {
  LinkHandle handle = spawn_hosted<PeerLink>(system, hosting, std::move(options));
  auto* link = static_cast<PeerLink*>(caf::actor_cast<caf::abstract_actor*>(handle));
  return {handle, [handle, link](AcceptedPeer accepted) { link->accept(std::move(accepted)); },
          [handle, link](const std::string& why) { link->refuse(why); },
          [handle, link] { return link->renew(); }};
}

}  // namespace kiwi::actors
