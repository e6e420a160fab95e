#include "actors/peers/peer_handshake.hpp"

#include <algorithm>
#include <utility>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

namespace {

constexpr uint32_t kMagic = 0x4957494b;  // "KIWI"
constexpr size_t kTokenBytes = 16;
// Of a peer that has proved itself: a hello with a founding entry of kMembers addresses.
constexpr size_t kProvenFrameBytes = 16 * config::limits::kHelloBytes;
static_assert(kProvenFrameBytes > config::limits::kMembers * 512, "two addresses of a member");
static_assert(kProvenFrameBytes <= config::limits::kFrameBytes);

}  // namespace

// ON THE WIRE, never renumber.
enum class PeerHandshake::Type : uint8_t {
  kOpen = 1,
  kChallenge = 2,
  kProof = 3,
  kAnswer = 4,
  kHello = 5,
  kSwitch = 6,
  kSwitched = 7,
  kAsk = 8,
  kTold = 9,
};

PeerHandshake PeerHandshake::dialer(Options options, NodeId peer, std::string token) {
  PeerHandshake handshake(std::move(options), Side::kDialer);
  handshake.peer_ = peer;
  handshake.token_ = std::move(token);
  handshake.open();
  return handshake;
}

PeerHandshake PeerHandshake::visitor(Options options) {
  PeerHandshake handshake(std::move(options), Side::kDialer);
  handshake.visit_ = true;
  handshake.open();
  return handshake;
}

void PeerHandshake::open() {
  std::string& body = opening_.open;
  put_le(body, kMagic);
  put_le(body, options_.protocols.min);
  put_le(body, options_.protocols.max);
  put_le(body, options_.self.value);
  put_le(body, peer_.value);  // 0: a visit, whoever is there
  body += options_.nonce;
  put(Type::kOpen, body);
}

PeerHandshake PeerHandshake::acceptor(Options options) {
  return PeerHandshake(std::move(options), Side::kAcceptor);
}

size_t PeerHandshake::frame_bytes_max() const {
  return proven() ? kProvenFrameBytes : config::limits::kHelloBytes;
}

void PeerHandshake::receive(std::string_view frame) {
  if (phase_ == Phase::kFailed || phase_ == Phase::kSwitched) {
    return;
  }
  if (frame.empty() || frame.size() > frame_bytes_max()) {
    fail("it does not speak the protocol of nodes");
    return;
  }
  const auto type = static_cast<Type>(frame.front());
  const std::string_view body = frame.substr(1);
  const bool dials = side_ == Side::kDialer;
  const bool proving = phase_ == Phase::kProving;
  if (type == Type::kOpen && !dials && proving && !opened_) {
    receive_open(body);
  } else if (type == Type::kChallenge && dials && proving && !opened_) {
    receive_challenge(body);
  } else if ((type == Type::kProof && !dials && proving && opened_) ||
             (type == Type::kAnswer && dials && proving && opened_)) {
    receive_proof(body);
  } else if (type == Type::kHello && phase_ == Phase::kTalking && !switch_asked_) {
    receive_hello(body);
  } else if (type == Type::kAsk && visit_ && !dials && phase_ == Phase::kTalking && !asked_) {
    asked_ = std::string(body);
  } else if (type == Type::kTold && visit_ && dials && phase_ == Phase::kTalking && !told_) {
    told_ = std::string(body);
  } else if ((type == Type::kSwitch && !dials) || (type == Type::kSwitched && dials)) {
    receive_switch(body);
  } else {
    fail("it does not speak the protocol of nodes");
  }
}

void PeerHandshake::receive_open(std::string_view body) {
  ByteReader reader(body);
  const auto magic = reader.le<uint32_t>();
  const ProtocolRange theirs{reader.le<uint16_t>(), reader.le<uint16_t>()};
  const NodeId from{reader.le<uint64_t>()};
  const NodeId to{reader.le<uint64_t>()};
  reader.take(kNonceBytes);
  if (!reader.ok() || magic != kMagic) {
    fail("it does not speak the protocol of nodes");
    return;
  }
  std::string& answer = opening_.challenge;
  put_le(answer, options_.protocols.min);
  put_le(answer, options_.protocols.max);
  put_le(answer, options_.self.value);
  answer += options_.nonce;
  if (!agree(theirs)) {
    put(Type::kChallenge, answer);  // so that it can say, too, what does not fit
    return;
  }
  visit_ = !to;
  if (to && to != options_.self) {
    fail("it looks for node " + std::to_string(to.value) + " here");
    return;
  }
  if (from == options_.self && !visit_) {
    fail("it says that it is node " + std::to_string(from.value) +
         ", as this node is; every node has a raft.id of its own");
    return;
  }
  if (!visit_ && !options_.knows(from)) {
    fail("it says that it is node " + std::to_string(from.value) + ", which is none of the peers");
    return;
  }
  peer_ = from;
  opened_ = true;
  opening_.open = body;
  put(Type::kChallenge, answer);
}

