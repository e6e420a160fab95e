// StateDatabase: what its compactions owe, and how hard that presses on writers.
#include <algorithm>
#include <string>

#include <rocksdb/db.h>

#include "config/base/check.hpp"
#include "rocks/state_database.hpp"

namespace kiwi::rocks {

namespace {

// Pressure of compaction that is as far behind as it may be: less than full, since flushes that
// wait for it fill the write buffer, which has its own measure.
constexpr uint32_t kDebtPressureMax = 900;
constexpr auto kPressureAge = std::chrono::milliseconds(10);
// The plain adaptor: of the memtables a family may have, so many may wait to be written.
constexpr uint64_t kMemtablesSlow = 2;
constexpr uint64_t kMemtablesMax = 3;

uint32_t part_of(uint64_t now, uint64_t from, uint64_t to) {
  if (now <= from || to <= from) {
    return now <= from ? 0 : kDebtPressureMax;
  }
  return static_cast<uint32_t>(kDebtPressureMax * (std::min(now, to) - from) / (to - from));
}

// What the largest compaction to come may write before its inputs go: all of level 0 into the level
// below it; deeper ones are bounded by RocksDB.
uint64_t largest_compaction(const rocksdb::ColumnFamilyMetaData& family, uint64_t bytes_max) {
  uint64_t largest = 0;
  for (size_t level = 0; level < family.levels.size(); ++level) {
    if (family.levels[level].size == 0) {
      continue;
    }
    uint64_t below = 0;
    for (size_t next = level + 1; next < family.levels.size() && below == 0; ++next) {
      below = family.levels[next].size;
    }
    const uint64_t bytes = family.levels[level].size + below;
    if (level == 0) {
      largest = std::max(largest, bytes);
    } else if (below != 0) {
      largest = std::max(largest, std::min(bytes, bytes_max));
    }
  }
  return largest;
}

}  // namespace

StateDatabase::Debt StateDatabase::measure() {
  const std::lock_guard lock(measuring_);
  Debt owed;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    std::string files;
    CHECK_INVARIANT(
        db_->GetProperty(handle, rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &files));
    owed.level0_files = std::max<uint64_t>(owed.level0_files, std::stoull(files));
    uint64_t value = 0;
    if (db_->GetIntProperty(handle, rocksdb::DB::Properties::kEstimatePendingCompactionBytes,
                            &value)) {
      owed.compaction_bytes += value;
    }
    if (db_->GetIntProperty(handle, rocksdb::DB::Properties::kNumImmutableMemTable, &value)) {
      owed.memtables = std::max(owed.memtables, value);
    }
    rocksdb::ColumnFamilyMetaData family;
    db_->GetColumnFamilyMetaData(handle, &family);
    owed.compaction_room =
        std::max(owed.compaction_room, largest_compaction(family, compaction_bytes_max_));
  }
  gauges_.level0_files = owed.level0_files;
  gauges_.compaction_bytes = owed.compaction_bytes;
  gauges_.memtables = owed.memtables;
  gauges_.compaction_room = owed.compaction_room;
  return owed;
}

StateDatabase::Debt StateDatabase::debt() const {
  return {gauges_.level0_files, gauges_.compaction_bytes, gauges_.memtables,
          gauges_.compaction_room};
}

bool StateDatabase::writes_stopped() const {
  uint64_t stopped = 0;
  return db_->GetIntProperty(rocksdb::DB::Properties::kIsWriteStopped, &stopped) && stopped != 0;
}

uint32_t StateDatabase::pressure() {
  const auto now = std::chrono::steady_clock::now();
  if (now >= pressure_until_) {
    pressure_until_ = now + kPressureAge;
    // Memtables fill without anybody being told.
    const Debt owed = writes_ == Writes::kMemtables ? measure() : debt();
    pressure_ =
        std::max({part_of(owed.level0_files, level0_files_slow_, level0_files_max_),
                  part_of(owed.compaction_bytes, compaction_debt_slow_, compaction_debt_max_),
                  part_of(owed.memtables, kMemtablesSlow, kMemtablesMax)});
    part_owed_ = static_cast<uint32_t>(
        std::max(std::min<uint64_t>(
                     1000, 1000 * owed.level0_files / std::max<uint64_t>(1, level0_files_slow_)),
                 std::min<uint64_t>(1000, 1000 * (owed.compaction_bytes >> 20) /
                                              std::max<uint64_t>(1, compaction_debt_slow_ >> 20))));
  }
  return pressure_;
}

}  // namespace kiwi::rocks
