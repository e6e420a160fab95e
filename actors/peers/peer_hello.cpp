#include "actors/peers/peer_hello.hpp"

#include <algorithm>
#include <utility>

#include "config/base/bytes.hpp"

namespace kiwi::actors {

namespace {

constexpr uint8_t kHelloVersion = 3;

template <class Id>
void put_id(std::string& out, const Id& id) {
  out.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

template <class Id>
Id get_id(ByteReader& reader) {
  Id id;
  const std::string_view raw = reader.take(id.bytes.size());
  std::copy(raw.begin(), raw.end(), reinterpret_cast<char*>(id.bytes.data()));
  return id;
}

// ON THE WIRE, never renumber.
enum class Tag : uint8_t {
  kBuild = 1,
  kArchitecture = 2,
  kClusterVersion = 3,
  kClusterVersionMax = 4,
  kTlsClientAddress = 5,
  kGroups = 6,
  kKnownMarks = 7,
  kClusterPort = 8,
  kSentinelPort = 9,
};

void put_tagged(std::string& out, Tag tag, std::string_view bytes) {
  if (!bytes.empty()) {
    put_varint(out, static_cast<uint64_t>(tag));
    put_sized(out, bytes);
  }
}

void put_tagged(std::string& out, Tag tag, uint32_t number) {
  std::string bytes;
  put_varint(bytes, number);
  put_tagged(out, tag, number == 0 ? std::string_view() : std::string_view(bytes));
}

bool get_number(std::string_view bytes, uint32_t& number) {
  ByteReader reader(bytes);
  const uint64_t value = reader.varint();
  number = static_cast<uint32_t>(value);
  return reader.done() && value <= UINT32_MAX;
}

bool get_tagged(uint64_t tag, std::string_view bytes, PeerHello& hello) {
  switch (static_cast<Tag>(tag)) {
    case Tag::kBuild:
      hello.build = bytes;
      return true;
    case Tag::kArchitecture:
      hello.architecture = bytes;
      return true;
    case Tag::kClusterVersion:
      return get_number(bytes, hello.cluster_version);
    case Tag::kClusterVersionMax:
      return get_number(bytes, hello.cluster_version_max);
    case Tag::kTlsClientAddress:
      hello.tls_client_address = bytes;
      return true;
    case Tag::kGroups:
      return get_number(bytes, hello.groups);
    case Tag::kClusterPort:
      return get_number(bytes, hello.cluster_port);
    case Tag::kSentinelPort:
      return get_number(bytes, hello.sentinel_port);
    case Tag::kKnownMarks: {
      Result<std::vector<raft::Mark>> known = raft::decode_lineage(bytes);
      hello.known_marks = known ? std::move(*known) : std::vector<raft::Mark>();
      return known.has_value();
    }
  }
  return true;  // of a newer build
}

bool get_all_tagged(ByteReader& reader, PeerHello& hello) {
  for (uint64_t last = 0; reader.ok() && !reader.rest().empty();) {
    const uint64_t tag = reader.varint();
    const std::string_view bytes = reader.sized();
    if (!reader.ok() || tag <= last || (tag <= UINT8_MAX && !get_tagged(tag, bytes, hello))) {
      return false;
    }
    last = tag;
  }
  return reader.ok();
}

}  // namespace

std::string encode_hello(const PeerHello& hello) {
  static_assert(static_cast<uint8_t>(PeerHello::You::kKnown) == 6, "decode_hello() ends there");
  std::string out;
  put_u8(out, kHelloVersion);
  put_le(out, hello.node.value);
  put_id(out, hello.incarnation);
  put_id(out, hello.cluster);
  put_le(out, hello.list_digest);
  put_sized(out, hello.client_address);
  put_sized(out, hello.peer_address);
  put_le(out, hello.boot_epoch);
  put_sized(out, raft::encode_marks(hello.marks));
  put_le(out, hello.election_timeout_ms);
  put_u8(out, static_cast<uint8_t>(hello.you));
  put_sized(out, hello.where);
  put_sized(out, hello.first_entry);
  put_tagged(out, Tag::kBuild, hello.build);
  put_tagged(out, Tag::kArchitecture, hello.architecture);
  put_tagged(out, Tag::kClusterVersion, hello.cluster_version);
  put_tagged(out, Tag::kClusterVersionMax, hello.cluster_version_max);
  put_tagged(out, Tag::kTlsClientAddress, hello.tls_client_address);
  put_tagged(out, Tag::kGroups, hello.groups);
  put_tagged(out, Tag::kKnownMarks, raft::encode_lineage(hello.known_marks));
  put_tagged(out, Tag::kClusterPort, hello.cluster_port);
  put_tagged(out, Tag::kSentinelPort, hello.sentinel_port);
  return out;
}

Result<PeerHello> decode_hello(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto version = reader.le<uint8_t>();
  PeerHello hello;
  hello.node = NodeId{reader.le<uint64_t>()};
  hello.incarnation = get_id<Incarnation>(reader);
  hello.cluster = get_id<ClusterId>(reader);
  hello.list_digest = reader.le<uint64_t>();
  hello.client_address = reader.sized();
  hello.peer_address = reader.sized();
  hello.boot_epoch = reader.le<uint64_t>();
  Result<std::vector<raft::Mark>> marks = raft::decode_marks(reader.sized());
  hello.election_timeout_ms = reader.le<uint32_t>();
  const auto you = reader.le<uint8_t>();
  hello.you = static_cast<PeerHello::You>(you);
  hello.where = reader.sized();
  hello.first_entry = reader.sized();
  if (!get_all_tagged(reader, hello) || version != kHelloVersion || you > 6 || !hello.node ||
      !marks) {
    return Error{Errc::kInvalid, "its hello is not one of this protocol"};
  }
  hello.marks = std::move(*marks);
  return hello;
}

}  // namespace kiwi::actors
