// The StateTable adaptor of the Keyspace port: this turn's overlay over the table over RocksDB. A
// commit moves the overlay into the table, and now and then hands an epoch to the flusher. Apply
// thread only, except Views.
//
// The overlay stays although the table could take the writes at once: it holds the undo of a
// command, keeps what is not committed out of every flush, view and checkpoint (I3), and lets a
// commit prefetch its way through the table.
#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <rocksdb/db.h>

#include "config/base/check.hpp"
#include "rocks/background.hpp"
#include "rocks/keys.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/overlaid_keyspace.hpp"
#include "rocks/read_only_state.hpp"
#include "rocks/rocksdb_support.hpp"
#include "rocks/snapshot_view.hpp"
#include "rocks/state_database.hpp"
#include "rocks/table/hosted_keyspace.hpp"
#include "rocks/table/state_table.hpp"
#include "rocks/table/table_flusher.hpp"
#include "rocks/table/table_walk.hpp"

namespace kiwi::rocks {

namespace {

// An epoch ends when it holds so much; the replay after a crash is about as long. Large epochs
// write less (hot keys once), small ones stop the process for less time when the flusher falls
// behind.
constexpr uint64_t kEpochBytesMax = 48 << 20;
constexpr size_t kEpochRecordsMax = 400'000;
constexpr uint64_t kEpochWritesMax = 4'000'000;
constexpr auto kEpochAgeMax = std::chrono::seconds(30);
constexpr uint64_t kEpochsInBudget = 5;
constexpr size_t kEpochsOnTheWay = 2;
// Pressure by what is not in files, in percent of an epoch. A flusher that keeps up has one epoch
// in hand while the next one fills. Where apply stops, all of it stays within the table's budget.
constexpr uint64_t kPercentSlow = 200;
constexpr uint64_t kPercentFull = 350;

static_assert(kPercentSlow > 100 && kPercentSlow < kPercentFull);
static_assert(kPercentFull <= 100 * kEpochsInBudget);
static_assert(kEpochsOnTheWay < kEpochsInBudget);

// The same by what is in memory, in percent of the budget.
constexpr uint64_t kPercentExcess = 125;
constexpr uint64_t kPercentExcessFull = 200;
constexpr uint64_t kPressureExcess = 900;
static_assert(kPercentExcess > 100 && kPercentExcess < kPercentExcessFull);
// For room, and of what nobody needs any more, beside what each write does.
constexpr size_t kSlotsPerCommit = 256;
constexpr size_t kSlotsPerLook = 4096;
constexpr size_t kPiecesPerLook = 2048;

// A cached answer may take so much of the table, as a fraction.
constexpr uint64_t kCleanShare = 64;
constexpr size_t kPrefetchAhead = 8;

constexpr std::array<Family, kFamilies> kAllFamilies = {Family::kMeta, Family::kElement,
                                                        Family::kNode, Family::kSystem};

class TableKeyspace final : public OverlaidKeyspace<TableWalk> {
 public:
  TableKeyspace(std::unique_ptr<StateDatabase> database,
                const KeyspaceOptions& options,
                LogIndex flushed,
                const std::function<void(FlusherWork)>& host)
      : OverlaidKeyspace(options.hash_seed),
        database_(std::move(database)),
        bytes_max_(options.table_bytes),
        epoch_bytes_max_(std::min(kEpochBytesMax, options.table_bytes / kEpochsInBudget)),
        table_(options.table_bytes, options.table_erased_at_once),
        committed_(flushed),
        flusher_(*database_,
                 options.before_flush,
                 flushed,
                 host ? TableFlusher::Thread::kCallers : TableFlusher::Thread::kOwn) {
    static_assert(kPressureExcess < kPressureFull, "memory alone never stops the commits");
    CHECK_INVARIANT(epoch_bytes_max_ != 0);
    if (host) {
      host([this] { return flusher_.do_job(); });
    }
  }

  std::optional<std::string_view> get(Family family, const LookupKey& key) override;
  void expect_reads(Family, std::span<const LookupKey> keys) override {
    std::array<uint64_t, kPrefetchAhead> hashes;
    for (size_t begin = 0; begin < keys.size(); begin += hashes.size()) {
      const size_t count = std::min(hashes.size(), keys.size() - begin);
      for (size_t i = 0; i < count; ++i) {
        hashes[i] = turn_.hash(keys[begin + i]);
        table_.prefetch_slot(hashes[i]);
      }
      for (size_t i = 0; i < count; ++i) {
        table_.prefetch_node(hashes[i]);
      }
    }
  }

