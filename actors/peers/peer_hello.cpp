#include "actors/peers/peer_hello.hpp"

#include <algorithm>
#include <utility>

#include "config/base/bytes.hpp"

namespace kiwi::actors {

namespace {

constexpr uint8_t kHelloVersion = 2;

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

}  // namespace

std::string encode_hello(const PeerHello& hello) {
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
  if (!reader.done() || version != kHelloVersion || you > 6 || !hello.node || !marks) {
    return Error{Errc::kInvalid, "its hello is not one of this protocol"};
  }
  hello.marks = std::move(*marks);
  return hello;
}

}  // namespace kiwi::actors
