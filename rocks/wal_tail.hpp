// The last record of a write-ahead log that is not whole: did its sectors not all reach the disk,
// or did they and one has rotted since (F16, F59)? Used by wal_scan.cpp.
#pragma once

#include <cstdint>

#include "rocks/wal_format.hpp"
#include "rocks/wal_note.hpp"

namespace kiwi::rocks {

// A sector of the last write that is old shows as zeros from where it was filled up to its end. So
// many at a sector's end say that they are missing: RocksLog never writes that many in a row
// (log_entry.hpp).
inline constexpr uint64_t kMissingZerosMin = 192;

// The record begins at `begin`; `end` is behind the last byte of the file that is not zero. False:
// all of it is there.
bool sectors_are_missing(WalSource& source, uint64_t begin, uint64_t end, const WalMark& mark);

}  // namespace kiwi::rocks
