// How an entry stands in the log's database: as raft::append_entry() makes it, or, if its payload
// holds long runs of zeros or kWalRoom, hidden under a mask. So no sector of a write looks by
// itself as if it were not there (wal_tail.hpp).
//
// ON DISK (golden bytes in tests/rocks/): raft::append_entry(), whose first byte is its version; or
// [ff][mask: 8][the same, each byte xor the mask's, the mask again and again]. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "raft/types.hpp"

namespace kiwi::rocks {

// An entry's own fields and two payloads with shorter runs have none of kMissingMin.
inline constexpr size_t kLongRun = 64;

bool has_long_run(std::string_view payload);

// `header` is raft::append_entry_header() of the entry. `secret` is known to no client, so nobody
// can write a payload that has such runs under the mask.
std::string hidden_entry(std::string_view header, std::string_view payload, uint64_t secret);

// Whatever stands in the database, as raft::decode_entry() takes it.
std::string revealed_entry(std::string stored);

}  // namespace kiwi::rocks
