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
#include "rocks/hash_seed.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/merged_cursor.hpp"
#include "rocks/metadata.hpp"
#include "rocks/overlay.hpp"
#include "rocks/read_only_state.hpp"
#include "rocks/record_cache.hpp"
#include "rocks/rocksdb_support.hpp"
#include "rocks/snapshot_view.hpp"
#include "rocks/state_database.hpp"

namespace kiwi::rocks {

namespace {

constexpr std::array<Family, kFamilies> kAllFamilies = {Family::kMeta, Family::kElement,
                                                        Family::kScore, Family::kSystem};

// A range erase over at most so many stored keys is written as single deletes: a memtable that
// holds many range tombstones makes every read of it slow.
constexpr int kPointDeletesMax = 64;
constexpr auto kStopPoll = std::chrono::milliseconds(5);

size_t number(Family family) { return static_cast<size_t>(family); }

// Elements are named by versions that never come back; only records that are asked for again and
// again are worth keeping.
bool cached(Family family) { return family == Family::kMeta || family == Family::kSystem; }

class PlainKeyspace final : public Keyspace {
 public:
  PlainKeyspace(std::unique_ptr<StateDatabase> database, const KeyspaceOptions& options)
      : hash_(options.hash_seed),
        database_(std::move(database)),
        cache_(options.metadata_cache_bytes),
        overlays_{Overlay(arena_), Overlay(arena_), Overlay(arena_), Overlay(arena_)} {
    keys::applied_record(applied_key_);
    write_options_.disableWAL = true;  // the Raft log is the WAL
  }

  std::optional<std::string_view> get(Family family, std::string_view key) override;
  std::unique_ptr<Cursor> cursor(Family family,
                                 std::string_view from,
                                 std::string_view to) override {
    return make_cursor(source(family), from, to);
  }
  std::unique_ptr<ReverseCursor> reverse_cursor(Family family,
                                                std::string_view from,
                                                std::string_view to) override {
    return make_reverse_cursor(source(family), from, to);
  }

  void put(Family family, std::string_view key, std::string_view value) override {
    overlay(family).put(hash_(key), key, value);
  }
  void erase(Family family, std::string_view key) override {
    overlay(family).erase(hash_(key), key);
  }
  void erase_range(Family family, std::string_view from, std::string_view to) override {
    range_bytes_ += from.size() + to.size();
    overlay(family).erase_range(from, to);
  }

  void mark() override {
    for (Overlay& overlay : overlays_) {
      overlay.mark();
    }
  }
  void undo_to_mark() override {
    for (Overlay& overlay : overlays_) {
      overlay.undo_to_mark();
    }
  }

  void commit(LogIndex applied) override;
  size_t pending_bytes() const override { return arena_.used_bytes() + range_bytes_; }
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
  uint64_t owed_bytes() override {
    return memtable_bytes(database_->db()) + database_->debt().compaction_room;
  }
  std::unique_ptr<Reader> view() override { return make_snapshot_view(*database_); }
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
  Overlay& overlay(Family family) { return overlays_[number(family)]; }
  CursorSource source(Family family) {
    return {.db = &database_->db(),
            .family = database_->handle(family),
            .overlay = &overlay(family),
            .path = &database_->path()};
  }
  void check_applied(LogIndex applied);
  void batch_family(Family family);
  void batch_range(Family family,
                   std::string_view from,
                   const RangeEnd& end,
                   std::unique_ptr<rocksdb::Iterator>& iterator);
  void refresh_cache(Family family);

  const SeededHash hash_;
  std::unique_ptr<StateDatabase> database_;
  RecordCache cache_;
  Arena arena_;
  std::array<Overlay, kFamilies> overlays_;
  rocksdb::WriteBatch batch_;
  rocksdb::WriteOptions write_options_;
  rocksdb::ReadOptions read_options_;
  rocksdb::PinnableSlice found_;
  std::vector<const Overlay::Node*> sorted_;
  std::string applied_key_;
  size_t range_bytes_ = 0;
  bool tombstones_written_ = false;  // by the family being batched
  std::optional<uint64_t> flushes_seen_;
  LogIndex flushed_;
  Background background_;  // last: its jobs use the database
};

std::optional<std::string_view> PlainKeyspace::get(Family family, std::string_view key) {
  uint64_t hash = hash_(key);
  const Overlay& above = overlay(family);
  if (const Overlay::Node* node = above.find(hash, key); node != nullptr) {
    if (node->state == Overlay::State::kPut) {
      return node->value();
    }
    if (node->state == Overlay::State::kErase) {
      return std::nullopt;
    }
  }
  if (above.ranges().contains(key)) {
    return std::nullopt;
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

// The applied record is in the batch: a batch without it would be applied twice.
void PlainKeyspace::check_applied(LogIndex applied) {
  const Overlay::Node* node = overlay(Family::kSystem).find(hash_(applied_key_), applied_key_);
  CHECK_INVARIANT(node != nullptr && node->state == Overlay::State::kPut);
  std::optional<AppliedRecord> record = decode_applied(node->value());
  CHECK_INVARIANT(record.has_value() && record->index == applied);
}

void PlainKeyspace::commit(LogIndex applied) {
  check_applied(applied);
  batch_.Clear();
  for (Family family : kAllFamilies) {
    batch_family(family);
  }
  rocksdb::Status status = database_->db().Write(write_options_, &batch_);
  if (!status.ok()) {
    fatal_status("writing", database_->path(), status);
  }
  for (Family family : kAllFamilies) {
    overlay(family).clear();
  }
  arena_.reset();
  range_bytes_ = 0;
}

// Ranges first: in one WriteBatch later records win, so writes after a range erase survive it.
void PlainKeyspace::batch_family(Family family) {
  Overlay& above = overlay(family);
  if (above.empty()) {
    return;
  }
  rocksdb::ColumnFamilyHandle* handle = database_->handle(family);
  tombstones_written_ = false;
  std::unique_ptr<rocksdb::Iterator> iterator;
  for (const auto& [from, end] : above.ranges().merged()) {
    batch_range(family, from, end, iterator);
  }
  if (cached(family) && tombstones_written_) {
    cache_.forget(family, above.ranges());
  }
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
                                std::unique_ptr<rocksdb::Iterator>& iterator) {
  rocksdb::ColumnFamilyHandle* handle = database_->handle(family);
  if (iterator == nullptr) {
    iterator.reset(database_->db().NewIterator(read_options_, handle));
  }
  std::vector<std::string> found;
  iterator->Seek(from);
  while (iterator->Valid() && end.after(iterator->key().ToStringView()) &&
         found.size() <= kPointDeletesMax) {
    found.push_back(iterator->key().ToString());
    iterator->Next();
  }
  if (iterator->Valid() && found.size() > kPointDeletesMax) {
    tombstones_written_ = true;
    if (!end.never) {
      batch_.DeleteRange(handle, from, end.key);
      return;
    }
    iterator->SeekToLast();
    if (iterator->Valid()) {
      std::string past_last = iterator->key().ToString();
      past_last.push_back('\0');
      batch_.DeleteRange(handle, from, past_last);
      return;
    }
  }
  if (!iterator->status().ok()) {
    fatal_status("iterating", database_->path(), iterator->status());
  }
  for (const std::string& key : found) {
    batch_.Delete(handle, key);
    if (cached(family)) {
      cache_.update(family, hash_(key), key, {});
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