void PeerHandshake::receive_challenge(std::string_view body) {
  ByteReader reader(body);
  const ProtocolRange theirs{reader.le<uint16_t>(), reader.le<uint16_t>()};
  const NodeId answering{reader.le<uint64_t>()};
  reader.take(kNonceBytes);
  if (!reader.ok()) {
    fail("it does not speak the protocol of nodes");
    return;
  }
  if (!agree(theirs)) {
    return;
  }
  if ((peer_ && answering != peer_) || !answering) {
    fail("node " + std::to_string(answering.value) + " answers there");
    return;
  }
  peer_ = answering;
  opened_ = true;
  opening_.challenge = body;
  put(Type::kProof, prove(options_.secret, Side::kDialer, opening_));
}

bool PeerHandshake::agree(ProtocolRange theirs) {
  const ProtocolRange& ours = options_.protocols;
  protocol_ = std::min(ours.max, theirs.max);
  if (protocol_ >= ours.min && protocol_ >= theirs.min) {
    return true;
  }
  const auto text = [](const ProtocolRange& range) {
    return "versions " + std::to_string(range.min) + " to " + std::to_string(range.max);
  };
  fail("it speaks " + text(theirs) + " of the protocol of nodes, this node " + text(ours) +
       ": upgrade the older one, one release at a time");
  return false;
}

void PeerHandshake::receive_proof(std::string_view body) {
  const Side prover = side_ == Side::kDialer ? Side::kAcceptor : Side::kDialer;
  if (!same_bytes(body, prove(options_.secret, prover, opening_))) {
    fail("it does not know the cluster's secret (raft.cluster-secret)");
    return;
  }
  if (side_ == Side::kAcceptor) {
    put(Type::kAnswer, prove(options_.secret, Side::kAcceptor, opening_));
  }
  start_talking();
}

void PeerHandshake::start_talking() {
  CHECK_INVARIANT(phase_ == Phase::kProving && opened_);
  phase_ = Phase::kTalking;
  go_on();
}

void PeerHandshake::receive_hello(std::string_view body) {
  Result<PeerHello> hello = decode_hello(body);
  if (!hello) {
    fail(hello.error().text);
    return;
  }
  if (hello->node != peer_) {
    fail("it says hello as another node than it proved to be");
    return;
  }
  peer_hello_ = std::move(*hello);
  go_on();
}

void PeerHandshake::receive_switch(std::string_view body) {
  if (phase_ != Phase::kTalking || switch_asked_ || !peer_hello_ || !said_ ||
      !said_->initialized()) {
    fail("it hands over too early");
    return;
  }
  if (side_ == Side::kDialer) {
    if (!switch_sent_) {
      fail("it hands over too early");
      return;
    }
    phase_ = Phase::kSwitched;
    return;
  }
  if (body.size() != kTokenBytes) {
    fail("it does not speak the protocol of nodes");
    return;
  }
  token_ = body;
  switch_asked_ = true;
  go_on();
}

void PeerHandshake::say(const PeerHello& hello) {
  my_hello_ = hello;
  go_on();
}

void PeerHandshake::ask(std::string question) {
  question_ = std::move(question);
  go_on();
}

void PeerHandshake::tell(std::string answer) {
  if (phase_ == Phase::kTalking) {
    put(Type::kTold, answer);
  }
}

void PeerHandshake::hold_switch(bool hold) {
  hold_ = hold;
  go_on();
}

void PeerHandshake::approve(bool approved) {
  approved_ = approved;
  go_on();
}

void PeerHandshake::go_on() {
  if (phase_ == Phase::kTalking && visit_) {
    if (question_) {
      put(Type::kAsk, *question_);
      question_.reset();
    }
    return;
  }
  if (phase_ != Phase::kTalking || !my_hello_) {
    return;
  }
  // After kSwitch the dialer, and after it the acceptor, says nothing of this protocol any more.
  if (!switch_sent_ && !switch_asked_ && said_ != my_hello_) {
    said_ = my_hello_;
    put(Type::kHello, encode_hello(*said_));
  }
  if (!peer_hello_ || !said_) {
    return;
  }
  if (said_->initialized() && peer_hello_->initialized() &&
      said_->cluster != peer_hello_->cluster) {
    fail("it is a member of cluster " + peer_hello_->cluster.hex() + ", this node of " +
         said_->cluster.hex());
    return;
  }
  if (std::string why = misfit(said_->build_facts(), peer_hello_->build_facts()); !why.empty()) {
    std::vector<std::string> said = take_frames();  // from its hello the other learns it, too
    fail(std::move(why));
    frames_ = std::move(said);
    return;
  }
  if (!approved_) {
    return;
  }
  if (side_ == Side::kDialer && !switch_sent_ && said_->initialized() &&
      peer_hello_->initialized()) {
    switch_sent_ = true;
    put(Type::kSwitch, token_);
  }
  if (side_ == Side::kAcceptor && switch_asked_ && !hold_) {
    CHECK_INVARIANT(token_.size() == kTokenBytes);
    put(Type::kSwitched, {});
    phase_ = Phase::kSwitched;
  }
}

void PeerHandshake::put(Type type, std::string_view body) {
  std::string frame;
  put_u8(frame, static_cast<uint8_t>(type));
  frame += body;
  frames_.push_back(std::move(frame));
}

std::vector<std::string> PeerHandshake::take_frames() { return std::exchange(frames_, {}); }

void PeerHandshake::fail(std::string why) {
  phase_ = Phase::kFailed;
  failure_ = std::move(why);
  frames_.clear();
}

}  // namespace kiwi::actors
