// PeerHandshake: both prove the secret, then talk until the socket can be handed over.
#include <doctest/doctest.h>

#include "actors/peers/peer_handshake.hpp"
#include "config/base/bytes.hpp"
#include "config/base/prng.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {
namespace {

constexpr size_t kRounds = 50;

PeerHandshake::Options options(uint64_t self,
                               const std::string& secret,
                               ProtocolRange speaks = kPeerProtocols) {
  return {NodeId{self}, secret, [](NodeId id) { return id.value <= 3; },
          std::string(kNonceBytes, static_cast<char>(self)), speaks};
}
PeerHello hello(uint64_t id, uint8_t cluster = 0) {
  PeerHello h;
  h.node = NodeId{id};
  h.incarnation.bytes.fill(static_cast<uint8_t>(id));
  h.cluster.bytes.fill(cluster);
  h.client_address = "127.0.0.1:6379";
  return h;
}

struct Pair {
  PeerHandshake dialer;
  PeerHandshake acceptor;
  std::vector<std::string> seen;  // every frame that went over the wire

  explicit Pair(const std::string& dialer_secret = "secret",
                const std::string& acceptor_secret = "secret",
                ProtocolRange dialer_speaks = kPeerProtocols,
                ProtocolRange acceptor_speaks = kPeerProtocols)
      : dialer(PeerHandshake::dialer(
            options(1, dialer_secret, dialer_speaks), NodeId{2}, std::string(16, 't'))),
        acceptor(PeerHandshake::acceptor(options(2, acceptor_secret, acceptor_speaks))) {}

  void run() {
    for (size_t i = 0; i < kRounds; ++i) {
      for (const std::string& frame : dialer.take_frames()) {
        seen.push_back(frame);
        acceptor.receive(frame);
      }
      for (const std::string& frame : acceptor.take_frames()) {
        seen.push_back(frame);
        dialer.receive(frame);
      }
    }
  }
};

}  // namespace

TEST_CASE("two nodes of one cluster prove the secret to each other and hand over") {
  Pair pair;
  pair.run();
  CHECK(pair.dialer.proven());
  CHECK(pair.acceptor.proven());
  CHECK(pair.acceptor.proof().peer() == NodeId{1});
  pair.dialer.say(hello(1, 9));
  pair.acceptor.say(hello(2, 9));
  pair.run();
  CHECK(pair.dialer.phase() == PeerHandshake::Phase::kSwitched);
  CHECK(pair.acceptor.phase() == PeerHandshake::Phase::kSwitched);
  CHECK(pair.acceptor.token() == pair.dialer.token());
  CHECK(pair.acceptor.peer_hello() == hello(1, 9));
}

TEST_CASE("a wrong secret is refused on the accepting side before it says anything of itself") {
  Pair pair("guess", "secret");
  pair.run();
  CHECK(pair.acceptor.phase() == PeerHandshake::Phase::kFailed);
  CHECK(pair.acceptor.failure().find("secret") != std::string::npos);
  CHECK_FALSE(pair.dialer.proven());
  CHECK(pair.seen.size() == 3);  // open, challenge, proof
}

TEST_CASE("a peer that only pretends to know the secret is refused by the dialer") {
  // It answers the dialer's proof with that very proof.
  PeerHandshake dialer =
      PeerHandshake::dialer(options(1, "secret"), NodeId{2}, std::string(16, 't'));
  std::string challenge(1, '\x02');
  put_le(challenge, kPeerProtocols.min);
  put_le(challenge, kPeerProtocols.max);
  put_le(challenge, uint64_t{2});
  challenge += std::string(kNonceBytes, 'n');
  dialer.take_frames();
  dialer.receive(challenge);
  const std::vector<std::string> proof = dialer.take_frames();
  REQUIRE(proof.size() == 1);
  dialer.receive("\x04" + proof[0].substr(1));
  CHECK(dialer.phase() == PeerHandshake::Phase::kFailed);
}

