#include "rocks/rocks_log.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <set>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/checksum.hpp"
#include "config/base/failpoint.hpp"
#include "raft/codec.hpp"
#include "rocks/log_entry.hpp"
#include "rocks/log_files.hpp"
#include "rocks/log_reader.hpp"
#include "rocks/log_recovery.hpp"
#include "rocks/log_room.hpp"
#include "rocks/rocksdb_support.hpp"
#include "rocks/sync_counts.hpp"
#include "rocks/wal_file.hpp"

namespace kiwi::rocks {

namespace {

// A replaced suffix longer than this goes as one range delete.
constexpr uint64_t kPointDeletesMax = 64;
// Every write is one WriteBatch, so one record of the write-ahead log: all or nothing.
class RocksLogImpl final : public RocksLog {
 public:
  RocksLogImpl(const RocksLogOptions& options,
               const WalMark& mark,
               std::shared_ptr<LogRoom> room,
               std::unique_ptr<WalFiles> files,
               std::unique_ptr<rocksdb::DB> db)
      : options_(options),
        mark_(mark),
        room_(std::move(room)),
        files_(std::move(files)),
        db_(std::move(db)),
        reader_(*db_, options_.path) {}
  ~RocksLogImpl() override { room_->disk.end_waits(); }

  Result<void> start();

  Result<raft::LoadedLog> load() override;
  Result<void> persist(const raft::PersistRequest& request) override;
  Result<std::vector<raft::Entry>> read(LogIndex from, LogIndex last, size_t bytes_max) override;
  Result<Term> term_at(LogIndex index) override;
  Result<void> cut(const raft::SnapshotMeta& meta, LogIndex keep_from) override;
  Result<void> install(const raft::SnapshotMeta& meta, const std::string& live_state) override;
  Result<std::string> live_state() override;
  Result<raft::Identity> identity() override;
  Result<void> set_identity(const raft::Identity& identity) override;
  Result<void> sync() override;
  RocksLogStats stats() const override {
    return {syncs_.syncs.load(),   syncs_.microseconds.load(), syncs_.microseconds_max.load(),
            bytes_written_.load(), entry_bytes_.load(),        room_->owed(),
            room_->disk.waiting()};
  }
  uint64_t memory_bytes() const override {
    uint64_t memtables = 0;
    uint64_t cached = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kSizeAllMemTables, &memtables);
    db_->GetIntProperty(rocksdb::DB::Properties::kBlockCacheUsage, &cached);
    return memtables + cached;
  }

 private:
  Result<void> check_format();
  Result<void> check_ends() const;
  Result<void> check(const raft::PersistRequest& request) const;
  void batch_truncation(LogIndex from, LogIndex new_last);
  void batch_entry(const raft::Entry& entry);
  Result<void> write(LogIndex commit, bool durable);
  Result<void> move_first(const raft::SnapshotMeta& meta, LogIndex new_first, LogIndex dropped_to);
  void count_entries(uint64_t bytes, size_t entries);

  RocksLogOptions options_;
  const WalMark mark_;
  std::shared_ptr<LogRoom> room_;
  std::unique_ptr<WalFiles> files_;
  std::unique_ptr<rocksdb::DB> db_;
  LogReader reader_;
  LogIndex first_{1};
  LogIndex last_;
  LogIndex commit_;
  raft::SnapshotMeta snapshot_;
  std::set<LogIndex> configurations_;
  const uint64_t secret_ = checksum64({mark_.data(), mark_.size()});
  rocksdb::WriteBatch batch_;  // of the method that runs; empty between calls
  std::string buffer_;

