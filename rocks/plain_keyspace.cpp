// The plain Keyspace adaptor: RocksDB with its WAL off below, one turn's overlay above, a record
// cache between. Apply thread only, except Views.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "config/base/check.hpp"
#include "rocks/background.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/overlaid_keyspace.hpp"
#include "rocks/read_only_state.hpp"
#include "rocks/record_cache.hpp"
#include "rocks/rocksdb_support.hpp"
#include "rocks/snapshot_view.hpp"
#include "rocks/state_database.hpp"

namespace kiwi::rocks {

namespace {

constexpr std::array<Family, kFamilies> kAllFamilies = {Family::kMeta, Family::kElement,
                                                        Family::kNode, Family::kSystem};

// A range erase over at most so many stored keys is written as single deletes: a memtable that
// holds many range tombstones makes every read of it slow.
constexpr int kPointDeletesMax = 64;
constexpr auto kStopPoll = std::chrono::milliseconds(5);

// Elements are named by versions that never come back; only records that are asked for again and
// again are worth keeping.
bool cached(Family family) { return family == Family::kMeta || family == Family::kSystem; }

class PlainKeyspace final : public OverlaidKeyspace<StoredWalk> {
 public:
  PlainKeyspace(std::unique_ptr<StateDatabase> database, const KeyspaceOptions& options)
      : OverlaidKeyspace(options.hash_seed),
        database_(std::move(database)),
        cache_(options.metadata_cache_bytes) {
    write_options_.disableWAL = true;  // the Raft log is the WAL
  }

  std::optional<std::string_view> get(Family family, const LookupKey& key) override;
  void expect_reads(Family, std::span<const LookupKey>) override {}  // a miss costs little here

  void commit(LogIndex applied) override;
  void spill(std::span<const Record> records) override;
  void drop_spilled(Family family, std::string_view from, std::string_view to) override;
  LogIndex flushed_index() override;
  void flush() override { database_->flush(); }
  void flush_async(std::function<void(LogIndex)> done) override {
    background_.post([database = database_.get(), done = std::move(done)] {
      database->flush();
      done(database->persisted_index());
    });
  }
  void checkpoint(std::string directory, std::function<void(Result<LogIndex>)> done) override {
    background_.post(
        [database = database_.get(), directory = std::move(directory), done = std::move(done)] {
          const Result<void> made = database->checkpoint(directory);
          done(made ? applied_index_of(directory) : Result<LogIndex>(made.error()));
        });
  }
  void compact() override { database_->compact(); }
  void give_up() override { database_->room().end_waits(); }
  uint64_t owed_bytes() override {
    return memtable_bytes(database_->db()) + database_->debt().compaction_room;
  }
  std::unique_ptr<Reader> view() override { return make_snapshot_view(*database_); }
  void view_async(std::function<void(std::unique_ptr<Reader>)> done) override { done(view()); }
  uint32_t view_cost() override { return 0; }  // memtables are part of a RocksDB snapshot
  bool tidy() override { return false; }
  Usage usage() override {
    Usage usage = database_->usage();
    usage.memory_bytes += cache_.used_bytes();
    usage.cache_bytes = cache_.used_bytes();
    usage.pressure = pressure();
    return usage;
  }
  // What RocksDB holds up would hold up the apply thread in the middle of commit().
  uint32_t pressure() override {
    const uint32_t pressure = database_->pressure();
    return pressure != 0 && database_->writes_stopped() ? kPressureFull : pressure;
  }
  void when_room(std::function<void()> done) override {
    background_.post([database = database_.get(), done = std::move(done)] {
      while (database->writes_stopped()) {
        std::this_thread::sleep_for(kStopPoll);
      }
      done();
    });
  }

 private:
  StoredWalk::Source source(Family family) override {
    return {
        .db = &database_->db(), .family = database_->handle(family), .path = &database_->path()};
  }
  bool anything_committed();
  void write_batch();
  void batch_family(Family family);
  void batch_range(Family family,
                   std::string_view from,
                   const RangeEnd& end,
                   std::unique_ptr<StoredWalk>& walk);
  void refresh_cache(Family family);

