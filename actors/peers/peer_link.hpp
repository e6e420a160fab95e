// PeerLink: the link to one peer. Dials it (the lower node id dials; the other one, too, when there
// was no link for some seconds: the lower one may not know it any more, F54) or takes what the
// listener accepted, talks PeerHandshake, hands the socket to CAF's BASP and counts the link as up
// only when ReplicaHost says that the peer answered; then waits for it to end and begins again,
// with back-off. A live link is not cut for another process that says the same id, with an empty
// directory or with one of an earlier life: it is told whose id that is (F49). Whatever is thrown
// here ends the connection and not the link. On the client loop. BASP itself has no listening port
// and sees no byte of a stranger.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/handles.hpp"
#include "actors/hosting.hpp"
#include "actors/peers/frame_socket.hpp"
#include "actors/peers/peer_handshake.hpp"
#include "config/address.hpp"
#include "resp/node_context.hpp"

namespace kiwi::actors {

class ClientLoop;

struct PeerLinkOptions {
  NodeId self;
  NodeId peer;
  std::function<PeerSecurityPtr()> security;  // as it is now; links of an earlier one are renewed
  int64_t connection_timeout_ms = 1000;
  int64_t reconnect_interval_ms = 100;
  ClientLoop* loop = nullptr;                 // outlives the actor
  std::function<config::HostPort()> address;  // where to dial; may change with the configuration
  std::function<PeerHello()> hello;           // what this node says to that peer now
  std::function<void(const PeerHello&)> peer_said;
  std::function<bool(const PeerHello&)> approves;     // may it be linked to? Asked after peer_said
  std::function<bool(const Incarnation&)> is_member;  // that life of the peer, as far as is known
  std::function<void()> peer_gone;                    // the talk is over or broken; BASP may go on
  std::function<ReplicaHandle()> replica;             // once the core runs
  resp::LinkStatus* status = nullptr;                 // for INFO; outlives the actor
};

// What the listener hands over: a socket whose peer proved to be this link's.
struct AcceptedPeer {
  std::shared_ptr<FrameSocket> socket;
  std::shared_ptr<PeerHandshake> handshake;
};

class PeerLink final : public Hosted<LinkHandle> {
 public:
  PeerLink(caf::actor_config& cfg, const Hosting& hosting, PeerLinkOptions options);

  behavior_type make_behavior() override;
  void accept(AcceptedPeer accepted);  // same thread: called by the listener directly
  // Same thread: ends the link there is. Nothing that came on it counts from now on (F52).
  void refuse(const std::string& why);
  // Same thread: ends a link that was made with another secret or certificate than is in force now.
  // False: there is none.
  bool renew();

 protected:
  void stopped() override;
  void died(const std::string& why) override;

 private:
  // kIdle -> (dial) kTalking -> kHandedOver -> kUp -> kIdle; an accepted socket enters at kTalking.
  enum class Phase : uint8_t { kIdle, kTalking, kHandedOver, kUp };

  // Another connection from that id while the link lives: the same life of it, which knows that the
  // link is dead, or somebody else.
  struct Rival {
    std::shared_ptr<FrameSocket> socket;
    std::shared_ptr<PeerHandshake> handshake;
    int64_t since_ms = 0;
    bool told = false;
  };

  void contain(const std::function<void()>& work);
  void timer();
  bool may_dial(int64_t now_ms) const;
  void dial();
  void take_over(AcceptedPeer accepted);
  bool may_take_over(const PeerHello& rival) const;
  void hear_rival();
  void tell_rival();
  void end_rival();
  void talk();  // after anything came in
  void watch(const std::shared_ptr<FrameSocket>& socket);
  void hand_over();
  void dialled(caf::strong_actor_ptr remote);
  void take(const LinkState& state);
  void lost(const std::string& why);
  void end_talk();
  void cut();  // force the handed over socket closed
  void say(const std::string& text);

  PeerLinkOptions options_;
  Phase phase_ = Phase::kIdle;
  std::shared_ptr<FrameSocket> socket_;
  std::shared_ptr<PeerHandshake> handshake_;
  bool dialled_here_ = false;  // socket_, or what was handed over last
  std::optional<Rival> rival_;
  std::string rival_said_;  // whom the log knows already
  Incarnation peer_incarnation_;
  std::string peer_remote_;          // where the present link comes from
  LinkToken token_;                  // of the socket that was handed over last
  PeerSecurityPtr handed_security_;  // that it was made with
  bool handed_encrypted_ = false;
  int handed_fd_ = -1;           // a duplicate of it, to cut it
  bool replica_has_it_ = false;  // the replica will say when it is down
  int64_t next_dial_ms_ = 0;
  int64_t unlinked_since_ms_ = 0;
  int64_t deadline_ms_ = 0;  // of kHandedOver, or of the old link's end
  int64_t backoff_ms_ = 0;
  int64_t heard_ms_ = 0;  // in the present talk
  // The peer's cluster knows another life of this node, or the two builds cannot be in one cluster.
  bool unwanted_ = false;
  std::string last_said_;
};

struct SpawnedLink {
  LinkHandle handle;
  std::function<void(AcceptedPeer)> accept;
  std::function<void(const std::string&)> refuse;
  std::function<bool()> renew;
};
SpawnedLink spawn_peer_link(caf::actor_system& system,
                            const Hosting& hosting,
                            PeerLinkOptions options);

}  // namespace kiwi::actors