  void commit(LogIndex applied) override;
  void spill(std::span<const Record> records) override;
  void drop_spilled(Family family, std::string_view from, std::string_view to) override;
  LogIndex flushed_index() override { return flusher_.flushed_index(); }  // I4
  void flush() override;
  void flush_async(std::function<void(LogIndex)> done) override {
    freeze_dirty();
    flusher_.run([this, done = std::move(done)] { done(flusher_.flushed_index()); },
                 TableFlusher::Waits::kNobody);
  }
  void checkpoint(std::string directory, std::function<void(Result<LogIndex>)> done) override {
    freeze_dirty();
    flusher_.run(
        [this, directory = std::move(directory), done = std::move(done)]() mutable {
          const Result<void> made = flusher_.given_up()
                                        ? Error{Errc::kConflict, "another state takes its place"}
                                        : database_->checkpoint(directory);
          // To open the copy reads a bit of each of its files: flushes do not wait for that.
          background_.post([made, directory = std::move(directory), done = std::move(done)] {
            done(made ? applied_index_of(directory) : Result<LogIndex>(made.error()));
          });
        },
        TableFlusher::Waits::kNobody);
  }
  void compact() override { database_->compact(); }
  void give_up() override {
    database_->room().end_waits();
    flusher_.give_up();
  }
  std::unique_ptr<Reader> view() override {
    flush();  // what RocksDB holds is the last commit
    return make_snapshot_view(*database_);
  }
  // Records in memory are larger than in files.
  uint64_t owed_bytes() override {
    return table_.unflushed_bytes() + database_->debt().compaction_room;
  }
  Usage usage() override {
    Usage usage = database_->usage();
    usage.cache_bytes = table_.memory_bytes();
    usage.mapped_bytes = table_.touched_bytes();
    usage.memory_bytes += usage.cache_bytes - table_.slot_bytes() + usage.mapped_bytes;
    usage.tombstones_passed = table_.tombstones_passed();
    usage.pressure = pressure();
    usage.dirty_bytes = table_.unflushed_bytes();
    const TableFlusher::Counters flusher = flusher_.counters();
    usage.flushes = flusher.flushes;
    usage.flush_us = flusher.work_us;
    usage.flush_wait_us = flusher.wait_us;
    return usage;
  }
  void view_async(std::function<void(std::unique_ptr<Reader>)> done) override {
    freeze_dirty();
    // In order between epochs: RocksDB holds the last one of now and nothing newer (I1).
    flusher_.run(
        [this, done = std::move(done)] {
          done(flusher_.given_up() ? nullptr : make_snapshot_view(*database_));
        },
        TableFlusher::Waits::kSomebody);
  }
  uint32_t view_cost() override {
    return table_.dirty() ? std::max<uint32_t>(database_->part_owed(), 1) : 0;
  }
  uint32_t pressure() override {
    take_flushed();
    freeze_if_full();  // what stops the commits must not wait for one
    table_.evict(kSlotsPerLook);
    return std::max({lag(), excess(), database_->pressure()});
  }
  bool tidy() override {
    take_flushed();
    table_.evict(kSlotsPerLook);
    return table_.tidy(kPiecesPerLook);
  }
  void when_room(std::function<void()> done) override {
    flusher_.when_next_is_flushed(std::move(done));
  }

 private:
  TableWalk::Source source(Family family) override {
    return {.stored = {.db = &database_->db(),
                       .family = database_->handle(family),
                       .path = &database_->path()},
            .table = &table_,
            .family = family};
  }
  void commit_family(Family family);
  bool epoch_is_full() const;
  void freeze();
  void freeze_if_full();
  void freeze_dirty();
  void take_flushed();
  void wait_for_room();
  bool write_applied_again();
  uint32_t lag() const;
  uint32_t excess() const;

