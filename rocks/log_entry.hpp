// How an entry stands in the log's database: as raft::append_entry() makes it, or, if its payload
// holds many zeros in a row, hidden under a mask. So no sector of a write is zeros by itself, and
// one that is was lost (wal_tail.hpp).
//
// ON DISK (golden bytes in tests/rocks/): raft::append_entry(), whose first byte is its version; or
// [ff][mask: 8][the same, each byte xor the mask's, the mask again and again]. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "raft/types.hpp"

namespace kiwi::rocks {

// An entry's own fields and two payloads below this hold fewer than kMissingZerosMin in a row.
inline constexpr size_t kZerosInARowMax = 64;

bool has_many_zeros(std::string_view payload);

// `header` is raft::append_entry_header() of the entry. `secret` is known to no client, so nobody
// can write a payload that is zeros under the mask.
std::string hidden_entry(std::string_view header, std::string_view payload, uint64_t secret);

// Whatever stands in the database, as raft::decode_entry() takes it.
std::string revealed_entry(std::string stored);

}  // namespace kiwi::rocks
