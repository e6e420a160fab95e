// The last record of a write-ahead log that is not whole: did its sectors not all reach the disk,
// or did they and one has rotted since (F16, F59)? Used by wal_scan.cpp.
#pragma once

#include <cstdint>

#include "rocks/wal_format.hpp"
#include "rocks/wal_note.hpp"

namespace kiwi::rocks {

// A sector of the last write that is old shows what was there before: kWalRoom, or, where no room
// had been made, zeros. So many of either at a sector's end say that it is old: RocksLog never
// writes that many in a row (log_entry.hpp).
inline constexpr uint64_t kMissingMin = 192;

// The record begins at `begin`; `end` is behind the last byte of the file that is neither zero nor
// kWalRoom. The file was filled up to `filled` before: zeros there are no old bytes. False: all of
// the record is there.
bool sectors_are_missing(
    WalSource& source, uint64_t begin, uint64_t end, uint64_t filled, const WalMark& mark);

}  // namespace kiwi::rocks
