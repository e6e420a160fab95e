// Messages between nodes. version u8 | checksum u64 of the rest | body kind u8 | from, to, term as
// varints | body. Integers are varints unless said otherwise. Frozen by golden tests.
#include <type_traits>
#include <utility>
#include <vector>

#include "config/base/checksum.hpp"
#include "raft/codec.hpp"
#include "raft/codec_parts.hpp"

namespace kiwi::raft {

namespace {

constexpr uint8_t kMessageVersion = 1;
// AppendEntries with entries of so many bytes together, or more: the checksum is of the rest
// without the entries' payloads: those have one of their own, and are out of the processor's cache.
constexpr uint8_t kLongMessageVersion = 2;
constexpr size_t kLongEntries = 4096;
constexpr size_t kSealBytes = 9;  // version and checksum

// On the wire, never renumber: the order of Body's alternatives.
enum class BodyKind : uint8_t {
  kRequestVote = 0,
  kRequestVoteResponse = 1,
  kAppendEntries = 2,
  kAppendEntriesResponse = 3,
  kTimeoutNow = 4,
  kPropose = 5,
  kProposeRefused = 6,
  kReadIndexRequest = 7,
  kReadIndexResponse = 8,
  kNotMember = 9,
};

static_assert(std::variant_size_v<Body> == static_cast<size_t>(BodyKind::kNotMember) + 1);
static_assert(
    std::is_same_v<std::variant_alternative_t<static_cast<size_t>(BodyKind::kAppendEntries), Body>,
                   AppendEntries>);
static_assert(
    std::is_same_v<std::variant_alternative_t<static_cast<size_t>(BodyKind::kPropose), Body>,
                   Propose>);

void put_flags(std::string& out, bool a, bool b = false) {
  put_u8(out, static_cast<uint8_t>((a ? 1U : 0U) | (b ? 2U : 0U)));
}

struct Range {
  size_t offset = 0;  // in the message
  size_t size = 0;
};

uint64_t checksum_without(std::string_view message, const std::vector<Range>& payloads) {
  std::string covered;
  size_t at = kSealBytes;
  for (const Range& payload : payloads) {
    covered.append(message.substr(at, payload.offset - at));
    at = payload.offset + payload.size;
  }
  covered.append(message.substr(at));
  return checksum64(covered);
}

struct Encoder {
  std::string& out;
  std::vector<Range>* payloads;  // where they lie, if the checksum leaves them out

  void operator()(const RequestVote& body) {
    put_varint(out, body.last_index.value);
    put_varint(out, body.last_term.value);
    put_flags(out, body.pre_vote, body.leadership_transfer);
  }
  void operator()(const RequestVoteResponse& body) { put_flags(out, body.pre_vote, body.granted); }
  void operator()(const AppendEntries& body) {
    put_varint(out, body.prev_index.value);
    put_varint(out, body.prev_term.value);
    put_varint(out, body.commit.value);
    put_varint(out, body.round);
    put_varint(out, body.sequence);
    put_le(out, body.leader_time_ms);
    put_le(out, body.wall_ms);
    put_varint(out, body.entries.size());
    for (const Entry& entry : body.entries) {
      put_varint(out, kEntryHeaderBytes + entry.payload.size());
      append_entry(out, entry);
      if (payloads != nullptr) {
        payloads->push_back({out.size() - entry.payload.size(), entry.payload.size()});
      }
    }
  }
  void operator()(const AppendEntriesResponse& body) {
    put_flags(out, body.success, body.wants_commit);
    put_varint(out, body.match.value);
    put_varint(out, body.conflict_index.value);
    put_varint(out, body.conflict_term.value);
    put_varint(out, body.round);
    put_varint(out, body.sequence);
    put_varint(out, body.applied.value);
    put_varint(out, body.backlog_bytes);
    put_le(out, body.echoed_wall_ms);
    put_le(out, body.wall_ms);
  }
  void operator()(const TimeoutNow&) {}
  void operator()(const Propose& body) {
    put_varint(out, body.proposals.size());
    for (const Proposal& proposal : body.proposals) {
      put_number(out, proposal.number);
      put_u8(out, static_cast<uint8_t>(proposal.kind));
      put_le(out, proposal.deadline_ms);
      put_sized(out, proposal.payload.view());
    }
  }
  void operator()(const ProposeRefused& body) {
    put_u8(out, static_cast<uint8_t>(body.reason));
    put_number(out, body.number);
    put_varint(out, body.expect);
  }
  void operator()(const ReadIndexRequest& body) {
    put_varint(out, body.id);
    put_flags(out, body.with_tick);
  }
  void operator()(const ReadIndexResponse& body) {
    put_varint(out, body.id);
    put_u8(out, static_cast<uint8_t>((body.ok ? 1U : 0U) | (body.not_member ? 2U : 0U) |
                                     (body.clamped ? 4U : 0U)));
    put_varint(out, body.index.value);
    put_le(out, body.now_ms);
  }
  void operator()(const NotMember&) {}
};

struct Decoder {
  ByteReader& in;
  const SharedBytes& bytes;
  bool valid = true;  // what the reader itself cannot see

