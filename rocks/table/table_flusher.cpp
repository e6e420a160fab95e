#include "rocks/table/table_flusher.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>

#include "config/base/check.hpp"
#include "rocks/background.hpp"
#include "rocks/metadata.hpp"
#include "rocks/rocksdb_support.hpp"
#include "rocks/room.hpp"
#include "rocks/state_database.hpp"
#include "rocks/stored_walk.hpp"

namespace kiwi::rocks {

namespace {

constexpr std::string_view kFilePrefix = "ingest-";
constexpr std::string_view kFileSuffix = ".tmp";

// RocksDB stalls writers when compaction falls behind, but never an ingest: this thread waits
// instead, and asks so often whether it may go on.
constexpr auto kCompactionPoll = std::chrono::milliseconds(5);

constexpr uint32_t kComparedPerRest = 64;

// Of the room on the disk, for the log and for RocksDB's own records.
constexpr uint64_t kLeftByFlushes = 4 << 20;
constexpr auto kRoomPoll = std::chrono::milliseconds(100);
constexpr auto kRoomRetry = std::chrono::seconds(1);

using Clock = std::chrono::steady_clock;

uint64_t us_since(Clock::time_point began) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began).count());
}

// An epoch's nodes lie in no order that the processor could guess: without looking ahead, this
// thread would wait for memory at each.
constexpr size_t kAhead = 16;

void prefetch(const TableNode* node) {
  __builtin_prefetch(node);
  __builtin_prefetch(reinterpret_cast<const char*>(node) + 64);
}

}  // namespace

struct TableFlusher::Item {
  KeyPrefix prefix;
  const TableNode* node;
};

void TableFlusher::sort(Sorted& items, const std::function<void()>& rest) {
  uint32_t compared = 0;
  std::ranges::sort(items, [&](const Item& a, const Item& b) {
    if (++compared % kComparedPerRest == 0) {
      rest();
    }
    return a.prefix != b.prefix ? a.prefix < b.prefix : a.node->key() < b.node->key();
  });
}

std::array<TableFlusher::Sorted, kFamilies> TableFlusher::sorted(
    const FrozenEpoch& epoch, const std::function<void()>& rest) {
  std::array<Sorted, kFamilies> families;
  const auto each = [&](const std::vector<TableNode*>& nodes, bool present, auto&& take) {
    for (size_t i = nodes.size(); i-- > 0;) {
      if (i >= kAhead) {
        prefetch(nodes[i - kAhead]);
      }
      if (i % kComparedPerRest == 0) {
        rest();
      }
      if (take(i)) {
        const TableNode* node = nodes[i];
        CHECK_INVARIANT(node->epoch == epoch.number);  // I5
        CHECK_INVARIANT(node->present == present);
        families[static_cast<size_t>(node->family)].push_back({key_prefix(node->key()), node});
      }
    }
  };
  each(epoch.nodes, true, HoldsAtEnd(epoch));
  // What a range erase of the same epoch covers needs no erase of its own.
  each(epoch.tombstones, false, [&](size_t i) {
    const TableNode* node = epoch.tombstones[i];
    return !epoch.ranges[static_cast<size_t>(node->family)].contains(node->key());
  });
  for (Sorted& family : families) {
    sort(family, rest);
  }
  return families;
}

// I1: what is about to be written says itself which index it is the state of.
void TableFlusher::check_applied(const Sorted& system, LogIndex applied) {
  std::string key;
  keys::applied_record(key);
  auto it = std::ranges::find_if(system, [&](const Item& item) { return item.node->key() == key; });
  CHECK_INVARIANT(it != system.end() && it->node->present);
  std::optional<AppliedRecord> record = decode_applied(it->node->value());
  CHECK_INVARIANT(record.has_value() && record->index == applied);
}

Result<void> remove_unfinished_ingests(const std::string& path) {
  std::error_code failed;
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::directory_iterator(path, failed)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kFilePrefix) && name.ends_with(kFileSuffix)) {
      left.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& file : left) {
    if (!failed) {
      std::filesystem::remove(file, failed);
    }
  }
  if (failed) {
    return Error{Errc::kIo, "cannot remove what a flush left in " + path + ": " + failed.message()};
  }
  return {};
}

// One family's part of an ingest.
struct TableFlusher::Files {
  explicit Files(const StateDatabase& opened) : database(opened) {}

