// The talk of two nodes before their socket is handed to CAF. Plain class: frames in, frames out.
// Its first half, up to kAnswer, is PeerProof's. Owned by PeerLink, on the accepting side by
// PeerListener until the peer has proved itself.
//
//   dialer                               acceptor
//   kOpen  versions, ids, nonce  ->
//                                <-      kChallenge  versions, id, nonce
//   kProof                       ->
//                                <-      kAnswer     (its own proof)
//   kHello, again on every change <-->   kHello, again on every change
//   kSwitch  token               ->
//                                <-      kSwitched   nothing of this protocol follows
//
// A visit is the same talk without an end in CAF: after the proof the dialer asks one thing
// (kAsk) and is told one answer (kTold). Whoever it finds answers; that is how a node that knows
// addresses and no ids finds its cluster (node/joining.hpp).
//
// Both say which versions of the protocol they speak, and speak the highest that they share; what
// follows in kOpen and kChallenge is skipped, for later versions may have more to say.
//
// The dialer switches when both have said the same cluster. A stranger gets one nonce and no word
// more; what it sends is bounded by limits::kHelloBytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/peers/peer_hello.hpp"
#include "actors/peers/peer_proof.hpp"

namespace kiwi::actors {

class PeerHandshake {
 public:
  using Options = PeerProof::Options;
  static PeerHandshake dialer(Options options, NodeId peer, std::string token);
  static PeerHandshake visitor(Options options);  // dials whoever is there
  static PeerHandshake acceptor(Options options);

  enum class Phase : uint8_t { kProving, kTalking, kSwitched, kFailed };

  // ---- inputs
  void bind(PeerChannel channel) { proof_.bind(std::move(channel)); }  // before the first frame
  void receive(std::string_view frame);
  void say(const PeerHello& hello);  // kept until it may be sent; sent again only if it changed
  void delay_switch(bool delay);     // acceptor: an earlier link has to go first
  void approve(bool approved);       // of the peer, by its hello; without it nobody switches
  void ask(std::string question);    // visitor: sent when both are proven
  void tell(std::string answer);     // the visited one

  // ---- outcome, to be looked at after every input
  std::vector<std::string> take_frames();
  Phase phase() const { return phase_; }
  const PeerProof& proof() const { return proof_; }
  bool proven() const { return phase_ == Phase::kTalking || phase_ == Phase::kSwitched; }
  const std::optional<PeerHello>& peer_hello() const { return peer_hello_; }  // the latest
  // Of a visit: the visitor's question, or the answer to it.
  const std::optional<std::string>& heard() const { return heard_; }
  const std::string& token() const { return token_; }  // once switched
  const std::string& failure() const { return failure_; }
  size_t frame_bytes_max() const;

 private:
  enum class Type : uint8_t;  // of a frame

  PeerHandshake(Options options, Side side);
  void receive_proof(Type type, std::string_view body);
  void receive_hello(std::string_view body);
  void receive_switch(std::string_view body);
  void put(Type type, std::string_view body);
  void fail(std::string why);
  void go_on();

  PeerProof proof_;
  Side side_;
  std::string token_;
  Phase phase_ = Phase::kProving;
  std::optional<PeerHello> my_hello_;
  std::optional<PeerHello> said_;
  std::optional<PeerHello> peer_hello_;
  bool switch_sent_ = false;
  bool switch_asked_ = false;
  bool delayed_ = false;
  bool approved_ = true;
  std::optional<std::string> question_;
  std::optional<std::string> heard_;
  std::vector<std::string> frames_;
  std::string failure_;
};

}  // namespace kiwi::actors