  template <class Id>
  Id id() {
    return Id{in.varint()};
  }
  uint8_t flags(uint8_t known) {
    auto value = in.le<uint8_t>();
    valid = valid && (value & ~known) == 0;
    return value;
  }

  RequestVote request_vote() {
    RequestVote body;
    body.last_index = id<LogIndex>();
    body.last_term = id<Term>();
    uint8_t bits = flags(3);
    body.pre_vote = (bits & 1) != 0;
    body.leadership_transfer = (bits & 2) != 0;
    return body;
  }
  RequestVoteResponse request_vote_response() {
    uint8_t bits = flags(3);
    return {(bits & 1) != 0, (bits & 2) != 0};
  }
  AppendEntries append_entries() {
    AppendEntries body;
    body.prev_index = id<LogIndex>();
    body.prev_term = id<Term>();
    body.commit = id<LogIndex>();
    body.round = in.varint();
    body.sequence = in.varint();
    body.leader_time_ms = in.le<int64_t>();
    body.wall_ms = in.le<int64_t>();
    uint64_t count = in.varint();
    for (uint64_t i = 0; i < count && in.ok() && valid; ++i) {
      Result<Entry> entry = decode_entry(bytes.slice(in.sized()));
      valid = in.ok() && entry.has_value();
      if (valid) {
        body.entries.push_back(std::move(*entry));
      }
    }
    return body;
  }
  AppendEntriesResponse append_entries_response() {
    AppendEntriesResponse body;
    uint8_t bits = flags(3);
    body.success = (bits & 1) != 0;
    body.wants_commit = (bits & 2) != 0;
    body.match = id<LogIndex>();
    body.conflict_index = id<LogIndex>();
    body.conflict_term = id<Term>();
    body.round = in.varint();
    body.sequence = in.varint();
    body.applied = id<LogIndex>();
    body.backlog_bytes = in.varint();
    body.echoed_wall_ms = in.le<int64_t>();
    body.wall_ms = in.le<int64_t>();
    return body;
  }
  Propose propose() {
    Propose body;
    uint64_t count = in.varint();
    for (uint64_t i = 0; i < count && in.ok() && valid; ++i) {
      Proposal proposal;
      proposal.number = get_number(in);
      auto kind = static_cast<EntryKind>(in.le<uint8_t>());
      valid = kind == EntryKind::kBatch || kind == EntryKind::kVoid;
      proposal.kind = kind;
      proposal.deadline_ms = in.le<int64_t>();
      std::string_view payload = in.sized();
      if (!payload.empty()) {
        proposal.payload = bytes.slice(payload);
      }
      body.proposals.push_back(std::move(proposal));
    }
    return body;
  }
  ProposeRefused propose_refused() {
    ProposeRefused body;
    auto reason = in.le<uint8_t>();
    valid = reason >= 1 && reason <= 7;
    body.reason = static_cast<RefusalReason>(reason);
    body.number = get_number(in);
    body.expect = in.varint();
    return body;
  }
  ReadIndexRequest read_index_request() {
    ReadIndexRequest body;
    body.id = in.varint();
    body.with_tick = (flags(1) & 1) != 0;
    return body;
  }
  ReadIndexResponse read_index_response() {
    ReadIndexResponse body;
    body.id = in.varint();
    uint8_t bits = flags(7);
    body.ok = (bits & 1) != 0;
    body.not_member = (bits & 2) != 0;
    body.clamped = (bits & 4) != 0;
    body.index = id<LogIndex>();
    body.now_ms = in.le<int64_t>();
    return body;
  }

