// Whom a node links to and where, what it says of itself to each, and what hellos tell it.
#include "actors/node/peer_directory.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {
namespace {

using You = PeerHello::You;

raft::Member member(uint64_t id, uint8_t life = 1) {
  raft::Member m;
  m.id = NodeId{id};
  m.incarnation.bytes.fill(static_cast<uint8_t>(16 * id + life));
  m.client_address = "host:" + std::to_string(6000 + id);
  m.peer_address = "member" + std::to_string(id) + ":" + std::to_string(16000 + id);
  return m;
}

struct Scene {
  Scene() {
    facts.self = NodeId{1};
    facts.core_runs = true;
    facts.build.cluster_version = 1;
    facts.latest.cluster.bytes.fill(7);
    for (const uint64_t id : {1, 2, 3}) {
      facts.latest.members.push_back(member(id));
      facts.latest.voters.push_back(NodeId{id});
    }
    facts.committed = facts.latest;
    own.member = member(1);
    own.cluster = facts.latest.cluster;
    own.first_entry = "first";
    for (const NodeId id : directory.to_link()) {
      directory.linked(id);
    }
  }

  PeerHello hello(uint64_t id, uint8_t life = 1) const {
    PeerHello said;
    said.node = NodeId{id};
    said.incarnation = member(id, life).incarnation;
    said.cluster = own.cluster;
    said.client_address = member(id).client_address;
    said.peer_address = member(id).peer_address;
    said.election_timeout_ms = 300;
    said.marks = {{5, 55}};
    return said;
  }

  ClusterFacts facts;
  OwnNode own;
  PeerDirectory directory{facts,
                          own,
                          {{{NodeId{2}, {"host", 6002}, {"listed2", 16002}},
                            {NodeId{9}, {"host", 6009}, {"listed9", 1}}},
                           config::Bootstrap::kAuto,
                           300},
                          {}};
};

}  // namespace

TEST_CASE("listed nodes and members are linked to, at both of their addresses in turn") {
  Scene scene;
  CHECK(scene.directory.is_linked(NodeId{3}));
  CHECK(scene.directory.is_linked(NodeId{9}));
  CHECK_FALSE(scene.directory.is_linked(NodeId{1}));
  CHECK(scene.directory.next_address(NodeId{2}).host == "listed2");
  CHECK(scene.directory.next_address(NodeId{2}).host == "member2");
  CHECK(scene.directory.next_address(NodeId{2}).host == "listed2");
  CHECK(scene.directory.next_address(NodeId{3}).host == "member3");
  CHECK(scene.directory.next_address(NodeId{9}).host == "listed9");
  CHECK(scene.directory.hosts().contains("member3"));
  CHECK(scene.directory.hosts().contains("listed9"));
  CHECK_FALSE(scene.directory.admits(NodeId{1}));
  CHECK(scene.directory.admits(NodeId{50}));  // maybe a member of a configuration to come (F25)
  for (uint64_t id = 100; id < 200; ++id) {
    scene.directory.linked(NodeId{id});
  }
  CHECK_FALSE(scene.directory.admits(NodeId{50}));
  CHECK(scene.directory.admits(NodeId{3}));
}

TEST_CASE("each peer is told what this node's configuration says of it") {
  Scene scene;
  const auto you = [&](uint64_t id) { return scene.directory.hello_for(NodeId{id}).you; };
  CHECK(you(2) == You::kKnown);  // it has not said which life it is
  CHECK(you(9) == You::kUnknown);
  scene.directory.said(scene.hello(2));
  CHECK(you(2) == You::kMember);
  CHECK(scene.directory.hello_for(NodeId{2}).first_entry.empty());
  PeerHello empty = scene.hello(3);
  empty.cluster = {};
  scene.directory.said(empty);
  CHECK(scene.directory.hello_for(NodeId{3}).first_entry == "first");
  empty.incarnation = member(3, 2).incarnation;
  const auto news = scene.directory.said(empty);
  REQUIRE(news);
  CHECK(news->came_back_empty);
  CHECK(you(3) == You::kOtherIncarnation);
  REQUIRE(scene.directory.returned().size() == 1);
  CHECK(scene.directory.returned()[0].incarnation == empty.incarnation);
  scene.directory.gone(NodeId{3});
  CHECK(scene.directory.returned().empty());
  scene.directory.said(scene.hello(9));
  scene.facts.committed.removed_ids = {NodeId{9}};
  CHECK(you(9) == You::kRemoved);
  scene.facts.core_runs = false;
  CHECK_FALSE(scene.directory.hello_for(NodeId{2}).initialized());
}

