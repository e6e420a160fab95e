// Golden bytes (a change here breaks every log on disk and every mixed cluster), round trips, and
// what untrusted bytes must never do.
#include "raft/codec.hpp"

#include <map>

#include <doctest/doctest.h>

#include "config/base/checksum.hpp"
#include "config/base/prng.hpp"
#include "raft/configuration.hpp"
#include "tests/support/raft_node.hpp"

namespace kiwi::raft::testing {

namespace {

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (char c : bytes) {
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

Entry sample_entry() {
  Entry out;
  out.index = LogIndex{0x0102};
  out.term = Term{3};
  out.kind = EntryKind::kBatch;
  out.stamp_ms = 1700000000123;
  out.seed = 0xfeedface;
  out.number = {NodeId{2}, incarnation_of(NodeId{2}), 5, 77};
  out.payload = SharedBytes(std::string("SET a 1"));
  return out;
}

Configuration sample_configuration() {
  Configuration out;
  out.cluster.bytes[3] = 9;
  for (uint64_t id : {1, 2, 3}) {
    out.members.push_back(member_of(NodeId{id}));
  }
  out.voters = {NodeId{1}, NodeId{2}};
  out.outgoing_voters = {NodeId{1}};
  out.removed_ids = {NodeId{7}};
  out.promoting = {NodeId{3}};
  return out;
}

std::vector<Message> sample_messages() {
  Proposal proposal{{NodeId{1}, incarnation_of(NodeId{1}), 1, 300},
                    EntryKind::kBatch,
                    SharedBytes(std::string("payload")),
                    1700000001000};
  Proposal nothing{{NodeId{1}, incarnation_of(NodeId{1}), 1, 301}, EntryKind::kVoid, {}};
  AppendEntries append{LogIndex{9}, Term{2},       LogIndex{8},   4,
                       12,          1700000000123, 1700000000456, {sample_entry(), sample_entry()}};
  std::vector<Body> bodies = {
      RequestVote{LogIndex{300}, Term{4}, true, false},
      RequestVoteResponse{false, true},
      append,
      AppendEntries{},
      AppendEntriesResponse{true, LogIndex{11}, LogIndex{}, Term{}, 4, 12, true, LogIndex{9}, 300,
                            1700000000456, 1700000000789},
      AppendEntriesResponse{false, LogIndex{11}, LogIndex{5}, Term{2}, 0, 13, false, LogIndex{}, 0},
      TimeoutNow{},
      Propose{{proposal, nothing}},
      ProposeRefused{RefusalReason::kGap, proposal.number, 299},
      ReadIndexRequest{42, true},
      ReadIndexResponse{42, true, false, LogIndex{11}, 1700000000123, true},
      NotMember{},
  };
  std::vector<Message> out;
  for (Body& body : bodies) {
    out.push_back({NodeId{1}, NodeId{2}, Term{3}, std::move(body), {}});
  }
  return out;
}

SharedBytes shared(std::string bytes) { return SharedBytes(std::move(bytes)); }

template <auto kDecode>
void refuses_every_break(const std::string& blob) {
  for (size_t length = 0; length < blob.size(); ++length) {
    REQUIRE_FALSE(kDecode(shared(blob.substr(0, length))));
  }
  for (size_t bit = 0; bit < blob.size() * 8; ++bit) {
    std::string broken = blob;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
    REQUIRE_FALSE(kDecode(shared(broken)));
  }
}

}  // namespace

TEST_SUITE_BEGIN("raft");

TEST_CASE("an entry has these bytes [ON DISK]") {
  std::string bytes;
  append_entry(bytes, sample_entry());
  CHECK(hex(bytes) ==
        "01e6953962c9f7a80c01020100000000000003000000000000007b68e5cf8b010000cefaedfe"
        "0000000002000000000000000200000000000000000000000000000105000000000000004d00"
        "0000000000000100000053455420612031");
  Result<Entry> back = decode_entry(shared(bytes));
  REQUIRE(back);
  CHECK(*back == sample_entry());
}

TEST_CASE("a sealed entry has the same bytes, as has one that was decoded") {
  std::string bytes;
  append_entry(bytes, sample_entry());
  Entry sealed = sample_entry();
  seal_entry(sealed);
  CHECK(sealed.checksum.value != 0);
  std::string again;
  append_entry(again, sealed);
  CHECK(again == bytes);
  again.clear();
  append_entry(again, *decode_entry(shared(bytes)));
  CHECK(again == bytes);
  sealed.checksum.value ^= 1;  // it is what is written: nobody computes it a second time
  again.clear();
  append_entry(again, sealed);
  CHECK_FALSE(decode_entry(shared(again)));
}

TEST_CASE("the small records have these bytes [ON DISK]") {
  CHECK(hex(encode_hard_state({Term{5}, NodeId{3}})) ==
        "01831dc7bbb9f8132d05000000000000000300000000000000");
  CHECK(hex(encode_identity(
            {NodeId{1}, incarnation_of(NodeId{1}), sample_configuration().cluster, 6})) ==
        "0124e81823e31e38420100000000000000010000000000000000000000000000010000000900"
        "00000000000000000000000600000000000000");
  CHECK(hex(encode_configuration(sample_configuration())) ==
        "0154084171dc876ff20000000900000000000000000000000003010100000000000000000000"
        "00000000010463313a310470313a3102020000000000000000000000000000010463323a3104"
        "70323a3103030000000000000000000000000000010463333a310470333a3102010201010107"
        "0103");
  SnapshotMeta meta{LogIndex{4}, Term{2}, {}};
  CHECK(hex(encode_snapshot_meta(meta)) ==
        "013e7d04355982bd61040000000000000002000000000000001e0136f30ed829f79b17000000"
        "000000000000000000000000000000000000");
}

TEST_CASE("a configuration with labels has these bytes, and without them the old ones [ON DISK]") {
  Configuration configuration;
  configuration.members = {{NodeId{1}, incarnation_of(NodeId{1}), "c", "p", "t", {}},
                           {NodeId{2}, incarnation_of(NodeId{2}), "d", "q", "", {{"zone", "a"}}}};
  configuration.voters = {NodeId{1}};
  const std::string bytes = encode_configuration(configuration);
  CHECK(hex(bytes.substr(0, 1)) == "02");
  CHECK(hex(bytes.substr(9)) ==
        "00000000000000000000000000000000"
        "02"
        "01"
        "01000000000000000000000000000001"
        "0163"
        "0170"
        "0174"
        "00"
        "02"
        "02000000000000000000000000000001"
        "0164"
        "0171"
        "00"
        "01"
        "047a6f6e65"
        "0161"
        "0101"
        "00"
        "00"
        "00");
  CHECK(*decode_configuration(bytes) == configuration);
  refuses_every_break<[](const SharedBytes& b) { return decode_configuration(b.view()); }>(bytes);
  for (Member& member : configuration.members) {
    member = held_by(kMemberLabelsSince - 1, member);
  }
  CHECK(hex(encode_configuration(configuration).substr(0, 1)) == "01");
  const Member labelled{NodeId{1}, {}, "c", "p", "t", {{"zone", "a"}}};
  CHECK(held_by(kMemberLabelsSince, labelled) == labelled);
}

TEST_CASE("messages have these bytes [wire]") {
  std::vector<std::string> golden = {
      "01faf2368c8b42dd3b00010203ac020401",
      "011acd38555dd60d2c0101020302",
      "01bac0ebc3ecb190ca02010203090208040c7b68e5cf8b010000c869e5cf8b010000025d01e6"
      "953962c9f7a80c01020100000000000003000000000000007b68e5cf8b010000cefaedfe0000"
      "000002000000000000000200000000000000000000000000000105000000000000004d000000"
      "0000000001000000534554206120315d01e6953962c9f7a80c01020100000000000003000000"
      "000000007b68e5cf8b010000cefaedfe00000000020000000000000002000000000000000000"
      "00000000000105000000000000004d000000000000000100000053455420612031",
      "0171ee24e3c0a57fc00201020300000000000000000000000000000000000000000000",
      "01eccb840c382ba62303010203030b0000040c09ac02c869e5cf8b010000156be5cf8b010000",
      "018d55a942d866f29703010203000b0502000d000000000000000000000000000000000000",
      "016ae409a4c3f9a1c204010203",
      "019b66427d4d88bcfd0501020302010000000000000001000000000000000000000000000001"
      "01000000000000002c010000000000000100000001e86be5cf8b010000077061796c6f616401"
      "000000000000000100000000000000000000000000000101000000000000002d010000000000"
      "000100000002000000000000000000",
      "01232e95d58c993e7b0601020301010000000000000001000000000000000000000000000001"
      "01000000000000002c0100000000000001000000ab02",
      "0181478d2495efe102070102032a01",
      "01558a0ad9e446b634080102032a050b7b68e5cf8b010000",
      "0126e0ec434afdd29109010203",
  };
  std::vector<Message> messages = sample_messages();
  REQUIRE(golden.size() == messages.size());
  for (size_t i = 0; i < messages.size(); ++i) {
    CAPTURE(i);
    CHECK(hex(encode_message(messages[i])) == golden[i]);
  }
}

TEST_CASE("what is encoded is decoded again") {
  for (const Message& message : sample_messages()) {
    Result<Message> back = decode_message(shared(encode_message(message)));
    REQUIRE(back);
    CHECK(*back == message);
  }
  Message full{NodeId{1}, NodeId{2}, Term{3}, ProposeRefused{RefusalReason::kDiskFull, {}, 0}, {}};
  CHECK(*decode_message(shared(encode_message(full))) == full);
  std::get<ProposeRefused>(full.body).reason = RefusalReason::kTooLarge;
  CHECK(*decode_message(shared(encode_message(full))) == full);
  Configuration configuration = sample_configuration();
  CHECK(*decode_configuration(encode_configuration(configuration)) == configuration);
  HardState hard_state{Term{5}, NodeId{3}};
  CHECK(*decode_hard_state(encode_hard_state(hard_state)) == hard_state);
  SnapshotMeta meta{LogIndex{4}, Term{2}, configuration};
  CHECK(*decode_snapshot_meta(encode_snapshot_meta(meta)) == meta);
  Identity identity{NodeId{1}, incarnation_of(NodeId{1}), configuration.cluster, 6};
  CHECK(*decode_identity(encode_identity(identity)) == identity);
}

TEST_CASE("payloads of a decoded message share its buffer") {
  SharedBytes bytes = shared(encode_message(sample_messages()[2]));
  Result<Message> message = decode_message(bytes);
  REQUIRE(message);
  std::string_view payload = std::get<AppendEntries>(message->body).entries[1].payload.view();
  CHECK(payload.data() >= bytes.view().data());
  CHECK(payload.data() + payload.size() <= bytes.view().data() + bytes.size());
}

TEST_CASE("a message of long entries leaves their payloads out of its checksum [wire]") {
  AppendEntries append;
  append.entries = {sample_entry(), sample_entry(), sample_entry()};
  append.entries[0].payload = SharedBytes(std::string(3000, 'a'));
  append.entries[1].payload = {};
  append.entries[2].payload = SharedBytes(std::string(2000, 'b'));
  const Message message{NodeId{1}, NodeId{2}, Term{3}, append, {}};
  const std::string blob = encode_message(message);
  CHECK(blob[0] == 2);
  std::string covered = blob.substr(9, blob.size() - 9 - 2000);
  covered.erase(covered.find('a'), 3000);
  uint64_t checksum = 0;
  std::memcpy(&checksum, blob.data() + 1, sizeof(checksum));
  CHECK(checksum == checksum64(covered));

  Result<Message> back = decode_message(shared(blob));
  REQUIRE(back);
  CHECK(*back == message);
  CHECK(encode_message(*back) == blob);
  refuses_every_break<decode_message>(blob);
  std::string other = encode_message(sample_messages()[0]);
  other[0] = 2;  // no other message has this form
  CHECK_FALSE(decode_message(shared(other)));
}

TEST_CASE("every truncation and every flipped bit is refused") {
  std::vector<std::string> blobs;
  for (const Message& message : sample_messages()) {
    blobs.push_back(encode_message(message));
  }
  for (const std::string& blob : blobs) {
    refuses_every_break<decode_message>(blob);
    REQUIRE_FALSE(decode_message(shared(blob + "x")));
  }
  std::string entry;
  append_entry(entry, sample_entry());
  refuses_every_break<decode_entry>(entry);
}

// A sender that is hostile, or a version that is newer: the checksum is right, the body is not.
TEST_CASE("garbage under a right checksum is refused or decoded, and never crashes") {
  Prng prng(7);
  uint64_t decoded = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<Message> samples = sample_messages();
    std::string blob = encode_message(samples[prng.below(samples.size())]);
    std::string body = blob.substr(9);
    for (uint64_t n = 1 + prng.below(4); n > 0 && !body.empty(); --n) {
      switch (prng.below(3)) {
        case 0:
          body[prng.below(body.size())] = static_cast<char>(prng.next());
          break;
        case 1:
          body.resize(prng.below(body.size() + 1));
          break;
        default:
          body.insert(prng.below(body.size() + 1), 1 + prng.below(9),
                      static_cast<char>(prng.next()));
      }
    }
    std::string forged = blob.substr(0, 1);
    put_le(forged, checksum64(body));
    decoded += decode_message(shared(forged + body)) ? 1 : 0;
    (void)decode_entry(shared(forged + body));
    (void)decode_configuration(forged + body);
    (void)decode_snapshot_meta(forged + body);
    (void)decode_identity(forged + body);
    (void)decode_hard_state(forged + body);
  }
  CHECK(decoded > 100);  // the forgeries get past the checksum
}

TEST_CASE("a count that promises more than there is allocates nothing for it") {
  std::string body;
  put_u8(body, 2);  // AppendEntries
  for (int i = 0; i < 8; ++i) {
    put_varint(body, 1);
  }
  put_le(body, int64_t{0});
  put_varint(body, UINT64_MAX / 2);
  std::string forged(1, '\1');
  put_le(forged, checksum64(body));
  CHECK_FALSE(decode_message(shared(forged + body)));
}

TEST_CASE("an entry of an unknown kind or version is corrupt, with a sentence") {
  std::string bytes;
  append_entry(bytes, sample_entry());
  std::string newer = bytes;
  newer[0] = 2;
  Result<Entry> refused = decode_entry(shared(newer));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kCorrupt);
  CHECK(refused.error().text.find("version") != std::string::npos);

  std::string body = bytes.substr(9);
  body[0] = 99;
  std::string unknown(1, '\1');
  put_le(unknown, checksum64(body));
  refused = decode_entry(shared(unknown + body));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("kind") != std::string::npos);
}

TEST_SUITE_END();

}  // namespace kiwi::raft::testing