  // Nothing is written for a family that has nothing: RocksDB refuses empty files. An error is lack
  // of room.
  rocksdb::Status write(Family family,
                        const RangeSet& ranges,
                        const Sorted& records,
                        const std::string& path,
                        const std::function<void()>& rest) {
    rocksdb::ColumnFamilyHandle* handle = database.handle(family);
    rocksdb::Options options = database.db().GetOptions(handle);
    options.compression = rocksdb::kNoCompression;  // as all of level 0
    options.compression_per_level.clear();
    // Not the default, which maps the file: a full or failing disk would be a signal, not an error.
    const rocksdb::EnvOptions environment(options);
    rocksdb::SstFileWriter writer(environment, options, handle,
                                  /*invalidate_page_cache=*/false);
    bool any = false;
    rocksdb::Status status;
    auto good = [&](const rocksdb::Status& step) {
      if (!step.ok() && !lacks_room(step)) {
        fatal_status("writing", path, step);
      }
      status = step;
      return step.ok();
    };
    auto open = [&] { return std::exchange(any, true) || good(writer.Open(path)); };
    for (const auto& [from, end] : ranges.merged()) {
      std::string to = end.never ? past_last(handle) : end.key;
      if (from < to && !(open() && good(writer.DeleteRange(from, to)))) {
        return status;
      }
    }
    for (size_t i = 0; i < records.size(); ++i) {
      if (i + kAhead < records.size()) {
        prefetch(records[i + kAhead].node);
      }
      const Item& item = records[i];
      rest();
      if (!open() || !good(item.node->present ? writer.Put(item.node->key(), item.node->value())
                                              : writer.Delete(item.node->key()))) {
        return status;
      }
    }
    if (!any || !good(writer.Finish())) {  // synced
      return status;
    }
    rocksdb::IngestExternalFileArg arg;
    arg.column_family = handle;
    arg.external_files = {path};
    arg.options.move_files = true;
    arg.options.write_global_seqno = false;
    arg.options.allow_blocking_flush = false;  // I2: nobody else writes
    arguments.push_back(std::move(arg));
    return status;
  }

  // Behind every key of the family; empty if there is none.
  std::string past_last(rocksdb::ColumnFamilyHandle* handle) const {
    StoredWalk walk({.db = &database.db(), .family = handle, .path = &database.path()}, "", "");
    walk.seek_last();
    return walk.valid() ? std::string(walk.key()).append(1, '\0') : std::string();
  }

  const StateDatabase& database;
  std::vector<rocksdb::IngestExternalFileArg> arguments;
};

TableFlusher::TableFlusher(StateDatabase& database,
                           std::function<void()> before_ingest,
                           LogIndex flushed,
                           Thread thread)
    : database_(database), before_ingest_(std::move(before_ingest)), flushed_index_(flushed.value) {
  if (thread == Thread::kOwn) {
    thread_ = std::thread([this] { work(); });
  } else {
    ++urgent_;  // a caller never rests
  }
}

TableFlusher::~TableFlusher() {
  ++urgent_;
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
  while (!nothing_to_do() && do_job()) {
  }
  for (const std::function<void()>& call : waiting_) {
    call();
  }
}

// With the mutex held: the flusher ends and nobody waits to hear of anything.
bool TableFlusher::nothing_to_do() const { return closing_ && calls_ == 0; }

void TableFlusher::put_job(Job job) {
  {
    std::lock_guard lock(mutex_);
    calls_ += job.call ? 1 : 0;
    urgent_ += job.urgent ? 1 : 0;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void TableFlusher::flush(std::shared_ptr<const FrozenEpoch> epoch) {
  {
    std::lock_guard lock(mutex_);
    CHECK_INVARIANT(epoch->number == queued_epoch_ + 1);  // I8
    queued_epoch_ = epoch->number;
  }
  put_job({std::move(epoch), nullptr, /*urgent=*/true});
}

void TableFlusher::run(std::function<void()> call, Waits waits) {
  put_job({nullptr, std::move(call), waits == Waits::kSomebody});
}

void TableFlusher::give_up() {
  ++urgent_;  // no rests
  std::vector<std::function<void()>> waiting;
  {
    std::lock_guard lock(mutex_);
    given_up_.store(true, std::memory_order_release);
    waiting.swap(waiting_);
  }
  changed_.notify_all();
  for (const std::function<void()>& call : waiting) {
    call();
  }
}

void TableFlusher::wait_for(uint32_t epoch) {
  while (!thread_.joinable() && flushed_epoch() < epoch && do_job()) {
  }
  ++urgent_;
  std::unique_lock lock(mutex_);
  CHECK_INVARIANT(epoch <= queued_epoch_);  // nobody would ever wake this thread
  changed_.wait(lock, [&] { return flushed_epoch() >= epoch || given_up(); });
  --urgent_;
}

// One epoch in hand has the time in which the next one fills.
void TableFlusher::breathe_unless_urgent() const {
  if (urgent_.load(std::memory_order_relaxed) == 0) {
    breathe(Pace::kSlow);
  }
}

void TableFlusher::when_next_is_flushed(std::function<void()> call) {
  {
    std::lock_guard lock(mutex_);
    if (flushed_epoch() < queued_epoch_ && !closing_ && !given_up()) {
      waiting_.push_back(std::move(call));
      return;
    }
  }
  call();
}

void TableFlusher::work() {
  work_in_background();
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
      if (nothing_to_do()) {
        return;
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
      urgent_ -= job.urgent && job.epoch ? 1 : 0;
    }
    if (!carry_out(job)) {
      return;
    }
  }
}

bool TableFlusher::carry_out(Job& job) {
  CHECK_INVARIANT((job.epoch != nullptr) != (job.call != nullptr));
  if (!job.call) {
    return given_up() || ingest(*job.epoch) || given_up();
  }
  job.call();
  std::lock_guard lock(mutex_);
  CHECK_INVARIANT(calls_ != 0);
  --calls_;
  urgent_ -= job.urgent ? 1 : 0;
  return true;
}

bool TableFlusher::do_job() {
  if (jobs_.empty()) {
    return false;
  }
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  urgent_ -= job.urgent && job.epoch ? 1 : 0;
  carry_out(job);
  return true;
}

// Measured anew each time: a file that merely moves to another level is no end of a compaction that
// RocksDB would tell of.
bool TableFlusher::wait_for_compaction() {
  if (!database_.must_wait(database_.debt())) {
    return true;
  }
  while (database_.must_wait(database_.measure())) {
    const auto began = Clock::now();
    std::unique_lock lock(mutex_);
    if (writes_nothing()) {
      return false;
    }
    changed_.wait_for(lock, kCompactionPoll);
    wait_us_.fetch_add(us_since(began), std::memory_order_relaxed);
  }
  return true;
}

// A name that no file had since the process began: what was ingested under an old one may be there
// still, and to write into it would be to write into the state.
std::string TableFlusher::file_of(Family family) const {
  return database_.path() + "/" + std::string(kFilePrefix) + std::to_string(attempts_) + "-" +
         std::to_string(static_cast<int>(family)) + std::string(kFileSuffix);
}

// True at once where the disk has room for the files of an epoch, or when there is some.
bool TableFlusher::wait_for_room(uint64_t bytes) {
  Room& room = database_.room();
  bytes += kLeftByFlushes;
  if (room.free() >= bytes) {
    return true;
  }
  const std::string what = "a flush of the state in " + database_.path();
  room.begin_wait(bytes, what);
  std::unique_lock lock(mutex_);
  while (room.free() < bytes && !writes_nothing()) {
    changed_.wait_for(lock, kRoomPoll);
  }
  room.end_wait(what);
  return !writes_nothing();
}

// The disk was full although it did not look so. False: the flusher ends.
bool TableFlusher::write_when_possible(const FrozenEpoch& epoch,
                                       const std::array<Sorted, kFamilies>& families) {
  const std::string what = "a flush of the state in " + database_.path();
  database_.room().begin_wait(epoch.bytes, what);
  bool ends = false;
  do {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kRoomRetry, [this] { return writes_nothing(); });
    ends = writes_nothing();
  } while (!ends && !write(epoch, families));
  database_.room().end_wait(what);
  return !ends;
}

