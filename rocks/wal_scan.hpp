// Tells a torn tail from damage in a RocksDB write-ahead log, by reading its records ourselves
// (F16).
//
// RocksDB alone cannot: its default mode drops everything after a bad record, its strict mode drops
// the rest of a 32 KiB block when a length is bad near the end of the file, and refuses honest
// tails that hold zeros. A pure function of the bytes; any thread.
//
// It works because of how RocksLog writes: record n+1 only after the sync of record n has returned,
// so whatever was acknowledged is followed by nothing or by whole records; and every record ends in
// a byte that is not zero, so zeros at the end are room that was never written: the file is read as
// if it ended before them (wal_file.hpp fills that room ahead of the writer).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiwi::rocks {

enum class WalVerdict {
  kWhole,    // every record is there
  kTorn,     // the last record was being written when the machine stopped: cut it off at `offset`
  kDamaged,  // bytes that were once synced are gone: the node must not start
};

struct WalScan {
  WalVerdict verdict = WalVerdict::kWhole;
  uint64_t records = 0;  // whole ones before `offset`
  // kWhole: where the last record ends; what follows is zeros. kTorn: where the torn record begins.
  // kDamaged: the first bad byte's record.
  uint64_t offset = 0;
};

WalScan scan_wal(std::string_view bytes);

}  // namespace kiwi::rocks
