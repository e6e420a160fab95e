#include "rocks/state_database.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>

#include "config/base/check.hpp"
#include "config/base/failpoint.hpp"
#include "config/base/open_files.hpp"
#include "config/base/reuse.hpp"
#include "rocks/failed_reads.hpp"
#include "rocks/files.hpp"
#include "rocks/keys.hpp"
#include "rocks/metadata.hpp"
#include "rocks/rocksdb_support.hpp"
#include "rocks/write_pace.hpp"

namespace kiwi::rocks {

// Between listeners, which live longer than what they measure, and the database.
class StateDatabase::Measures {
 public:
  void again() {
    const std::lock_guard lock(mutex_);
    if (database_ != nullptr) {
      database_->measure();
    }
  }
  void let(StateDatabase* database) {  // null: it ends
    const std::lock_guard lock(mutex_);
    database_ = database;
  }

 private:
  std::mutex mutex_;
  StateDatabase* database_ = nullptr;
};

class StateDatabase::Listener final : public rocksdb::EventListener {
 public:
  Listener(std::string path,
           std::shared_ptr<std::atomic<uint64_t>> flushes,
           std::shared_ptr<Stalls> stalls,
           std::function<void()> before_flush,
           std::shared_ptr<Measures> measures,
           std::shared_ptr<Room> room)
      : path_(std::move(path)),
        flushes_(std::move(flushes)),
        stalls_(std::move(stalls)),
        before_flush_(std::move(before_flush)),
        measures_(std::move(measures)),
        room_(std::move(room)) {}

  void OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo&) override {
    if (before_flush_) {
      before_flush_();
    }
  }
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override {
    flushes_->fetch_add(1, std::memory_order_release);
    measures_->again();
  }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override {
    measures_->again();
  }
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override {
    using rocksdb::WriteStallCondition;
    if (info.condition.cur == WriteStallCondition::kDelayed) {
      stalls_->slowdowns.fetch_add(1, std::memory_order_relaxed);
    } else if (info.condition.cur == WriteStallCondition::kStopped) {
      stalls_->stops.fetch_add(1, std::memory_order_relaxed);
    }
  }
  // A flush or compaction that failed leaves memtables that can never be written: stop now rather
  // than stall later. Whoever lacks room waits, or is forgiven (room.hpp).
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    if (!status->ok() && !status->IsShutdownInProgress() &&  // closing interrupts compactions
        !room_->forgives(*status)) {
      fatal_status("background work", path_, *status);
    }
  }

 private:
  std::string path_;
  std::shared_ptr<std::atomic<uint64_t>> flushes_;
  std::shared_ptr<Stalls> stalls_;
  std::function<void()> before_flush_;
  std::shared_ptr<Measures> measures_;
  std::shared_ptr<Room> room_;
};

