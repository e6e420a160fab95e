// Which node is announced as master, and when that changes.
#include "actors/node/announcement.hpp"

#include <map>

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

constexpr int64_t kPatienceMs = 300;

// Node 1 of three, which leads in term 5; all are well.
struct Scene {
  Scene() {
    facts.self = NodeId{1};
    for (const uint64_t id : {1, 2, 3}) {
      facts.latest.members.push_back({NodeId{id}, {}, "h:" + std::to_string(id), "h:1"});
      facts.latest.voters.push_back(NodeId{id});
      states[NodeId{id}] = {true, 0, true, false};
    }
    lead(5);
  }
  void lead(uint64_t term) {
    facts.raft.term = Term{term};
    facts.raft.role = raft::Role::kLeader;
    facts.raft.leader = facts.self;
    facts.raft.ready = true;
  }
  bool look(int64_t now_ms = 10'000) {
    return announcement.look([this](NodeId node) { return states.at(node); }, now_ms);
  }
  NodeId node() const { return announcement.now().node; }

  ClusterFacts facts;
  std::map<NodeId, MemberState> states;
  Announcement announcement{facts, kPatienceMs};
};

}  // namespace

TEST_CASE(
    "a ready leader announces itself where nobody is announced, and only a leader does [P5]") {
  Scene scene;
  scene.facts.raft.ready = false;
  CHECK_FALSE(scene.look());
  scene.facts.raft.ready = true;
  CHECK(scene.look());
  CHECK(scene.announcement.now() == Announced{Term{5}, 1, NodeId{1}});
  CHECK_FALSE(scene.look());
  Scene follower;
  follower.facts.raft.role = raft::Role::kFollower;
  CHECK_FALSE(follower.look());
  CHECK_FALSE(follower.node());
}

TEST_CASE("the announced node stays while it serves, although another one leads [P5]") {
  Scene scene;
  CHECK(scene.announcement.take({Term{4}, 3, NodeId{2}}));
  CHECK_FALSE(scene.look());
  CHECK(scene.node() == NodeId{2});
}

TEST_CASE(
    "it moves to the leader when its node is away for a while, loads, drains or is removed [P5]") {
  for (int why = 0; why < 4; ++why) {
    CAPTURE(why);
    Scene scene;
    scene.announcement.take({Term{5}, 7, NodeId{2}});
    MemberState& second = scene.states[NodeId{2}];
    if (why == 0) {
      second.linked = false;
      second.unlinked_since_ms = 10'000;
      CHECK_FALSE(scene.look(10'000 + kPatienceMs - 1));  // a hiccup
    } else if (why == 1) {
      second.serves = false;
    } else if (why == 2) {
      second.drains = true;
    } else {
      scene.facts.latest.members.erase(scene.facts.latest.members.begin() + 1);
    }
    CHECK(scene.look(10'000 + kPatienceMs));
    CHECK(scene.announcement.now() == Announced{Term{5}, 8, NodeId{1}});
  }
}

TEST_CASE("a leader that drains gives the place to a voter that serves, else keeps it [P5]") {
  Scene scene;
  CHECK(scene.look());
  scene.states[NodeId{1}].drains = true;
  scene.states[NodeId{2}].serves = false;
  CHECK(scene.look());
  CHECK(scene.node() == NodeId{3});
  Scene alone;
  CHECK(alone.look());
  alone.states[NodeId{1}].drains = true;
  alone.states[NodeId{2}].linked = alone.states[NodeId{3}].linked = false;
  CHECK_FALSE(alone.look());
  CHECK(alone.node() == NodeId{1});
}

TEST_CASE("where all others drain, one of them is announced rather than one that is gone [P5]") {
  Scene scene;
  scene.announcement.take({Term{5}, 7, NodeId{3}});
  scene.states[NodeId{1}].drains = scene.states[NodeId{2}].drains = true;
  CHECK_FALSE(scene.look());
  scene.states[NodeId{3}].serves = false;
  CHECK(scene.look());
  CHECK(scene.node() == NodeId{1});
  CHECK_FALSE(scene.look());
  scene.states[NodeId{3}].serves = true;
  CHECK(scene.look());  // it does not drain
  CHECK(scene.node() == NodeId{3});
}

TEST_CASE("a leader that is cut off announces nothing new [P5]") {
  Scene scene;
  scene.announcement.take({Term{5}, 7, NodeId{2}});
  for (const uint64_t away : {2, 3}) {
    scene.states[NodeId{away}].linked = false;
    scene.states[NodeId{away}].unlinked_since_ms = 10'000;
  }
  CHECK_FALSE(scene.look(10'000 + 10 * kPatienceMs));
  CHECK(scene.node() == NodeId{2});
  scene.states[NodeId{3}].linked = true;
  CHECK(scene.look(10'000 + 10 * kPatienceMs));
  CHECK(scene.node() == NodeId{1});
}

TEST_CASE("the highest announcement wins, and its epoch grows [P5]") {
  Scene scene;
  CHECK(scene.announcement.take({Term{5}, 2, NodeId{2}}));
  CHECK_FALSE(scene.announcement.take({Term{5}, 1, NodeId{3}}));
  CHECK_FALSE(scene.announcement.take({Term{5}, 2, NodeId{2}}));
  CHECK_FALSE(scene.announcement.take({Term{6}, 1, NodeId{}}));
  const uint64_t before = scene.announcement.now().epoch();
  CHECK(scene.announcement.take({Term{6}, 1, NodeId{3}}));
  CHECK(scene.announcement.now().epoch() > before);
  // A leader of a former term that has not heard of the later one announces nothing over it.
  scene.states[NodeId{3}].serves = false;
  CHECK_FALSE(scene.look());
  scene.lead(7);
  CHECK(scene.look());
  CHECK(scene.announcement.now() == Announced{Term{7}, 1, NodeId{1}});
}

TEST_CASE("an operator's wish is done by the leader, if that node is fit, and once [P4]") {
  Scene scene;
  CHECK(scene.look());
  scene.announcement.wish(NodeId{3});
  CHECK(scene.look());
  CHECK(scene.node() == NodeId{3});
  scene.states[NodeId{2}].serves = false;
  scene.announcement.wish(NodeId{2});
  CHECK_FALSE(scene.look());
  scene.states[NodeId{2}].serves = true;
  CHECK_FALSE(scene.look());  // nobody wishes it any more
  CHECK(scene.node() == NodeId{3});
}

}  // namespace kiwi::actors
