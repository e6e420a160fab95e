// PeerLinks without sockets and actors: two nodes' links whose frames a test carries by hand.
#include "actors/peers/peer_links.hpp"

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "raft/codec.hpp"
#include "tests/support/raft_node.hpp"

namespace kiwi::actors {
namespace {

using raft::testing::incarnation_of;
using What = PeerLinks::Arrived::What;

constexpr NodeId kHere{1};
constexpr NodeId kThere{2};

// One direction of a connection. Its address is the Speaker at the other end.
struct Way {
  std::deque<Frame> frames;
};

class WayWire final : public PeerLinks::Wire {
 public:
  explicit WayWire(Way& way) : way_(way) {}
  void send(Frame frame) override { way_.frames.push_back(std::move(frame)); }

 private:
  Way& way_;
};

// Node 1 dials node 2.
struct Pair {
  void connect(const std::string& token = "token") {
    forth.frames.clear();
    back.frames.clear();
    there.expect(kHere, incarnation_of(kHere), token);
    here.dialled(kThere, incarnation_of(kThere), token, &back, std::make_unique<WayWire>(forth));
    deliver();
  }
  std::vector<PeerLinks::Arrived> carry(Way& way, PeerLinks& to, Way& other) {
    std::vector<PeerLinks::Arrived> arrived;
    while (!way.frames.empty()) {
      Frame frame = std::move(way.frames.front());
      way.frames.pop_front();
      if (frame.kind == FrameKind::kHello) {
        greeted = to.greeted(frame.bytes, &way, std::make_unique<WayWire>(other));
        continue;
      }
      PeerLinks::Arrived one = to.receive(&way, std::move(frame));
      if (one.what != What::kNothing) {
        arrived.push_back(std::move(one));
      }
    }
    return arrived;
  }
  // What arrives at node 2.
  std::vector<PeerLinks::Arrived> deliver() {
    here.flush();
    there.flush();
    std::vector<PeerLinks::Arrived> arrived = carry(forth, there, back);
    carry(back, here, forth);
    return arrived;
  }