namespace {

// Threads of each priority for all databases of the process: state and log must not wait for each
// other. A database uses one of each kind (max_background_jobs).
constexpr int kPoolThreads = 3;

// Level base of the table adaptor: as large as its table, which is five epochs or more.
constexpr uint64_t kLevelBaseMin = 16 << 20;
constexpr uint64_t kLevelBaseMax = 256 << 20;
constexpr uint64_t kFilesInBase = 4;
constexpr uint64_t kFileSizeMin = 8 << 20;
constexpr uint64_t kCompactionFilesMax = 25;  // RocksDB's own bound of a compaction below level 0

// What compactions write, and in which steps. Files collect no more than a step: RocksDB's 1 MiB
// would all come at once, and hold a processor for longer than a client should wait.
constexpr uint64_t kStepBytes = 64 << 10;
constexpr uint64_t kBytesPerSecond = 64 << 20;

rocksdb::DBOptions database_options(const KeyspaceOptions& options) {
  rocksdb::DBOptions made;
  made.create_if_missing = true;
  made.create_missing_column_families = true;
  made.paranoid_checks = true;
  made.statistics = make_block_counter();
  made.atomic_flush = true;  // all families are flushed at one applied index (F13)
  made.allow_concurrent_memtable_write = false;
  made.unordered_write = false;         // F41
  made.enable_pipelined_write = false;  // excluded by atomic_flush
  made.db_write_buffer_size = 6 * options.write_buffer_bytes;
  made.max_background_jobs = 2;
  // Compaction and the flusher share the disk with the log's syncs: one step at a time, of 256 KiB,
  // since a sync waits for what is before it, and at an even pace.
  made.bytes_per_sync = 256 << 10;
  made.strict_bytes_per_sync = true;
  made.rate_limiter = make_write_pace(kBytesPerSecond, kStepBytes);
  made.writable_file_max_buffer_size = kStepBytes;
  // Who ends the last cursor on a file must not unlink it: that may be the loop of the clients.
  made.avoid_unnecessary_blocking_io = true;
  made.max_open_files = share_open_files(open_files_limit()).state;
  made.avoid_flush_during_shutdown = true;  // a stopped node replays its log
  made.stats_dump_period_sec = 0;
  made.stats_persist_period_sec = 0;
  made.info_log_level = rocksdb::WARN_LEVEL;
  made.keep_log_file_num = 2;
  return made;
}

rocksdb::ColumnFamilyOptions family_options(const KeyspaceOptions& options,
                                            const std::shared_ptr<rocksdb::Cache>& block_cache,
                                            StateDatabase::Writes writes) {
  rocksdb::ColumnFamilyOptions made;
  made.write_buffer_size = options.write_buffer_bytes;
  made.max_write_buffer_number = 4;
  made.level_compaction_dynamic_level_bytes = true;
  if (writes == StateDatabase::Writes::kMemtables) {
    made.memtable_whole_key_filtering = true;
    made.memtable_prefix_bloom_size_ratio = 0.05;
  } else {
    // A compaction of level 0 rewrites the level below: with one much larger than what level 0
    // holds then, small tables would wait for it most of the time.
    made.max_bytes_for_level_base = std::clamp(options.table_bytes, kLevelBaseMin, kLevelBaseMax);
    made.target_file_size_base =
        std::max(made.max_bytes_for_level_base / kFilesInBase, kFileSizeMin);
    // Never filled; but blocks of level 0 are pinned only of files not much larger than it.
    made.write_buffer_size = 64 << 20;
    made.arena_block_size = 64 << 10;
  }
  made.compression = rocksdb::kLZ4Compression;
  made.compression_per_level.assign(7, rocksdb::kLZ4Compression);
  made.compression_per_level[0] = rocksdb::kNoCompression;
  made.compression_per_level[1] = rocksdb::kNoCompression;
  made.compaction_filter = nullptr;  // F7: nothing but a logged entry removes anything
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = block_cache;
  table.block_size = 8 << 10;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // In pieces: whole ones are a megabyte a file, and many files would drive each other's out of the
  // cache at every read.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  made.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return made;
}

}  // namespace

