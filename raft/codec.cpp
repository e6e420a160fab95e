// Entries, configurations and the small records. ON DISK and on the wire; frozen by golden tests.
#include "raft/codec.hpp"

#include <algorithm>
#include <utility>

#include "config/base/checksum.hpp"
#include "raft/codec_parts.hpp"

namespace kiwi::raft {

namespace {

constexpr uint8_t kEntryVersion = 1;
// The second has a TLS address and labels of each member. A configuration is written in the oldest
// that holds it, so that the cluster version gates the format by gating what members have.
constexpr uint8_t kConfigurationVersion = 1;
constexpr uint8_t kLabelledConfigurationVersion = 2;
constexpr uint8_t kHardStateVersion = 1;
constexpr uint8_t kSnapshotMetaVersion = 1;
constexpr uint8_t kIdentityVersion = 1;

constexpr uint8_t kKindMax = static_cast<uint8_t>(EntryKind::kTick);

void put_ids(std::string& out, const std::vector<NodeId>& ids) {
  put_varint(out, ids.size());
  for (NodeId id : ids) {
    put_varint(out, id.value);
  }
}

std::vector<NodeId> get_ids(ByteReader& in) {
  uint64_t count = in.varint();
  std::vector<NodeId> ids;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    ids.push_back(NodeId{in.varint()});
  }
  return ids;
}

std::string get_string(ByteReader& in) { return std::string(in.sized()); }

void put_labels(std::string& out, const std::map<std::string, std::string>& labels) {
  put_varint(out, labels.size());
  for (const auto& [name, value] : labels) {
    put_sized(out, name);
    put_sized(out, value);
  }
}

std::map<std::string, std::string> get_labels(ByteReader& in) {
  std::map<std::string, std::string> labels;
  const uint64_t count = in.varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string name = get_string(in);
    labels[std::move(name)] = get_string(in);
  }
  return labels;
}

// Small records: version, checksum of what follows, body.
std::string sealed(uint8_t version, const std::string& body) {
  std::string out;
  put_u8(out, version);
  put_le(out, checksum64(body));
  return out + body;
}

}  // namespace

Error corrupt(const char* what, const char* why) {
  return {Errc::kCorrupt, std::string(what) + ": " + why};
}

Result<std::string_view> unsealed(std::string_view bytes, uint8_t version, const char* what) {
  ByteReader in(bytes);
  auto found = in.le<uint8_t>();
  auto checksum = in.le<uint64_t>();
  if (!in.ok()) {
    return corrupt(what, "it is too short");
  }
  if (found != version) {
    return corrupt(what, "it has a format version that this program does not know");
  }
  if (checksum64(in.rest()) != checksum) {
    return corrupt(what, "its checksum does not match");
  }
  return in.rest();
}

void put_number(std::string& out, const ProposalNumber& number) {
  put_le(out, number.node.value);
  put_random_id(out, number.incarnation);
  put_le(out, number.epoch);
  put_le(out, number.sequence);
  put_le(out, static_cast<uint32_t>(number.group.value));
}

ProposalNumber get_number(ByteReader& in) {
  ProposalNumber number;
  number.node = NodeId{in.le<uint64_t>()};
  number.incarnation = get_random_id<Incarnation>(in);
  number.epoch = in.le<uint64_t>();
  number.sequence = in.le<uint64_t>();
  number.group = GroupId{in.le<uint32_t>()};
  return number;
}

// version u8 | checksum u64 of the rest | kind u8 | index u64 | term u64 | stamp i64 | seed u64 |
// node u64 | incarnation 16 | epoch u64 | sequence u64 | group u32 | payload to the end.
// Little-endian.
void append_entry(std::string& out, const Entry& entry) {
  out.reserve(out.size() + kEntryHeaderBytes + entry.payload.size());
  append_entry_header(out, entry);
  out.append(entry.payload.view());
}

void append_entry_header(std::string& out, const Entry& entry) {
  const size_t start = out.size();
  put_u8(out, kEntryVersion);
  put_le(out, uint64_t{0});
  put_u8(out, static_cast<uint8_t>(entry.kind));
  put_le(out, entry.index.value);
  put_le(out, entry.term.value);
  put_le(out, entry.stamp_ms);
  put_le(out, entry.seed);
  put_number(out, entry.number);
  const uint64_t checksum =
      entry.checksum.value != 0
          ? entry.checksum.value
          : checksum64_of_both(std::string_view(out).substr(start + 9), entry.payload.view());
  std::memcpy(out.data() + start + 1, &checksum, sizeof(checksum));
}

void seal_entry(Entry& entry) {
  std::string header;
  append_entry_header(header, entry);
  std::memcpy(&entry.checksum.value, header.data() + 1, sizeof(entry.checksum.value));
}

uint64_t entry_checksum(const Entry& entry) {
  Entry sealed = entry;
  seal_entry(sealed);
  return sealed.checksum.value;
}

