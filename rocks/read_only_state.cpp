#include "rocks/read_only_state.hpp"

#include <algorithm>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>

#include "config/base/bytes.hpp"
#include "config/base/open_files.hpp"
#include "raft/codec.hpp"
#include "rocks/background.hpp"
#include "rocks/failed_reads.hpp"
#include "rocks/keys.hpp"
#include "rocks/merged_cursor.hpp"
#include "rocks/rocksdb_support.hpp"
#include "rocks/state_database.hpp"

namespace kiwi::rocks {

namespace {

class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// Whoever reads a whole state does it beside the clients. Errors are the caller's: what is read
// here may be another node's.
class GentleFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  explicit GentleFile(std::unique_ptr<rocksdb::FSRandomAccessFile>&& file)
      : FSRandomAccessFileOwnerWrapper(std::move(file)) {}
  rocksdb::IOStatus Read(uint64_t offset,
                         size_t bytes,
                         const rocksdb::IOOptions& options,
                         rocksdb::Slice* result,
                         char* scratch,
                         rocksdb::IODebugContext* debug) const override {
    constexpr size_t kStep = 16 << 10;
    for (size_t done = 0; done < bytes; done += kStep) {
      breathe();
    }
    return FSRandomAccessFileOwnerWrapper::Read(offset, bytes, options, result, scratch, debug);
  }
};

class GentleFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  GentleFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "kiwi.GentleFileSystem"; }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus opened = FileSystemWrapper::NewRandomAccessFile(path, options, result, debug);
    if (opened.ok()) {
      *result = std::make_unique<GentleFile>(std::move(*result));
    }
    return opened;
  }
};

}  // namespace

Result<std::unique_ptr<ReadOnlyState>> ReadOnlyState::open(const std::string& directory) {
  std::unique_ptr<ReadOnlyState> self(new ReadOnlyState());
  self->path_ = directory;
  self->env_ = rocksdb::NewCompositeEnv(std::make_shared<GentleFileSystem>());
  rocksdb::DBOptions database;
  database.env = self->env_.get();
  database.paranoid_checks = true;
  database.max_open_files = share_open_files(open_files_limit()).snapshot;
  database.statistics = make_block_counter();
  database.info_log = std::make_shared<NoLog>();
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(8 << 20);
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, family);
  for (const char* name : kFamilyNames) {
    families.emplace_back(name, family);
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(database, directory, families, &handles, &db);
  if (!status.ok()) {
    return open_error(directory, status);
  }
  self->db_.reset(db);
  self->default_ = handles[0];
  std::copy(handles.begin() + 1, handles.end(), self->handles_.begin());
  std::string format;
  status = db->Get(rocksdb::ReadOptions(), self->default_, kStateFormatKey, &format);
  if (!status.ok() || format != kStateFormatValue) {
    return Error{Errc::kCorrupt, directory + " holds no state in the format " + kStateFormatValue};
  }
  return self;
}

ReadOnlyState::~ReadOnlyState() {
  if (db_ != nullptr) {
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      db_->DestroyColumnFamilyHandle(handle);
    }
    db_->DestroyColumnFamilyHandle(default_);
  }
}

std::optional<std::string_view> ReadOnlyState::get(Family family, const LookupKey& key) {
  rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), handles_[static_cast<size_t>(family)], key.bytes, &found_);
  if (status.IsNotFound()) {
    return std::nullopt;
  }
  if (!status.ok()) {
    fatal_status("reading", path_, status);
  }
  return found_;
}

std::unique_ptr<Cursor> ReadOnlyState::cursor(Family family,
                                              std::string_view from,
                                              std::string_view to) {
  return make_cursor<StoredWalk>(
      {.db = db_.get(), .family = handles_[static_cast<size_t>(family)], .path = &path_}, nullptr,
      from, to);
}

std::unique_ptr<ReverseCursor> ReadOnlyState::reverse_cursor(Family family,
                                                             std::string_view from,
                                                             std::string_view to) {
  return make_reverse_cursor<StoredWalk>(
      {.db = db_.get(), .family = handles_[static_cast<size_t>(family)], .path = &path_}, nullptr,
      from, to);
}