Result<std::unique_ptr<StateDatabase>> StateDatabase::open(const KeyspaceOptions& options,
                                                           Writes writes) {
  if (Result<void> made = make_directory(options.path); !made) {
    return made.error();
  }
  std::unique_ptr<StateDatabase> self(new StateDatabase());
  self->path_ = options.path;
  self->level0_files_slow_ = options.level0_files_slow;
  self->level0_files_max_ = options.level0_files_max;
  self->compaction_debt_slow_ = options.compaction_debt_slow;
  self->compaction_debt_max_ = options.compaction_debt_max;
  self->writes_ = writes;
  self->room_ = std::make_shared<Room>(options.path, options.free_bytes, options.no_room);
  self->measures_ = std::make_shared<Measures>();
  self->env_ = rocksdb::NewCompositeEnv(make_room_file_system(self->room_));
  self->env_->IncBackgroundThreadsIfNeeded(kPoolThreads, rocksdb::Env::LOW);
  self->env_->IncBackgroundThreadsIfNeeded(kPoolThreads, rocksdb::Env::HIGH);
  self->block_cache_ = rocksdb::NewLRUCache(options.block_cache_bytes);
  rocksdb::DBOptions database = database_options(options);
  database.env = self->env_.get();
  database.listeners.push_back(make_thread_listener());
  database.listeners.push_back(make_room_listener(self->room_, memtable_bytes));
  database.listeners.push_back(std::make_shared<Listener>(
      options.path, self->flushes_, self->stalls_,
      writes == Writes::kMemtables ? options.before_flush : std::function<void()>(),
      self->measures_, self->room_));
  rocksdb::ColumnFamilyOptions family = family_options(options, self->block_cache_, writes);
  self->compaction_bytes_max_ = kCompactionFilesMax * family.target_file_size_base;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, family);
  for (const char* name : kFamilyNames) {
    families.emplace_back(name, family);
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(database, options.path, families, &handles, &db);
  if (!status.ok()) {
    return open_error(options.path, status);
  }
  self->db_.reset(db);
  self->default_ = handles[0];
  std::copy(handles.begin() + 1, handles.end(), self->handles_.begin());
  if (Result<void> good = self->check_format(); !good) {
    return good.error();
  }
  if (writes == Writes::kIngests) {
    self->flush();  // the format record of a new database; else there is nothing
  }
  self->measures_->let(self.get());
  self->measure();
  return self;
}

StateDatabase::~StateDatabase() {
  measures_->let(nullptr);
  room_->end_waits();
  if (db_ != nullptr) {
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      db_->DestroyColumnFamilyHandle(handle);
    }
    db_->DestroyColumnFamilyHandle(default_);
  }
}

// Verified at every open: the directory holds a state in our format, whole enough to be continued.
Result<void> StateDatabase::check_format() {
  std::string format;
  rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), default_, kStateFormatKey, &format);
  if (!status.ok() && !status.IsNotFound()) {
    return open_error(path_, status);
  }
  bool has_format = status.ok();
  if (has_format && format != kStateFormatValue) {
    return Error{Errc::kInvalid, "the state in " + path_ + " has the format \"" + format +
                                     "\", this program reads \"" + kStateFormatValue +
                                     "\": start the version that wrote it"};
  }
  std::string key;
  std::string applied;
  keys::applied_record(key);
  status = db_->Get(rocksdb::ReadOptions(), handle(Family::kSystem), key, &applied);
  if (!status.ok() && !status.IsNotFound()) {
    return open_error(path_, status);
  }
  if (status.ok() && (!has_format || !decode_applied(applied))) {
    return Error{Errc::kCorrupt, "the state in " + path_ +
                                     " has no valid format and applied records: replace this "
                                     "node, its peers hold its data"};
  }
  if (!has_format) {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    status = db_->Put(options, default_, kStateFormatKey, kStateFormatValue);
    if (!status.ok()) {
      return open_error(path_, status);
    }
  }
  return {};
}

std::optional<std::string_view> StateDatabase::get(const rocksdb::ReadOptions& options,
                                                   Family family,
                                                   std::string_view key,
                                                   rocksdb::PinnableSlice& found) const {
  found.Reset();
  give_back_if_big(*found.GetSelf());
  rocksdb::Status status = db_->Get(options, handle(family), key, &found);
  if (status.IsNotFound()) {
    return std::nullopt;
  }
  if (!status.ok()) {
    fatal_status("reading", path_, status);
  }
  return found.ToStringView();
}

void StateDatabase::flush() {
  rocksdb::FlushOptions options;
  options.wait = true;
  options.allow_write_stall = true;
  std::vector<rocksdb::ColumnFamilyHandle*> all(handles_.begin(), handles_.end());
  all.push_back(default_);
  rocksdb::Status status = db_->Flush(options, all);
  if (!status.ok() && !room_->forgives(status)) {
    fatal_status("flushing", path_, status);
  }
  flushes_->fetch_add(1, std::memory_order_release);  // the listener may hear of it only later
}

