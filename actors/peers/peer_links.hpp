// PeerLinks: this node's links to its peers, one each, under all its Raft groups. Sends what the
// groups want sent, gives what arrived whole, and notices links that stand still. Plain class:
// owned by ReplicaHost, on the raft loop; connections and time are told.
//
// A frame is believed to come from a peer only because its sender said the token that PeerLink
// agreed on with that peer, after both proved the cluster's secret (CAF itself authenticates
// nothing). Lost frames are Raft's business; nothing here waits for an answer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "actors/peers/fragments.hpp"
#include "config/base/ids.hpp"
#include "raft/core.hpp"

namespace kiwi::actors {

class PeerLinks {
 public:
  // Where a link's frames go. Lives as long as the link.
  class Wire {
   public:
    virtual ~Wire() = default;
    virtual void send(Frame frame) = 0;
  };
  // Tells connections apart: the address of CAF's control block of the other end, never followed.
  using Speaker = const void*;

  // What a frame made complete.
  struct Arrived {
    enum class What : uint8_t { kNothing, kMessage, kSnapshot, kNote, kFanout };
    What what = What::kNothing;
    GroupId group;
    NodeId peer;
    Incarnation incarnation;
    std::string bytes;
  };
  // A link came up, or ended. One that never came up only ends (`was_up` false).
  struct Change {
    NodeId peer;
    std::string token;
    bool up = false;
    bool was_up = false;
    bool operator==(const Change&) const = default;
  };

  // ---- connections
  // The connection that says `token` first is this peer's. Forgets what the peer was to say before.
  void expect(NodeId peer, const Incarnation& incarnation, std::string token);
  // This node dialled the peer: says hello there. Ends the link that there was.
  void dialled(NodeId peer,
               const Incarnation& incarnation,
               std::string token,
               Speaker speaker,
               std::unique_ptr<Wire> wire);
  // Somebody says hello. False: nobody is expected with that token.
  bool greeted(const std::string& token, Speaker speaker, std::unique_ptr<Wire> wire);
  void lost(Speaker speaker);
  void drop(NodeId peer, const char* why);  // what arrived from it breaks the rules
  // So, and whoever was to come from there is expected no more: nothing of it counts from now on,
  // also what CAF has read already (F52).
  void refuse(NodeId peer);
  void tick(int64_t now_ms);  // monotonic; ends links on which nothing moves

  // ---- frames
  // Any kind but kHello.
  Arrived receive(Speaker from, Frame frame);
  // False: dropped, for the link is down or too much waits already. What is sent goes with flush().
  bool send(GroupId group, const raft::Outgoing& outgoing);
  void send_snapshot(GroupId group, NodeId peer, std::string bytes);
  void send_note(GroupId group, NodeId peer, std::string bytes);
  // Publications; how many older ones were dropped for it.
  size_t send_fanout(GroupId group, NodeId peer, std::string bytes);
  void flush();

  // Since the start, of all links: payloads of frames. What waits in them now.
  struct Traffic {
    uint64_t sent_bytes = 0;
    uint64_t received_bytes = 0;
  };
  const Traffic& traffic() const { return traffic_; }
  uint64_t queued_bytes() const;

  // ---- outcome
  std::vector<Change> take_changes();  // since the last call, in order
  std::vector<NodeId> up() const;

 private:
  struct Link {
    Incarnation incarnation;
    std::string token;
    Speaker speaker = nullptr;
    std::unique_ptr<Wire> wire;
    bool up = false;
    LinkSender sender;
    LinkReceiver receiver;
    uint64_t progress_then = 0;  // at stuck_since_ms, and none since
    int64_t stuck_since_ms = -1;
  };
  struct Expected {
    NodeId peer;
    Incarnation incarnation;
  };

  Link& open(NodeId peer,
             const Incarnation& incarnation,
             std::string token,
             Speaker speaker,
             std::unique_ptr<Wire> wire);
  void came_up(NodeId peer, Link& link);
  Link* up_link(NodeId peer);
  Arrived take_part(NodeId peer, Link& link, Frame frame);
  void flush(Link& link);

  std::map<NodeId, Link> links_;
  std::unordered_map<Speaker, NodeId> peers_;  // of links_
  std::map<std::string, Expected> expected_;   // by token
  std::vector<Change> changes_;
  Traffic traffic_;
};

}  // namespace kiwi::actors