Result<void> ReadOnlyState::verify_checksums() {
  rocksdb::Status status = db_->VerifyChecksum();
  if (!status.ok()) {
    return status_error("verifying the checksums", path_, status);
  }
  return {};
}

Result<void> ReadOnlyState::verify_table(const std::string& name) {
  rocksdb::Options options;
  options.env = env_.get();
  options.info_log = std::make_shared<NoLog>();
  rocksdb::SstFileReader table(options);
  rocksdb::Status status = table.Open(path_ + "/" + name);
  if (status.ok()) {
    status = table.VerifyChecksum();
  }
  if (!status.ok()) {
    return status_error("verifying the checksums", path_ + "/" + name, status);
  }
  return {};
}

Result<SnapshotInfo> ReadOnlyState::info() {
  const Error bad{Errc::kCorrupt, "the state in " + path_ + " lacks what says how far it goes"};
  SnapshotInfo info;
  std::string key;
  keys::applied_record(key);
  std::optional<std::string_view> applied = get(Family::kSystem, key);
  std::optional<AppliedRecord> record = applied ? decode_applied(*applied) : std::nullopt;
  if (!record) {
    return bad;
  }
  info.applied = *record;
  keys::configuration_record(key);
  std::optional<std::string_view> members = get(Family::kSystem, key);
  if (!members) {
    return bad;
  }
  Result<raft::Configuration> configuration = raft::decode_configuration(*members);
  if (!configuration) {
    return bad;
  }
  info.configuration = std::move(*configuration);
  std::string to;
  keys::session_range(key, to);
  for (auto at = cursor(Family::kSystem, key, to); at->valid(); at->next()) {
    std::optional<raft::SessionRow> row = decode_session_row(at->key(), at->value());
    if (!row) {
      return bad;
    }
    info.sessions.push_back(*row);
  }
  return info;
}

Result<AppliedRecord> read_applied_record(const std::string& directory) {
  Result<std::unique_ptr<ReadOnlyState>> state = ReadOnlyState::open(directory);
  if (!state) {
    return state.error();
  }
  std::string key;
  keys::applied_record(key);
  std::optional<std::string_view> bytes = (*state)->get(Family::kSystem, key);
  if (!bytes) {
    return AppliedRecord{};  // nothing was applied yet
  }
  std::optional<AppliedRecord> record = decode_applied(*bytes);
  if (!record) {
    return Error{Errc::kCorrupt, "the applied record in " + directory + " is damaged"};
  }
  return *record;
}

Result<LogIndex> applied_index_of(const std::string& directory) {
  const Result<AppliedRecord> applied = read_applied_record(directory);
  return applied ? Result<LogIndex>(applied->index) : Result<LogIndex>(applied.error());
}

void StateDigest::add(Family family, std::string_view key, std::string_view value) {
  if (is_hidden(family, key, mutation_counter_)) {
    return;
  }
  head_.clear();
  put_varint(head_, key.size());
  put_varint(head_, value.size());
  Hasher128& hasher = families_[static_cast<size_t>(family)];
  hasher.add(head_);
  hasher.add(key);
  hasher.add(value);
}

void StateDigest::add_all(Reader& state, Family family) {
  for (auto at = state.cursor(family, "", ""); at->valid(); at->next()) {
    add(family, at->key(), at->value());
    breathe(Pace::kSlow);
  }
}

Checksum128 StateDigest::sum() const {
  std::string sums;
  for (const Hasher128& hasher : families_) {
    const Checksum128 sum = hasher.sum();
    put_le(sums, sum.low);
    put_le(sums, sum.high);
  }
  Hasher128 all;
  all.add(sums);
  return all.sum();
}

Checksum128 digest_of(Reader& state) {
  std::string key;
  keys::applied_record(key);
  const std::optional<std::string_view> found = state.get(Family::kSystem, key);
  const std::optional<AppliedRecord> applied = found ? decode_applied(*found) : std::nullopt;
  StateDigest digest(applied ? applied->mutation_counter : 0);
  for (int family = 0; family < kFamilies; ++family) {
    digest.add_all(state, static_cast<Family>(family));
  }
  return digest.sum();
}

}  // namespace kiwi::rocks
