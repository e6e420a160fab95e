// ReplicaHost: the actor under which this node's Raft replicas and its links to peers live, so that
// a message crosses no mailbox between a socket and its replica. Feeds what came in one turn of the
// raft loop to the groups concerned and ships their effects when the turn ends: frames first, then
// each group's persist. Vital; on the raft loop. The only actor that speaks to other nodes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "actors/handles.hpp"
#include "actors/hosting.hpp"
#include "actors/peers/peer_links.hpp"
#include "actors/replica/raft_replica.hpp"

namespace kiwi::actors {

struct Clocks {
  std::function<int64_t()> wall_ms;       // CLOCK_REALTIME
  std::function<int64_t()> monotonic_ms;  // CLOCK_BOOTTIME: counts suspended time too (F20)
};

struct ReplicaHostOptions {
  std::vector<RaftReplicaOptions> groups;  // at least one; each id once
  Clocks clocks;
};

class ReplicaHost final : public Hosted<ReplicaHandle> {
 public:
  ReplicaHost(caf::actor_config& cfg, const Hosting& hosting, ReplicaHostOptions options);

  behavior_type make_behavior() override;

 protected:
  void stopped() override;

 private:
  class Remote;  // the other end of a link
  struct Group {
    RaftReplica replica;
    bool in_turn = false;
  };

  // Of a group of this node, for an input: its turn has begun.
  RaftReplica& turn(GroupId group);
  RaftReplica& begin_turn(Group& group);
  void end_turn();
  void tick();
  Now now() const;

  void receive(PeerFrame& frame);
  void receive_hello(const LinkToken& token);
  void deliver(PeerLinks::Arrived arrived);
  void greet(LinkDialled& dialled);
  void lost(const caf::down_msg& down);
  void links_changed();

  Clocks clocks_;
  config::RaftMetrics& metrics_;  // the node's
  PeerLinks links_;
  std::map<GroupId, Group> groups_;
  std::map<NodeId, LinkHandle> listeners_;  // who hears of a peer's link
  bool turn_open_ = false;
  bool tick_due_ = false;
};

ReplicaHandle spawn_replica_host(caf::actor_system& system,
                                 const Hosting& hosting,
                                 ReplicaHostOptions options);

}  // namespace kiwi::actors