  PeerLinks here;
  PeerLinks there;
  Way forth;
  Way back;
  bool greeted = false;
};

raft::Outgoing heartbeat() { return {kThere, {kHere, kThere, Term{3}, raft::AppendEntries{}, {}}}; }

raft::Outgoing entries(size_t bytes) {
  raft::AppendEntries append;
  raft::Entry entry;
  entry.index = LogIndex{1};
  entry.payload = SharedBytes(std::string(bytes, 'x'));
  append.entries.push_back(std::move(entry));
  return {kThere, {kHere, kThere, Term{3}, std::move(append), {}}};
}

}  // namespace

TEST_CASE("a link is up at both ends once the hello was answered, and ends once") {
  Pair pair;
  pair.connect();
  CHECK(pair.greeted);
  CHECK(pair.here.take_changes() == std::vector<PeerLinks::Change>{{kThere, "token", true, false}});
  CHECK(pair.there.take_changes() == std::vector<PeerLinks::Change>{{kHere, "token", true, false}});
  CHECK(pair.here.up() == std::vector<NodeId>{kThere});
  pair.here.lost(&pair.back);
  pair.here.lost(&pair.back);
  CHECK(pair.here.take_changes() == std::vector<PeerLinks::Change>{{kThere, "token", false, true}});
  CHECK(pair.here.up().empty());
}

TEST_CASE("what goes and comes is counted at both ends, and what waits") {
  Pair pair;
  pair.connect();
  const uint64_t before = pair.there.traffic().received_bytes;
  REQUIRE(pair.here.send(kFirstGroup, entries(10'000)));
  CHECK(pair.here.queued_bytes() > 10'000);
  REQUIRE(pair.deliver().size() == 1);
  CHECK(pair.here.queued_bytes() == 0);
  const uint64_t sent = pair.here.traffic().sent_bytes;
  CHECK(sent > 10'000);
  CHECK(pair.there.traffic().received_bytes - before == sent);
  pair.here.lost(&pair.back);
  CHECK(pair.here.traffic().sent_bytes == sent);  // of links that ended, too
}

TEST_CASE("who says another token than the one agreed on is nobody, and so is who says none") {
  Pair pair;
  pair.there.expect(kHere, incarnation_of(kHere), "token");
  CHECK_FALSE(pair.there.greeted("guess", &pair.forth, std::make_unique<WayWire>(pair.back)));
  const std::string message = raft::encode_message(heartbeat().message);
  CHECK(pair.there.receive(&pair.forth, {FrameKind::kWhole, kFirstGroup, message}).what ==
        What::kNothing);
  CHECK(pair.there.take_changes().empty());
  CHECK(pair.there.greeted("token", &pair.forth, std::make_unique<WayWire>(pair.back)));
  CHECK_FALSE(pair.there.greeted("token", &pair.back, std::make_unique<WayWire>(pair.forth)));
}

TEST_CASE("a later expectation of the same peer replaces the earlier one") {
  Pair pair;
  pair.there.expect(kHere, incarnation_of(kHere), "first");
  pair.there.expect(kHere, incarnation_of(kHere), "second");
  CHECK_FALSE(pair.there.greeted("first", &pair.forth, std::make_unique<WayWire>(pair.back)));
  CHECK(pair.there.greeted("second", &pair.forth, std::make_unique<WayWire>(pair.back)));
}

TEST_CASE("nothing counts that a peer on an old copy sent, also what is here already [F52]") {
  Pair pair;
  pair.connect();
  REQUIRE(pair.here.send(kFirstGroup, heartbeat()));
  pair.here.flush();
  pair.there.take_changes();
  pair.there.refuse(kHere);
  CHECK(pair.there.take_changes() == std::vector<PeerLinks::Change>{{kHere, "token", false, true}});
  REQUIRE_FALSE(pair.forth.frames.empty());
  CHECK(pair.carry(pair.forth, pair.there, pair.back).empty());
  // Neither does the connection count that it is expected on.
  pair.there.expect(kHere, incarnation_of(kHere), "next");
  pair.there.refuse(kHere);
  CHECK(pair.there.take_changes() == std::vector<PeerLinks::Change>{{kHere, "next", false, false}});
  CHECK_FALSE(pair.there.greeted("next", &pair.forth, std::make_unique<WayWire>(pair.back)));
}

TEST_CASE("nothing is sent on a link that is not up, or is there no more") {
  Pair pair;
  CHECK_FALSE(pair.here.send(kFirstGroup, heartbeat()));
  pair.here.dialled(kThere, incarnation_of(kThere), "token", &pair.back,
                    std::make_unique<WayWire>(pair.forth));
  CHECK_FALSE(pair.here.send(kFirstGroup, heartbeat()));
  CHECK(pair.forth.frames.size() == 1);  // the hello
}

TEST_CASE("two groups over one link: each message arrives as its group's, of the peer's life") {
  Pair pair;
  pair.connect();
  REQUIRE(pair.here.send(GroupId{1}, heartbeat()));
  REQUIRE(pair.here.send(GroupId{2}, entries(600'000)));
  REQUIRE(pair.here.send(GroupId{1}, entries(10)));
  pair.here.send_note(GroupId{2}, kThere, "note");
  pair.here.send_snapshot(GroupId{2}, kThere, "snapshot");
  std::vector<PeerLinks::Arrived> arrived;
  for (int round = 0; round < 5; ++round) {
    for (PeerLinks::Arrived& one : pair.deliver()) {
      arrived.push_back(std::move(one));
    }
  }
  REQUIRE(arrived.size() == 5);
  std::string seen;
  for (const PeerLinks::Arrived& one : arrived) {
    CHECK(one.peer == kHere);
    CHECK(one.incarnation == incarnation_of(kHere));
    seen += "mMsn"[static_cast<size_t>(one.what)] + std::to_string(one.group.value) + " ";
  }
  CHECK(seen == "M1 n2 M2 M1 s2 ");
}

TEST_CASE("a new connection takes the place of the old one, which is heard no more") {
  Pair pair;
  pair.connect("first");
  pair.there.take_changes();
  Way again;
  pair.there.expect(kHere, incarnation_of(kHere, 2), "second");
  REQUIRE(pair.there.greeted("second", &again, std::make_unique<WayWire>(pair.back)));
  CHECK(pair.there.take_changes() ==
        std::vector<PeerLinks::Change>{{kHere, "first", false, true},
                                       {kHere, "second", true, false}});
  const std::string message = raft::encode_message(heartbeat().message);
  CHECK(pair.there.receive(&pair.forth, {FrameKind::kWhole, kFirstGroup, message}).what ==
        What::kNothing);
  const PeerLinks::Arrived arrived =
      pair.there.receive(&again, {FrameKind::kWhole, kFirstGroup, message});
  CHECK(arrived.what == What::kMessage);
  CHECK(arrived.incarnation == incarnation_of(kHere, 2));
}

TEST_CASE("a frame that breaks the rules ends the link") {
  const std::vector<Frame> bad = {{FrameKind::kPart, kFirstGroup, "of nothing"},
                                  {FrameKind::kWhole, GroupId{}, "of no group"},
                                  {static_cast<FrameKind>(99), kFirstGroup, ""}};
  for (const Frame& frame : bad) {
    Pair pair;
    pair.connect();
    pair.there.take_changes();
    CHECK(pair.there.receive(&pair.forth, frame).what == What::kNothing);
    CHECK(pair.there.take_changes() ==
          std::vector<PeerLinks::Change>{{kHere, "token", false, true}});
  }
}

TEST_CASE("a link on which nothing moves for ten seconds ends; one that has nothing to say stays") {
  Pair pair;
  pair.connect();
  pair.here.tick(0);
  pair.here.tick(60'000);
  CHECK(pair.here.up().size() == 1);
  for (int i = 0; i < 8; ++i) {
    REQUIRE(pair.here.send(kFirstGroup, entries(200'000)));
  }
  pair.here.flush();  // as much as may be unacknowledged; the rest waits
  pair.here.tick(60'000);
  pair.here.tick(69'999);
  CHECK(pair.here.up().size() == 1);
  SUBCASE("an answer came") {
    pair.deliver();
    pair.here.flush();
    pair.here.tick(70'000);
    CHECK(pair.here.up().size() == 1);
  }
  SUBCASE("no answer came") {
    pair.here.tick(70'000);
    CHECK(pair.here.up().empty());
  }
}

}  // namespace kiwi::actors
