// The receiving half of a logical delta (F17): delta_format.hpp says what comes in. Reads the
// receiver's own past from a frozen view and writes through an ordinary Keyspace in the same
// directory, a chunk or so at a time: nobody reads what stands there before finish().
#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/failpoint.hpp"
#include "rocks/background.hpp"
#include "rocks/delta_format.hpp"
#include "rocks/files.hpp"
#include "rocks/keys.hpp"
#include "rocks/read_only_state.hpp"
#include "rocks/snapshot_source.hpp"
#include "rocks/snapshot_target.hpp"

namespace kiwi::rocks {

namespace {

using delta::Phase;

constexpr size_t kCommitBytes = 256 << 10;  // a commit does not breathe
constexpr uint64_t kValueBytesMax = 1ULL << 30;
constexpr size_t kMetaKeyBytesMin = 4 + 6;
constexpr size_t kElementKeyBytesMin = 12;
constexpr size_t kNodeKeyBytesMin = 12 + 4;  // then a number, or a name, which may be empty
static_assert(static_cast<uint8_t>(Phase::kSystem) == 1 && static_cast<uint8_t>(Phase::kNode) == 4,
              "begin() counts them");
static_assert(kCommitBytes <= kSnapshotChunkBytes, "memory holds no more than two chunks");

class Target final : public DeltaTarget {
 public:
  using NoRoom = std::shared_ptr<std::atomic<bool>>;
  Target(std::string directory,
         const AppliedRecord& base,
         NoRoom no_room,
         std::unique_ptr<Keyspace> keyspace)
      : directory_(std::move(directory)),
        base_(base),
        no_room_(std::move(no_room)),
        keyspace_(std::move(keyspace)),
        before_(keyspace_->view()) {
    keys::applied_record(applied_key_);
  }

  const AppliedRecord& base() const override { return base_; }
  const std::string& directory() const override { return directory_; }
  bool complete() const override { return complete_; }
  Result<void> apply(std::string_view chunk) override;
  Result<SnapshotInfo> finish() override;

 private:
  bool apply_op(ByteReader& in);
  bool begin(uint8_t phase);
  bool put(Family family, std::string_view key, std::string_view value);
  bool put_part(Family family, ByteReader& in);
  bool put_system(std::string_view key, std::string_view value);
  bool put_meta(std::string_view key, std::string_view value);
  bool keep(DatabaseId database, std::string_view hash);
  void settle_databases();
  void settle_tokens();
  void pass_own_before(std::string_view key);  // those that were not kept and may be gone, go
  void drop_own(std::string_view key, const Metadata& metadata);
  void drop_elements(const Metadata& metadata, DatabaseId database);
  void drop_expiry(std::string_view key, const Metadata& metadata);
  Metadata own_metadata(std::string_view record) const;
  bool is_live(DatabaseId database) const {
    return std::binary_search(live_.begin(), live_.end(), database.value);
  }
  void commit(const AppliedRecord& record);
  Result<void> check_room() const;

  std::string directory_;
  AppliedRecord base_;
  NoRoom no_room_;
  std::unique_ptr<Keyspace> keyspace_;
  std::unique_ptr<Reader> before_;  // the base
  std::string applied_key_;

  uint8_t phase_ = 0;
  std::optional<AppliedRecord> now_;
  std::vector<uint32_t> live_;
  delta::Buckets moved_;
  std::unique_ptr<Cursor> own_;  // in before_, during kMeta
  std::string kept_;             // database and hash of the last kKeep
  std::string part_key_;
  std::string part_value_;
  bool failed_ = false;
  bool complete_ = false;
  Checksum128 digest_;

