// Who the peers are: whom this node links to and at which address, what it says of itself to each,
// and what it learns from what they say (F1, F25, F49, F52, F54).
//
// Plain class; owned by Node, client loop. Times are monotonic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/node/cluster_facts.hpp"
#include "actors/node/directory_marks.hpp"
#include "actors/peers/peer_hello.hpp"
#include "config/options.hpp"
#include "raft/core.hpp"

namespace kiwi::actors {

// What this node says of itself.
struct OwnNode {
  raft::Member member;
  ClusterId cluster;  // unset: none yet
  uint64_t boot_epoch = 0;
  std::vector<raft::Mark> marks;  // of its directory, the latest last
  std::string first_entry;        // of the cluster, encoded; for empty founders
};

// What a hello tells that was not known before.
struct HelloNews {
  bool own_copy_is_old = false;   // that peer remembers marks which this directory did not draw
  bool peer_copy_is_old = false;  // the same of the peer's
  bool peer_is_behind = false;    // so, or this hello of it was under way for long
  bool marks_moved = false;       // what is known of the peers' directories is to be stored
  bool timeout_differs = false;
  bool removed_here = false;    // this node was removed from its cluster
  bool second_cluster = false;  // this node founded a cluster alone, and was a member of another
  bool came_back_empty = false;
  bool came_back_elsewhere = false;  // so, and not at the member's address
  bool former_life_here = false;     // the cluster replaced the member that this node was (F1)
};

class PeerDirectory {
 public:
  struct Options {
    std::vector<config::PeerAddress> listed;  // raft.peers
    config::Bootstrap bootstrap = config::Bootstrap::kAuto;
    uint32_t election_timeout_ms = 0;
    std::string tls_client_address = {};  // of this node; empty: none
    uint16_t cluster_port = 0;            // of the cluster face
    uint16_t sentinel_port = 0;           // of Sentinel's
  };
  // The first two outlive it.
  PeerDirectory(const ClusterFacts& cluster, const OwnNode& own, Options options, KnownMarks known)
      : cluster_(cluster),
        own_(own),
        options_(std::move(options)),
        known_marks_(std::move(known)) {}

  // ---- links
  std::vector<NodeId> to_link() const;  // all that are listed or members, but this node
  std::set<std::string> hosts() const;  // where they are
  // Whoever knows the secret may say who it is: a member of a configuration that did not come here
  // yet, or one that was removed and must be told so (F25).
  bool admits(NodeId id) const;
  void linked(NodeId id) { peers_[id]; }
  bool is_linked(NodeId id) const { return peers_.contains(id); }
  config::HostPort next_address(NodeId peer);  // to dial; port 0: none is known

  // ---- what is said
  PeerHello hello_for(NodeId peer) const;
  // nullopt: it said the same before.
  std::optional<HelloNews> said(const PeerHello& hello);
  // The highest cluster version that the member's build supports, as that life of it said last;
  // nullopt: it said nothing yet. What was said on a link that is gone may be over.
  std::optional<uint32_t> version_max_of(const raft::Member& member) const;
  void gone(NodeId peer) { peers_.at(peer).hello.reset(); }
  bool is_old_copy(NodeId peer) const;
  // Its last hello was none of an old copy, and the start that said it is remembered after a crash,
  // too (F52). Marks that the same start drew since need no wait, as on a link that is up.
  bool may_link(NodeId peer) const;
  // Members that came back with an empty directory (F1), at their own addresses by their word. Told
  // again and again, because only a leader can act on it and leaders change.
  std::vector<raft::Member> returned() const;
  // They share a configuration now: what the peer said before about another life is over.
  void link_is_up(NodeId peer) { know_other_life_.erase(peer); }

  // ---- marks of directories (F52)
  struct MarksNews {
    std::vector<KnownMarks::Item> moved;  // to be stored, and told to the other members
    bool own_copy_is_old = false;         // this directory did not draw what is known of it
    std::vector<NodeId> forked;           // two copies of its directory ran: not to be linked to
  };
  // Of that life of the peer: a former one does not speak for the member (F1).
  MarksNews has_marks(NodeId peer, const Incarnation& life, const std::vector<raft::Mark>& marks);
  // What another member knows, as KnownMarks::encode() gives it.
  MarksNews others_know(std::string_view encoded);
  void remembers(KnownMarks known) { known_marks_ = std::move(known); }  // from the disk, first
  void members_changed() { known_marks_.keep_members_of(cluster_.latest, cluster_.committed); }
  // What is known of the members, for another one, and of everybody, for the disk.
  std::string marks_of_members() const;
  std::string encode_marks() const { return KnownMarks::encode(known_marks_.items()); }
  KnownMarks::Item marks_of(NodeId peer) const;  // of the life that said hello last
  // Counts what was learned. What was stored last may be behind.
  uint64_t marks_version() const { return marks_version_; }
  bool marks_are_stored() const { return stored_version_ == marks_version_; }
  void marks_stored(uint64_t version);

  // F49: a living member's id is said by another process. A node that was wiped says so before its
  // old life is known to be dead, so it is believed to be one only after a while.
  enum class Double : uint8_t { kMaybe, kNews, kKnown };
  Double double_seen(const raft::MemberLives& lives, int64_t now_ms);

 private:
  struct Peer {
    std::optional<PeerHello> hello;  // what it says now, while it talks
    bool old_copy = false;           // it runs on one, by its last hello (F52)
    // The start of it that said hello last: which life, and its number in that directory.
    std::optional<std::pair<Incarnation, uint64_t>> start;
    uint64_t marks_version = 0;  // that has to be stored before this start is linked to
    uint64_t dials = 0;
    uint32_t election_timeout_ms = 0;  // as it said last; 0: never
    Incarnation life;                  // that said ...
    uint32_t version_max = 0;          // ... what its build supports
  };
  void judge_marks(const PeerHello& hello, Peer& peer, HelloNews& news);
  bool learn(const KnownMarks::Item& item);
  bool is_member(NodeId node, const Incarnation& incarnation) const;
  void learn_of_member(KnownMarks::Item item, MarksNews& news);
  bool is_former_life(const PeerHello& hello);
  bool is_at_its_address(const PeerHello& hello) const;
  bool founded_alone_and_was_member(const PeerHello& hello) const;
  PeerHello::You standing_of(NodeId id, const Peer* peer) const;

  const ClusterFacts& cluster_;
  const OwnNode& own_;
  Options options_;
  KnownMarks known_marks_;
  uint64_t marks_version_ = 0;
  uint64_t stored_version_ = 0;
  std::map<NodeId, Peer> peers_;
  std::set<NodeId> know_other_life_;  // members whose configuration has another life of this node
  std::map<Incarnation, int64_t> doubles_;  // since when; negative: said
};

}  // namespace kiwi::actors
