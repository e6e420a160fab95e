#include "rocks/log_files.hpp"

#include <cstdint>
#include <string>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/table.h>

#include "config/base/open_files.hpp"
#include "rocks/log_reader.hpp"

namespace kiwi::rocks {

namespace {

// What of the memtable is cut before it is flushed never becomes a file. It holds more than the
// state's table (48 MiB), behind whose flushes the log is cut, and what comes meanwhile.
constexpr uint64_t kMemtable = 128 << 20;

// A flush writes what is left of the memtable and lets its write-ahead log go; what was cut does
// not survive it. So it is the cheaper the less is left, but if it waits until the memtable is
// full, nobody knows how much that will be.
bool worth_a_flush(rocksdb::DB& db, uint64_t left) {
  constexpr uint64_t kLeast = 1 << 20;
  constexpr uint64_t kSoonFull = kMemtable / 8 * 5;
  uint64_t all = 0;
  if (!db.GetIntProperty(rocksdb::DB::Properties::kCurSizeActiveMemTable, &all) || all < kLeast) {
    return false;
  }
  return left <= all / 4 || (left <= all / 2 && all >= kSoonFull);
}

}  // namespace

rocksdb::Options log_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  options.max_open_files = share_open_files(open_files_limit()).log;
  // F16. log_recovery.cpp has cut torn tails already: what RocksDB still finds is damage.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  options.recycle_log_file_num = 0;
  options.wal_compression = rocksdb::kNoCompression;  // the scan reads records as they are
  options.write_buffer_size = kMemtable;
  options.max_write_buffer_number = 3;
  options.compression = rocksdb::kNoCompression;
  options.allow_concurrent_memtable_write = false;  // one writer
  options.enable_write_thread_adaptive_yield = false;
  options.max_background_jobs = 2;
  options.bytes_per_sync = 256 << 10;  // a sync of this log waits for no more of a flush
  options.strict_bytes_per_sync = true;
  options.max_total_wal_size = 256 << 20;
  options.level0_file_num_compaction_trigger = 4;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(8 << 20);
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// Whole files of deeper levels go at once. Table files of level 0 lose what was cut when four are
// compacted.
void drop_log_files(rocksdb::DB& db, LogIndex from, LogIndex to, uint64_t left) {
  const std::string begin = log_keys::entry(from);
  const std::string end = log_keys::entry(to);
  const rocksdb::Slice lower(begin);
  const rocksdb::Slice upper(end);
  (void)rocksdb::DeleteFilesInRange(&db, db.DefaultColumnFamily(), &lower, &upper, false);
  if (worth_a_flush(db, left)) {
    rocksdb::FlushOptions options;
    options.wait = false;
    options.allow_write_stall = true;  // else it would wait for room
    (void)db.Flush(options);
  }
}

}  // namespace kiwi::rocks