  std::string key_;
  std::string from_;
  std::string to_;
};

void Target::commit(const AppliedRecord& record) {
  CHECK_INVARIANT(record.index >= base_.index);
  std::string bytes;
  encode(bytes, record);
  keyspace_->put(Family::kSystem, applied_key_, bytes);
  keyspace_->commit(record.index);
}

Result<void> Target::apply(std::string_view chunk) {
  ByteReader in(chunk);
  failed_ = failed_ || complete_ || chunk.size() > kSnapshotChunkBytes ||
            in.le<uint8_t>() != delta::kVersion;
  while (!failed_ && !in.done()) {
    failed_ = complete_ || !apply_op(in);
    breathe(Pace::kSlow);
  }
  if (failed_) {
    return Error{Errc::kCorrupt, "a delta that is no delta of this state: get files"};
  }
  if (keyspace_->pending_bytes() >= kCommitBytes) {
    commit(base_);
  }
  failpoint("snapshot-received");
  return check_room();
}

// What was committed may be lost by now, and this process is not (F60).
Result<void> Target::check_room() const {
  return *no_room_
             ? Result<void>(Error{Errc::kIo, "no room on the disk for a delta in " + directory_})
             : Result<void>();
}

bool Target::apply_op(ByteReader& in) {
  switch (in.le<uint8_t>()) {
    case delta::kPut: {
      const uint8_t family = in.le<uint8_t>();
      const std::string_view key = in.sized();
      const std::string_view value = in.sized();
      return in.ok() && part_key_.empty() && family < kFamilies &&
             put(static_cast<Family>(family), key, value);
    }
    case delta::kPart: {
      const uint8_t family = in.le<uint8_t>();
      return in.ok() && family < kFamilies && put_part(static_cast<Family>(family), in);
    }
    case delta::kKeep: {
      const uint64_t database = in.varint();
      const std::string_view hash = in.take(6);
      return in.ok() && database <= UINT32_MAX &&
             keep(DatabaseId{static_cast<uint32_t>(database)}, hash);
    }
    case delta::kPhase: {
      const uint8_t phase = in.le<uint8_t>();
      return in.ok() && part_key_.empty() && begin(phase);
    }
    case delta::kEnd:
      digest_.low = in.le<uint64_t>();
      digest_.high = in.le<uint64_t>();
      complete_ = in.ok() && phase_ == static_cast<uint8_t>(Phase::kNode) && part_key_.empty();
      return complete_;
    default:
      return false;
  }
}

bool Target::begin(uint8_t phase) {
  if (phase != phase_ + 1) {
    return false;
  }
  phase_ = phase;
  switch (static_cast<Phase>(phase)) {
    case Phase::kSystem:
      // All but the buckets 'B', the tokens 'O' and the deadlines 'X' comes anew.
      keyspace_->erase_range(Family::kSystem, "", "B");
      keyspace_->erase_range(Family::kSystem, "C", "O");
      keyspace_->erase_range(Family::kSystem, "P", "X");
      keyspace_->erase_range(Family::kSystem, "Y", "");
      return true;
    case Phase::kMeta:
      if (!now_) {
        return false;
      }
      settle_databases();
      settle_tokens();
      own_ = before_->cursor(Family::kMeta, {}, {});
      return true;
    case Phase::kElement:
      pass_own_before({});
      own_ = nullptr;
      return true;
    case Phase::kNode:
      return true;
  }
  return false;
}

bool Target::put_part(Family family, ByteReader& in) {
  const std::string_view key = in.sized();
  const uint64_t size = in.varint();
  const std::string_view piece = in.sized();
  if (!in.ok() || key.empty() || piece.empty() || size > kValueBytesMax ||
      (!part_key_.empty() && part_key_ != key) || part_value_.size() + piece.size() > size) {
    return false;
  }
  part_key_ = key;
  part_value_ += piece;
  CHECK_INVARIANT(part_value_.size() <= size && size <= kValueBytesMax);
  if (part_value_.size() < size) {
    return true;
  }
  const std::string whole = std::exchange(part_value_, {});
  const std::string its_key = std::exchange(part_key_, {});
  return put(family, its_key, whole);
}

bool Target::put(Family family, std::string_view key, std::string_view value) {
  switch (family) {
    case Family::kSystem:
      if (phase_ == static_cast<uint8_t>(Phase::kMeta) && delta::is_deletion_bucket(key)) {
        keyspace_->put(family, key, value);  // one that did not move
        return true;
      }
      return phase_ == static_cast<uint8_t>(Phase::kSystem) && put_system(key, value);
    case Family::kMeta:
      return phase_ == static_cast<uint8_t>(Phase::kMeta) && put_meta(key, value);
    case Family::kElement:
    case Family::kNode: {
      const bool elements = family == Family::kElement;
      if (phase_ != static_cast<uint8_t>(elements ? Phase::kElement : Phase::kNode) ||
          key.size() < (elements ? kElementKeyBytesMin : kNodeKeyBytesMin)) {
        return false;
      }
      keyspace_->put(family, key, value);
      return true;
    }
  }
  return false;
}

// ---------------------------------------------------------------- system records

bool Target::put_system(std::string_view key, std::string_view value) {
  if (key == applied_key_) {
    now_ = decode_applied(value);
    return now_.has_value() && now_->index >= base_.index;
  }
  if (key.empty() || !now_) {
    return false;  // 'A' sorts first
  }
  if (auto bucket = keys::parse_deletion_bucket(key)) {
    moved_.add(bucket->database, bucket->bucket);
  } else if (delta::is_expiry(key)) {
    return false;
  }
  keyspace_->put(Family::kSystem, key, value);
  return true;
}

// Once the system records are in: databases that FLUSHDB took go.
void Target::settle_databases() {
  live_ = delta::live_databases(*keyspace_);
  if (!delta::any_flushed(base_, *now_)) {
    return;
  }
  for (uint32_t number : delta::live_databases(*before_)) {
    const DatabaseId gone{number};
    if (is_live(gone)) {
      continue;
    }
    keys::meta_from(from_, gone, 0);
    keys::database_end(to_, gone);
    for (Family family : {Family::kMeta, Family::kElement, Family::kNode}) {
      keyspace_->erase_range(family, from_.substr(0, sizeof number), to_);
    }
    keys::deletion_bucket(from_, gone, 0);
    keys::deletion_bucket(to_, gone, kDeletionBuckets - 1);
    to_.push_back('\0');
    keyspace_->erase_range(Family::kSystem, from_, to_);
    keys::expiry_range(from_, to_, gone);
    keyspace_->erase_range(Family::kSystem, from_, to_);
  }
}

// Once the system records are in: tokens that were forgotten since the base go. Those that came are
// all above the floor.
void Target::settle_tokens() {
  if (const uint64_t floor = delta::once_floor(*keyspace_); floor != 0) {
    keys::once_range(from_, to_, 0, floor + 1);
    keyspace_->erase_range(Family::kSystem, from_, to_);
  }
}

// ---------------------------------------------------------------- keys

Metadata Target::own_metadata(std::string_view record) const {
  std::optional<Metadata> metadata = decode_metadata(record);
  if (!metadata) {
    fatal("a metadata record in " + directory_ + " is damaged: replace this node");
  }
  return *metadata;
}

void Target::drop_elements(const Metadata& metadata, DatabaseId database) {
  keys::collection_begin(from_, metadata.collection(database));
  keys::collection_end(to_, metadata.collection(database));
  if (metadata.has_fields()) {
    keyspace_->erase_range(Family::kElement, from_, to_);
  }
  if (metadata.has_nodes()) {
    keyspace_->erase_range(Family::kNode, from_, to_);
  }
}

void Target::drop_expiry(std::string_view key, const Metadata& metadata) {
  if (metadata.indexed_at_ms != 0) {
    keys::expiry(key_, keys::key_database(key), metadata.indexed_at_ms, keys::meta_user_key(key));
    keyspace_->erase(Family::kSystem, key_);
  }
}

void Target::drop_own(std::string_view key, const Metadata& metadata) {
  const DatabaseId database = keys::key_database(key);
  const std::string_view name = keys::meta_user_key(key);
  drop_elements(metadata, database);
  drop_expiry(key, metadata);
  keyspace_->erase(Family::kMeta, key);
  if (moved_.has(database, name)) {
    return;  // its bucket came with the system records
  }
  // It expired: its bucket is at least as new as its last change (F11,
  // resp/types/database_keys.cpp).
  keys::deletion_bucket(key_, database, deletion_bucket_of(name));
  const std::optional<std::string_view> bucket = keyspace_->get(Family::kSystem, key_);
  if (!bucket || delta::bucket_counter(*bucket) < metadata.last_modified) {
    std::string counter;
    put_le(counter, metadata.last_modified);
    keyspace_->put(Family::kSystem, key_, counter);
  }
}

void Target::pass_own_before(std::string_view key) {
  for (; own_->valid() && (key.empty() || own_->key() < key); own_->next()) {
    breathe(Pace::kSlow);
    const DatabaseId database = keys::key_database(own_->key());
    if (!is_live(database)) {
      continue;  // FLUSHDB took it
    }
    const Metadata metadata = own_metadata(own_->value());
    if (delta::suspect(moved_, database, keys::meta_user_key(own_->key()), metadata,
                       now_->stamp_ms)) {
      drop_own(own_->key(), metadata);
    }
  }
}

bool Target::keep(DatabaseId database, std::string_view hash) {
  if (phase_ != static_cast<uint8_t>(Phase::kMeta)) {
    return false;
  }
  kept_.clear();
  put_be(kept_, database.value);
  kept_ += hash;
  pass_own_before(kept_);
  while (own_->valid() && own_->key().starts_with(kept_)) {
    own_->next();
  }
  return true;
}

bool Target::put_meta(std::string_view key, std::string_view value) {
  const std::optional<Metadata> metadata =
      key.size() < kMetaKeyBytesMin ? std::nullopt : decode_metadata(value);
  if (!metadata) {
    return false;
  }
  const DatabaseId database = keys::key_database(key);
  pass_own_before(key);
  std::optional<Metadata> own;
  if (own_->valid() && own_->key() == key) {
    own = own_metadata(own_->value());
    own_->next();
  } else if (!kept_.empty() && key.starts_with(kept_)) {  // passed by with others of its hash
    if (const std::optional<std::string_view> old = before_->get(Family::kMeta, key)) {
      own = own_metadata(*old);
    }
  }
  if (own) {
    drop_elements(*own, database);
    drop_expiry(key, *own);
  }
  // RENAME keeps a collection's version: its elements may stand here under another key's name.
  drop_elements(*metadata, database);
  keyspace_->put(Family::kMeta, key, value);
  if (metadata->indexed_at_ms != 0) {
    keys::expiry(key_, database, metadata->indexed_at_ms, keys::meta_user_key(key));
    keyspace_->put(Family::kSystem, key_, {});
  }
  return true;
}

// ---------------------------------------------------------------- the end

Result<SnapshotInfo> Target::finish() {
  if (failed_ || !complete_) {
    return Error{Errc::kCorrupt, "the delta broke off: get files"};
  }
  commit(*now_);
  keyspace_->flush();
  if (Result<void> room = check_room(); !room) {
    return room.error();
  }
  own_ = nullptr;
  before_ = nullptr;
  keyspace_ = nullptr;
  if (Result<void> synced = sync_tree(directory_); !synced) {
    return synced.error();
  }
  failpoint("snapshot-complete");
  Result<std::unique_ptr<ReadOnlyState>> state = ReadOnlyState::open(directory_);
  if (!state) {
    return state.error();
  }
  if (digest_of(**state) != digest_) {
    return Error{Errc::kCorrupt, "the delta led to another state than the sender's: get files"};
  }
  failpoint("snapshot-verified");
  return (*state)->info();
}

}  // namespace

Result<std::unique_ptr<DeltaTarget>> DeltaTarget::open(const std::string& directory) {
  Result<AppliedRecord> base = read_applied_record(directory);
  if (!base) {
    return base.error();
  }
  KeyspaceOptions options;
  options.path = directory;
  options.block_cache_bytes = 16 << 20;
  options.metadata_cache_bytes = 0;
  auto no_room = std::make_shared<std::atomic<bool>>(false);
  options.no_room = [no_room] { *no_room = true; };
  Result<std::unique_ptr<Keyspace>> keyspace = open_plain_keyspace(options);
  if (!keyspace) {
    return keyspace.error();
  }
  // Later collections will have the versions of what was being built here.
  drop_hidden(**keyspace, base->mutation_counter);
  return std::unique_ptr<DeltaTarget>(
      std::make_unique<Target>(directory, *base, std::move(no_room), std::move(*keyspace)));
}

}  // namespace kiwi::rocks
