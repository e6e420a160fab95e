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
  theirs.remember(NodeId{2}, member(2).incarnation, {6, 66}, {});
  theirs.remember(NodeId{3}, member(3, 9).incarnation, {6, 66}, {});  // another life of it
  auto news = scene.directory.others_know(theirs.encode());
  CHECK(news.moved);
  CHECK_FALSE(news.own_copy_is_old);
  CHECK_FALSE(scene.directory.others_know(theirs.encode()).moved);
  PeerHello said = scene.hello(2);
  said.marks = {{5, 55}, {6, 77}};  // drawn by the copy
  CHECK(scene.directory.said(said)->peer_copy_is_old);
  scene.own.marks = {{5, 50}, {6, 60}};
  theirs.remember(NodeId{1}, member(1).incarnation, {6, 60}, {});
  CHECK_FALSE(scene.directory.others_know(theirs.encode()).own_copy_is_old);
  theirs.remember(NodeId{1}, member(1).incarnation, {7, 70}, {});
  CHECK(scene.directory.others_know(theirs.encode()).own_copy_is_old);
  news = scene.directory.others_know("garbage");
  CHECK_FALSE(news.moved);
  CHECK_FALSE(news.own_copy_is_old);
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
  CHECK(scene.directory.said(said)->peer_copy_is_old);
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
  CHECK(scene.directory.has_marks(NodeId{2}, life, {{7, 1}}));
  CHECK_FALSE(scene.directory.has_marks(NodeId{2}, life, {{7, 1}}));
  CHECK_FALSE(scene.directory.has_marks(NodeId{9}, life, {{7, 1}}));  // no member
  // A former life of the member, started again, went further than it: that says nothing of it.
  CHECK_FALSE(scene.directory.has_marks(NodeId{2}, member(2, 9).incarnation, {{99, 9}}));
  said.boot_epoch = 9;
  said.marks = {{7, 1}, {8, 2}};
  CHECK_FALSE(scene.directory.said(said)->peer_copy_is_old);
  CHECK_FALSE(scene.directory.is_old_copy(NodeId{2}));
  said.you = You::kOldCopy;
  said.marks = {{7, 1}};
  CHECK(scene.directory.said(said)->own_copy_is_old);
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