  Body body(BodyKind kind) {
    switch (kind) {
      case BodyKind::kRequestVote:
        return request_vote();
      case BodyKind::kRequestVoteResponse:
        return request_vote_response();
      case BodyKind::kAppendEntries:
        return append_entries();
      case BodyKind::kAppendEntriesResponse:
        return append_entries_response();
      case BodyKind::kTimeoutNow:
        return TimeoutNow{};
      case BodyKind::kPropose:
        return propose();
      case BodyKind::kProposeRefused:
        return propose_refused();
      case BodyKind::kReadIndexRequest:
        return read_index_request();
      case BodyKind::kReadIndexResponse:
        return read_index_response();
      case BodyKind::kNotMember:
        return NotMember{};
    }
    valid = false;
    return NotMember{};
  }
};

size_t payload_bytes(const Message& message) {
  size_t bytes = 0;
  if (const auto* append = std::get_if<AppendEntries>(&message.body)) {
    for (const Entry& entry : append->entries) {
      bytes += kEntryHeaderBytes + entry.payload.size() + 8;
    }
  } else if (const auto* propose = std::get_if<Propose>(&message.body)) {
    for (const Proposal& proposal : propose->proposals) {
      bytes += kEntryHeaderBytes + proposal.payload.size();
    }
  }
  return bytes;
}

// The entries' own checksums were found right when they were decoded.
bool long_one_is_whole(const Message& message, std::string_view bytes) {
  const auto* append = std::get_if<AppendEntries>(&message.body);
  if (append == nullptr) {
    return false;
  }
  std::vector<Range> payloads;
  for (const Entry& entry : append->entries) {
    if (!entry.payload.empty()) {
      const auto offset = entry.payload.view().data() - bytes.data();
      payloads.push_back({static_cast<size_t>(offset), entry.payload.size()});
    }
  }
  uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + 1, sizeof(checksum));
  return checksum_without(bytes, payloads) == checksum;
}

}  // namespace

std::string encode_message(const Message& message) {
  std::string out;
  const size_t bytes = payload_bytes(message);
  const bool is_long = std::holds_alternative<AppendEntries>(message.body) && bytes >= kLongEntries;
  out.reserve(64 + bytes);
  put_u8(out, is_long ? kLongMessageVersion : kMessageVersion);
  put_le(out, uint64_t{0});
  put_u8(out, static_cast<uint8_t>(message.body.index()));
  put_varint(out, message.from.value);
  put_varint(out, message.to.value);
  put_varint(out, message.term.value);
  std::vector<Range> payloads;
  std::visit(Encoder{out, is_long ? &payloads : nullptr}, message.body);
  const uint64_t checksum = is_long ? checksum_without(out, payloads)
                                    : checksum64(std::string_view(out).substr(kSealBytes));
  std::memcpy(out.data() + 1, &checksum, sizeof(checksum));
  return out;
}

Result<Message> decode_message(const SharedBytes& bytes) {
  const bool is_long =
      bytes.size() >= kSealBytes && static_cast<uint8_t>(bytes.view()[0]) == kLongMessageVersion;
  std::string_view rest = bytes.view();
  if (is_long) {
    rest.remove_prefix(kSealBytes);
  } else {
    Result<std::string_view> checked = unsealed(rest, kMessageVersion, "peer message");
    if (!checked) {
      return checked.error();
    }
    rest = *checked;
  }
  ByteReader in(rest);
  Message message;
  auto kind = static_cast<BodyKind>(in.le<uint8_t>());
  message.from = NodeId{in.varint()};
  message.to = NodeId{in.varint()};
  message.term = Term{in.varint()};
  Decoder decoder{in, bytes};
  message.body = decoder.body(kind);
  if (!in.done() || !decoder.valid) {
    return corrupt("peer message", "its body is malformed");
  }
  if (is_long && !long_one_is_whole(message, bytes.view())) {
    return corrupt("peer message", "its checksum does not match");
  }
  return message;
}

}  // namespace kiwi::raft
