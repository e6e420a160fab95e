// What nodes say to each other has a version: kPeerProtocols.max (F46). Two programs of the same
// version link up and believe that they understand each other, so whoever changes a byte of it has
// to raise the version. This test holds the bytes of one message of each kind under the version
// that they belong to.
#include <array>
#include <string>

#include <doctest/doctest.h>

#include "actors/node/directory_marks.hpp"
#include "actors/node/node_note.hpp"
#include "actors/node/visit_talk.hpp"
#include "actors/peers/fragments.hpp"
#include "actors/peers/peer_auth.hpp"
#include "actors/peers/peer_handshake.hpp"
#include "actors/snapshots/snapshot_protocol.hpp"
#include "config/base/bytes.hpp"
#include "config/base/checksum.hpp"
#include "raft/codec.hpp"
#include "raft/lineage.hpp"
#include "tests/support/raft_node.hpp"

namespace kiwi::actors {

namespace {

using raft::testing::incarnation_of;
using raft::testing::member_of;

raft::Configuration configuration() {
  raft::Configuration out;
  out.cluster.bytes[3] = 9;
  for (const uint64_t id : {1, 2, 3}) {
    out.members.push_back(member_of(NodeId{id}));
  }
  out.voters = {NodeId{1}, NodeId{2}};
  out.outgoing_voters = {NodeId{1}};
  out.removed_ids = {NodeId{7}};
  out.promoting = {NodeId{3}};
  return out;
}

std::string raft_messages() {
  raft::Entry entry;
  entry.index = LogIndex{258};
  entry.term = Term{3};
  entry.kind = raft::EntryKind::kBatch;
  entry.stamp_ms = 1'700'000'000'123;
  entry.seed = 99;
  entry.number = {NodeId{2}, incarnation_of(NodeId{2}), 5, 77};
  entry.payload = SharedBytes(std::string("SET a 1"));
  raft::Entry large = entry;
  large.payload = SharedBytes(std::string(5000, 'x'));
  const raft::Proposal proposal{entry.number, raft::EntryKind::kBatch, entry.payload,
                                1'700'000'000'999};
  raft::AppendEntries append{LogIndex{9}, Term{2},           LogIndex{8},       4,
                             12,          1'700'000'000'123, 1'700'000'000'456, {entry}};
  raft::AppendEntries long_one = append;
  long_one.entries = {large};
  const raft::Body bodies[] = {
      raft::RequestVote{LogIndex{300}, Term{4}, true, true},
      raft::RequestVoteResponse{true, true},
      append,
      long_one,
      raft::AppendEntriesResponse{true, LogIndex{11}, LogIndex{5}, Term{2}, 4, 12, true,
                                  LogIndex{9}, 300, 1'700'000'000'456, 1'700'000'000'789},
      raft::TimeoutNow{},
      raft::Propose{{proposal}},
      raft::ProposeRefused{raft::RefusalReason::kGap, proposal.number, 299},
      raft::ReadIndexRequest{42, true},
      raft::ReadIndexResponse{42, true, true, LogIndex{11}, 1'700'000'000'123, true},
      raft::NotMember{},
  };
  static_assert(std::size(bodies) == std::variant_size_v<raft::Body> + 1);
  std::string out;
  for (const raft::Body& body : bodies) {
    out += raft::encode_message({NodeId{1}, NodeId{2}, Term{3}, body, {}});
  }
  return out + raft::encode_configuration(configuration());
}

std::string snapshot_messages() {
  SnapshotWant want;
  want.round = 9;
  want.what = SnapshotWant::What::kFiles;
  want.ranges = {{7, 1ULL << 40, 3}};
  want.base.index = LogIndex{4};
  const SnapshotBody bodies[] = {SnapshotOffer{LogIndex{1}, LogIndex{2}, 3},
                                 want,
                                 SnapshotChunk{3, 4, Term{5}, 6, 7, true, "bytes"},
                                 SnapshotAck{1, 2, true},
                                 SnapshotDone{true, LogIndex{3}},
                                 SnapshotBusy{LogIndex{3}},
                                 SnapshotRefused{4},
                                 SnapshotUnknown{},
                                 SnapshotAbort{}};
  static_assert(std::size(bodies) == std::variant_size_v<SnapshotBody>);
  std::string out;
  for (const SnapshotBody& body : bodies) {
    out += encode_snapshot({42, body});
  }
  return out;
}

// Both sides of a link's opening, and of a visit.
std::string handshake_frames() {
  const auto options = [](uint64_t id) {
    return PeerHandshake::Options{NodeId{id}, "secret", [](NodeId) { return true; },
                                  std::string(kNonceBytes, static_cast<char>('a' + id))};
  };
  PeerHello hello;
  hello.incarnation = incarnation_of(NodeId{1});
  hello.cluster = configuration().cluster;
  hello.list_digest = 77;
  hello.client_address = "c:1";
  hello.peer_address = "p:1";
  hello.boot_epoch = 6;
  hello.marks = {{5, 55}, {6, 66}};
  hello.election_timeout_ms = 300;
  hello.you = PeerHello::You::kMember;
  hello.where = "w:1";
  hello.first_entry = "first";
  hello.build = "b";
  hello.architecture = "x86_64";
  hello.cluster_version = 1;
  hello.cluster_version_max = 2;
  hello.tls_client_address = "t:1";
  hello.groups = 3;
  hello.known_marks = {{6, 66}, {6, 67}};
  std::string out;
  for (const bool visits : {false, true}) {
    PeerHandshake dialer = visits
                               ? PeerHandshake::visitor(options(1))
                               : PeerHandshake::dialer(options(1), NodeId{2}, std::string(16, 't'));
    PeerHandshake acceptor = PeerHandshake::acceptor(options(2));
    for (int round = 0; round < 10; ++round) {
      if (visits && round == 0) {
        dialer.ask("question");
      } else if (!visits) {
        hello.node = NodeId{1};
        dialer.say(hello);
        hello.node = NodeId{2};
        acceptor.say(hello);
      }
      for (const std::string& frame : dialer.take_frames()) {
        out += frame;
        acceptor.receive(frame);
      }
      if (visits && acceptor.heard() && round == 8) {
        acceptor.tell("answer");
      }
      for (const std::string& frame : acceptor.take_frames()) {
        out += frame;
        dialer.receive(frame);
      }
    }
    CHECK(acceptor.proven());
    CHECK(
        (visits ? dialer.heard() == "answer" : dialer.phase() == PeerHandshake::Phase::kSwitched));
  }
  return out;
}

std::string words_of_operators() {
  raft::Member member = member_of(NodeId{4});
  member.tls_client_address = "t:4";
  member.labels = {{"rack", "7"}, {"zone", "a"}};
  const AdminOrder orders[] = {AddMember{member}, RemoveMember{NodeId{2}},
                               Reconfigure{{member, member_of(NodeId{2})}}, HandOver{NodeId{3}},
                               MoveMember{member}};
  static_assert(std::size(orders) == std::variant_size_v<AdminOrder>);
  std::string out;
  for (const AdminOrder& order : orders) {
    out += encode_note(OrderNote{7, order});
  }
  const OrderAnswer answer{
      OrderRefusal::kCore, true, {raft::ChangeRefusal::kNotMember, NodeId{9}}, "here:1", "there:2"};
  const NodeNote notes[] = {
      OrderNote{7, HandOver{}},
      OrderAnswerNote{8, answer},
      PressureNote{900},
      DiskNote{true},
      MarksNote{{{5, 55}}},
      KnownMarksNote{KnownMarks::encode({{NodeId{2}, incarnation_of(NodeId{2}), {{5, 55}}}})}};
  static_assert(std::size(notes) == std::variant_size_v<NodeNote>);
  for (const NodeNote& note : notes) {
    out += encode_note(note);
  }
  const Build here{"b", "x86_64", 1, 2};
  const Build there{"c", "aarch64", 0, 3};
  out += encode_question({VisitQuestion::Kind::kWelcome, member, configuration(), here});
  return out +
         encode_reply({VisitRefusal::kOrder, answer, member, true, configuration(), here, there});
}

std::string frames_of_a_link() {
  LinkSender sender;
  sender.queue(GroupId{1}, "message", true);
  sender.queue(GroupId{1}, std::string(300'000, 'm'), false);
  sender.queue_note(GroupId{2}, "note");
  std::string out = encode_ack(12345);
  for (std::optional<Frame> frame; (frame = sender.next());) {
    out += static_cast<char>(frame->kind);
    put_le(out, static_cast<uint32_t>(frame->group.value));
    out += frame->bytes;
  }
  return out;
}

// The version, and the checksum of what is said in it.
struct Spoken {
  uint16_t version;
  uint64_t checksum;
};
constexpr std::array kSpoken = {
    Spoken{3, 7749616564687588415ULL},
    Spoken{6, 10775389305752952197ULL},
    Spoken{7, 6458237367124673324ULL},
    Spoken{8, 6997674984744294284ULL},
};

}  // namespace

TEST_CASE("who changes what nodes say to each other raises kPeerProtocols.max [F46]") {
  const std::string all = raft_messages() + snapshot_messages() + handshake_frames() +
                          words_of_operators() + frames_of_a_link();
  const Spoken now{kPeerProtocols.max, checksum64(all)};
  const Spoken& last = kSpoken.back();
  INFO(
      "What nodes say has changed: raise kPeerProtocols.max in actors/peers/peer_auth.hpp and add "
      "a row "
      "here, "
      "with checksum ",
      now.checksum);
  CHECK(now.version == last.version);
  CHECK(now.checksum == last.checksum);
}

}  // namespace kiwi::actors
