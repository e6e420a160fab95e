#include "actors/peers/peer_handshake.hpp"

#include <utility>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

namespace {

constexpr const char* kNotOurs = "it does not speak the protocol of nodes";
constexpr size_t kTokenBytes = 16;
// Of a peer that has proved itself: a hello with a founding entry of kMembers addresses.
constexpr size_t kProvenFrameBytes = 16 * config::limits::kHelloBytes;
static_assert(kProvenFrameBytes > config::limits::kMembers * 512, "two addresses of a member");
static_assert(kProvenFrameBytes <= config::limits::kFrameBytes);

}  // namespace

// ON THE WIRE, never renumber. Up to kAnswer both prove themselves.
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

PeerHandshake::PeerHandshake(Options options, Side side)
    : proof_(std::move(options), side), side_(side) {}

PeerHandshake PeerHandshake::dialer(Options options, NodeId peer, std::string token) {
  PeerHandshake handshake(std::move(options), Side::kDialer);
  handshake.token_ = std::move(token);
  handshake.put(Type::kOpen, handshake.proof_.open(peer));
  return handshake;
}

PeerHandshake PeerHandshake::visitor(Options options) {
  PeerHandshake handshake(std::move(options), Side::kDialer);
  handshake.put(Type::kOpen, handshake.proof_.open(NodeId{}));
  return handshake;
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
    fail(kNotOurs);
    return;
  }
  const auto type = static_cast<Type>(frame.front());
  const std::string_view body = frame.substr(1);
  const bool dials = side_ == Side::kDialer;
  const bool talking = phase_ == Phase::kTalking;
  if (type <= Type::kAnswer && phase_ == Phase::kProving) {
    receive_proof(type, body);
  } else if (type == Type::kHello && talking && !switch_asked_) {
    receive_hello(body);
  } else if (type == (dials ? Type::kTold : Type::kAsk) && talking && proof_.is_visit() &&
             !heard_) {
    heard_ = std::string(body);
  } else if (type == (dials ? Type::kSwitched : Type::kSwitch)) {
    receive_switch(body);
  } else {
    fail(kNotOurs);
  }
}

void PeerHandshake::receive_proof(Type type, std::string_view body) {
  const bool dials = side_ == Side::kDialer;
  PeerProof::Answer answer;
  Type answered = Type::kChallenge;
  if (type == Type::kOpen && !dials && !proof_.opened()) {
    answer = proof_.receive_open(body);
  } else if (type == Type::kChallenge && dials && !proof_.opened()) {
    answer = proof_.receive_challenge(body);
    answered = Type::kProof;
  } else if (type == (dials ? Type::kAnswer : Type::kProof) && proof_.opened()) {
    answer = proof_.receive_proof(body);
    answered = Type::kAnswer;
  } else {
    fail(kNotOurs);
    return;
  }
  if (!proof_.failure().empty()) {
    fail(proof_.failure());
  }
  if (answer) {
    put(answered, *answer);
  }
  if (proof_.proven()) {
    phase_ = Phase::kTalking;
    go_on();
  }
}

void PeerHandshake::receive_hello(std::string_view body) {
  Result<PeerHello> hello = decode_hello(body);
  if (!hello) {
    fail(hello.error().text);
    return;
  }
  if (hello->node != proof_.peer()) {
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
    fail(kNotOurs);
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

void PeerHandshake::delay_switch(bool delay) {
  delayed_ = delay;
  go_on();
}

void PeerHandshake::approve(bool approved) {
  approved_ = approved;
  go_on();
}

void PeerHandshake::go_on() {
  if (phase_ == Phase::kTalking && proof_.is_visit()) {
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
  if (side_ == Side::kAcceptor && switch_asked_ && !delayed_) {
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