  // Read by INFO on other threads.
  SyncCounts syncs_;
  std::atomic<uint64_t> bytes_written_{0};
  std::atomic<uint64_t> entry_bytes_{0};
};

// ---------------------------------------------------------------- start, load, read

Result<void> RocksLogImpl::start() {
  if (Result<void> known = check_format(); !known) {
    return known;
  }
  auto snapshot =
      reader_.record<raft::SnapshotMeta>(log_keys::kSnapshot, raft::decode_snapshot_meta, {});
  if (!snapshot) {
    return snapshot.error();
  }
  snapshot_ = std::move(*snapshot);
  Result<LogIndex> first = reader_.index_record(log_keys::kFirst, 8, LogIndex{1});
  if (!first) {
    return first.error();
  }
  Result<LogIndex> commit =
      reader_.index_record(log_keys::kCommit, log_keys::kCommitBytes, LogIndex{});
  if (!commit) {
    return commit.error();
  }
  Result<LogIndex> last = reader_.last_index(*first);
  if (!last) {
    return last.error();
  }
  first_ = *first;
  commit_ = *commit;
  last_ = *last;
  if (Result<void> good = check_ends(); !good) {
    return good;
  }
  auto configurations = reader_.configurations(first_, last_);
  if (!configurations) {
    return configurations.error();
  }
  configurations_ = std::move(*configurations);
  return {};
}

Result<void> RocksLogImpl::check_format() {
  Result<std::optional<std::string>> format = reader_.get(log_keys::kFormat);
  if (!format) {
    return format.error();
  }
  if (!format->has_value()) {
    batch_.Put(log_keys::kFormat, log_keys::kFormatValue);
    return write(LogIndex{}, true);
  }
  if (**format != log_keys::kFormatValue) {
    return Error{Errc::kInvalid, "the log in " + options_.path + " has the format \"" + **format +
                                     "\", this program reads \"" + log_keys::kFormatValue +
                                     "\": start the version that wrote it"};
  }
  return {};
}

Result<void> RocksLogImpl::check_ends() const {
  if (first_ == LogIndex{} || first_ > snapshot_.index + 1) {
    return reader_.damage("it begins at " + std::to_string(first_.value) +
                          ", after the snapshot at " + std::to_string(snapshot_.index.value));
  }
  if (last_ < snapshot_.index) {
    return reader_.damage("it ends at " + std::to_string(last_.value) +
                          ", before the snapshot at " + std::to_string(snapshot_.index.value));
  }
  return {};
}

Result<raft::LoadedLog> RocksLogImpl::load() {
  raft::LoadedLog log;
  auto hard_state =
      reader_.record<raft::HardState>(log_keys::kHardState, raft::decode_hard_state, {});
  if (!hard_state) {
    return hard_state.error();
  }
  if (Result<void> whole = reader_.check_contiguous(first_, last_); !whole) {
    return whole.error();
  }
  log.hard_state = *hard_state;
  log.snapshot = snapshot_;
  log.first_index = first_;
  log.last_index = last_;
  log.last_term = snapshot_.term;
  log.commit = commit_;
  if (first_ <= last_) {
    Result<raft::Entry> first = reader_.entry(first_);
    Result<raft::Entry> last = reader_.entry(last_);
    if (!first || !last) {
      return first ? last.error() : first.error();
    }
    log.last_term = last->term;
  }
  for (LogIndex index : configurations_) {
    Result<raft::Entry> entry = reader_.entry(index);
    if (!entry) {
      return entry.error();
    }
    if (entry->kind != raft::EntryKind::kConfiguration) {
      return reader_.damage("entry " + std::to_string(index.value) + " is no configuration");
    }
    log.configurations.push_back(std::move(*entry));
  }
  return log;
}

Result<std::vector<raft::Entry>> RocksLogImpl::read(LogIndex from,
                                                    LogIndex last,
                                                    size_t bytes_max) {
  if (from < first_ || from > last || last > last_) {
    return Error{Errc::kInvalid, "the range to read is not in the log"};
  }
  return reader_.entries(from, last, bytes_max);
}

Result<Term> RocksLogImpl::term_at(LogIndex index) {
  if (index < first_ || index > last_) {
    return Error{Errc::kInvalid, "the index is not in the log"};
  }
  Result<raft::Entry> entry = reader_.entry(index);
  return entry ? Result<Term>(entry->term) : Result<Term>(entry.error());
}

// ---------------------------------------------------------------- writes

Result<void> RocksLogImpl::check(const raft::PersistRequest& request) const {
  if (request.entries.empty()) {
    return {};
  }
  LogIndex from = request.entries[0].index;
  if (from > last_ + 1 || from <= snapshot_.index) {
    return Error{Errc::kInvalid, "entry " + std::to_string(from.value) +
                                     " does not follow the log, which ends at " +
                                     std::to_string(last_.value)};
  }
  for (size_t i = 1; i < request.entries.size(); ++i) {
    if (request.entries[i].index != from + i ||
        request.entries[i].term < request.entries[i - 1].term) {
      return Error{Errc::kInvalid, "the entries to write are not in order"};
    }
  }
  return {};
}

// Drops entries from `from` on; those up to new_last are overwritten by the same batch anyway.
void RocksLogImpl::batch_truncation(LogIndex from, LogIndex new_last) {
  for (auto it = configurations_.lower_bound(from); it != configurations_.end(); ++it) {
    batch_.Delete(log_keys::configuration(*it));
  }
  if (new_last >= last_) {
    return;
  }
  if (last_ - new_last > kPointDeletesMax) {
    batch_.DeleteRange(log_keys::entry(new_last + 1), log_keys::entry(last_ + 1));
    return;
  }
  for (LogIndex index = new_last + 1; index <= last_; ++index) {
    batch_.Delete(log_keys::entry(index));
  }
}

void RocksLogImpl::batch_entry(const raft::Entry& entry) {
  buffer_.clear();
  raft::append_entry_header(buffer_, entry);
  const std::string key = log_keys::entry(entry.index);
  const rocksdb::Slice name(key);
  const std::string_view payload = entry.payload.view();
  if (has_long_run(payload)) {
    batch_.Put(name, hidden_entry(buffer_, payload, secret_));
    return;
  }
  const std::array<rocksdb::Slice, 2> value{rocksdb::Slice(buffer_),
                                            rocksdb::Slice(payload.data(), payload.size())};
  batch_.Put(rocksdb::SliceParts(&name, 1), rocksdb::SliceParts(value.data(), value.size()));
}

Result<void> RocksLogImpl::persist(const raft::PersistRequest& request) {
  CHECK_INVARIANT(batch_.Count() == 0);
  if (Result<void> good = check(request); !good) {
    return good;
  }
  if (request.entries.empty() && !request.hard_state.has_value()) {
    return {};  // a commit hint alone is not worth a write
  }
  std::vector<LogIndex> configurations;
  if (!request.entries.empty()) {
    LogIndex from = request.entries.front().index;
    batch_truncation(from, request.entries.back().index);
    for (const raft::Entry& entry : request.entries) {
      batch_entry(entry);
      if (entry.kind == raft::EntryKind::kConfiguration) {
        batch_.Put(log_keys::configuration(entry.index), "");
        configurations.push_back(entry.index);
      }
    }
  }
  if (request.hard_state.has_value()) {
    batch_.Put(log_keys::kHardState, raft::encode_hard_state(*request.hard_state));
  }
  if (!configurations.empty()) {
    failpoint("configuration-arrived");
  }
  const uint64_t bytes = batch_.GetDataSize();
  bool durable = options_.fsync || request.hard_state.has_value();
  if (Result<void> written = write(request.commit, durable); !written) {
    return written;
  }
  if (!configurations.empty()) {
    failpoint("configuration-persisted");
  }
  if (!request.entries.empty()) {
    configurations_.erase(configurations_.lower_bound(request.entries.front().index),
                          configurations_.end());
    configurations_.insert(configurations.begin(), configurations.end());
    last_ = request.entries.back().index;
    CHECK_INVARIANT(first_ <= last_ && last_ > snapshot_.index);
    count_entries(bytes, request.entries.size());
  }
  return {};
}

void RocksLogImpl::count_entries(uint64_t bytes, size_t entries) {
  CHECK_INVARIANT(entries != 0);
  const uint64_t usual = entry_bytes_.load();
  const uint64_t now = bytes / entries;
  entry_bytes_ = usual == 0 ? now : (7 * usual + now) / 8;
}

// Ends the batch with the commit hint and the note, and clears it.
Result<void> RocksLogImpl::write(LogIndex commit, bool durable) {
  CHECK_INVARIANT(first_ <= last_ + 1);
  LogIndex hint = std::max(commit, commit_);
  buffer_.clear();
  put_be(buffer_, hint.value);
  append_wal_note(buffer_, {files_->synced(), batch_.GetDataSize()}, mark_);
  CHECK_INVARIANT(buffer_.size() == log_keys::kCommitBytes);
  batch_.Put(log_keys::kCommit, buffer_);
  rocksdb::WriteOptions options;
  options.sync = durable;
  auto before = std::chrono::steady_clock::now();
  const WalFiles::Unsynced record(durable ? nullptr : files_.get());
  rocksdb::Status status = db_->Write(options, &batch_);
  if (durable) {
    syncs_.count(std::chrono::steady_clock::now() - before);
  }
  bytes_written_ += batch_.GetDataSize();
  room_->written(batch_.GetDataSize(), last_ + 1 - first_, entry_bytes_);
  batch_.Clear();
  if (!status.ok()) {
    return status_error("writing the log", options_.path, status);
  }
  commit_ = hint;
  return {};
}

Result<void> RocksLogImpl::sync() {
  if (options_.fsync) {
    return {};
  }
  auto before = std::chrono::steady_clock::now();
  rocksdb::Status status = db_->SyncWAL();
  syncs_.count(std::chrono::steady_clock::now() - before);
  if (!status.ok()) {
    return status_error("syncing the log", options_.path, status);
  }
  return {};
}

Result<void> RocksLogImpl::cut(const raft::SnapshotMeta& meta, LogIndex keep_from) {
  if (meta.index < snapshot_.index) {
    return Error{Errc::kInvalid, "the log was cut above this index before"};
  }
  if (meta.index == snapshot_.index && meta.term != snapshot_.term) {
    return Error{Errc::kInvalid, "another snapshot was recorded at this index before"};
  }
  if (meta.index > last_ || keep_from > meta.index + 1) {
    return Error{Errc::kInvalid, "what is to be cut is not in the log"};
  }
  if (meta.index >= first_) {
    Result<Term> term = term_at(meta.index);
    if (!term) {
      return term.error();
    }
    if (*term != meta.term) {
      return Error{Errc::kInvalid, "the snapshot's term is not the log's"};
    }
  }
  const LogIndex new_first = std::max(first_, keep_from);
  Result<void> moved = move_first(meta, new_first, new_first);
  failpoint("log-cut");
  return moved;
}

// F14: one write, so a crash leaves the old state with the old log or the new one with the new.
Result<void> RocksLogImpl::install(const raft::SnapshotMeta& meta, const std::string& live_state) {
  if (meta.index < snapshot_.index || live_state.empty()) {
    return Error{Errc::kInvalid, "a snapshot below the log's own, or without a state"};
  }
  batch_.Put(log_keys::kLiveState, live_state);
  if (Result<void> moved = move_first(meta, meta.index + 1, last_ + 1); !moved) {
    return moved;
  }
  last_ = meta.index;
  failpoint("install-committed");
  return {};
}

Result<std::string> RocksLogImpl::live_state() {
  Result<std::optional<std::string>> record = reader_.get(log_keys::kLiveState);
  if (!record) {
    return record.error();
  }
  return record->has_value() ? **record : std::string(raft::kFirstLiveState);
}

// Drops the entries below dropped_to and lets the log begin at new_first, with what is in the
// batch.
Result<void> RocksLogImpl::move_first(const raft::SnapshotMeta& meta,
                                      LogIndex new_first,
                                      LogIndex dropped_to) {
  CHECK_INVARIANT(first_ <= new_first && new_first <= meta.index + 1);
  CHECK_INVARIANT(dropped_to <= last_ + 1);
  if (first_ < dropped_to) {
    batch_.DeleteRange(log_keys::entry(first_), log_keys::entry(dropped_to));
  }
  auto kept = configurations_.lower_bound(dropped_to);
  for (auto it = configurations_.begin(); it != kept; ++it) {
    batch_.Delete(log_keys::configuration(*it));
  }
  batch_.Put(log_keys::kFirst, log_keys::index_value(new_first));
  batch_.Put(log_keys::kSnapshot, raft::encode_snapshot_meta(meta));
  if (Result<void> written = write(meta.index, true); !written) {
    return written;
  }
  configurations_.erase(configurations_.begin(), kept);
  if (first_ < dropped_to) {
    const uint64_t left = (last_ + 1 - dropped_to) * entry_bytes_;
    room_->written(0, last_ + 1 - dropped_to, entry_bytes_);  // a flush waits for no more room
    drop_log_files(*db_, first_, dropped_to, left);
  }
  first_ = new_first;
  snapshot_ = meta;
  return {};
}

// ---------------------------------------------------------------- identity

Result<raft::Identity> RocksLogImpl::identity() {
  Result<std::optional<std::string>> record = reader_.get(log_keys::kIdentity);
  if (!record) {
    return record.error();
  }
  if (!record->has_value()) {
    return Error{Errc::kNotFound, "the directory " + options_.path + " has no identity yet"};
  }
  Result<raft::Identity> identity = raft::decode_identity(**record);
  return identity ? identity : reader_.damage("the identity: " + identity.error().text);
}

Result<void> RocksLogImpl::set_identity(const raft::Identity& identity) {
  batch_.Put(log_keys::kIdentity, raft::encode_identity(identity));
  return write(LogIndex{}, true);
}

}  // namespace

