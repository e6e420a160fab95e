// A node whose own state is damaged leads only while nobody else can.
#include "actors/node/damaged_state.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

ClusterFacts leader_of_three() {
  ClusterFacts facts;
  facts.self = NodeId{1};
  facts.core_runs = true;
  facts.raft.role = raft::Role::kLeader;
  facts.raft.leader = NodeId{1};
  for (uint64_t id = 1; id <= 3; ++id) {
    raft::Member member;
    member.id = NodeId{id};
    facts.latest.members.push_back(member);
    facts.latest.voters.push_back(NodeId{id});
    if (id != 1) {
      raft::PeerStatus& peer = facts.raft.peers.emplace_back();
      peer.member = member;
      peer.voter = peer.up = true;
      peer.match = LogIndex{10 * id};
      peer.state = raft::PeerState::kReplicate;
    }
  }
  return facts;
}

}  // namespace

TEST_CASE("a leader with a damaged state hands over to a voter that has one itself [F17]") {
  ClusterFacts facts = leader_of_three();
  facts.raft.peers[1].state = raft::PeerState::kSnapshot;  // has nothing to send
  DamagedState damaged(facts);
  DamagedState::Due due = damaged.look(1000);
  CHECK(due.say);
  REQUIRE(due.transfer.has_value());
  CHECK(due.transfer->target == NodeId{2});
  due = damaged.look(1100);  // it takes its time
  CHECK_FALSE(due.say);
  CHECK_FALSE(due.transfer.has_value());
  due = damaged.look(11'000);  // and is tried again
  CHECK(due.transfer.has_value());
  CHECK_FALSE(due.say);
  CHECK(damaged.look(61'000).say);
}

TEST_CASE("a damaged state: who does not lead, and who has no successor, only says it [F17]") {
  ClusterFacts facts = leader_of_three();
  DamagedState damaged(facts);
  facts.raft.role = raft::Role::kFollower;
  DamagedState::Due due = damaged.look(1000);
  CHECK(due.say);
  CHECK_FALSE(due.transfer.has_value());
  facts.raft.role = raft::Role::kLeader;
  for (raft::PeerStatus& peer : facts.raft.peers) {
    peer.up = false;
  }
  CHECK_FALSE(damaged.look(2000).transfer.has_value());
  facts.raft.peers[1].up = true;  // not put off by the attempts that were none
  CHECK(damaged.look(2100).transfer->target == NodeId{3});
}

}  // namespace kiwi::actors
