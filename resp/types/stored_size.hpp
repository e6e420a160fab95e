// How many bytes a key's records have, keys and values, as they are stored: what it takes of the
// table in memory beside a constant per record, and of files before they are compressed.
#pragma once

#include <cstdint>

#include "resp/types/database.hpp"

namespace kiwi::resp {

// Requires key.live. Of the records beside the key's own at most about `samples` are looked at, and
// the rest taken to be like them, where it is known how many there are; otherwise all are.
uint64_t stored_size(Database& database, const Key& key, uint64_t samples);

}  // namespace kiwi::resp
