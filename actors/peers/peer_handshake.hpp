// The talk of two nodes before their socket is handed to CAF. Plain class: frames in, frames out.
// Owned by PeerLink, on the accepting side by PeerListener until the peer has proved itself.
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
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/peers/peer_auth.hpp"
#include "actors/peers/peer_hello.hpp"

namespace kiwi::actors {

class PeerHandshake {
 public:
  struct Options {
    NodeId self;
    std::string secret;
    std::function<bool(NodeId)> knows;  // acceptor: is this id one of ours?
    std::string nonce;                  // own, kNonceBytes
    ProtocolRange protocols = kPeerProtocols;
  };
  static PeerHandshake dialer(Options options, NodeId peer, std::string token);
  static PeerHandshake visitor(Options options);  // dials whoever is there
  static PeerHandshake acceptor(Options options);

  enum class Phase : uint8_t { kProving, kTalking, kSwitched, kFailed };

  // ---- inputs
  void receive(std::string_view frame);
  void say(const PeerHello& hello);  // kept until it may be sent; sent again only if it changed
  void hold_switch(bool hold);       // acceptor: an earlier link has to go first
  void approve(bool approved);       // of the peer, by its hello; without it nobody switches
  void ask(std::string question);    // visitor: sent when both are proven
  void tell(std::string answer);     // the visited one

  // ---- outcome, to be looked at after every input
  std::vector<std::string> take_frames();
  Phase phase() const { return phase_; }
  bool has_opened() const { return opened_; }  // the other said something valid
  bool proven() const { return phase_ == Phase::kTalking || phase_ == Phase::kSwitched; }
  NodeId peer() const { return peer_; }            // once proven
  uint16_t protocol() const { return protocol_; }  // once proven: what both speak
  const std::optional<PeerHello>& peer_hello() const { return peer_hello_; }  // the latest
  bool is_visit() const { return visit_; }  // acceptor: once it said kOpen
  const std::optional<std::string>& asked() const { return asked_; }
  const std::optional<std::string>& told() const { return told_; }
  const std::string& token() const { return token_; }  // once switched
  const std::string& failure() const { return failure_; }
  size_t frame_bytes_max() const;

 private:
  enum class Type : uint8_t;  // of a frame

  PeerHandshake(Options options, Side side) : options_(std::move(options)), side_(side) {}
  void open();
  void receive_open(std::string_view body);
  void receive_challenge(std::string_view body);
  void receive_proof(std::string_view body);
  void receive_hello(std::string_view body);
  void receive_switch(std::string_view body);
  void put(Type type, std::string_view body);
  void fail(std::string why);
  void start_talking();
  void go_on();
  bool agree(ProtocolRange theirs);

  Options options_;
  Side side_;
  NodeId peer_;
  std::string token_;
  Opening opening_;
  uint16_t protocol_ = 0;
  bool opened_ = false;  // the other said something valid
  Phase phase_ = Phase::kProving;
  std::optional<PeerHello> my_hello_;
  std::optional<PeerHello> said_;
  std::optional<PeerHello> peer_hello_;
  bool switch_sent_ = false;
  bool switch_asked_ = false;
  bool hold_ = false;
  bool approved_ = true;
  bool visit_ = false;
  std::optional<std::string> question_;
  std::optional<std::string> asked_;
  std::optional<std::string> told_;
  std::vector<std::string> frames_;
  std::string failure_;
};

}  // namespace kiwi::actors