TEST_CASE("a member's build is known as that life of it said last, also on a link [F46]") {
  Scene scene;
  const auto max_of = [&](uint64_t id, uint8_t life = 1) {
    return scene.directory.version_max_of(member(id, life));
  };
  CHECK_FALSE(max_of(2).has_value());
  PeerHello hello = scene.hello(2);
  hello.cluster_version_max = 1;
  scene.directory.said(hello);
  CHECK(max_of(2) == 1);
  scene.directory.gone(NodeId{2});  // the talk is over, the link begins
  CHECK(max_of(2) == 1);
  hello.cluster_version_max = 2;  // it comes back as another build
  scene.directory.said(hello);
  CHECK(max_of(2) == 2);
  CHECK_FALSE(max_of(2, 2).has_value());  // another life of it said nothing
  hello.cluster_version_max = 0;
  scene.directory.said(hello);
  CHECK_FALSE(max_of(2).has_value());
  CHECK_FALSE(max_of(50).has_value());
}

TEST_CASE("the hello says the cluster's version as it is applied here [F46]") {
  Scene scene;
  CHECK(scene.directory.hello_for(NodeId{2}).cluster_version == 1);
  scene.facts.build.cluster_version = 2;
  CHECK(scene.directory.hello_for(NodeId{2}).cluster_version == 2);
  scene.facts.core_runs = false;
  CHECK(scene.directory.hello_for(NodeId{2}).cluster_version == 0);
}

TEST_CASE(
    "a node without a cluster is told what is committed, not what may be cut away [F1, F18]") {
  Scene scene;
  const auto you = [&] { return scene.directory.hello_for(NodeId{3}).you; };
  PeerHello joiner = scene.hello(3, 2);
  joiner.cluster = {};
  scene.directory.said(joiner);
  scene.facts.latest.members[2] = member(3, 2);  // replaced, by an entry that is not committed
  CHECK(you() == You::kOtherIncarnation);
  scene.facts.committed.members.pop_back();
  CHECK(you() == You::kUnknown);
  scene.facts.committed = scene.facts.latest;
  CHECK(you() == You::kMember);
  // One that knows the cluster may be ahead of what is committed here.
  scene.facts.committed.members[2] = member(3);
  scene.directory.said(scene.hello(3, 2));
  CHECK(you() == You::kMember);
}

TEST_CASE("an empty process that says another address than the member's is not the member [F49]") {
  Scene scene;
  PeerHello elsewhere = scene.hello(3, 2);
  elsewhere.cluster = {};
  elsewhere.peer_address = "elsewhere:1";
  const auto news = scene.directory.said(elsewhere);
  CHECK(news->came_back_empty);
  CHECK(news->came_back_elsewhere);
  CHECK(scene.directory.returned().empty());
}

TEST_CASE(
    "a directory whose place most voters gave to a new life of the node serves no more [F1]") {
  Scene scene;
  PeerHello lagging = scene.hello(2);
  lagging.you = You::kOtherIncarnation;
  CHECK_FALSE(scene.directory.said(lagging)->former_life_here);
  PeerHello other = scene.hello(3);
  other.you = You::kOtherIncarnation;
  other.cluster.bytes.fill(9);
  CHECK_FALSE(scene.directory.said(other)->former_life_here);  // of another cluster
  scene.directory.link_is_up(NodeId{2});                       // it knows better now
  other.cluster = scene.own.cluster;
  CHECK_FALSE(scene.directory.said(other)->former_life_here);
  lagging.boot_epoch = 7;
  CHECK(scene.directory.said(lagging)->former_life_here);
}