// False: there was not enough room, and nothing is left of it.
bool TableFlusher::write(const FrozenEpoch& epoch, const std::array<Sorted, kFamilies>& families) {
  const std::function<void()> rest = [this] { breathe_unless_urgent(); };
  Files files(database_);
  ++attempts_;
  rocksdb::Status status;
  for (size_t i = 0; i < families.size() && status.ok(); ++i) {
    status = files.write(static_cast<Family>(i), epoch.ranges[i], families[i],
                         file_of(static_cast<Family>(i)), rest);
  }
  if (status.ok()) {
    if (before_ingest_) {
      before_ingest_();
    }
    // RocksDB gives the files sequence numbers above everything there only if a snapshot is held
    // (facebook/rocksdb #12257: without one a file may come to lie under older data).
    const rocksdb::Snapshot* snapshot = database_.db().GetSnapshot();
    status = database_.db().IngestExternalFiles(files.arguments);
    database_.db().ReleaseSnapshot(snapshot);
  }
  if (status.ok()) {
    return true;
  }
  if (!lacks_room(status)) {  // never retried: a later epoch must not come before it (I8)
    fatal_status("ingesting", database_.path(), status);
  }
  if (const Result<void> removed = remove_unfinished_ingests(database_.path()); !removed) {
    fatal(removed.error().text);
  }
  return false;
}

bool TableFlusher::ingest(const FrozenEpoch& epoch) {
  CHECK_INVARIANT(epoch.number == flushed_epoch() + 1);  // I8
  CHECK_INVARIANT(epoch.applied >= flushed_index());     // equal behind a spill
  const std::function<void()> rest = [this] { breathe_unless_urgent(); };
  auto began = Clock::now();
  std::array<Sorted, kFamilies> families = sorted(epoch, rest);
  check_applied(families[static_cast<size_t>(Family::kSystem)], epoch.applied);
  const uint64_t sorted_us = us_since(began);
  if (!wait_for_compaction()) {
    return false;
  }
  if (!wait_for_room(epoch.bytes)) {
    return false;
  }
  began = Clock::now();
  if (!write(epoch, families) && !write_when_possible(epoch, families)) {
    return false;
  }
  families = {};
  database_.measure();
  work_us_.fetch_add(sorted_us + us_since(began), std::memory_order_relaxed);
  flushes_.fetch_add(1, std::memory_order_relaxed);
  std::vector<std::function<void()>> waiting;
  {
    std::lock_guard lock(mutex_);
    flushed_index_.store(epoch.applied.value, std::memory_order_release);
    flushed_epoch_.store(epoch.number, std::memory_order_release);
    waiting.swap(waiting_);
  }
  changed_.notify_all();
  for (const std::function<void()>& call : waiting) {
    call();
  }
  return true;
}

}  // namespace kiwi::rocks
