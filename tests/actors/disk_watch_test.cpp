// Nodes whose disk is nearly full [F60], and leaders that slow everybody down [F48].
#include "actors/node/disk_watch.hpp"

#include <doctest/doctest.h>

#include "actors/node/backpressure.hpp"

namespace kiwi::actors {
namespace {

constexpr uint64_t kMiB = 1 << 20;

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

const TransferLeadership& transfer_of(const DiskEffects& effects) {
  REQUIRE(effects.requests.size() == 1);
  return std::get<TransferLeadership>(effects.requests.front());
}

}  // namespace

TEST_CASE("writes are refused while less is free than is owed, and a little longer [F60]") {
  ClusterFacts facts = leader_of_three();
  facts.raft.role = raft::Role::kFollower;
  DiskWatch disk(facts);
  disk.look({100 * kMiB, 30 * kMiB, 64 * kMiB}, 0);
  CHECK_FALSE(disk.full());
  CHECK_FALSE(disk.take_effects().refuse);
  disk.look({100 * kMiB, 40 * kMiB, 64 * kMiB}, 100);
  CHECK(disk.refuses());
  DiskEffects effects = disk.take_effects();
  CHECK(effects.turned);
  CHECK(effects.refuse == true);
  CHECK(effects.tell_members->full);
  CHECK(effects.requests.empty());  // it does not lead
  disk.look({100 * kMiB, 40 * kMiB, 64 * kMiB}, 200);
  effects = disk.take_effects();
  CHECK_FALSE(effects.refuse);  // said once
  CHECK_FALSE(effects.tell_members);
  disk.look({100 * kMiB, 40 * kMiB, 64 * kMiB}, 1100);
  CHECK(disk.take_effects().tell_members);  // again, once a second
  disk.look({110 * kMiB, 40 * kMiB, 64 * kMiB}, 1200);
  CHECK(disk.full());  // an eighth more is wanted
  disk.look({118 * kMiB, 40 * kMiB, 64 * kMiB}, 1300);
  CHECK_FALSE(disk.full());
  effects = disk.take_effects();
  CHECK(effects.refuse == false);
  CHECK_FALSE(effects.tell_members->full);
  disk.look({1, 40 * kMiB, 0}, 1400);
  CHECK_FALSE(disk.full());  // disk-free-min 0
}

TEST_CASE("leadership goes to the voter with room whose log is the longest [F60]") {
  const ClusterFacts facts = leader_of_three();
  DiskWatch disk(facts);
  disk.look({1, 0, 64}, 0);
  CHECK(transfer_of(disk.take_effects()).target == NodeId{3});
  disk.look({1, 0, 64}, 10'000);
  CHECK(disk.take_effects().requests.empty());  // not again at once
  disk.look({1, 0, 64}, 30'000);
  CHECK(transfer_of(disk.take_effects()).id.asker == raft::Asker::kFullDisk);
  disk.take(NodeId{3}, {true}, 59'900);
  disk.look({1, 0, 64}, 60'000);
  CHECK(disk.take_effects().requests.empty());  // no majority has room: nobody is better off
}

TEST_CASE(
    "a leader with room refuses when no majority could follow, as long as they say so [F60]") {
  const ClusterFacts facts = leader_of_three();
  DiskWatch disk(facts);
  disk.take(NodeId{2}, {true}, 0);
  disk.look({1000, 0, 64}, 0);
  CHECK_FALSE(disk.refuses());
  disk.take(NodeId{3}, {true}, 100);
  disk.look({1000, 0, 64}, 200);
  CHECK(disk.refuses());
  CHECK_FALSE(disk.full());
  CHECK(disk.take_effects().refuse == true);
  disk.look({1000, 0, 64}, 3'050);
  CHECK_FALSE(disk.refuses());  // the first word is too old
  disk.take(NodeId{2}, {true}, 3'060);
  disk.take(NodeId{3}, {false}, 3'060);
  disk.look({1000, 0, 64}, 3'070);
  CHECK_FALSE(disk.refuses());
}

TEST_CASE("a leader slows writes by its own lag and by that of voters that keep up [F48]") {
  ClusterFacts facts = leader_of_three();
  Backpressure pressure(facts);
  facts.raft.commit = LogIndex{1'000'000};
  for (raft::PeerStatus& peer : facts.raft.peers) {
    peer.applied = facts.raft.commit;
  }
  CHECK_FALSE(pressure.look(0, LogIndex{999'000}));
  CHECK(pressure.look(17, facts.raft.commit) == 17);
  CHECK(pressure.look(0, facts.raft.commit) == 0);  // that it is over is told once
  facts.raft.peers[0].backlog_bytes = 600 * kMiB;
  CHECK(pressure.look(0, facts.raft.commit) == 900);
  facts.raft.peers[0].catch_up = raft::CatchUp::kLog;
  CHECK(pressure.look(0, facts.raft.commit) == 0);  // who catches up is not waited for
  facts.raft.peers[1].applied = LogIndex{890'000};
  CHECK(pressure.look(0, facts.raft.commit) == 450);
  facts.raft.peers[1].state = raft::PeerState::kSnapshot;
  CHECK(pressure.look(0, LogIndex{989'000}) == 450);
  facts.raft.role = raft::Role::kFollower;
  CHECK_FALSE(pressure.look(900, LogIndex{0}));
  CHECK(pressure.counts(NodeId{1}));
  CHECK_FALSE(pressure.counts(NodeId{2}));
}

}  // namespace kiwi::actors