TEST_CASE("a start that only others saw is known from them, of this node's directory, too [F52]") {
  Scene scene;
  KnownMarks theirs;
  theirs.learn(NodeId{2}, member(2).incarnation, {{6, 66}}, {}, {});
  theirs.learn(NodeId{3}, member(3, 9).incarnation, {{6, 66}}, {}, {});  // another life of it
  const auto told = [&] { return scene.directory.others_know(KnownMarks::encode(theirs.items())); };
  auto news = told();
  REQUIRE(news.moved.size() == 1);
  CHECK(news.moved[0].node == NodeId{2});
  CHECK_FALSE(news.own_copy_is_old);
  CHECK(told().moved.empty());
  PeerHello said = scene.hello(2);
  said.marks = {{5, 55}, {6, 77}};  // drawn by the copy
  CHECK(scene.directory.said(said)->peer_copy_is_old);
  scene.own.marks = {{5, 50}, {6, 60}};
  theirs.learn(NodeId{1}, member(1).incarnation, {{6, 60}}, {}, {});
  CHECK_FALSE(told().own_copy_is_old);
  theirs.learn(NodeId{1}, member(1).incarnation, {{7, 70}}, {}, {});
  CHECK(told().own_copy_is_old);
  news = scene.directory.others_know("garbage");
  CHECK(news.moved.empty());
  CHECK_FALSE(news.own_copy_is_old);
}

// The way of a mark and that of a hello are different ones: node 2 may know of this node's mark 6
// from another member before it reads the hello that this node said with mark 5.
TEST_CASE("a node that is told it is an old copy believes it only by its present marks [F52]") {
  Scene scene;
  scene.own.marks = {{5, 50}, {6, 60}};
  PeerHello accuses = scene.hello(2);
  accuses.you = You::kOldCopy;
  accuses.known_marks = {{5, 50}, {6, 60}};
  CHECK_FALSE(scene.directory.said(accuses)->own_copy_is_old);
  accuses.known_marks = {{6, 61}};
  CHECK(scene.directory.said(accuses)->own_copy_is_old);
  accuses.known_marks = {{7, 70}};
  CHECK(scene.directory.said(accuses)->own_copy_is_old);
  accuses.known_marks = {{2, 20}, {2, 21}};  // a fork, older than any mark that is kept here
  CHECK(scene.directory.said(accuses)->own_copy_is_old);
  accuses.cluster.bytes.fill(8);
  CHECK_FALSE(scene.directory.said(accuses)->own_copy_is_old);
}

TEST_CASE("a hello from before what is known is asked for again, and no old copy yet [F52]") {
  Scene scene;
  PeerHello said = scene.hello(2);
  said.marks = {{5, 55}, {6, 66}};
  scene.directory.said(said);
  said.marks = {{5, 55}};
  const auto news = scene.directory.said(said);
  CHECK(news->peer_is_behind);
  CHECK_FALSE(news->peer_copy_is_old);
  CHECK_FALSE(scene.directory.may_link(NodeId{2}));
  const PeerHello answer = scene.directory.hello_for(NodeId{2});
  CHECK(answer.you == You::kOldCopy);
  CHECK(answer.known_marks == std::vector<raft::Mark>{{5, 55}, {6, 66}});
  said.marks = {{5, 55}, {6, 66}, {7, 77}};
  scene.directory.said(said);
  CHECK_FALSE(scene.directory.is_old_copy(NodeId{2}));
  CHECK(scene.directory.hello_for(NodeId{2}).known_marks.empty());
}

// Node 2's directory was copied, node 2 started and was heard by node 3 only, the copy was put
// back, started and heard here only: two starts of the same number.
TEST_CASE("two starts of one number are a fork: neither is linked to any more [F52]") {
  Scene scene;
  PeerHello said = scene.hello(2);
  said.marks = {{5, 55}, {6, 77}};
  scene.directory.said(said);
  scene.directory.marks_stored(scene.directory.marks_version());
  CHECK(scene.directory.may_link(NodeId{2}));
  scene.directory.gone(NodeId{2});  // the talk is over, the link is up
  KnownMarks of_node_3;
  of_node_3.learn(NodeId{2}, member(2).incarnation, {{5, 55}, {6, 66}}, {}, {});
  const auto news = scene.directory.others_know(KnownMarks::encode(of_node_3.items()));
  CHECK(news.forked == std::vector<NodeId>{NodeId{2}});
  REQUIRE(news.moved.size() == 1);
  CHECK(news.moved[0].marks == std::vector<raft::Mark>{{6, 66}, {6, 77}});  // for the others
  CHECK_FALSE(scene.directory.may_link(NodeId{2}));
  // It says hello again, whichever of the two it is and however far it went since.
  said.marks = {{5, 55}, {6, 77}, {7, 88}};
  CHECK(scene.directory.said(said)->peer_copy_is_old);
  CHECK(scene.directory.hello_for(NodeId{2}).you == You::kOldCopy);
  CHECK(scene.directory.hello_for(NodeId{2}).known_marks == news.moved[0].marks);
  said.marks = {{5, 55}, {6, 66}};
  scene.directory.said(said);
  CHECK_FALSE(scene.directory.may_link(NodeId{2}));
}

