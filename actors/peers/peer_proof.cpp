#include "actors/peers/peer_proof.hpp"

#include <algorithm>
#include <utility>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {

constexpr uint32_t kMagic = 0x4957494b;  // "KIWI"
constexpr const char* kNotOurs = "it does not speak the protocol of nodes";
// Of a URI in a certificate that may be one node's only; the node's id follows.
constexpr std::string_view kNodeUri = "kiwi:node:";
// At the end of kOpen: the dialer wants the connection encrypted. Builds that know no TLS skip it.
constexpr uint8_t kWantsTls = 1;

}  // namespace

PeerProof::PeerProof(Options options, Side side) : options_(std::move(options)), side_(side) {}

void PeerProof::bind(PeerChannel channel) {
  CHECK_INVARIANT(!proven_);
  opening_.binding = std::move(channel.binding);
  uris_ = std::move(channel.uris);
}

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
  if (options_.speaks_tls) {
    put_u8(body, kWantsTls);
  }
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
  const std::string_view more = reader.ok() ? reader.rest() : std::string_view();
  const bool wants_tls = !more.empty() && more.front() == static_cast<char>(kWantsTls);
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
  // Both would have encrypted, so somebody between them made each believe that the other cannot.
  if (wants_tls && options_.speaks_tls && opening_.binding.empty()) {
    return fail(
        "it wanted an encrypted connection, as this node does, and got a plain one: somebody "
        "between the two takes the encryption away");
  }
  if (!is_certified(from)) {
    return std::nullopt;
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
  if (!is_certified(answering)) {
    return std::nullopt;
  }
  peer_ = answering;
  opened_ = true;
  opening_.challenge = body;
  return prove(options_.secret, Side::kDialer, opening_);
}

PeerProof::Answer PeerProof::receive_proof(std::string_view body) {
  CHECK_INVARIANT(opened_ && !proven_);
  const Side prover = side_ == Side::kDialer ? Side::kAcceptor : Side::kDialer;
  if (!recognise(body, prover)) {
    return fail(opening_.binding.empty()
                    ? "it does not know the cluster's secret (raft.cluster-secret)"
                    : "it does not know the cluster's secret (raft.cluster-secret), or is not the "
                      "other end of this TLS connection");
  }
  proven_ = true;
  if (side_ == Side::kAcceptor) {
    return prove(options_.secret, Side::kAcceptor, opening_);
  }
  return std::nullopt;
}

// Which of two secrets it was is the one that the answer is proved with.
bool PeerProof::recognise(std::string_view proof, Side prover) {
  if (same_bytes(proof, prove(options_.secret, prover, opening_))) {
    return true;
  }
  if (side_ == Side::kDialer || options_.secret_also.empty() ||
      !same_bytes(proof, prove(options_.secret_also, prover, opening_))) {
    return false;
  }
  options_.secret = options_.secret_also;
  return true;
}

// A certificate that names nodes is good for those nodes only; one that names none for any.
bool PeerProof::is_certified(NodeId id) {
  bool names_nodes = false;
  for (const std::string& uri : uris_) {
    if (uri == std::string(kNodeUri) + std::to_string(id.value)) {
      return true;
    }
    names_nodes = names_nodes || uri.starts_with(kNodeUri);
  }
  if (names_nodes) {
    fail("it says that it is node " + std::to_string(id.value) +
         ", but its certificate is another node's");
  }
  return !names_nodes;
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
