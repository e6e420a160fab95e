// Bootstrap: who may found a cluster, who may join one (F1, F2).
#include "actors/node/bootstrap.hpp"

#include <doctest/doctest.h>

#include "raft/codec.hpp"
#include "raft/core.hpp"

namespace kiwi::actors {
namespace {

Incarnation life(uint8_t n) {
  Incarnation id;
  id.bytes.fill(n);
  return id;
}
ClusterId cluster(uint8_t n) {
  ClusterId id;
  id.bytes.fill(n);
  return id;
}
std::vector<config::PeerAddress> peers(const std::string& text) {
  return *config::parse_peers(text);
}
const char* const kThree = "1@127.0.0.1:6379,2@127.0.0.1:6380,3@127.0.0.1:6381";

raft::Member member(uint64_t id, uint8_t n) {
  return {NodeId{id}, life(n), "127.0.0.1:" + std::to_string(6378 + id),
          "127.0.0.1:" + std::to_string(16378 + id)};
}
PeerHello empty_hello(uint64_t id, uint8_t n, const std::string& list = kThree) {
  PeerHello hello;
  hello.node = NodeId{id};
  hello.incarnation = life(n);
  hello.list_digest = list_digest(peers(list), config::Bootstrap::kAuto);
  hello.architecture = own_architecture();
  hello.cluster_version_max = config::kClusterVersionMax;
  return hello;
}
std::string founding_entry(const ClusterId& id, std::vector<raft::Member> members) {
  raft::Configuration first;
  first.cluster = id;
  for (const raft::Member& m : members) {
    first.voters.push_back(m.id);
  }
  first.members = std::move(members);
  std::string bytes;
  raft::append_entry(bytes, raft::bootstrap_entry(first, 1000));
  return bytes;
}
PeerHello member_hello(uint64_t id, uint8_t n, PeerHello::You you) {
  PeerHello hello = empty_hello(id, n);
  hello.cluster = cluster(9);
  hello.you = you;
  return hello;
}
bool waits(const Bootstrap& b) { return std::holds_alternative<Bootstrap::Wait>(b.decide()); }

}  // namespace

TEST_CASE("a node that no link to can last is no founder, and is named [F2][F46]") {
  Bootstrap one(member(1, 11), peers(kThree), config::Bootstrap::kAuto);
  one.peer_said(empty_hello(2, 22));
  PeerHello other = empty_hello(3, 33);
  other.architecture = "s390x";
  one.peer_said(other);
  CHECK(waits(one));
  one.peer_gone(NodeId{3});  // its handshake failed
  CHECK(waits(one));
  CHECK(one.waiting_for().find("node 3 and this one cannot") != std::string::npos);
  CHECK(one.waiting_for().find("s390x") != std::string::npos);
  other = empty_hello(3, 33);
  other.cluster_version = config::kClusterVersionMax + 1;  // its cluster is beyond this build
  other.cluster_version_max = other.cluster_version;
  one.peer_said(other);
  CHECK(waits(one));
  CHECK(one.waiting_for().find("this build supports") != std::string::npos);
  one.peer_said(empty_hello(3, 33));  // another machine, the same place in the list
  CHECK(std::holds_alternative<Bootstrap::Found>(one.decide()));
}

TEST_CASE("a cluster that this build cannot be in is not joined [F2][F46]") {
  Bootstrap three(member(3, 33), peers(kThree), config::Bootstrap::kAuto);
  PeerHello said = member_hello(1, 11, PeerHello::You::kMember);
  said.architecture = "s390x";
  three.peer_said(said);
  CHECK(waits(three));
  said.architecture = own_architecture();
  three.peer_said(said);
  CHECK(std::holds_alternative<Bootstrap::Join>(three.decide()));
}

TEST_CASE(
    "the lowest id founds the cluster only when every listed peer said that it is empty [F2]") {
  Bootstrap one(member(1, 11), peers(kThree), config::Bootstrap::kAuto);
  CHECK(waits(one));
  one.peer_said(empty_hello(2, 22));
  CHECK(waits(one));
  CHECK(one.waiting_for().find("waiting for node 3") != std::string::npos);
  one.peer_said(empty_hello(3, 33));
  const auto decision = one.decide();
  const auto* found = std::get_if<Bootstrap::Found>(&decision);
  REQUIRE(found != nullptr);
  REQUIRE(found->members.size() == 3);
  CHECK(found->members[0] == member(1, 11));
  CHECK(found->members[1] == member(2, 22));
  CHECK(found->members[2] == member(3, 33));
}

TEST_CASE("a peer whose connection broke does not count as empty any more [F2]") {
  Bootstrap one(member(1, 11), peers(kThree), config::Bootstrap::kAuto);
  one.peer_said(empty_hello(2, 22));
  one.peer_said(empty_hello(3, 33));
  one.peer_gone(NodeId{2});
  CHECK(waits(one));
}

TEST_CASE("nodes with other ids than the lowest never found [F2]") {
  Bootstrap two(member(2, 22), peers(kThree), config::Bootstrap::kAuto);
  two.peer_said(empty_hello(1, 11));
  two.peer_said(empty_hello(3, 33));
  CHECK(waits(two));
}

TEST_CASE("lists that differ never form a cluster, and the sentence says where [F2]") {
  Bootstrap one(member(1, 11), peers(kThree), config::Bootstrap::kAuto);
  one.peer_said(empty_hello(2, 22));
  one.peer_said(empty_hello(3, 33, "1@127.0.0.1:6379,3@127.0.0.1:6381"));
  CHECK(waits(one));
  CHECK(one.waiting_for().find("on node 3 differ") != std::string::npos);
}

TEST_CASE("the order of the list does not matter [F2]") {
  CHECK(list_digest(peers(kThree), config::Bootstrap::kAuto) ==
        list_digest(peers("3@127.0.0.1:6381,1@127.0.0.1:6379,2@127.0.0.1:6380"),
                    config::Bootstrap::kAuto));
  CHECK(list_digest(peers(kThree), config::Bootstrap::kAuto) !=
        list_digest(peers(kThree), config::Bootstrap::kManual));
}

TEST_CASE("one peer that knows a cluster ends founding for good, even when it is gone again [F2]") {
  Bootstrap one(member(1, 11), peers(kThree), config::Bootstrap::kAuto);
  one.peer_said(empty_hello(2, 22));
  one.peer_said(member_hello(3, 33, PeerHello::You::kUnknown));
  CHECK(waits(one));
  one.peer_gone(NodeId{3});
  one.peer_said(empty_hello(3, 34));  // wiped meanwhile: a majority of empty nodes must not re-form
  CHECK(waits(one));
}

TEST_CASE("a founder that was named joins with the founding entry [F2]") {
  Bootstrap two(member(2, 22), peers(kThree), config::Bootstrap::kAuto);
  PeerHello hello = member_hello(1, 11, PeerHello::You::kMember);
  hello.first_entry = founding_entry(cluster(9), {member(1, 11), member(2, 22), member(3, 33)});
  two.peer_said(hello);
  const auto decision = two.decide();
  const auto* join = std::get_if<Bootstrap::Join>(&decision);
  REQUIRE(join != nullptr);
  CHECK(join->cluster == cluster(9));
  REQUIRE(join->first_entry.has_value());
  CHECK(join->first_entry->index == LogIndex{1});
}

TEST_CASE("a wiped node waits, says why, and does not take up its old vote [F1]") {
  Bootstrap two(member(2, 99), peers(kThree), config::Bootstrap::kAuto);
  PeerHello hello = member_hello(1, 11, PeerHello::You::kOtherIncarnation);
  hello.first_entry = founding_entry(cluster(9), {member(1, 11), member(2, 22), member(3, 33)});
  two.peer_said(hello);
  CHECK(waits(two));
  CHECK(two.wiped());
  CHECK(two.waiting_for().find("wiped") != std::string::npos);
}

TEST_CASE("a replaced node joins with an empty log: the founding entry names its old life [F1]") {
  Bootstrap two(member(2, 99), peers(kThree), config::Bootstrap::kAuto);
  two.peer_said(member_hello(1, 11, PeerHello::You::kOtherIncarnation));
  PeerHello hello = member_hello(1, 11, PeerHello::You::kMember);
  hello.first_entry = founding_entry(cluster(9), {member(1, 11), member(2, 22), member(3, 33)});
  two.peer_said(hello);
  const auto decision = two.decide();
  const auto* join = std::get_if<Bootstrap::Join>(&decision);
  REQUIRE(join != nullptr);
  CHECK(join->cluster == cluster(9));
  CHECK_FALSE(join->first_entry.has_value());
}

TEST_CASE("a founding entry of another cluster, or garbage, is not believed") {
  Bootstrap two(member(2, 22), peers(kThree), config::Bootstrap::kAuto);
  PeerHello hello = member_hello(1, 11, PeerHello::You::kMember);
  hello.first_entry = founding_entry(cluster(8), {member(1, 11), member(2, 22), member(3, 33)});
  two.peer_said(hello);
  CHECK(waits(two));
  hello.first_entry = "garbage";
  two.peer_said(hello);
  CHECK(waits(two));
}

TEST_CASE("without peers a node is a cluster of one at once, unless it shall wait") {
  Bootstrap alone(member(1, 11), {}, config::Bootstrap::kAuto);
  CHECK(std::holds_alternative<Bootstrap::Found>(alone.decide()));
  Bootstrap manual(member(1, 11), {}, config::Bootstrap::kManual);
  CHECK(waits(manual));
  manual.init();
  const auto decision = manual.decide();
  const auto* found = std::get_if<Bootstrap::Found>(&decision);
  REQUIRE(found != nullptr);
  CHECK(found->members.size() == 1);
}

TEST_CASE("a manual node with peers does not form a cluster by itself") {
  Bootstrap one(member(1, 11), peers(kThree), config::Bootstrap::kManual);
  PeerHello two = empty_hello(2, 22);
  PeerHello three = empty_hello(3, 33);
  two.list_digest = three.list_digest = list_digest(peers(kThree), config::Bootstrap::kManual);
  one.peer_said(two);
  one.peer_said(three);
  CHECK(waits(one));
}

TEST_CASE("a removed id is told so") {
  Bootstrap two(member(2, 22), peers(kThree), config::Bootstrap::kAuto);
  two.peer_said(member_hello(1, 11, PeerHello::You::kRemoved));
  CHECK(waits(two));
  CHECK(two.removed());
  CHECK(two.waiting_for().find("was removed") != std::string::npos);
}

TEST_CASE(
    "an empty process with the id of a node that lives waits, and says where that one is [F49]") {
  Bootstrap two(member(2, 22), peers(kThree), config::Bootstrap::kAuto);
  PeerHello hello = member_hello(3, 33, PeerHello::You::kInUse);
  hello.where = "10.0.0.2:40000";
  two.peer_said(hello);
  CHECK(std::holds_alternative<Bootstrap::Wait>(two.decide()));
  CHECK_FALSE(two.wiped());
  const std::string text = two.waiting_for();
  CHECK(text.find("node 2 lives") != std::string::npos);
  CHECK(text.find("10.0.0.2:40000") != std::string::npos);
  CHECK(text.find("127.0.0.1:16380") != std::string::npos);
  two.peer_said(member_hello(3, 33, PeerHello::You::kOtherIncarnation));  // it died meanwhile
  CHECK(two.wiped());
  CHECK(two.waiting_for().find("lives") == std::string::npos);
}

TEST_CASE("a member that does not know yet which life this is lets nobody in [F1]") {
  Bootstrap two(member(2, 22), peers(kThree), config::Bootstrap::kAuto);
  two.peer_said(member_hello(1, 11, PeerHello::You::kKnown));
  CHECK(std::holds_alternative<Bootstrap::Wait>(two.decide()));
  CHECK_FALSE(two.wiped());
  two.peer_said(member_hello(1, 11, PeerHello::You::kMember));
  CHECK(std::holds_alternative<Bootstrap::Join>(two.decide()));
}

}  // namespace kiwi::actors