LogIndex StateDatabase::persisted_index() const {
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kPersistedTier;
  std::string key;
  std::string bytes;
  keys::applied_record(key);
  rocksdb::Status status = db_->Get(options, handle(Family::kSystem), key, &bytes);
  if (status.IsNotFound()) {
    return LogIndex{};
  }
  if (!status.ok()) {
    fatal_status("reading", path_, status);
  }
  std::optional<AppliedRecord> record = decode_applied(bytes);
  if (!record.has_value()) {
    fatal("the applied record in " + path_ + " is damaged: replace this node");
  }
  return record->index;
}

Result<void> StateDatabase::checkpoint(const std::string& directory) {
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &made);
  std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) {
    // F13: always flush. With the WAL off anything else leaves out what is in memtables.
    constexpr uint64_t kLogSizeForFlush = 0;
    status = checkpoint->CreateCheckpoint(directory, kLogSizeForFlush);
  }
  flushes_->fetch_add(1, std::memory_order_release);
  if (!status.ok()) {
    return status_error("making the checkpoint " + directory + " of", path_, status);
  }
  if (Result<void> synced = sync_directory(parent_of(directory)); !synced) {
    return synced.error();
  }
  failpoint("snapshot-created");
  return {};
}

void StateDatabase::delete_files(Family family, std::string_view from, std::string_view to) {
  CHECK_INVARIANT(from < to);
  const rocksdb::Slice begin(from.data(), from.size());
  const rocksdb::Slice end(to.data(), to.size());
  constexpr bool kEndToo = false;
  const rocksdb::Status status =
      rocksdb::DeleteFilesInRange(db_.get(), handle(family), &begin, &end, kEndToo);
  if (!status.ok() && !room_->forgives(status)) {
    fatal_status("deleting files", path_, status);
  }
}

// By files, since CompactRange() would flush memtables first. Loses gracefully against a background
// compaction of the same files.
void StateDatabase::compact() {
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    rocksdb::ColumnFamilyMetaData family;
    db_->GetColumnFamilyMetaData(handle, &family);
    std::vector<std::string> files;
    for (const rocksdb::LevelMetaData& level : family.levels) {
      for (const rocksdb::SstFileMetaData& file : level.files) {
        files.push_back(file.name);
      }
    }
    if (files.empty()) {
      continue;
    }
    int last_level = static_cast<int>(family.levels.size()) - 1;
    rocksdb::CompactionOptions options;
    options.compression = rocksdb::kDisableCompressionOption;  // as the family's options say
    rocksdb::Status status = db_->CompactFiles(options, handle, files, last_level);
    if (status.IsCorruption() || (status.IsIOError() && !lacks_room(status))) {
      fatal_status("compacting", path_, status);
    }
  }
}

Keyspace::Usage StateDatabase::usage() const {
  Keyspace::Usage usage;
  usage.block_cache_bytes = block_cache_->GetUsage();
  using Properties = rocksdb::DB::Properties;
  db_->GetAggregatedIntProperty(Properties::kSizeAllMemTables, &usage.memtable_bytes);
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    uint64_t bytes = 0;
    if (db_->GetIntProperty(handle, Properties::kTotalSstFilesSize, &bytes)) {
      usage.disk_bytes += bytes;
    }
  }
  usage.memory_bytes = usage.block_cache_bytes + usage.memtable_bytes;
  const Debt owed = debt();
  usage.level0_files = owed.level0_files;
  usage.pending_compaction_bytes = owed.compaction_bytes;
  usage.compaction_room_bytes = owed.compaction_room;
  usage.waits_for_room = room_->waiting();
  usage.compactions_put_off = room_->compactions_put_off();
  usage.stall_slowdowns = stalls_->slowdowns.load(std::memory_order_relaxed);
  usage.stall_stops = stalls_->stops.load(std::memory_order_relaxed);
  return usage;
}

}  // namespace kiwi::rocks
