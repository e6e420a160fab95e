// Reads of the log database and its key grammar; what RocksLog (rocks_log.cpp) writes, this finds
// again and checks. Holds no state of its own. Shows no RocksDB header.
//
// ON DISK, never renumber or reuse a tag (golden bytes in tests/rocks/):
//   'C' [index: 8 BE]  -> nothing          the entry at index is a configuration (F18)
//   'E' [index: 8 BE]  -> an entry, see log_entry.hpp
//   'F'                -> [index: 8 BE]    first index, absent = 1
//   'H'                -> raft::encode_hard_state()
//   'I'                -> raft::encode_identity()
//   'K'                -> [index: 8 BE] commit hint (F39) and a note on the write, which it ends:
//                         see wal_note.hpp
//   'L'                the live state directory (F14)
//   'M'                -> raft::encode_snapshot_meta()
//   'V'                -> "kiwi-log-3"
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/bytes.hpp"
#include "config/base/result.hpp"
#include "raft/log_storage.hpp"
#include "rocks/wal_note.hpp"

namespace rocksdb {
class DB;
}

namespace kiwi::rocks {

namespace log_keys {

inline constexpr char kConfigurationTag = 'C';
inline constexpr char kEntryTag = 'E';
inline constexpr const char* kFirst = "F";
inline constexpr const char* kHardState = "H";
inline constexpr const char* kIdentity = "I";
inline constexpr const char* kCommit = "K";
inline constexpr const char* kLiveState = "L";
inline constexpr const char* kSnapshot = "M";
inline constexpr const char* kFormat = "V";
inline constexpr const char* kFormatValue = "kiwi-log-3";
inline constexpr size_t kCommitBytes = 8 + kWalNoteBytes;
static_assert(kConfigurationTag < kEntryTag && kEntryTag < kFirst[0], "each tag is a range");
static_assert(kFirst[0] < kHardState[0] && kHardState[0] < kIdentity[0] &&
              kIdentity[0] < kCommit[0] && kCommit[0] < kLiveState[0] &&
              kLiveState[0] < kSnapshot[0] && kSnapshot[0] < kFormat[0]);

inline std::string indexed(char tag, LogIndex index) {
  std::string key(1, tag);
  put_be(key, index.value);
  return key;
}
inline std::string entry(LogIndex index) { return indexed(kEntryTag, index); }
inline std::string configuration(LogIndex index) { return indexed(kConfigurationTag, index); }
inline std::string index_value(LogIndex index) {
  std::string value;
  put_be(value, index.value);
  return value;
}

}  // namespace log_keys

class LogReader {
 public:
  // Both outlive the reader.
  LogReader(rocksdb::DB& db, const std::string& path) : db_(db), path_(path) {}

  Result<std::optional<std::string>> get(const std::string& key) const;
  // `missing` if there is no such record.
  template <class T>
  Result<T> record(const char* key, Result<T> (*parse)(std::string_view), T missing) const {
    Result<std::optional<std::string>> bytes = get(key);
    if (!bytes) {
      return bytes.error();
    }
    if (!bytes->has_value()) {
      return missing;
    }
    Result<T> value = parse(**bytes);
    return value ? value : damage("record " + std::string(key) + ": " + value.error().text);
  }
  // A record of `size` bytes that begins with an index.
  Result<LogIndex> index_record(const char* key, size_t size, LogIndex missing) const;

  Result<LogIndex> last_index(LogIndex first) const;  // first - 1 if there is no entry
  Result<std::set<LogIndex>> configurations(LogIndex first, LogIndex last) const;
  Result<void> check_contiguous(LogIndex first, LogIndex last) const;

  Result<raft::Entry> entry(LogIndex index) const;
  Result<std::vector<raft::Entry>> entries(LogIndex from, LogIndex last, size_t bytes_max) const;

  Error damage(const std::string& what) const;

 private:
  Result<raft::Entry> parse_entry(std::string bytes, LogIndex index) const;

  rocksdb::DB& db_;
  const std::string& path_;
};

}  // namespace kiwi::rocks