TEST_CASE("an uninitialised peer keeps talking until both know the cluster [F2]") {
  Pair pair;
  pair.dialer.say(hello(1));
  pair.acceptor.say(hello(2));
  pair.run();
  CHECK(pair.dialer.phase() == PeerHandshake::Phase::kTalking);
  CHECK(pair.acceptor.peer_hello() == hello(1));
  pair.dialer.say(hello(1, 9));
  pair.run();
  CHECK(pair.acceptor.peer_hello() == hello(1, 9));
  CHECK(pair.dialer.phase() == PeerHandshake::Phase::kTalking);
  pair.acceptor.say(hello(2, 9));
  pair.run();
  CHECK(pair.dialer.phase() == PeerHandshake::Phase::kSwitched);
  CHECK(pair.acceptor.phase() == PeerHandshake::Phase::kSwitched);
}

TEST_CASE("members of two clusters do not connect [F2]") {
  Pair pair;
  pair.dialer.say(hello(1, 8));
  pair.acceptor.say(hello(2, 9));
  pair.run();
  CHECK(pair.dialer.phase() == PeerHandshake::Phase::kFailed);
  CHECK(pair.dialer.failure().find("cluster") != std::string::npos);
}

TEST_CASE("the acceptor hands over only when the earlier link is gone") {
  Pair pair;
  pair.acceptor.delay_switch(true);
  pair.dialer.say(hello(1, 9));
  pair.acceptor.say(hello(2, 9));
  pair.run();
  CHECK(pair.acceptor.phase() == PeerHandshake::Phase::kTalking);
  CHECK(pair.dialer.phase() == PeerHandshake::Phase::kTalking);
  pair.acceptor.delay_switch(false);
  pair.run();
  CHECK(pair.dialer.phase() == PeerHandshake::Phase::kSwitched);
}

TEST_CASE("nothing of this protocol follows the hand-over on either side") {
  Pair pair;
  pair.dialer.say(hello(1, 9));
  pair.acceptor.say(hello(2, 9));
  pair.run();
  pair.acceptor.say(hello(2, 7));
  pair.dialer.say(hello(1, 7));
  CHECK(pair.dialer.take_frames().empty());
  CHECK(pair.acceptor.take_frames().empty());
}

TEST_CASE("unknown ids and messages for another node are refused") {
  const auto open = [](uint64_t from, uint64_t to) {
    PeerHandshake dialer = PeerHandshake::dialer(options(from, "secret"), NodeId{to}, "t");
    return dialer.take_frames().front();
  };
  const auto refused = [](const std::string& frame) {
    PeerHandshake acceptor = PeerHandshake::acceptor(options(2, "secret"));
    acceptor.receive(frame);
    CHECK(acceptor.take_frames().empty());
    return acceptor.failure();
  };
  CHECK(refused(open(7, 2)).find("none of the peers") != std::string::npos);
  CHECK(refused(open(2, 2)).find("raft.id of its own") != std::string::npos);
  CHECK(refused(open(1, 3)).find("looks for node 3") != std::string::npos);
  std::string magic = open(1, 2);
  magic[1] ^= 1;
  CHECK_FALSE(refused(magic).empty());
}

TEST_CASE("two builds speak the highest version that both know") {
  struct Case {
    ProtocolRange dialer;
    ProtocolRange acceptor;
    uint16_t spoken;
  };
  for (const Case& c :
       {Case{{3, 5}, {4, 7}, 5}, Case{{6, 6}, {4, 7}, 6}, Case{{3, 9}, {9, 9}, 9}}) {
    Pair pair("secret", "secret", c.dialer, c.acceptor);
    pair.run();
    CHECK(pair.dialer.proven());
    CHECK(pair.dialer.proof().protocol() == c.spoken);
    CHECK(pair.acceptor.proof().protocol() == c.spoken);
  }
}

TEST_CASE("without a version in common both say which ranges do not meet") {
  for (const bool dialer_is_old : {true, false}) {
    const ProtocolRange older{3, 4};
    const ProtocolRange newer{5, 7};
    Pair pair("secret", "secret", dialer_is_old ? older : newer, dialer_is_old ? newer : older);
    pair.run();
    for (const PeerHandshake* side : {&pair.dialer, &pair.acceptor}) {
      CHECK(side->phase() == PeerHandshake::Phase::kFailed);
      CHECK(side->failure().find("versions 3 to 4") != std::string::npos);
      CHECK(side->failure().find("versions 5 to 7") != std::string::npos);
    }
  }
}

