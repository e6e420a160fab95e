// Orders of operators through changes of leader and lost notes: three nodes' Orders, and a cluster
// of which the test says who leads, what is committed and what each core answers.
#include "actors/node/orders.hpp"

#include <array>
#include <map>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "tests/actors/members.hpp"

namespace kiwi::actors {
namespace {

using test::member;

constexpr int64_t kResponseMs = 6000;

class Trio {
 public:
  Trio() {
    for (uint64_t id = 1; id <= 3; ++id) {
      committed.members.push_back(member(id));
      committed.voters.push_back(NodeId{id});
    }
    for (uint64_t id = 1; id <= 3; ++id) {
      ClusterFacts& facts = at(id).facts;
      facts.self = NodeId{id};
      facts.core_runs = true;
    }
    commit();
  }

  struct Node {
    ClusterFacts facts;
    Orders orders{facts, kResponseMs};
    std::vector<ChangeMembership> changes;
    std::vector<TransferLeadership> transfers;
    std::vector<MemberReturned> returned;
    std::map<uint64_t, OrderAnswer> answers;
  };
  Node& at(uint64_t id) { return nodes_[id - 1]; }

  void lead(uint64_t leader, uint64_t seen_by = 0) {
    for (uint64_t id = 1; id <= 3; ++id) {
      if (seen_by == 0 || seen_by == id) {
        raft::Status& status = at(id).facts.raft;
        status.leader = NodeId{leader};
        status.ready = leader != 0;
        status.role = leader == id ? raft::Role::kLeader : raft::Role::kFollower;
      }
    }
  }
  void commit() {
    for (Node& node : nodes_) {
      node.facts.latest = node.facts.committed = committed;
    }
  }

  uint64_t give(uint64_t node, AdminOrder what) {
    const uint64_t id = at(node).orders.give(std::move(what), now_ms);
    ship(node);
    return id;
  }
  void core_says(uint64_t node, const raft::ChangeId& id, raft::ChangeRefusal refusal) {
    at(node).orders.change_done({id, {refusal, NodeId{}}}, now_ms);
    ship(node);
  }
  // The timers of so many milliseconds.
  void run(int64_t ms) {
    for (const int64_t until_ms = now_ms + ms; now_ms < until_ms;) {
      now_ms += 100;
      for (uint64_t id = 1; id <= 3; ++id) {
        at(id).orders.drive(now_ms);
        ship(id);
      }
    }
  }
  std::optional<OrderAnswer> answer(uint64_t node, uint64_t order) {
    const auto found = at(node).answers.find(order);
    return found == at(node).answers.end() ? std::nullopt : std::optional(found->second);
  }

  raft::Configuration committed;
  int64_t now_ms = 1000;
  size_t notes = 0;
  bool notes_are_lost = false;

 private:
  void ship(uint64_t from) {
    OrderEffects effects = at(from).orders.take_effects();
    for (const auto& answered : effects.answered) {
      CHECK(at(from).answers.emplace(answered.order, answered.answer).second);  // once
    }
    for (ReplicaRequest& request : effects.requests) {
      if (auto* note = std::get_if<PeerNote>(&request)) {
        ++notes;
        deliver(NodeId{from}, *note);
      } else if (auto* change = std::get_if<ChangeMembership>(&request)) {
        at(from).changes.push_back(std::move(*change));
      } else if (auto* transfer = std::get_if<TransferLeadership>(&request)) {
        at(from).transfers.push_back(*transfer);
      } else {
        at(from).returned.push_back(std::get<MemberReturned>(request));
      }
    }
  }
  void deliver(NodeId from, const PeerNote& note) {
    if (notes_are_lost) {
      return;
    }
    NodeNote what = decode_note(note.bytes).value();
    Orders& orders = at(note.peer.value).orders;
    if (auto* order = std::get_if<OrderNote>(&what)) {
      orders.take(from, std::move(*order), now_ms);
    } else {
      orders.take(from, std::get<OrderAnswerNote>(what), now_ms);
    }
    ship(note.peer.value);
  }

