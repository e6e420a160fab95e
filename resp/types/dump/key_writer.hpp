// A key's value as DUMP gives it: the type that Redis 7.0 would choose, made of what its handle
// tells. Uses the Database for reading only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "resp/types/database.hpp"

namespace kiwi::resp::dump {

// A payload is built whole in memory, and a client gets it as one string.
inline constexpr size_t kPayloadBytes = size_t{512} << 20;

enum class WriteOutcome : uint8_t {
  kDone,
  kTooLarge,  // above `bytes_max`
};

// Appends type byte and body to `out`. Requires key.live, just found.
WriteOutcome write_key(Database& database, const Key& key, size_t bytes_max, std::string& out);

}  // namespace kiwi::resp::dump