TEST_CASE("who changes the versions, or anything else that was said first, breaks the proof") {
  for (size_t at = 5; at < 9; ++at) {  // the range in kOpen
    Pair pair("secret", "secret", {3, 0x0107}, {3, 0x0107});
    std::string open = pair.dialer.take_frames().front();
    open[at] ^= 1;
    pair.acceptor.receive(open);
    pair.run();
    CHECK_FALSE(pair.acceptor.proven());
    CHECK_FALSE(pair.dialer.proven());
  }
}

TEST_CASE("what a later version adds to the first two frames is skipped, and proved with them") {
  Pair pair;
  pair.acceptor.receive(pair.dialer.take_frames().front() + "more");
  CHECK(pair.acceptor.phase() == PeerHandshake::Phase::kProving);
  pair.run();  // the dialer did not say it
  CHECK(pair.acceptor.phase() == PeerHandshake::Phase::kFailed);
}

TEST_CASE("a node of another architecture is told so and not linked to") {
  Pair pair;
  PeerHello here = hello(1, 9);
  PeerHello there = hello(2, 9);
  here.architecture = "x86_64";
  there.architecture = "aarch64";
  pair.dialer.say(here);
  pair.acceptor.say(there);
  pair.run();
  CHECK(pair.dialer.failure().find("it runs on aarch64, this node on x86_64") == 0);
  CHECK(pair.acceptor.failure().find("it runs on x86_64, this node on aarch64") == 0);
}

TEST_CASE("a build that does not support the cluster's version is not linked to") {
  Pair pair;
  PeerHello here = hello(1, 9);
  PeerHello there = hello(2, 9);
  here.build = "0.9.0";
  here.cluster_version_max = 1;
  there.cluster_version = 2;
  there.cluster_version_max = 3;
  pair.dialer.say(here);
  pair.acceptor.say(there);
  pair.run();
  CHECK(pair.dialer.failure() ==
        "this build supports cluster versions up to 1, but the cluster is at 2: start a newer "
        "build here");
  CHECK(pair.acceptor.failure() ==
        "its build 0.9.0 supports cluster versions up to 1, but the cluster is at 2: start a newer "
        "build there");
}

TEST_CASE("garbage at any point of the talk ends it and never crashes") {
  Prng prng(11);
  for (int round = 0; round < 3000; ++round) {
    Pair pair;
    const bool talk = prng.chance(1, 2);
    if (talk) {
      pair.run();
      pair.acceptor.say(hello(2, 9));
      pair.acceptor.take_frames();
    }
    std::string garbage(prng.below(80), '\0');
    for (char& c : garbage) {
      c = static_cast<char>(prng.next());
    }
    if (!garbage.empty() && prng.chance(1, 2)) {
      garbage[0] = static_cast<char>(1 + prng.below(8));
    }
    pair.acceptor.receive(garbage);
    const bool still = pair.acceptor.phase() == PeerHandshake::Phase::kTalking;
    CHECK((pair.acceptor.phase() == PeerHandshake::Phase::kFailed || still));
    if (!talk) {
      CHECK_FALSE(pair.acceptor.proven());
    }
  }
  PeerHandshake acceptor = PeerHandshake::acceptor(options(2, "secret"));
  acceptor.receive(std::string(config::limits::kHelloBytes + 1, '\x01'));
  CHECK(acceptor.phase() == PeerHandshake::Phase::kFailed);
}

TEST_CASE("a hello survives its encoding, and no shorter prefix of it is one") {
  PeerHello h = hello(3, 9);
  h.first_entry = "entry bytes";
  h.you = PeerHello::You::kOtherIncarnation;
  h.boot_epoch = 5;
  h.election_timeout_ms = 1000;
  h.where = "10.0.0.7:4711";
  raft::add_mark(h.marks, 11);
  raft::add_mark(h.marks, 12);
  const std::string bytes = encode_hello(h);
  CHECK(*decode_hello(bytes) == h);
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_hello(std::string_view(bytes).substr(0, size)).has_value());
  }
  CHECK_FALSE(decode_hello(bytes + "x").has_value());
}

