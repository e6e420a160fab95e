// Keys of system records: a tag, then what the record needs (keys.hpp).
#include <limits>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "rocks/keys.hpp"

namespace kiwi::rocks {

namespace {

constexpr size_t kDatabaseBytes = 4;
constexpr size_t kDeadlineBytes = 8;
constexpr size_t kNumberBytes = 8;
constexpr size_t kSha1Bytes = 20;
constexpr uint64_t kSignBit = uint64_t{1} << 63;

// Signed integers in the order of their bytes: the sign bit turned over.
uint64_t ordered(int64_t value) { return static_cast<uint64_t>(value) ^ kSignBit; }
int64_t from_ordered(uint64_t bits) { return static_cast<int64_t>(bits ^ kSignBit); }

// ON DISK, never renumber, never reuse.
constexpr char kAppliedTag = 'A';
constexpr char kDeletionBucketTag = 'B';
constexpr char kConfigurationTag = 'C';
constexpr char kDatabaseMapTag = 'D';
constexpr char kExpiryFloorTag = 'E';
constexpr char kFunctionTag = 'F';
constexpr char kSettingTag = 'G';
constexpr char kLibraryTag = 'L';
constexpr char kKeyCountTag = 'N';
constexpr char kOnceTag = 'O';
constexpr char kScriptTag = 'P';
constexpr char kScriptOrderTag = 'Q';
constexpr char kProducerTag = 'R';
constexpr char kSessionTag = 'S';
constexpr char kUserTag = 'U';
constexpr char kExpiryTag = 'X';
constexpr char kOnceSecondTag = 'o';
static_assert(kAppliedTag < kDeletionBucketTag && kDeletionBucketTag < kConfigurationTag &&
                  kConfigurationTag < kDatabaseMapTag && kDatabaseMapTag < kExpiryFloorTag &&
                  kExpiryFloorTag < kFunctionTag && kFunctionTag < kSettingTag &&
                  kSettingTag < kLibraryTag && kLibraryTag < kKeyCountTag &&
                  kKeyCountTag < kOnceTag && kOnceTag < kScriptTag &&
                  kScriptTag + 1 == kScriptOrderTag && kScriptOrderTag < kProducerTag &&
                  kProducerTag < kSessionTag && kSessionTag < kUserTag && kUserTag < kExpiryTag &&
                  kExpiryTag < kOnceSecondTag,
              "each tag is a range of its own");

}  // namespace

namespace keys {

namespace {

void tag(std::string& out, char which) { out.assign(1, which); }

void tag_range(std::string& from, std::string& to, char which) {
  tag(from, which);
  tag(to, static_cast<char>(which + 1));
}

}  // namespace

void applied_record(std::string& out) { tag(out, kAppliedTag); }

void configuration_record(std::string& out) { tag(out, kConfigurationTag); }

void session(std::string& out, GroupId group, NodeId node, const Incarnation& inc) {
  CHECK_INVARIANT(group.value <= std::numeric_limits<uint32_t>::max());
  tag(out, kSessionTag);
  put_be(out, static_cast<uint32_t>(group.value));
  put_be(out, node.value);
  out.append(reinterpret_cast<const char*>(inc.bytes.data()), inc.bytes.size());
}

void session_range(std::string& from, std::string& to) { tag_range(from, to, kSessionTag); }

void setting(std::string& out, std::string_view name) {
  tag(out, kSettingTag);
  out.append(name);
}

void setting_range(std::string& from, std::string& to) { tag_range(from, to, kSettingTag); }

std::string_view setting_name(std::string_view key) {
  CHECK_INVARIANT(!key.empty() && key[0] == kSettingTag);
  return key.substr(1);
}

void database_map(std::string& out, uint32_t logical) {
  tag(out, kDatabaseMapTag);
  put_be(out, logical);
}

void database_map_range(std::string& from, std::string& to) {
  tag_range(from, to, kDatabaseMapTag);
}

void key_count(std::string& out, DatabaseId database) {
  tag(out, kKeyCountTag);
  put_be(out, database.value);
}

void deletion_bucket(std::string& out, DatabaseId database, uint16_t bucket) {
  tag(out, kDeletionBucketTag);
  put_be(out, database.value);
  put_be(out, bucket);
}

std::optional<DeletionBucketKey> parse_deletion_bucket(std::string_view key) {
  if (key.size() != 1 + kDatabaseBytes + 2 || key[0] != kDeletionBucketTag) {
    return std::nullopt;
  }
  return DeletionBucketKey{DatabaseId{get_be<uint32_t>(key.substr(1))},
                           get_be<uint16_t>(key.substr(1 + kDatabaseBytes))};
}

void expiry(std::string& out, DatabaseId database, int64_t deadline_ms, std::string_view user_key) {
  tag(out, kExpiryTag);
  put_be(out, database.value);
  put_be(out, ordered(deadline_ms));
  out.append(user_key);
}

void expiry_range(std::string& from, std::string& to, DatabaseId database) {
  tag_range(from, to, kExpiryTag);
  put_be(from, database.value);
  if (database.value != std::numeric_limits<uint32_t>::max()) {
    tag(to, kExpiryTag);
    put_be(to, database.value + 1);
  }
}

std::optional<ExpiryKey> parse_expiry(std::string_view key) {
  constexpr size_t kDeadlineAt = 1 + kDatabaseBytes;
  if (key.size() < kDeadlineAt + kDeadlineBytes || key[0] != kExpiryTag) {
    return std::nullopt;
  }
  return ExpiryKey{DatabaseId{get_be<uint32_t>(key.substr(1))},
                   from_ordered(get_be<uint64_t>(key.substr(kDeadlineAt))),
                   key.substr(kDeadlineAt + kDeadlineBytes)};
}

void expiry_floor(std::string& out, DatabaseId database) {
  tag(out, kExpiryFloorTag);
  put_be(out, database.value);
}

void script(std::string& out, std::string_view sha1) {
  CHECK_INVARIANT(sha1.size() == kSha1Bytes);
  tag(out, kScriptTag);
  out.append(sha1);
}

void script_order(std::string& out, uint64_t order) {
  tag(out, kScriptOrderTag);
  put_be(out, order);
}

void scripts_total(std::string& out) { tag(out, kScriptTag); }

void script_range(std::string& from, std::string& to) {
  tag_range(from, to, kScriptOrderTag);
  tag(from, kScriptTag);
}

void library(std::string& out, std::string_view name) {
  tag(out, kLibraryTag);
  out.append(name);
}

void library_range(std::string& from, std::string& to) { tag_range(from, to, kLibraryTag); }

std::string_view library_name(std::string_view key) {
  CHECK_INVARIANT(!key.empty() && key[0] == kLibraryTag);
  return key.substr(1);
}

void function(std::string& out, std::string_view name) {
  tag(out, kFunctionTag);
  out.append(name);
}

void function_range(std::string& from, std::string& to) { tag_range(from, to, kFunctionTag); }

// A user's name may be empty: what all take is told apart by its length.
void user(std::string& out, std::string_view name) {
  tag(out, kUserTag);
  out.push_back(':');
  out.append(name);
}

void users_total(std::string& out) { tag(out, kUserTag); }

void user_range(std::string& from, std::string& to) { tag_range(from, to, kUserTag); }

std::optional<std::string_view> user_name(std::string_view key) {
  CHECK_INVARIANT(!key.empty() && key[0] == kUserTag);
  return key.size() > 1 ? std::optional(key.substr(2)) : std::nullopt;
}

void once_record(std::string& out, const OnceKey& key) {
  tag(out, kOnceTag);
  put_be(out, key.ms);
  put_be(out, key.user);
  out.append(key.name);
}

void once_range(std::string& from, std::string& to, uint64_t from_ms, uint64_t to_ms) {
  tag(from, kOnceTag);
  put_be(from, from_ms);
  tag(to, kOnceTag);
  put_be(to, to_ms);
}

std::optional<OnceKey> parse_once_record(std::string_view key) {
  if (key.size() < 1 + 2 * kNumberBytes || key[0] != kOnceTag) {
    return std::nullopt;
  }
  return OnceKey{get_be<uint64_t>(key.substr(1)), get_be<uint64_t>(key.substr(1 + kNumberBytes)),
                 key.substr(1 + 2 * kNumberBytes)};
}

void once_second(std::string& out, uint64_t second) {
  tag(out, kOnceSecondTag);
  put_be(out, second);
}

void once_second_range(std::string& from, std::string& to) {
  once_second(from, 0);
  tag(to, static_cast<char>(kOnceSecondTag + 1));
}

std::optional<uint64_t> parse_once_second(std::string_view key) {
  return key.size() == 1 + kNumberBytes && key[0] == kOnceSecondTag
             ? std::optional(get_be<uint64_t>(key.substr(1)))
             : std::nullopt;
}

void once_floor(std::string& out) { tag(out, kOnceSecondTag); }

void producer(std::string& out, uint64_t user, std::string_view name) {
  tag(out, kProducerTag);
  put_be(out, user);
  out.append(name);
}

void producer_range(std::string& from, std::string& to, uint64_t user) {
  producer(from, user, {});
  if (user == std::numeric_limits<uint64_t>::max()) {
    tag(to, static_cast<char>(kProducerTag + 1));
  } else {
    producer(to, user + 1, {});
  }
}

std::string_view producer_name(std::string_view key) {
  CHECK_INVARIANT(key.size() >= 1 + kNumberBytes && key[0] == kProducerTag);
  return key.substr(1 + kNumberBytes);
}

void producers_total(std::string& out) { tag(out, kProducerTag); }

}  // namespace keys
}  // namespace kiwi::rocks