  std::unique_ptr<StateDatabase> database_;
  const uint64_t bytes_max_;
  const uint64_t epoch_bytes_max_;
  StateTable table_;
  rocksdb::ReadOptions read_options_;
  rocksdb::PinnableSlice found_;
  LogIndex committed_;
  bool opened_ = true;            // and nothing was written since
  uint32_t taken_ = kCleanEpoch;  // the last epoch that the table knows to be flushed
  std::chrono::steady_clock::time_point epoch_began_ = std::chrono::steady_clock::now();
  JobThread background_ = background_thread();  // posted to by the flusher
  TableFlusher flusher_;  // last: its thread uses the database and the table's frozen nodes
};

std::optional<std::string_view> TableKeyspace::get(Family family, const LookupKey& wanted) {
  const uint64_t hash = turn_.hash(wanted);
  const std::string_view key = wanted.bytes;
  if (const TurnOverlay::Look above = turn_.look(family, hash, key); above.known) {
    return above.value;
  }
  if (const TableNode* node = table_.find(hash, family, key); node != nullptr) {
    return node->present ? std::optional(node->value()) : std::nullopt;
  }
  if (table_.erased_range(family, key) != nullptr) {
    return std::nullopt;
  }
  std::optional<std::string_view> found = database_->get(read_options_, family, key, found_);
  std::string_view value = found.value_or(std::string_view());
  if (!table_.has_cursors() && key.size() + value.size() <= bytes_max_ / kCleanShare) {
    table_.insert_clean(hash, family, key, found.has_value(), value);
  }
  return found;
}

void TableKeyspace::commit(LogIndex applied) {
  CHECK_INVARIANT(applied >= committed_);
  opened_ = false;
  turn_.check_applied(applied);
  take_flushed();
  wait_for_room();
  for (Family family : kAllFamilies) {
    commit_family(family);
  }
  turn_.clear();
  committed_ = applied;
  table_.evict(kSlotsPerCommit);
  freeze_if_full();
}

// Ranges first: writes after a range erase survive it, those before it the overlay has erased.
void TableKeyspace::commit_family(Family family) {
  const Overlay& above = turn_.of(family);
  if (above.empty()) {
    return;
  }
  for (const auto& [from, end] : above.ranges().merged()) {
    table_.erase_range(family, from, end.never ? std::string_view() : std::string_view(end.key));
  }
  const std::vector<Overlay::Node>& nodes = above.nodes();
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (i + 2 * kPrefetchAhead < nodes.size()) {
      table_.prefetch_slot(nodes[i + 2 * kPrefetchAhead].hash);
    }
    if (i + kPrefetchAhead < nodes.size()) {
      table_.prefetch_node(nodes[i + kPrefetchAhead].hash);
    }
    const Overlay::Node& node = nodes[i];
    if (node.state == Overlay::State::kPut) {
      table_.put(node.hash, family, node.key(), node.value());
    } else if (node.state == Overlay::State::kErase && !above.ranges().contains(node.key())) {
      table_.erase(node.hash, family, node.key());
    }
  }
}

// Below the turn, as if it had been committed. Whatever epoch it falls into is the state of the
// last commit, and records that nothing of it names.
void TableKeyspace::spill(std::span<const Record> records) {
  CHECK_INVARIANT(!table_.has_cursors());
  opened_ = false;
  take_flushed();
  wait_for_room();
  if (!write_applied_again()) {  // nothing was committed yet: there is no state to be part of
    for (const Record& record : records) {
      turn_.put(record.family, record.key, record.value);
    }
    return;
  }
  for (const Record& record : records) {
    CHECK_INVARIANT(record.family == Family::kElement || record.family == Family::kNode);
    table_.put(turn_.hash(record.key), record.family, record.key, record.value);
  }
  table_.evict(kSlotsPerCommit);
  freeze_if_full();
}

// The files first: what they erased in others, which stay, is erased anew.
void TableKeyspace::drop_spilled(Family family, std::string_view from, std::string_view to) {
  CHECK_INVARIANT(!table_.has_cursors() && from < to);
  if (write_applied_again()) {
    if (opened_) {
      database_->delete_files(family, from, to);
    }
    table_.erase_range(family, from, to);
  }
}

// Each epoch holds the applied record (I7). False: there is none.
bool TableKeyspace::write_applied_again() {
  std::string key;
  keys::applied_record(key);
  const uint64_t hash = turn_.hash(key);
  std::string record;
  if (const TableNode* node = table_.find(hash, Family::kSystem, key); node != nullptr) {
    CHECK_INVARIANT(node->present);
    record = node->value();
  } else if (const auto found = database_->get(read_options_, Family::kSystem, key, found_)) {
    record = *found;
  } else {
    return false;
  }
  table_.put(hash, Family::kSystem, key, record);
  return true;
}

bool TableKeyspace::epoch_is_full() const {
  return table_.dirty_bytes() >= epoch_bytes_max_ || table_.dirty_records() >= kEpochRecordsMax ||
         table_.writes() >= kEpochWritesMax ||
         std::chrono::steady_clock::now() - epoch_began_ >= kEpochAgeMax;
}

// O(1). Between two commits, and what they committed (I3); or behind a spill.
void TableKeyspace::freeze() {
  flusher_.flush(table_.freeze(committed_));
  epoch_began_ = std::chrono::steady_clock::now();
}

void TableKeyspace::freeze_if_full() {
  if (table_.dirty() && epoch_is_full() && table_.frozen_epochs() < kEpochsOnTheWay) {
    freeze();
  }
}

// Somebody asks for everything committed: however many epochs are on their way, this adds no data.
void TableKeyspace::freeze_dirty() {
  if (table_.dirty()) {
    freeze();
  }
}

void TableKeyspace::take_flushed() {
  while (taken_ < flusher_.flushed_epoch()) {
    table_.flushed(++taken_);
  }
  CHECK_INVARIANT(taken_ < table_.active_epoch());
}

// How far the flusher is behind.
uint32_t TableKeyspace::lag() const {
  const uint64_t percent = std::max(100 * table_.unflushed_bytes() / epoch_bytes_max_,
                                    uint64_t{100} * table_.unflushed_records() / kEpochRecordsMax);
  if (percent <= kPercentSlow) {
    return 0;
  }
  constexpr uint64_t kRoom = kPercentFull - kPercentSlow;
  return static_cast<uint32_t>(kPressureFull * std::min(percent - kPercentSlow, kRoom) / kRoom);
}

// How far memory is above the budget, whatever it holds: what is not in files, and what was erased
// or replaced and is not freed. It falls with each commit and each look, so it is never full.
uint32_t TableKeyspace::excess() const {
  const uint64_t percent = 100 * table_.node_bytes() / bytes_max_;
  if (percent <= kPercentExcess) {
    return 0;
  }
  constexpr uint64_t kRoom = kPercentExcessFull - kPercentExcess;
  return static_cast<uint32_t>(kPressureExcess * std::min(percent - kPercentExcess, kRoom) / kRoom);
}

// Memory does not grow beyond the table's budget, whoever writes. Executors ask for pressure()
// before a turn and do not come here then.
void TableKeyspace::wait_for_room() {
  while (lag() >= kPressureFull && table_.frozen_epochs() != 0 && !flusher_.given_up()) {
    flusher_.wait_for(taken_ + 1);
    take_flushed();
  }
}

void TableKeyspace::flush() {
  freeze_dirty();
  flusher_.wait_for(table_.active_epoch() - 1);
  take_flushed();
  CHECK_INVARIANT(!table_.dirty());
  CHECK_INVARIANT(flushed_index() == committed_);
}

}  // namespace

Result<std::unique_ptr<Keyspace>> open_table_keyspace(const KeyspaceOptions& options) {
  return open_hosted_table_keyspace(options, nullptr);
}

Result<std::unique_ptr<Keyspace>> open_hosted_table_keyspace(
    const KeyspaceOptions& options, const std::function<void(FlusherWork)>& host) {
  Result<std::unique_ptr<StateDatabase>> database =
      StateDatabase::open(options, StateDatabase::Writes::kIngests);
  if (!database) {
    return database.error();
  }
  // Now that the directory is ours.
  if (Result<void> removed = remove_unfinished_ingests(options.path); !removed) {
    return removed.error();
  }
  LogIndex flushed = (*database)->persisted_index();
  return std::unique_ptr<Keyspace>(
      std::make_unique<TableKeyspace>(std::move(*database), options, flushed, host));
}

}  // namespace kiwi::rocks
