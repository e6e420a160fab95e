// What a node asks of its replica for itself and its operators, not for clients. Plain values:
// effects of the classes in actors/node/, carried out by sending them to RaftReplica in order.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "raft/change.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

struct ChangeMembership {
  raft::ChangeId id;
  raft::MembershipChange change;
  GroupId group = kFirstGroup;
};
struct TransferLeadership {
  raft::ChangeId id;
  NodeId target;  // 0 = the most up-to-date voter
  GroupId group = kFirstGroup;
};
struct MemberReturned {  // a peer of a known id came back with an empty directory (F1)
  raft::Member member;
  GroupId group = kFirstGroup;
};
// The state is on disk up to here, an applied index whose entry had that term (F13): cut the log.
struct CompactLog {
  LogIndex flushed;
  Term term;
  uint64_t keep_entries = 0;
  uint64_t keep_for_laggards_entries = 0;
  GroupId group = kFirstGroup;
};
struct PeerNote {  // a note of one node to another (node/node_note.hpp); lost without a link
  NodeId peer;
  std::string bytes;
  GroupId group = kFirstGroup;
  Incarnation incarnation = {};  // of the sender, as its link's hello said; set where it arrives
};

using ReplicaRequest =
    std::variant<ChangeMembership, TransferLeadership, MemberReturned, CompactLog, PeerNote>;
using ReplicaRequests = std::vector<ReplicaRequest>;

}  // namespace kiwi::actors