Result<Entry> decode_entry(const SharedBytes& bytes) {
  Result<std::string_view> body = unsealed(bytes.view(), kEntryVersion, "log entry");
  if (!body) {
    return body.error();
  }
  ByteReader in(*body);
  Entry entry;
  auto kind = in.le<uint8_t>();
  entry.index = LogIndex{in.le<uint64_t>()};
  entry.term = Term{in.le<uint64_t>()};
  entry.stamp_ms = in.le<int64_t>();
  entry.seed = in.le<uint64_t>();
  entry.number = get_number(in);
  if (!in.ok()) {
    return corrupt("log entry", "it is too short");
  }
  if (kind > kKindMax) {
    return corrupt("log entry", "it is of a kind that this program does not know");
  }
  entry.kind = static_cast<EntryKind>(kind);
  std::memcpy(&entry.checksum.value, bytes.view().data() + 1, sizeof(entry.checksum.value));
  if (!in.rest().empty()) {
    entry.payload = bytes.slice(in.rest());
  }
  return entry;
}

std::string encode_configuration(const Configuration& configuration) {
  const bool labelled = std::ranges::any_of(configuration.members, [](const Member& member) {
    return !member.tls_client_address.empty() || !member.labels.empty();
  });
  std::string body;
  put_random_id(body, configuration.cluster);
  put_varint(body, configuration.members.size());
  for (const Member& member : configuration.members) {
    put_varint(body, member.id.value);
    put_random_id(body, member.incarnation);
    put_sized(body, member.client_address);
    put_sized(body, member.peer_address);
    if (labelled) {
      put_sized(body, member.tls_client_address);
      put_labels(body, member.labels);
    }
  }
  put_ids(body, configuration.voters);
  put_ids(body, configuration.outgoing_voters);
  put_ids(body, configuration.removed_ids);
  put_ids(body, configuration.promoting);
  return sealed(labelled ? kLabelledConfigurationVersion : kConfigurationVersion, body);
}

Result<Configuration> decode_configuration(std::string_view bytes) {
  const bool labelled =
      !bytes.empty() && static_cast<uint8_t>(bytes.front()) == kLabelledConfigurationVersion;
  Result<std::string_view> body = unsealed(
      bytes, labelled ? kLabelledConfigurationVersion : kConfigurationVersion, "configuration");
  if (!body) {
    return body.error();
  }
  ByteReader in(*body);
  Configuration out;
  out.cluster = get_random_id<ClusterId>(in);
  uint64_t count = in.varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    Member member;
    member.id = NodeId{in.varint()};
    member.incarnation = get_random_id<Incarnation>(in);
    member.client_address = get_string(in);
    member.peer_address = get_string(in);
    if (labelled) {
      member.tls_client_address = get_string(in);
      member.labels = get_labels(in);
    }
    out.members.push_back(std::move(member));
  }
  out.voters = get_ids(in);
  out.outgoing_voters = get_ids(in);
  out.removed_ids = get_ids(in);
  out.promoting = get_ids(in);
  if (!in.done()) {
    return corrupt("configuration", "its length is wrong");
  }
  return out;
}

std::string encode_hard_state(const HardState& hard_state) {
  std::string body;
  put_le(body, hard_state.term.value);
  put_le(body, hard_state.voted_for.value);
  return sealed(kHardStateVersion, body);
}

Result<HardState> decode_hard_state(std::string_view bytes) {
  Result<std::string_view> body = unsealed(bytes, kHardStateVersion, "hard state");
  if (!body) {
    return body.error();
  }
  ByteReader in(*body);
  HardState out;
  out.term = Term{in.le<uint64_t>()};
  out.voted_for = NodeId{in.le<uint64_t>()};
  if (!in.done()) {
    return corrupt("hard state", "its length is wrong");
  }
  return out;
}

std::string encode_snapshot_meta(const SnapshotMeta& meta) {
  std::string body;
  put_le(body, meta.index.value);
  put_le(body, meta.term.value);
  put_sized(body, encode_configuration(meta.configuration));
  return sealed(kSnapshotMetaVersion, body);
}

Result<SnapshotMeta> decode_snapshot_meta(std::string_view bytes) {
  Result<std::string_view> body = unsealed(bytes, kSnapshotMetaVersion, "snapshot meta");
  if (!body) {
    return body.error();
  }
  ByteReader in(*body);
  SnapshotMeta out;
  out.index = LogIndex{in.le<uint64_t>()};
  out.term = Term{in.le<uint64_t>()};
  std::string_view configuration = in.sized();
  if (!in.done()) {
    return corrupt("snapshot meta", "its length is wrong");
  }
  Result<Configuration> decoded = decode_configuration(configuration);
  if (!decoded) {
    return decoded.error();
  }
  out.configuration = std::move(*decoded);
  return out;
}

std::string encode_identity(const Identity& identity) {
  std::string body;
  put_le(body, identity.node.value);
  put_random_id(body, identity.incarnation);
  put_random_id(body, identity.cluster);
  put_le(body, identity.boot_epoch);
  return sealed(kIdentityVersion, body);
}

Result<Identity> decode_identity(std::string_view bytes) {
  Result<std::string_view> body = unsealed(bytes, kIdentityVersion, "identity");
  if (!body) {
    return body.error();
  }
  ByteReader in(*body);
  Identity out;
  out.node = NodeId{in.le<uint64_t>()};
  out.incarnation = get_random_id<Incarnation>(in);
  out.cluster = get_random_id<ClusterId>(in);
  out.boot_epoch = in.le<uint64_t>();
  if (!in.done()) {
    return corrupt("identity", "its length is wrong");
  }
  return out;
}

}  // namespace kiwi::raft
