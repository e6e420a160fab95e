// How an empty node becomes a member of a cluster (F1, F2). Plain class: hellos in, one decision
// out. Owned by Node; client loop.
//
// An empty node has no term and no vote. The lowest id of raft.peers founds the cluster, and only
// while every listed peer is connected and says that it is empty too, with the same list. As soon
// as one peer knows a cluster, founding is over: this node waits until a member says that exactly
// this life of it is in the configuration. A wiped node therefore never votes with its old id.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "actors/peers/peer_hello.hpp"
#include "config/options.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

uint64_t list_digest(const std::vector<config::PeerAddress>& peers, config::Bootstrap mode);

class Bootstrap {
 public:
  Bootstrap(raft::Member self,
            std::vector<config::PeerAddress> peers,
            config::Bootstrap mode,
            Build build = {});  // this node's

  // ---- inputs
  void peer_said(const PeerHello& hello);  // over a link that is up now
  void peer_gone(NodeId peer);
  void init();  // RAFT.CLUSTER INIT: a cluster of this node alone

  // ---- outcome, to be looked at after every input; all but kWait are final
  struct Wait {};
  struct Found {                        // mint a cluster id and write the first entry
    std::vector<raft::Member> members;  // ordered by id, all of them voters
  };
  struct Join {
    ClusterId cluster;
    std::optional<raft::Entry> first_entry;  // only if it names this life of this node
  };
  using Decision = std::variant<Wait, Found, Join>;
  Decision decide() const;

  // A member said that this node's id is taken by an earlier life of it: it comes back by itself
  // once the leader replaced it through the log.
  bool wiped() const { return wiped_; }
  bool removed() const { return removed_; }
  // One sentence for the log about what is waited for; changes as things change.
  std::string waiting_for() const;

 private:
  bool lists(NodeId id) const;

  const Build build_;
  raft::Member self_;
  std::vector<config::PeerAddress> peers_;
  config::Bootstrap mode_;
  uint64_t digest_;
  std::map<NodeId, PeerHello> hellos_;
  // Those that cannot be in one cluster with this node (F46), and why: no link to them lasts, so
  // they are neither founders nor believed to be members. Kept while nothing better is heard.
  std::map<NodeId, std::string> misfits_;
  bool cluster_seen_ = false;  // founding is over for this process
  bool wiped_ = false;
  bool removed_ = false;
  std::string in_use_at_;  // F49: a living node has this id; where its links come from
  bool init_ = false;
};

}  // namespace kiwi::actors
