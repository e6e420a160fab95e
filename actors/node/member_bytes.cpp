#include "actors/node/member_bytes.hpp"

#include <algorithm>
#include <utility>

#include "raft/codec.hpp"

namespace kiwi::actors {

void put_member(std::string& out, const raft::Member& member) {
  put_le(out, member.id.value);
  out.append(reinterpret_cast<const char*>(member.incarnation.bytes.data()),
             member.incarnation.bytes.size());
  put_sized(out, member.client_address);
  put_sized(out, member.peer_address);
  put_sized(out, member.tls_client_address);
  put_varint(out, member.labels.size());
  for (const auto& [name, value] : member.labels) {
    put_sized(out, name);
    put_sized(out, value);
  }
}

raft::Member get_member(ByteReader& reader) {
  raft::Member member;
  member.id = NodeId{reader.le<uint64_t>()};
  const std::string_view raw = reader.take(member.incarnation.bytes.size());
  std::copy(raw.begin(), raw.end(), reinterpret_cast<char*>(member.incarnation.bytes.data()));
  member.client_address = reader.sized();
  member.peer_address = reader.sized();
  member.tls_client_address = reader.sized();
  const uint64_t labels = reader.varint();
  for (uint64_t i = 0; i < labels && reader.ok(); ++i) {
    std::string name(reader.sized());
    member.labels[std::move(name)] = reader.sized();
  }
  return member;
}

void put_configuration(std::string& out, const raft::Configuration& configuration) {
  put_sized(out, configuration.members.empty() ? std::string()
                                               : raft::encode_configuration(configuration));
}

bool get_configuration(ByteReader& reader, raft::Configuration& out) {
  const std::string_view bytes = reader.sized();
  if (bytes.empty()) {
    return true;
  }
  Result<raft::Configuration> decoded = raft::decode_configuration(bytes);
  if (decoded) {
    out = std::move(*decoded);
  }
  return decoded.has_value();
}

Error garbled() { return Error{Errc::kInvalid, "a word between nodes is garbled"}; }

}  // namespace kiwi::actors
