// A state directory that nobody writes (a checkpoint, a received snapshot), opened to be read:
// nothing in it changes, not even a log file appears. One thread at a time.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "config/base/checksum.hpp"
#include "config/base/result.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/metadata.hpp"
#include "rocks/snapshot_files.hpp"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
}  // namespace rocksdb

namespace kiwi::rocks {

class ReadOnlyState final : public Reader {
 public:
  // Errors: not a state of ours, damaged, I/O.
  static Result<std::unique_ptr<ReadOnlyState>> open(const std::string& directory);
  ~ReadOnlyState() override;

  // Of every block of every file. Reads it all, as gently as the thread works. An error names the
  // file.
  Result<void> verify_checksums();
  // Of one table file, by its plain name.
  Result<void> verify_table(const std::string& name);
  // Of ours, opened completely: has an applied record, members and decodable session rows.
  Result<SnapshotInfo> info();

  std::optional<std::string_view> get(Family family, const LookupKey& key) override;
  uint64_t hash(std::string_view) const override { return 0; }
  std::unique_ptr<Cursor> cursor(Family family,
                                 std::string_view from,
                                 std::string_view to) override;
  std::unique_ptr<ReverseCursor> reverse_cursor(Family family,
                                                std::string_view from,
                                                std::string_view to) override;
  void expect_reads(Family, std::span<const LookupKey>) override {}
  const std::string& path() const { return path_; }

 private:
  ReadOnlyState() = default;

  std::string path_;
  std::unique_ptr<rocksdb::Env> env_;  // outlives the database
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* default_ = nullptr;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> handles_{};
  std::string found_;
};

Result<AppliedRecord> read_applied_record(const std::string& directory);
Result<LogIndex> applied_index_of(const std::string& directory);

// Over every record of every family, but for what is hidden (keyspace.hpp): two states with one
// digest are the same (F17). ON THE WIRE. Families may come in any order, so that one pass over a
// state can serve other ends too.
class StateDigest {
 public:
  explicit StateDigest(uint64_t mutation_counter) : mutation_counter_(mutation_counter) {}
  void add(Family family, std::string_view key, std::string_view value);  // keys ascending
  void add_all(Reader& state, Family family);
  Checksum128 sum() const;

 private:
  const uint64_t mutation_counter_;  // of the state
  std::array<Hasher128, kFamilies> families_;
  std::string head_;
};
Checksum128 digest_of(Reader& state);  // reads it all

}  // namespace kiwi::rocks