  std::unique_ptr<StateDatabase> database_;
  RecordCache cache_;
  rocksdb::WriteBatch batch_;
  rocksdb::WriteOptions write_options_;
  rocksdb::ReadOptions read_options_;
  rocksdb::PinnableSlice found_;
  bool opened_ = true;               // and nothing was written since
  bool anything_committed_ = false;  // once it is, for ever
  std::vector<const Overlay::Node*> sorted_;
  bool tombstones_written_ = false;  // by the family being batched
  std::optional<uint64_t> flushes_seen_;
  LogIndex flushed_;
  JobThread background_ = background_thread();  // last: its jobs use the database
};

std::optional<std::string_view> PlainKeyspace::get(Family family, const LookupKey& wanted) {
  const uint64_t hash = turn_.hash(wanted);
  const std::string_view key = wanted.bytes;
  if (const TurnOverlay::Look above = turn_.look(family, hash, key); above.known) {
    return above.value;
  }
  RecordCache::Hit hit;
  if (cached(family) && cache_.find(family, hash, key, hit)) {
    return hit.present ? std::optional(hit.value) : std::nullopt;
  }
  std::optional<std::string_view> found = database_->get(read_options_, family, key, found_);
  if (cached(family)) {
    cache_.store(family, hash, key, {found.has_value(), found.value_or(std::string_view())});
  }
  return found;
}

void PlainKeyspace::commit(LogIndex applied) {
  opened_ = false;
  turn_.check_applied(applied);
  batch_.Clear();
  for (Family family : kAllFamilies) {
    batch_family(family);
  }
  CHECK_INVARIANT(batch_.Count() != 0);  // the applied record at least
  write_batch();
  turn_.clear();
}

void PlainKeyspace::write_batch() {
  rocksdb::Status status = database_->db().Write(write_options_, &batch_);
  if (!status.ok() && !database_->room().forgives(status)) {
    fatal_status("writing", database_->path(), status);
  }
}

// Nothing of it is there without a state that it is hidden in.
bool PlainKeyspace::anything_committed() {
  if (!anything_committed_) {
    std::string key;
    keys::applied_record(key);
    anything_committed_ = database_->get(read_options_, Family::kSystem, key, found_).has_value();
  }
  return anything_committed_;
}

void PlainKeyspace::spill(std::span<const Record> records) {
  opened_ = false;
  if (!anything_committed()) {
    for (const Record& record : records) {
      turn_.put(record.family, record.key, record.value);
    }
    return;
  }
  batch_.Clear();
  for (const Record& record : records) {
    CHECK_INVARIANT(!cached(record.family));
    batch_.Put(database_->handle(record.family), record.key, record.value);
  }
  write_batch();
  batch_.Clear();
}

// The files first: what they erased in others, which stay, is erased anew.
void PlainKeyspace::drop_spilled(Family family, std::string_view from, std::string_view to) {
  CHECK_INVARIANT(!cached(family) && from < to);
  if (!anything_committed()) {
    return;
  }
  if (opened_) {
    database_->delete_files(family, from, to);
  }
  batch_.Clear();
  batch_.DeleteRange(database_->handle(family), from, to);
  write_batch();
}

// Ranges first: in one WriteBatch later records win, so writes after a range erase survive it.
void PlainKeyspace::batch_family(Family family) {
  const Overlay& above = turn_.of(family);
  if (above.empty()) {
    return;
  }
  rocksdb::ColumnFamilyHandle* handle = database_->handle(family);
  tombstones_written_ = false;
  std::unique_ptr<StoredWalk> walk;
  for (const auto& [from, end] : above.ranges().merged()) {
    batch_range(family, from, end, walk);
  }
  if (cached(family) && tombstones_written_) {
    cache_.forget(family, above.ranges());
  }
  static_assert(kAllFamilies.size() == size_t{kFamilies});
  sorted_.clear();
  for (const Overlay::Node& node : above.nodes()) {
    if (node.state == Overlay::State::kPut ||
        (node.state == Overlay::State::kErase && !above.ranges().contains(node.key()))) {
      sorted_.push_back(&node);
    }
  }
  std::sort(sorted_.begin(), sorted_.end(),
            [](const Overlay::Node* a, const Overlay::Node* b) { return a->key() < b->key(); });
  for (const Overlay::Node* node : sorted_) {
    if (node->state == Overlay::State::kPut) {
      batch_.Put(handle, node->key(), node->value());
    } else {
      batch_.Delete(handle, node->key());
    }
  }
  if (cached(family)) {
    refresh_cache(family);
  }
}

void PlainKeyspace::batch_range(Family family,
                                std::string_view from,
                                const RangeEnd& end,
                                std::unique_ptr<StoredWalk>& walk) {
  rocksdb::ColumnFamilyHandle* handle = database_->handle(family);
  if (walk == nullptr) {
    const StoredWalk::Source all{
        .db = &database_->db(), .family = handle, .path = &database_->path()};
    walk = std::make_unique<StoredWalk>(all, "", "");
  }
  std::vector<std::string> found;
  walk->seek(from);
  while (walk->valid() && end.after(walk->key()) && found.size() <= kPointDeletesMax) {
    found.emplace_back(walk->key());
    walk->next();
  }
  if (walk->valid() && found.size() > kPointDeletesMax) {
    tombstones_written_ = true;
    if (!end.never) {
      batch_.DeleteRange(handle, from, end.key);
      return;
    }
    walk->seek_last();
    if (walk->valid()) {
      std::string past_last(walk->key());
      past_last.push_back('\0');
      batch_.DeleteRange(handle, from, past_last);
      return;
    }
  }
  for (const std::string& key : found) {
    batch_.Delete(handle, key);
    if (cached(family)) {
      cache_.update(family, turn_.hash(key), key, {});
    }
  }
}

// The cache may run ahead of the write by a few instructions: a failed write stops the process.
void PlainKeyspace::refresh_cache(Family family) {
  for (const Overlay::Node* node : sorted_) {
    RecordCache::Hit record{node->state == Overlay::State::kPut, node->value()};
    if (family == Family::kMeta) {
      cache_.store(family, node->hash, node->key(), record);
    } else {
      cache_.update(family, node->hash, node->key(), record);
    }
  }
}

// F13: what is in files, past the memtables. Asked of RocksDB only after a flush has ended.
LogIndex PlainKeyspace::flushed_index() {
  uint64_t flushes = database_->flushes();
  if (flushes_seen_ == flushes) {
    return flushed_;
  }
  LogIndex persisted = database_->persisted_index();
  CHECK_INVARIANT(persisted >= flushed_);
  flushed_ = persisted;
  flushes_seen_ = flushes;
  return flushed_;
}

}  // namespace

Result<std::unique_ptr<Keyspace>> open_plain_keyspace(const KeyspaceOptions& options) {
  Result<std::unique_ptr<StateDatabase>> database = StateDatabase::open(options);
  if (!database) {
    return database.error();
  }
  return std::unique_ptr<Keyspace>(std::make_unique<PlainKeyspace>(std::move(*database), options));
}

}  // namespace kiwi::rocks
