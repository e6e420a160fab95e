#include "actors/peers/peer_proof.hpp"

#include <algorithm>
#include <utility>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

constexpr uint32_t kMagic = 0x4957494b;  // "KIWI"
constexpr const char* kNotOurs = "it does not speak the protocol of nodes";

}  // namespace

PeerProof::PeerProof(Options options, Side side) : options_(std::move(options)), side_(side) {}

std::string PeerProof::open(NodeId peer) {
  CHECK_INVARIANT(side_ == Side::kDialer && !opened_);
  peer_ = peer;
  visit_ = !peer;
  std::string& body = opening_.open;
  put_le(body, kMagic);
  put_le(body, options_.protocols.min);
  put_le(body, options_.protocols.max);
  put_le(body, options_.self.value);
  put_le(body, peer.value);
  body += options_.nonce;
  return body;
}

PeerProof::Answer PeerProof::receive_open(std::string_view body) {
  CHECK_INVARIANT(side_ == Side::kAcceptor && !opened_);
  ByteReader reader(body);
  const auto magic = reader.le<uint32_t>();
  const ProtocolRange theirs{reader.le<uint16_t>(), reader.le<uint16_t>()};
  const NodeId from{reader.le<uint64_t>()};
  const NodeId to{reader.le<uint64_t>()};
  reader.take(kNonceBytes);
  if (!reader.ok() || magic != kMagic) {
    return fail(kNotOurs);
  }
  std::string& answer = opening_.challenge;
  put_le(answer, options_.protocols.min);
  put_le(answer, options_.protocols.max);
  put_le(answer, options_.self.value);
  answer += options_.nonce;
  if (!agree(theirs)) {
    return answer;  // so that it can say, too, what does not fit
  }
  visit_ = !to;
  if (to && to != options_.self) {
    return fail("it looks for node " + std::to_string(to.value) + " here");
  }
  if (from == options_.self && !visit_) {
    return fail("it says that it is node " + std::to_string(from.value) +
                ", as this node is; every node has a raft.id of its own");
  }
  if (!visit_ && !options_.knows(from)) {
    return fail("it says that it is node " + std::to_string(from.value) +
                ", which is none of the peers");
  }
  peer_ = from;
  opened_ = true;
  opening_.open = body;
  return answer;
}

PeerProof::Answer PeerProof::receive_challenge(std::string_view body) {
  CHECK_INVARIANT(side_ == Side::kDialer && !opened_);
  ByteReader reader(body);
  const ProtocolRange theirs{reader.le<uint16_t>(), reader.le<uint16_t>()};
  const NodeId answering{reader.le<uint64_t>()};
  reader.take(kNonceBytes);
  if (!reader.ok()) {
    return fail(kNotOurs);
  }
  if (!agree(theirs)) {
    return std::nullopt;
  }
  if ((peer_ && answering != peer_) || !answering) {
    return fail("node " + std::to_string(answering.value) + " answers there");
  }
  peer_ = answering;
  opened_ = true;
  opening_.challenge = body;
  return prove(options_.secret, Side::kDialer, opening_);
}

PeerProof::Answer PeerProof::receive_proof(std::string_view body) {
  CHECK_INVARIANT(opened_ && !proven_);
  const Side prover = side_ == Side::kDialer ? Side::kAcceptor : Side::kDialer;
  if (!same_bytes(body, prove(options_.secret, prover, opening_))) {
    return fail("it does not know the cluster's secret (raft.cluster-secret)");
  }
  proven_ = true;
  if (side_ == Side::kAcceptor) {
    return prove(options_.secret, Side::kAcceptor, opening_);
  }
  return std::nullopt;
}

bool PeerProof::agree(ProtocolRange theirs) {
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

std::nullopt_t PeerProof::fail(std::string why) {
  failure_ = std::move(why);
  return std::nullopt;
}

}  // namespace kiwi::actors
