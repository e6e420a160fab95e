// How a node comes into a cluster, and how others are let in: whom it asks, what it does with each
// answer, and what an operator who waits for it is told.
#include "actors/node/joining.hpp"

#include <doctest/doctest.h>

#include "actors/node/newcomers.hpp"
#include "actors/node/removal.hpp"
#include "tests/actors/members.hpp"

namespace kiwi::actors {
namespace {

using test::member;
using test::members;

config::PeerAddress address(uint64_t id) {
  const auto port = static_cast<uint16_t>(6000 + id);
  return {NodeId{}, {"host", port}, {"host", static_cast<uint16_t>(port + 10'000)}};
}

VisitOutcome reply(VisitReply said) {
  VisitOutcome outcome;
  outcome.asked = true;
  outcome.node = NodeId{1};
  outcome.reply = std::move(said);
  return outcome;
}
VisitOutcome yes() {
  VisitReply said;
  said.configuration = members({1, 2});
  return reply(std::move(said));
}
VisitOutcome no(OrderRefusal why) {
  VisitReply said;
  said.refusal = VisitRefusal::kOrder;
  said.order.refusal = why;
  return reply(std::move(said));
}
VisitOutcome silence(bool asked) {
  VisitOutcome outcome;
  outcome.asked = asked;
  outcome.problem = "connection refused";
  return outcome;
}

}  // namespace

TEST_CASE("a node of raft.join asks one member after the other until one says yes") {
  Joining joining;
  joining.by_option({address(1), address(2)});
  joining.tick(0);
  CHECK(joining.take_effects().ask->port == 16001);
  joining.tick(100);
  CHECK_FALSE(joining.take_effects().ask);  // one question at a time
  joining.answered(silence(false), 200);
  CHECK_FALSE(joining.take_effects().ask);
  joining.tick(1200);
  CHECK(joining.take_effects().ask->port == 16002);
  joining.answered(no(OrderRefusal::kNoLeader), 1300);
  joining.tick(2300);
  CHECK(joining.take_effects().ask->port == 16001);
  joining.answered(yes(), 2400);
  JoinEffects effects = joining.take_effects();
  REQUIRE(effects.met);
  CHECK(effects.met->members.size() == 2);
  joining.tick(60'000);
  CHECK_FALSE(joining.take_effects().ask);  // the log is on its way
  joining.core_runs();
  CHECK_FALSE(joining.take_effects().tell_operator);
  CHECK_FALSE(joining.active());
}

TEST_CASE("by hand each address is asked once, and the operator hears how it ended") {
  const auto end_of = [](const std::vector<VisitOutcome>& answers) {
    Joining joining;
    CHECK(joining.by_hand({address(1), address(2)}, 0));
    CHECK_FALSE(joining.by_hand({address(1)}, 0));
    for (const VisitOutcome& answer : answers) {
      CHECK(joining.take_effects().ask);
      joining.answered(answer, 10);
    }
    const JoinEffects effects = joining.take_effects();
    REQUIRE(effects.tell_operator);
    CHECK_FALSE(joining.active());
    return *effects.tell_operator;
  };
  CHECK(end_of({silence(false), silence(false)}).end == JoinEnd::kNobodyReached);
  CHECK(end_of({silence(true), silence(false)}).end == JoinEnd::kNoAnswer);
  CHECK(end_of({no(OrderRefusal::kUsedId)}).end == JoinEnd::kRefused);
  CHECK(end_of({silence(true), no(OrderRefusal::kUsedId)}).end == JoinEnd::kRefusedLater);
  const JoinResult late = end_of({silence(false), no(OrderRefusal::kNoReply)});
  CHECK(late.end == JoinEnd::kRefused);
  CHECK(sentence(late) == "TIMEOUT no reply from leader");
}

TEST_CASE("a member that another build cannot join says so, in the words of who asked [F46]") {
  VisitReply no;
  no.refusal = VisitRefusal::kOtherBuild;
  no.build.cluster_version = 2;
  no.asker.cluster_version_max = 1;
  CHECK(sentence(no) ==
        "ERR a member refuses this node: this build supports cluster versions up to 1, but the "
        "cluster is at 2: start a newer build here");
  CHECK_FALSE(no.may_come_yet());
}

TEST_CASE("by hand the log is waited for, but not for ever") {
  Joining joining;
  joining.by_hand({address(1)}, 0);
  static_cast<void>(joining.take_effects());
  joining.answered(yes(), 10);
  joining.tick(59'000);
  CHECK_FALSE(joining.take_effects().tell_operator);
  joining.tick(60'000);
  CHECK(joining.take_effects().tell_operator->end == JoinEnd::kLogMissing);
}

TEST_CASE("a wiped node gives the leader time to see it; a welcome ends the asking") {
  Joining joining;
  joining.come_back({}, 0);
  CHECK_FALSE(joining.active());
  joining.come_back({address(1)}, 0);
  joining.tick(1400);
  CHECK_FALSE(joining.take_effects().ask);
  joining.tick(1500);
  CHECK(joining.take_effects().ask);
  joining.welcomed(members({1, 2, 3}));
  CHECK(joining.take_effects().met->members.size() == 3);
  joining.answered(silence(true), 1600);
  joining.core_runs();
  joining.answered(yes(), 1700);  // late: the way to the leader is in it all the same
  CHECK(joining.take_effects().met->members.size() == 2);
}

TEST_CASE("RAFT.NODE ADD asks the node at the address who it is, then orders, then welcomes") {
  ClusterFacts facts;
  facts.core_runs = true;
  facts.committed = members({1, 2});
  facts.committed.removed_ids = {NodeId{7}};
  Newcomers newcomers(facts);
  const auto refusal_of = [&](resp::NodeAddress node) {
    const uint64_t id = newcomers.add(node);
    const NewcomerEffects effects = newcomers.take_effects();
    REQUIRE(effects.refused.size() == 1);
    CHECK(effects.refused[0].request == id);
    return effects.refused[0].answer.refusal;
  };
  CHECK(refusal_of({NodeId{7}, "host:6007", ""}) == NewcomerRefusal::kUsedId);
  CHECK(refusal_of({NodeId{2}, "host:6002", ""}) == NewcomerRefusal::kUsedId);
  CHECK(refusal_of({NodeId{}, "nowhere", ""}) == NewcomerRefusal::kBadAddress);

  const uint64_t id = newcomers.add({NodeId{}, "host:6004", ""});
  NewcomerEffects effects = newcomers.take_effects();
  REQUIRE(effects.calls.size() == 1);
  CHECK(effects.calls[0].address.port == 16004);
  VisitReply said;
  said.member = member(4);
  said.member.client_address = "localhost:6004";  // as it sees itself
  said.empty_node = true;
  newcomers.visited(effects.calls[0].visit, reply(said));
  effects = newcomers.take_effects();
  REQUIRE(effects.orders.size() == 1);
  CHECK(effects.orders[0].request == id);
  CHECK(effects.orders[0].order == AdminOrder(AddMember{member(4)}));
  newcomers.ordered(effects.orders[0].order, OrderAnswer{});
  effects = newcomers.take_effects();
  REQUIRE(effects.calls.size() == 1);
  CHECK(effects.calls[0].question.kind == VisitQuestion::Kind::kWelcome);
  newcomers.ordered(AddMember{member(4)}, no(OrderRefusal::kBusy).reply->order);
  CHECK(newcomers.take_effects().calls.empty());
}

TEST_CASE("who is no empty node is not added; a member elsewhere has moved") {
  ClusterFacts facts;
  facts.core_runs = true;
  facts.committed = members({1, 2});
  Newcomers newcomers(facts);
  const auto end_of = [&](resp::NodeAddress node, const VisitOutcome& outcome) {
    newcomers.add(node);
    newcomers.visited(newcomers.take_effects().calls.at(0).visit, outcome);
    return newcomers.take_effects();
  };
  VisitReply said;
  said.member = member(4);
  CHECK(end_of({NodeId{}, "host:6004", ""}, reply(said)).refused.at(0).answer.refusal ==
        NewcomerRefusal::kMemberThere);
  said.empty_node = true;
  CHECK(end_of({NodeId{5}, "host:6004", ""}, reply(said)).refused.at(0).answer.refusal ==
        NewcomerRefusal::kOtherNode);
  CHECK(end_of({NodeId{}, "host:6004", ""}, silence(true)).refused.at(0).answer.refusal ==
        NewcomerRefusal::kNoAnswer);
  facts.build.cluster_version = 2;
  said.build.cluster_version_max = 1;
  const NewcomerAnswer older =
      end_of({NodeId{}, "host:6004", ""}, reply(said)).refused.at(0).answer;
  CHECK(older.refusal == NewcomerRefusal::kOtherBuild);
  CHECK(sentence(older).find("start a newer build there") != std::string::npos);
  said.build.cluster_version_max = 2;
  said.member = member(2);
  said.empty_node = false;
  const NewcomerEffects moved = end_of({NodeId{2}, "host:6012", ""}, reply(said));
  REQUIRE(moved.orders.size() == 1);
  CHECK(std::get<MoveMember>(moved.orders[0].order).member.client_address == "host:6012");
}

TEST_CASE("RAFT.RECONFIGURE asks all unknown nodes before it orders, and welcomes who is in") {
  ClusterFacts facts;
  facts.core_runs = true;
  facts.committed = members({1, 2});
  Newcomers newcomers(facts);
  newcomers.reconfigure(
      {{NodeId{1}, "", ""}, {NodeId{4}, "host:6004", ""}, {NodeId{5}, "host:6005", ""}});
  const NewcomerEffects asked = newcomers.take_effects();
  REQUIRE(asked.calls.size() == 2);
  VisitReply said;
  said.empty_node = true;
  said.member = member(4);
  newcomers.visited(asked.calls[0].visit, reply(said));
  CHECK(newcomers.take_effects().orders.empty());
  said.member = member(5);
  newcomers.visited(asked.calls[1].visit, reply(said));
  const NewcomerEffects effects = newcomers.take_effects();
  REQUIRE(effects.orders.size() == 1);
  CHECK(std::get<Reconfigure>(effects.orders[0].order).members ==
        std::vector{member(1), member(4), member(5)});
  newcomers.tick();
  CHECK(newcomers.take_effects().calls.empty());
  facts.committed = members({1, 2, 4});
  newcomers.tick();
  const NewcomerEffects welcomes = newcomers.take_effects();
  REQUIRE(welcomes.calls.size() == 1);
  CHECK(welcomes.calls[0].question.configuration == facts.committed);
}

TEST_CASE("a node that hears no leader asks members whether it was removed [F25]") {
  ClusterFacts facts;
  facts.self = NodeId{3};
  facts.core_runs = true;
  facts.latest = facts.committed = members({1, 2, 3});
  Removal removal(facts);
  facts.raft.leader = NodeId{1};
  CHECK_FALSE(removal.tick(10'000));
  facts.raft.leader = NodeId{};
  CHECK_FALSE(removal.tick(11'900));
  CHECK(removal.tick(12'000)->port == 16001);
  CHECK(removal.tick(14'000)->port == 16002);
  CHECK_FALSE(removal.tick(16'000));  // itself

  raft::Identity own;
  own.node = NodeId{3};
  own.incarnation = member(3).incarnation;
  own.cluster = facts.latest.cluster;
  VisitReply said;
  said.configuration = members({1, 2});
  CHECK_FALSE(removal.judge(said, own));  // it does not know this node yet
  said.configuration.removed_ids = {NodeId{3}};
  CHECK(removal.judge(said, own));
  said.configuration.cluster.bytes.fill(8);
  CHECK_FALSE(removal.judge(said, own));
  CHECK(removal.learned());
  CHECK_FALSE(removal.learned());
  CHECK_FALSE(removal.tick(60'000));
}

}  // namespace kiwi::actors
