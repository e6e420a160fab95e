// Pieces that codec.cpp and codec_message.cpp share. Private to raft/.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "config/base/bytes.hpp"
#include "config/base/result.hpp"
#include "raft/types.hpp"

namespace kiwi::raft {

constexpr size_t kEntryHeaderBytes = 1 + 8 + 1 + 4 * 8 + 8 + 16 + 2 * 8 + 4;

Error corrupt(const char* what, const char* why);
// Checks version and checksum; what follows them.
Result<std::string_view> unsealed(std::string_view bytes, uint8_t version, const char* what);

void put_number(std::string& out, const ProposalNumber& number);
ProposalNumber get_number(ByteReader& in);

template <class Id>
void put_random_id(std::string& out, const Id& id) {
  out.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

template <class Id>
Id get_random_id(ByteReader& in) {
  Id id;
  std::string_view raw = in.take(id.bytes.size());
  if (in.ok()) {
    std::memcpy(id.bytes.data(), raw.data(), id.bytes.size());
  }
  return id;
}

}  // namespace kiwi::raft
