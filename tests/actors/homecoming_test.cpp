// Homecoming: who says a member's id is believed only when it answers at the member's own address.
#include "actors/node/homecoming.hpp"

#include <string>

#include <doctest/doctest.h>

#include "tests/actors/members.hpp"

namespace kiwi::actors {
namespace {

using test::member;

struct Scene {
  Scene() {
    facts.self = NodeId{1};
    facts.core_runs = true;
    facts.raft.role = raft::Role::kLeader;
    for (const uint64_t id : {1, 2, 3}) {
      facts.committed.members.push_back(member(id));
      facts.committed.voters.push_back(NodeId{id});
    }
    facts.latest = facts.committed;
  }

  static VisitOutcome there(const raft::Member& who, bool empty_node) {
    VisitOutcome outcome{true, who.id, VisitReply{}, {}};
    outcome.reply->member = who;
    outcome.reply->empty_node = empty_node;
    return outcome;
  }
  // Of the one that says it is member 2: what the leader does when it hears this there.
  size_t replaced_when(const VisitOutcome& heard) {
    now_ms += 1000;
    home.returned({member(2, 9)}, now_ms);
    const HomecomingEffects effects = home.take_effects();
    REQUIRE(effects.calls.size() == 1);
    CHECK(effects.requests.empty());
    home.visited(effects.calls[0].visit, heard);
    return home.take_effects().requests.size();
  }

  ClusterFacts facts;
  Homecoming home{facts};
  int64_t now_ms = 5'000;
};

TEST_CASE(
    "a member is replaced by the empty life of it that answers at its own address [F1, F49]") {
  Scene scene;
  scene.home.returned({member(2, 9)}, scene.now_ms);
  HomecomingEffects effects = scene.home.take_effects();
  REQUIRE(effects.calls.size() == 1);
  CHECK(effects.calls[0].address.text() == member(2).peer_address);
  scene.home.visited(effects.calls[0].visit, Scene::there(member(2, 9), true));
  effects = scene.home.take_effects();
  REQUIRE(effects.requests.size() == 1);
  CHECK(std::get<MemberReturned>(effects.requests[0]).member == member(2, 9));
}

TEST_CASE(
    "a stranger with the id of a member does not replace it, however silent that one is [F49]") {
  Scene scene;
  CHECK(scene.replaced_when(Scene::there(member(2), false)) == 0);     // the member itself is there
  CHECK(scene.replaced_when(Scene::there(member(2, 8), true)) == 0);   // a third one
  CHECK(scene.replaced_when(Scene::there(member(2, 9), false)) == 0);  // it has data of its own
  CHECK(scene.replaced_when(Scene::there(member(3, 9), true)) == 0);
  CHECK(scene.replaced_when({}) == 0);  // nobody
  VisitOutcome no = Scene::there(member(2, 9), true);
  no.reply->refusal = VisitRefusal::kGarbled;
  CHECK(scene.replaced_when(no) == 0);
  CHECK(scene.replaced_when(Scene::there(member(2, 9), true)) == 1);
}

TEST_CASE("the leader alone looks for members that returned, now and then, each answer once") {
  Scene scene;
  scene.home.returned({member(2, 9)}, scene.now_ms);
  scene.home.returned({member(2, 9)}, scene.now_ms + 100);
  scene.home.returned({member(3, 9)}, scene.now_ms + 100);
  const HomecomingEffects effects = scene.home.take_effects();
  CHECK(effects.calls.size() == 2);
  for (int n = 0; n < 2; ++n) {
    scene.home.visited(effects.calls[0].visit, Scene::there(member(2, 9), true));
    CHECK(scene.home.take_effects().requests.size() == (n == 0 ? 1 : 0));
  }
  scene.facts.raft.role = raft::Role::kFollower;
  scene.home.returned({member(2, 9)}, scene.now_ms + 5000);
  CHECK(scene.home.take_effects().calls.empty());
}

TEST_CASE("who asks to be let in under a member's id is looked at by any node, and judged once") {
  Scene scene;
  scene.facts.raft.role = raft::Role::kFollower;
  const uint64_t look = scene.home.look(member(2, 9));
  HomecomingEffects effects = scene.home.take_effects();
  REQUIRE(effects.calls.size() == 1);
  scene.home.visited(effects.calls[0].visit, Scene::there(member(2, 9), true));
  effects = scene.home.take_effects();
  REQUIRE(effects.judged.size() == 1);
  CHECK(effects.judged[0].look == look);
  CHECK(effects.judged[0].is_there);
  CHECK(effects.requests.empty());  // an order follows
  scene.facts.committed.members[1].peer_address = "nowhere";
  const uint64_t again = scene.home.look(member(2, 9));
  effects = scene.home.take_effects();
  CHECK(effects.calls.empty());
  REQUIRE(effects.judged.size() == 1);
  CHECK(effects.judged[0].look == again);
  CHECK_FALSE(effects.judged[0].is_there);
}

}  // namespace
}  // namespace kiwi::actors