TEST_CASE("a link whose node draws another mark than the one known is a fork, too [F52]") {
  Scene scene;
  PeerHello said = scene.hello(2);
  said.marks = {{5, 55}};
  scene.directory.said(said);
  const Incarnation life = member(2).incarnation;
  CHECK(scene.directory.has_marks(NodeId{2}, life, {{5, 55}, {6, 66}}).forked.empty());
  CHECK(scene.directory.has_marks(NodeId{2}, life, {{5, 55}, {6, 67}}).forked.size() == 1);
  CHECK(scene.directory.is_old_copy(NodeId{2}));
  PeerHello wiped = scene.hello(2, 2);  // and comes back as a new one
  scene.directory.said(wiped);
  CHECK_FALSE(scene.directory.is_old_copy(NodeId{2}));
}

TEST_CASE("nobody is linked to before what it said is on disk [F52]") {
  Scene scene;
  scene.directory.said(scene.hello(2));
  CHECK_FALSE(scene.directory.may_link(NodeId{2}));
  const uint64_t first = scene.directory.marks_version();
  scene.directory.said(scene.hello(3));
  scene.directory.marks_stored(first);
  CHECK(scene.directory.may_link(NodeId{2}));
  CHECK_FALSE(scene.directory.may_link(NodeId{3}));
  CHECK_FALSE(scene.directory.marks_are_stored());
  scene.directory.marks_stored(scene.directory.marks_version());
  CHECK(scene.directory.may_link(NodeId{3}));
  CHECK(scene.directory.marks_are_stored());
  // Another member told of its start first: no news, but not on disk either.
  KnownMarks theirs;
  theirs.learn(NodeId{2}, member(2).incarnation, {{5, 55}, {6, 66}}, {}, {});
  scene.directory.others_know(KnownMarks::encode(theirs.items()));
  PeerHello said = scene.hello(2);
  said.boot_epoch = 2;
  said.marks = {{5, 55}, {6, 66}};
  CHECK_FALSE(scene.directory.said(said)->marks_moved);
  CHECK_FALSE(scene.directory.may_link(NodeId{2}));
}

TEST_CASE("a start that is on disk comes back with later marks while the disk is full [F52]") {
  Scene scene;
  PeerHello said = scene.hello(2);
  said.boot_epoch = 3;
  scene.directory.said(said);
  said.marks.push_back({6, 66});  // its first mark of this start is not stored yet
  CHECK(scene.directory.said(said)->marks_moved);
  CHECK_FALSE(scene.directory.may_link(NodeId{2}));
  scene.directory.marks_stored(1);
  CHECK(scene.directory.may_link(NodeId{2}));
  scene.directory.gone(NodeId{2});
  said.marks.push_back({7, 77});
  CHECK(scene.directory.said(said)->marks_moved);  // to be stored, but nobody waits for it
  CHECK_FALSE(scene.directory.marks_are_stored());
  CHECK(scene.directory.may_link(NodeId{2}));
  scene.directory.gone(NodeId{2});
  said.boot_epoch = 4;  // a start is waited for, also if its mark was heard of before
  CHECK_FALSE(scene.directory.said(said)->marks_moved);
  CHECK_FALSE(scene.directory.may_link(NodeId{2}));
  scene.directory.marks_stored(scene.directory.marks_version());
  CHECK(scene.directory.may_link(NodeId{2}));
  said.incarnation = member(2, 2).incarnation;  // another life with a start of that number
  scene.directory.said(said);
  CHECK_FALSE(scene.directory.may_link(NodeId{2}));
}

TEST_CASE("an old copy is known as one after any number of strangers [F52]") {
  Scene scene;
  scene.directory.linked(NodeId{4});
  for (int start = 0; start < 256; ++start) {  // of a removed node that comes back empty each time
    PeerHello stranger = scene.hello(4);
    stranger.cluster = {};
    stranger.incarnation.bytes[0] = static_cast<uint8_t>(start);
    scene.directory.said(stranger);
  }
  PeerHello said = scene.hello(2);
  said.marks = {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}};
  CHECK(scene.directory.said(said)->marks_moved);
  said.marks.resize(3);  // its directory was put back
  CHECK(scene.directory.said(said)->peer_is_behind);
  said.marks.push_back({4, 99});  // and started
  scene.directory.said(said);
  CHECK(scene.directory.is_old_copy(NodeId{2}));
}