  std::array<Node, 3> nodes_;
};

}  // namespace

TEST_CASE(
    "the leader changes twice while a node is added: it is in once, and the operator is told") {
  Trio trio;
  trio.lead(2);
  const uint64_t order = trio.give(1, AddMember{member(4)});
  REQUIRE(trio.at(2).changes.size() == 1);  // forwarded, and begun there
  CHECK(trio.at(2).changes[0].change.add_learners == std::vector{member(4)});
  CHECK(trio.at(2).changes[0].change.promote == std::vector{NodeId{4}});

  trio.lead(3);
  trio.core_says(2, trio.at(2).changes[0].id, raft::ChangeRefusal::kLostDuringChange);
  trio.run(1000);
  REQUIRE(trio.at(3).changes.size() == 2);  // of the asked node and of the one that led
  CHECK_FALSE(trio.answer(1, order));

  trio.lead(1);
  for (const ChangeMembership& change : trio.at(3).changes) {
    trio.core_says(3, change.id, raft::ChangeRefusal::kLostDuringChange);
  }
  trio.run(1000);
  REQUIRE(!trio.at(1).changes.empty());  // its own turn now
  CHECK_FALSE(trio.answer(1, order));

  trio.committed.members.push_back(member(4));
  trio.commit();
  trio.run(100);
  REQUIRE(trio.answer(1, order));
  CHECK(trio.answer(1, order)->done());
  for (uint64_t id = 1; id <= 3; ++id) {
    CHECK(trio.at(id).orders.open() == 0);
  }
}

TEST_CASE(
    "what passes by itself is tried again; what does not is said at once, where it was asked") {
  Trio trio;
  trio.lead(2);
  const uint64_t order = trio.give(1, AddMember{member(4)});
  REQUIRE(trio.at(2).changes.size() == 1);
  trio.core_says(2, trio.at(2).changes[0].id, raft::ChangeRefusal::kChangeUnderWay);
  trio.run(200);
  REQUIRE(trio.at(2).changes.size() == 2);
  trio.core_says(2, trio.at(2).changes[1].id, raft::ChangeRefusal::kReplacesVoter);
  REQUIRE(trio.answer(1, order));
  CHECK(trio.answer(1, order)->refusal == OrderRefusal::kCore);
  CHECK(trio.answer(1, order)->core.refusal == raft::ChangeRefusal::kReplacesVoter);
  CHECK_FALSE(trio.answer(1, order)->may_come_yet());  // the leader said that nothing comes of it
  CHECK(trio.at(2).orders.open() == 0);
}

TEST_CASE("a newcomer is let in by the version that the leader has applied [F46]") {
  Trio trio;
  trio.lead(2);
  trio.at(1).facts.build.cluster_version = 1;  // it asked the newcomer, and lags
  trio.at(2).facts.build.cluster_version = 2;
  const uint64_t old = trio.give(1, AddMember{member(4), 1});
  trio.run(1000);
  REQUIRE(trio.answer(1, old));
  CHECK(trio.answer(1, old)->refusal == OrderRefusal::kOldBuild);
  CHECK(trio.at(2).changes.empty());
  trio.give(1, AddMember{member(4), 2});
  trio.run(1000);
  CHECK(trio.at(2).changes.size() == 1);
}

TEST_CASE("an order that is told again and again is one order") {
  Trio trio;
  trio.lead(2);
  trio.give(1, RemoveMember{NodeId{3}});
  trio.run(3500);
  CHECK(trio.notes == 4);
  CHECK(trio.at(2).orders.open() == 1);
  CHECK(trio.at(2).changes.size() == 1);
}

TEST_CASE("an order that nobody answers has no known end; one that was never sent has") {
  Trio trio;
  trio.notes_are_lost = true;
  trio.lead(2);
  const uint64_t sent = trio.give(1, RemoveMember{NodeId{3}});
  trio.run(kResponseMs);
  REQUIRE(trio.answer(1, sent));
  CHECK(trio.answer(1, sent)->refusal == OrderRefusal::kNoReply);
  CHECK(trio.answer(1, sent)->may_come_yet());
  trio.lead(0);
  const uint64_t unsent = trio.give(1, RemoveMember{NodeId{3}});
  trio.run(kResponseMs);
  REQUIRE(trio.answer(1, unsent));
  CHECK(trio.answer(1, unsent)->refusal == OrderRefusal::kNoLeader);
  CHECK_FALSE(trio.answer(1, unsent)->may_come_yet());
}

TEST_CASE("a leader that is told to go hands over first, and is removed by the next one") {
  Trio trio;
  trio.lead(1);
  const uint64_t order = trio.give(1, RemoveMember{NodeId{1}});
  REQUIRE(trio.at(1).transfers.size() == 1);
  CHECK(trio.at(1).changes.empty());
  trio.lead(2);
  trio.core_says(1, trio.at(1).transfers[0].id, raft::ChangeRefusal::kNone);
  trio.run(2000);
  REQUIRE(trio.at(2).changes.size() == 1);
  CHECK(trio.at(2).changes[0].change.remove == std::vector{NodeId{1}});
  trio.committed.members.erase(trio.committed.members.begin());
  trio.committed.voters.erase(trio.committed.voters.begin());
  trio.committed.removed_ids = {NodeId{1}};
  trio.commit();
  trio.run(100);
  REQUIRE(trio.answer(1, order));
  CHECK(trio.answer(1, order)->done());
}

TEST_CASE("new members come in as learners, and all voters change at once when they caught up") {
  Trio trio;
  trio.lead(1);
  const uint64_t order = trio.give(1, Reconfigure{{member(1), member(2), member(4)}});
  REQUIRE(trio.at(1).changes.size() == 1);
  CHECK(trio.at(1).changes[0].change.add_learners == std::vector{member(4)});
  CHECK(trio.at(1).changes[0].change.remove.empty());
  trio.committed.members.push_back(member(4));
  trio.commit();
  trio.core_says(1, trio.at(1).changes[0].id, raft::ChangeRefusal::kNone);
  raft::PeerStatus& newcomer = trio.at(1).facts.raft.peers.emplace_back();
  newcomer.member = member(4);
  newcomer.state = raft::PeerState::kSnapshot;
  trio.run(500);
  CHECK(trio.at(1).changes.size() == 1);  // it catches up
  newcomer.state = raft::PeerState::kReplicate;
  trio.run(100);
  REQUIRE(trio.at(1).changes.size() == 2);
  CHECK(trio.at(1).changes[1].change.promote == std::vector{NodeId{4}});
  CHECK(trio.at(1).changes[1].change.remove == std::vector{NodeId{3}});
  CHECK_FALSE(trio.answer(1, order));
}

TEST_CASE(
    "leadership was handed over once another node leads; a target that does not take it is known") {
  Trio trio;
  trio.lead(1);
  const uint64_t any = trio.give(2, HandOver{});
  REQUIRE(trio.at(1).transfers.size() == 1);
  trio.lead(3);
  trio.run(100);
  CHECK(trio.answer(2, any)->done());
  const uint64_t to = trio.give(3, HandOver{NodeId{2}});
  REQUIRE(trio.at(3).transfers.size() == 1);
  CHECK(trio.at(3).transfers[0].target == NodeId{2});
  trio.core_says(3, trio.at(3).transfers[0].id, raft::ChangeRefusal::kTransferTimedOut);
  REQUIRE(trio.answer(3, to));
  CHECK(trio.answer(3, to)->refusal == OrderRefusal::kTransferTimedOut);
  const uint64_t nobody = trio.give(3, HandOver{NodeId{8}});
  CHECK(trio.answer(3, nobody)->refusal == OrderRefusal::kNoSuchTarget);
}

TEST_CASE("an id that lives is not given to another process [F49]") {
  Trio trio;
  trio.lead(1);
  const uint64_t order = trio.give(1, AddMember{member(3, 9)});
  REQUIRE(trio.at(1).returned.size() == 1);
  CHECK(trio.at(1).changes.empty());
  trio.at(1).orders.member_lives({member(3), member(3, 9)});
  trio.run(100);
  REQUIRE(trio.answer(1, order));
  CHECK(trio.answer(1, order)->refusal == OrderRefusal::kMemberLives);
  CHECK(sentence(*trio.answer(1, order)).find("lives at host:16003") != std::string::npos);
}

TEST_CASE(
    "nobody says what becomes of a new life of a member at another address: it may come yet") {
  Trio trio;
  trio.lead(1);
  const uint64_t order = trio.give(1, MoveMember{member(3, 9)});
  REQUIRE(trio.at(1).returned.size() == 1);
  trio.run(kResponseMs);
  REQUIRE(trio.answer(1, order));
  CHECK(trio.answer(1, order)->may_come_yet());
}

TEST_CASE("an order of a later start is not taken for one of an earlier that is still driven") {
  Trio trio;
  trio.lead(2);
  trio.at(1).facts.boot_epoch = 1;
  trio.give(1, RemoveMember{NodeId{3}});
  CHECK(trio.at(2).orders.open() == 1);
  ClusterFacts facts = trio.at(1).facts;
  facts.boot_epoch = 2;
  Orders later(facts, kResponseMs);
  later.give(HandOver{NodeId{3}}, trio.now_ms);
  const OrderEffects effects = later.take_effects();
  REQUIRE(effects.requests.size() == 1);
  NodeNote note = decode_note(std::get<PeerNote>(effects.requests[0]).bytes).value();
  trio.at(2).orders.take(NodeId{1}, std::get<OrderNote>(note), trio.now_ms);
  CHECK(trio.at(2).orders.open() == 2);
}

TEST_CASE("a removal that the core refuses is refused at once, and whose silence it is is said") {
  Trio trio;
  trio.lead(1);
  const uint64_t order = trio.give(1, RemoveMember{NodeId{3}});
  REQUIRE(trio.at(1).changes.size() == 1);
  trio.core_says(1, trio.at(1).changes[0].id, raft::ChangeRefusal::kVotersNotHeard);
  REQUIRE(trio.answer(1, order));
  CHECK_FALSE(trio.answer(1, order)->may_come_yet());
  CHECK(sentence(*trio.answer(1, order)).find("are heard") != std::string::npos);
}

TEST_CASE("a node without a cluster takes no order") {
  Trio trio;
  trio.at(1).facts.core_runs = false;
  const uint64_t order = trio.give(1, HandOver{});
  REQUIRE(trio.answer(1, order));
  CHECK(trio.answer(1, order)->refusal == OrderRefusal::kNoCluster);
}

}  // namespace kiwi::actors