TEST_CASE("tagged fields of a hello survive, and those of a newer build are skipped") {
  PeerHello h = hello(3, 9);
  const std::string bare = encode_hello(h);
  h.build = "0.2.0";
  h.architecture = own_architecture();
  h.cluster_version = 1;
  h.cluster_version_max = 300;
  h.tls_client_address = "127.0.0.1:6380";
  h.groups = 8;
  const std::string bytes = encode_hello(h);
  CHECK(bytes.substr(bare.size()) == std::string("\x01\x05"
                                                 "0.2.0"
                                                 "\x02\x06"
                                                 "x86_64"
                                                 "\x03\x01\x01"
                                                 "\x04\x02\xac\x02"
                                                 "\x05\x0e"
                                                 "127.0.0.1:6380"
                                                 "\x06\x01\x08"));
  CHECK(*decode_hello(bytes) == h);
  CHECK(*decode_hello(bytes + "\x20\x03new" + "\xac\x02\x01x") == h);
  CHECK_FALSE(decode_hello(bytes + "\x06\x01\x09").has_value());  // once is enough
  CHECK_FALSE(decode_hello(bare + "\x06\x02\x08x").has_value());  // no number
  CHECK_FALSE(decode_hello(bytes + "\x20\x04new").has_value());   // cut off
  CHECK_FALSE(decode_hello(bytes + "\x07\x03new").has_value());   // no marks
  h.known_marks = {{5, 55}, {5, 56}};
  h.cluster_port = 7379;
  h.sentinel_port = 26379;
  CHECK(*decode_hello(encode_hello(h)) == h);
}

TEST_CASE("a visitor knows an address only: it asks one thing, is told one, and links to nobody") {
  PeerHandshake visitor = PeerHandshake::visitor(options(4, "secret"));  // 4 is none of the peers
  PeerHandshake host = PeerHandshake::acceptor(options(2, "secret"));
  visitor.ask("who are you?");
  for (size_t i = 0; i < kRounds; ++i) {
    for (const std::string& frame : visitor.take_frames()) {
      host.receive(frame);
    }
    if (host.heard() && !visitor.heard() && i > 10) {
      CHECK(host.proof().is_visit());
      CHECK(*host.heard() == "who are you?");
      host.tell("node 2");
    }
    for (const std::string& frame : host.take_frames()) {
      visitor.receive(frame);
    }
  }
  CHECK(visitor.proof().peer() == NodeId{2});
  CHECK(visitor.heard() == "node 2");
  CHECK(host.phase() == PeerHandshake::Phase::kTalking);
}

TEST_CASE("a visitor without the secret learns nothing and asks nothing") {
  PeerHandshake visitor = PeerHandshake::visitor(options(4, "guess"));
  PeerHandshake host = PeerHandshake::acceptor(options(2, "secret"));
  visitor.ask("who are you?");
  for (size_t i = 0; i < kRounds; ++i) {
    for (const std::string& frame : visitor.take_frames()) {
      host.receive(frame);
    }
    for (const std::string& frame : host.take_frames()) {
      visitor.receive(frame);
    }
  }
  CHECK(host.phase() == PeerHandshake::Phase::kFailed);
  CHECK_FALSE(host.heard().has_value());
}

TEST_CASE("nobody switches to a peer that was not approved by its hello [F52]") {
  for (const bool by_dialer : {true, false}) {
    Pair pair;
    (by_dialer ? pair.dialer : pair.acceptor).approve(false);
    pair.dialer.say(hello(1, 9));
    pair.acceptor.say(hello(2, 9));
    pair.run();
    CHECK(pair.acceptor.phase() == PeerHandshake::Phase::kTalking);
    CHECK(pair.dialer.phase() == PeerHandshake::Phase::kTalking);
    if (by_dialer) {  // and it is told why
      PeerHello last = hello(1, 9);
      last.you = PeerHello::You::kOldCopy;
      pair.dialer.say(last);
      pair.run();
      CHECK(pair.acceptor.peer_hello() == last);
    }
    (by_dialer ? pair.dialer : pair.acceptor).approve(true);
    pair.run();
    CHECK(pair.acceptor.phase() == PeerHandshake::Phase::kSwitched);
    CHECK(pair.dialer.phase() == PeerHandshake::Phase::kSwitched);
  }
}

}  // namespace kiwi::actors
