#include "rocks/log_reader.hpp"

#include <memory>
#include <utility>

#include <rocksdb/db.h>

#include "config/base/check.hpp"
#include "raft/codec.hpp"
#include "rocks/log_entry.hpp"
#include "rocks/rocksdb_support.hpp"

namespace kiwi::rocks {

namespace {

constexpr size_t kIndexedBytes = 9;  // tag and index

// An iterator over [from, to) that owns its bounds. The lower bound keeps it from wading through
// what was cut.
struct Range {
  Range(rocksdb::DB& db, std::string from_key, std::string to_key)
      : from(std::move(from_key)), to(std::move(to_key)), lower(from), upper(to) {
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower;
    options.iterate_upper_bound = &upper;
    options.fill_cache = false;  // a log is read once
    it.reset(db.NewIterator(options));
  }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;

  std::string from;
  std::string to;
  rocksdb::Slice lower;
  rocksdb::Slice upper;
  std::unique_ptr<rocksdb::Iterator> it;
};

std::string after(char tag) { return std::string(1, static_cast<char>(tag + 1)); }

LogIndex index_of(const rocksdb::Slice& key) {
  return LogIndex{get_be<uint64_t>(key.ToStringView().substr(1))};
}

}  // namespace

Error LogReader::damage(const std::string& what) const {
  return {Errc::kCorrupt, "the log in " + path_ + " is damaged: " + what +
                              "; replace this node, its peers hold its data"};
}

Result<std::optional<std::string>> LogReader::get(const std::string& key) const {
  std::string value;
  rocksdb::Status status = db_.Get(rocksdb::ReadOptions(), key, &value);
  if (status.IsNotFound()) {
    return std::optional<std::string>();
  }
  if (!status.ok()) {
    return status_error("reading the log", path_, status);
  }
  return std::optional(std::move(value));
}

Result<LogIndex> LogReader::index_record(const char* key, size_t size, LogIndex missing) const {
  Result<std::optional<std::string>> bytes = get(key);
  if (!bytes) {
    return bytes.error();
  }
  if (!bytes->has_value()) {
    return missing;
  }
  if ((*bytes)->size() != size) {
    return damage("record " + std::string(key) + " has a wrong length");
  }
  return LogIndex{get_be<uint64_t>(**bytes)};
}

Result<LogIndex> LogReader::last_index(LogIndex first) const {
  Range range(db_, log_keys::entry(first), after(log_keys::kEntryTag));
  range.it->SeekToLast();
  if (!range.it->status().ok()) {
    return status_error("reading the log", path_, range.it->status());
  }
  if (!range.it->Valid()) {
    return first - 1;
  }
  if (range.it->key().size() != kIndexedBytes) {
    return damage("an entry's key has a wrong length");
  }
  return index_of(range.it->key());
}

Result<std::set<LogIndex>> LogReader::configurations(LogIndex first, LogIndex last) const {
  Range range(db_, std::string(1, log_keys::kConfigurationTag), after(log_keys::kConfigurationTag));
  std::set<LogIndex> found;
  for (range.it->SeekToFirst(); range.it->Valid(); range.it->Next()) {
    if (range.it->key().size() != kIndexedBytes || index_of(range.it->key()) < first ||
        index_of(range.it->key()) > last) {
      return damage("a configuration is listed outside the log");
    }
    found.insert(index_of(range.it->key()));
  }
  if (!range.it->status().ok()) {
    return status_error("reading the log", path_, range.it->status());
  }
  return found;
}

// In a pair with RocksLog's check before writing.
Result<void> LogReader::check_contiguous(LogIndex first, LogIndex last) const {
  Range range(db_, log_keys::entry(first), after(log_keys::kEntryTag));
  LogIndex expected = first;
  for (range.it->SeekToFirst(); range.it->Valid(); range.it->Next(), ++expected) {
    if (range.it->key() != log_keys::entry(expected)) {
      return damage("entry " + std::to_string(expected.value) + " is missing");
    }
  }
  if (!range.it->status().ok()) {
    return status_error("reading the log", path_, range.it->status());
  }
  CHECK_INVARIANT(expected == last + 1);
  return {};
}

Result<raft::Entry> LogReader::parse_entry(std::string bytes, LogIndex index) const {
  Result<raft::Entry> entry = raft::decode_entry(SharedBytes(revealed_entry(std::move(bytes))));
  if (!entry) {
    return damage("entry " + std::to_string(index.value) + ": " + entry.error().text);
  }
  if (entry->index != index) {
    return damage("entry " + std::to_string(index.value) + " says that it is " +
                  std::to_string(entry->index.value));
  }
  return entry;
}

Result<raft::Entry> LogReader::entry(LogIndex index) const {
  Result<std::optional<std::string>> bytes = get(log_keys::entry(index));
  if (!bytes) {
    return bytes.error();
  }
  if (!bytes->has_value()) {
    return damage("entry " + std::to_string(index.value) + " is missing");
  }
  return parse_entry(std::move(**bytes), index);
}

Result<std::vector<raft::Entry>> LogReader::entries(LogIndex from,
                                                    LogIndex last,
                                                    size_t bytes_max) const {
  CHECK_INVARIANT(from <= last);
  Range range(db_, log_keys::entry(from), log_keys::entry(last + 1));
  std::vector<raft::Entry> entries;
  size_t bytes = 0;
  LogIndex expected = from;
  for (range.it->SeekToFirst(); range.it->Valid(); range.it->Next(), ++expected) {
    if (range.it->key() != log_keys::entry(expected)) {
      break;
    }
    Result<raft::Entry> entry = parse_entry(range.it->value().ToString(), expected);
    if (!entry) {
      return entry.error();
    }
    bytes += entry->payload.size();
    if (bytes > bytes_max && !entries.empty()) {
      return entries;
    }
    CHECK_INVARIANT(entry->index == from + entries.size());
    entries.push_back(std::move(*entry));
  }
  if (!range.it->status().ok()) {
    return status_error("reading the log", path_, range.it->status());
  }
  if (expected != last + 1) {
    return damage("entry " + std::to_string(expected.value) + " is missing");
  }
  return entries;
}

}  // namespace kiwi::rocks
