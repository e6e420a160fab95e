#include "rocks/delta_format.hpp"

#include <algorithm>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "rocks/keys.hpp"

namespace kiwi::rocks::delta {

void Buckets::add(DatabaseId database, uint16_t bucket) {
  auto it = std::find_if(moved_.begin(), moved_.end(),
                         [&](const auto& one) { return one.first == database.value; });
  if (it == moved_.end()) {
    moved_.emplace_back(database.value, std::vector<bool>(kDeletionBuckets, false));
    it = std::prev(moved_.end());
  }
  it->second[bucket % kDeletionBuckets] = true;
}

bool Buckets::has(DatabaseId database, std::string_view user_key) const {
  for (const auto& [number, buckets] : moved_) {
    if (number == database.value) {
      CHECK_INVARIANT(buckets.size() == kDeletionBuckets);
      return buckets[deletion_bucket_of(user_key)];
    }
  }
  return false;
}

std::vector<uint32_t> live_databases(Reader& state) {
  std::vector<uint32_t> live;
  std::string key;
  for (uint32_t logical = 0; logical < config::limits::kDatabases; ++logical) {
    keys::database_map(key, logical);
    std::optional<std::string_view> mapped = state.get(Family::kSystem, key);
    live.push_back(mapped ? ByteReader(*mapped).le<uint32_t>() : logical);
  }
  std::sort(live.begin(), live.end());
  CHECK_INVARIANT(live.size() == config::limits::kDatabases);
  return live;
}

bool any_flushed(const AppliedRecord& base, const AppliedRecord& now) {
  return base.next_database != now.next_database;
}

bool suspect(const Buckets& moved,
             DatabaseId database,
             std::string_view user_key,
             const Metadata& metadata,
             int64_t stamp_ms) {
  return metadata.may_be_due(stamp_ms) || moved.has(database, user_key);
}

bool is_deletion_bucket(std::string_view key) {
  return keys::parse_deletion_bucket(key).has_value();
}
bool is_expiry(std::string_view key) { return keys::parse_expiry(key).has_value(); }
uint64_t bucket_counter(std::string_view value) { return ByteReader(value).le<uint64_t>(); }
bool is_once(std::string_view key) { return keys::parse_once_record(key).has_value(); }

// Both begin with a format byte (resp/types/once_record.cpp).
LogIndex once_changed(std::string_view value) {
  ByteReader in(value.substr(value.empty() ? 0 : 1));
  return LogIndex{in.le<uint64_t>()};
}

uint64_t once_floor(Reader& state) {
  std::string key;
  keys::once_floor(key);
  const std::string_view value = state.get(Family::kSystem, key).value_or(std::string_view());
  ByteReader in(value.substr(value.empty() ? 0 : 1));
  return in.le<uint64_t>();
}

}  // namespace kiwi::rocks::delta
