// The first half of PeerHandshake's talk: which version both speak, who each of them is, and that
// both know the cluster's secret. Plain class, owned by PeerHandshake: bodies of frames in, bodies
// of their answers out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "actors/peers/peer_auth.hpp"
#include "config/base/ids.hpp"

namespace kiwi::actors {

class PeerProof {
 public:
  struct Options {
    NodeId self;
    std::string secret;
    std::function<bool(NodeId)> knows;  // acceptor: is this id one of ours?
    std::string nonce;                  // own, kNonceBytes
    ProtocolRange protocols = kPeerProtocols;
    std::string secret_also = {};  // acceptor: the dialer may prove this one instead; empty: none
    // Dialer: it wants this connection encrypted. Acceptor: it would have encrypted it.
    bool speaks_tls = false;
  };
  using Answer = std::optional<std::string>;  // the body to be sent, if any

  PeerProof(Options options, Side side);

  // Before the other's first frame.
  void bind(PeerChannel channel);

  // ---- inputs: what the other sent. The shell of the talk keeps their order.
  std::string open(NodeId peer);                    // dialer, first; 0: a visit, whoever is there
  Answer receive_open(std::string_view body);       // acceptor
  Answer receive_challenge(std::string_view body);  // dialer
  Answer receive_proof(std::string_view body);

  // ---- outcome, to be looked at after every input
  bool opened() const { return opened_; }                  // the other said something valid
  bool proven() const { return proven_; }                  // it knows the secret
  NodeId peer() const { return peer_; }                    // once opened; believed once proven
  uint16_t protocol() const { return protocol_; }          // once opened: what both speak
  bool is_visit() const { return visit_; }                 // acceptor: once opened
  const std::string& failure() const { return failure_; }  // empty: none

 private:
  bool agree(ProtocolRange theirs);
  bool is_certified(NodeId id);
  bool recognise(std::string_view proof, Side prover);
  std::nullopt_t fail(std::string why);

  Options options_;
  Side side_;
  NodeId peer_;
  Opening opening_;
  std::vector<std::string> uris_;  // of the peer's certificate
  uint16_t protocol_ = 0;
  bool opened_ = false;
  bool proven_ = false;
  bool visit_ = false;
  std::string failure_;
};

}  // namespace kiwi::actors