TEST_CASE("an old copy of a member whose replacement is cut away again is known as one [F52]") {
  Scene scene;
  PeerHello said = scene.hello(2);
  said.marks = {{4, 44}, {5, 55}};
  CHECK(scene.directory.said(said)->marks_moved);
  scene.facts.latest.members[1] = member(2, 2);  // by an entry that is not committed
  scene.directory.members_changed();             // one before it was
  const Incarnation life = member(2).incarnation;
  CHECK_FALSE(scene.directory.has_marks(NodeId{2}, life, {{6, 66}}).moved.empty());
  scene.facts.latest = scene.facts.committed;
  said.marks.resize(1);  // its directory was put back
  CHECK(scene.directory.said(said)->peer_is_behind);
  CHECK(scene.directory.is_old_copy(NodeId{2}));
}

TEST_CASE("a hello is news once; options that differ and a removal show in it") {
  Scene scene;
  PeerHello said = scene.hello(2);
  said.election_timeout_ms = 500;
  CHECK(scene.directory.said(said)->timeout_differs);
  CHECK_FALSE(scene.directory.said(said));
  said.you = You::kRemoved;
  const auto news = scene.directory.said(said);
  CHECK(news->removed_here);
  CHECK_FALSE(news->timeout_differs);  // said before
  said.cluster.bytes.fill(8);
  CHECK_FALSE(scene.directory.said(said)->removed_here);  // of another cluster
}

TEST_CASE("a directory that does not go on from where it was is an old copy [F52]") {
  Scene scene;
  PeerHello said = scene.hello(2);
  CHECK(scene.directory.said(said)->marks_moved);
  said.marks = {{4, 44}, {5, 66}};  // another nonce: a copy that went its own way
  auto news = scene.directory.said(said);
  CHECK(news->peer_copy_is_old);
  CHECK(scene.directory.is_old_copy(NodeId{2}));
  CHECK(scene.directory.hello_for(NodeId{2}).you == You::kOldCopy);
  said.boot_epoch = 8;
  CHECK_FALSE(scene.directory.said(said)->peer_copy_is_old);  // said once
  said.marks = {{5, 55}, {6, 77}};
  CHECK(scene.directory.said(said)->marks_moved);
  CHECK_FALSE(scene.directory.is_old_copy(NodeId{2}));
  const Incarnation life = member(2).incarnation;
  const auto moved = [&](uint64_t id, const Incarnation& of, const raft::Mark& mark) {
    return !scene.directory.has_marks(NodeId{id}, of, {mark}).moved.empty();
  };
  CHECK(moved(2, life, {7, 1}));
  CHECK_FALSE(moved(2, life, {7, 1}));
  CHECK_FALSE(moved(9, life, {7, 1}));  // no member
  // A former life of the member, started again, went further than it: that says nothing of it.
  CHECK_FALSE(moved(2, member(2, 9).incarnation, {99, 9}));
  said.boot_epoch = 9;
  said.marks = {{7, 1}, {8, 2}};
  CHECK_FALSE(scene.directory.said(said)->peer_copy_is_old);
  CHECK_FALSE(scene.directory.is_old_copy(NodeId{2}));
}

TEST_CASE("who founded alone and was a member elsewhere is a second cluster [F54]") {
  Scene scene;
  PeerHello other = scene.hello(2);
  other.cluster.bytes.fill(9);
  other.you = You::kOtherIncarnation;
  CHECK_FALSE(scene.directory.said(other)->second_cluster);  // three members: not alone
  scene.facts.latest.members.resize(1);
  scene.directory.gone(NodeId{2});
  CHECK(scene.directory.said(other)->second_cluster);
  other.you = You::kUnknown;
  CHECK_FALSE(scene.directory.said(other)->second_cluster);
}

TEST_CASE("a double is worth a word when its member was not dead for a while [F49]") {
  Scene scene;
  const raft::MemberLives lives{member(2), member(2, 2)};
  using Double = PeerDirectory::Double;
  CHECK(scene.directory.double_seen(lives, 1000) == Double::kMaybe);
  CHECK(scene.directory.double_seen(lives, 2199) == Double::kMaybe);
  CHECK(scene.directory.double_seen(lives, 2200) == Double::kNews);
  CHECK(scene.directory.double_seen(lives, 2300) == Double::kKnown);
}

}  // namespace kiwi::actors
