// Removes what is due, as the effect of an entry: keys and fields of hashes whose deadline is not
// after the entry's own time. It walks the index of deadlines from each database's floor, so what
// goes, and in which order, follows from the state and the entry alone: the leader that asked says
// how much at most, and nothing else (F8).
#pragma once

#include <cstdint>
#include <optional>

#include "resp/types/database.hpp"

namespace kiwi::resp {

// What one entry may take: keys, fields and moves in the index together. About 3 ms.
inline constexpr uint64_t kReclaimMost = 1000;

struct Reclaimed {
  uint64_t keys = 0;
  uint64_t fields = 0;  // of keys that stay
  uint64_t moved = 0;   // keys that stand later in the index now
};
Reclaimed reclaim(Database& database, int64_t now_ms, uint64_t most);

// Since when something may be due that was not reclaimed; nullopt: nothing is. For whoever asks for
// entries; no part of what they do.
std::optional<int64_t> due_since(Database& database, int64_t now_ms);

}  // namespace kiwi::resp
