// Tells a torn tail from damage in a RocksDB write-ahead log, by reading its records ourselves
// (F16, F59).
//
// RocksDB alone cannot: its default mode drops everything after a bad record, its strict mode drops
// the rest of a 32 KiB block when a length is bad near the end of the file, and refuses honest
// tails that hold zeros.
//
// Damage needs a proof. A bad record is damage if a note (wal_note.hpp) says that it had been
// synced; or if nothing of it is missing (wal_tail.hpp) and it is wrong all the same; or if there
// are zeros where the file had been filled with kWalRoom. Whatever else is bad was being written
// when the machine stopped.
//
// A function of the source's bytes; any thread.
#pragma once

#include <cstdint>
#include <map>

#include "rocks/wal_format.hpp"
#include "rocks/wal_note.hpp"

namespace kiwi::rocks {

enum class WalVerdict {
  kWhole,    // every record is there
  kTorn,     // the last write did not reach the disk as a whole: cut it off at `offset`
  kDamaged,  // bytes that were once synced are gone: the node must not start
};

struct WalScan {
  WalVerdict verdict = WalVerdict::kWhole;
  uint64_t records = 0;  // whole ones before `offset`
  // kWhole: where the last record ends; what follows is room. kTorn: where the torn record begins.
  // kDamaged: the first bad byte's record.
  uint64_t offset = 0;
  // What the notes in this file say of every file they speak of: the furthest of its bytes that
  // were synced, and filled before. All files before one of these were synced as a whole.
  struct Told {
    uint64_t synced = 0;
    uint64_t filled = 0;
  };
  std::map<uint64_t, Told> told;
};

// `file` is its number.
WalScan scan_wal(WalSource& source, uint64_t file, const WalMark& mark);

}  // namespace kiwi::rocks