Result<std::unique_ptr<RocksLog>> open_rocks_log(const RocksLogOptions& options) {
  if (Result<void> made = make_directory(options.path); !made) {
    return made.error();
  }
  const Result<WalMark> mark = recover_log_directory(options.path);
  if (!mark) {
    return mark.error();
  }
  rocksdb::Options log = log_options();
  const auto room = std::make_shared<LogRoom>(options.path, options.free_bytes);
  const std::shared_ptr<Room> disk(room, &room->disk);
  auto files = std::make_unique<WalFiles>(options.fsync, disk);
  log.env = files->env();
  log.listeners.push_back(make_thread_listener());
  log.listeners.push_back(
      make_room_listener(disk, [room](rocksdb::DB&) { return room->flush_bytes(); }));
  log.listeners.push_back(make_log_room_listener(room));
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(log, options.path, &db);
  if (!status.ok()) {
    return open_error(options.path, status);
  }
  auto opened = std::make_unique<RocksLogImpl>(options, *mark, room, std::move(files),
                                               std::unique_ptr<rocksdb::DB>(db));
  room->measure(*db);
  if (Result<void> started = opened->start(); !started) {
    return started.error();
  }
  return std::unique_ptr<RocksLog>(std::move(opened));
}

}  // namespace kiwi::rocks
