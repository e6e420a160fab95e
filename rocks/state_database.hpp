// The RocksDB that holds the state: its column families, options, format check, flushes. Opened by
// a Keyspace adaptor, which alone reads and writes through it. Shows no RocksDB header.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/result.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/room.hpp"

namespace rocksdb {
class Cache;
class ColumnFamilyHandle;
class DB;
class Env;
class PinnableSlice;
struct ReadOptions;
}  // namespace rocksdb

namespace kiwi::rocks {

// ON DISK, never rename. Index = Family.
inline constexpr std::array<const char*, kFamilies> kFamilyNames = {"meta", "element", "node",
                                                                    "system"};
// ON DISK. In the default column family; written into the memtable of a new database, so that it is
// durable exactly when any data is.
inline constexpr const char* kStateFormatKey = "format";
inline constexpr const char* kStateFormatValue = "kiwi-state-3";

class StateDatabase {
 public:
  // Who writes: a WriteBatch a turn into memtables, or files that are ingested (then nothing ever
  // lies in a memtable, and `before_flush` is the ingester's business).
  enum class Writes { kMemtables, kIngests };
  static Result<std::unique_ptr<StateDatabase>> open(const KeyspaceOptions& options,
                                                     Writes writes = Writes::kMemtables);
  ~StateDatabase();
  StateDatabase(const StateDatabase&) = delete;
  StateDatabase& operator=(const StateDatabase&) = delete;

  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles_[static_cast<size_t>(family)];
  }
  const std::string& path() const { return path_; }
  // A failure is fatal. The bytes live in `found`.
  std::optional<std::string_view> get(const rocksdb::ReadOptions& options,
                                      Family family,
                                      std::string_view key,
                                      rocksdb::PinnableSlice& found) const;

  void flush();  // all families at once, and waits; any thread
  // The applied index that files hold, past the memtables (F13); any thread.
  LogIndex persisted_index() const;
  // A checkpoint in `directory`, which must not exist; any thread.
  Result<void> checkpoint(const std::string& directory);
  // Of what nobody will ask for again: files that hold nothing else go at once, though there may be
  // no room for a compaction. The rest of the range stays as it is, and so do files of level 0,
  // which are few: what is ingested goes there only if its range crosses a file's below.
  void delete_files(Family family, std::string_view from, std::string_view to);
  void compact();  // every family into its last level, and waits
  // Counts ended flushes: a new number means that the flushed index may have moved.
  uint64_t flushes() const { return flushes_->load(std::memory_order_acquire); }
  Keyspace::Usage usage() const;

  // What compaction owes and needs.
  struct Debt {
    uint64_t level0_files = 0;  // of the family that has most
    uint64_t compaction_bytes = 0;
    uint64_t memtables = 0;        // full and not written, of the family that has most
    uint64_t compaction_room = 0;  // bytes that the largest one to come writes beside its inputs
  };
  // Asks RocksDB, under its mutex, which threads of lower priority may hold: for threads that no
  // client waits for. Any of them.
  Debt measure();
  // As it was measured last: after each ingest and each end of a flush or compaction.
  Debt debt() const;
  // The same as pressure (Keyspace::pressure()); never full. One thread's.
  uint32_t pressure();
  // What compaction owes in per mille of what raises pressure(), as old as that.
  uint32_t part_owed() {
    pressure();
    return part_owed_;
  }
  bool writes_stopped() const;  // by RocksDB
  Room& room() { return *room_; }
  bool must_wait(const Debt& debt) const {
    return debt.level0_files >= level0_files_max_ || debt.compaction_bytes >= compaction_debt_max_;
  }

 private:
  StateDatabase() = default;
  Result<void> check_format();

  std::string path_;
  std::unique_ptr<rocksdb::Env> env_;  // outlives the database
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* default_ = nullptr;  // holds the format record only
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> handles_{};
  std::shared_ptr<rocksdb::Cache> block_cache_;
  std::shared_ptr<std::atomic<uint64_t>> flushes_ = std::make_shared<std::atomic<uint64_t>>(0);
  struct Stalls {
    std::atomic<uint64_t> slowdowns{0};
    std::atomic<uint64_t> stops{0};
  };
  std::shared_ptr<Stalls> stalls_ = std::make_shared<Stalls>();
  class Measures;
  std::shared_ptr<Measures> measures_;
  class Listener;
  uint64_t level0_files_slow_ = 0;
  uint64_t level0_files_max_ = 0;
  uint64_t compaction_debt_slow_ = 0;
  uint64_t compaction_debt_max_ = 0;
  uint64_t compaction_bytes_max_ = 0;
  uint32_t pressure_ = 0;
  uint32_t part_owed_ = 0;
  Writes writes_ = Writes::kMemtables;
  std::shared_ptr<Room> room_;
  struct Gauges {
    std::atomic<uint64_t> level0_files{0};
    std::atomic<uint64_t> compaction_bytes{0};
    std::atomic<uint64_t> memtables{0};
    std::atomic<uint64_t> compaction_room{0};
  };
  Gauges gauges_;
  std::mutex measuring_;  // so that an older answer does not overwrite a newer one
  std::chrono::steady_clock::time_point pressure_until_;  // after that it is asked for again
};

}  // namespace kiwi::rocks
