#include "rocks/delta_stream.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "rocks/background.hpp"
#include "rocks/delta_format.hpp"
#include "rocks/keys.hpp"
#include "rocks/read_only_state.hpp"

namespace kiwi::rocks {

namespace {

using delta::Phase;

constexpr size_t kOpBytesMax = 32;  // of an operation beside its key and value
static_assert(kOpBytesMax >= 1 + 2 * sizeof(uint64_t), "kEnd has a digest");
static_assert(kDeletionBuckets <= 1 << 16, "bucket_number() has 16 bits for it");

uint64_t bucket_number(DatabaseId database, uint16_t bucket) {  // in the order of the buckets' keys
  return uint64_t{database.value} << 16 | bucket;
}

class Stream final : public DeltaStream {
 public:
  Stream(Reader& state,
         const AppliedRecord& now,
         const AppliedRecord& base,
         std::optional<Checksum128>& digest)
      : state_(state), now_(now), base_(base), digest_(digest), summing_(now.mutation_counter) {
    begin(Phase::kSystem);
  }

  Result<std::optional<std::string>> next() override {
    if (ended_) {
      return std::optional<std::string>();
    }
    chunk_.assign(1, static_cast<char>(delta::kVersion));
    chunk_ += std::exchange(head_, {});
    while (!full_ && !ended_ && !too_long_) {
      step();
      breathe(Pace::kSlow);
    }
    full_ = false;
    if (too_long_) {
      return Error{Errc::kInvalid, "a key is too long for a chunk: send files"};
    }
    return std::optional(std::exchange(chunk_, {}));
  }

 private:
  void begin(Phase phase);
  void step();
  void step_system();
  void step_meta();
  void step_collection(Family family);
  void end_phase();
  void note_bucket(DatabaseId database, std::string_view user_key);
  void put_bucket();
  void put(Family family);  // the record at the cursor; moves on once it is in whole
  void move_on();           // from a record of the phase
  bool fits(size_t bytes);
  [[noreturn]] void damaged(const char* what) {
    fatal(std::string("a ") + what + " record of a snapshot is damaged: replace this node");
  }

  Reader& state_;
  const AppliedRecord now_;
  const AppliedRecord base_;
  std::optional<Checksum128>& digest_;
  StateDigest summing_;  // unless the digest is known

  Phase phase_ = Phase::kSystem;
  std::unique_ptr<Cursor> cursor_;
  size_t value_done_ = 0;  // bytes of the value at the cursor that went out already
  delta::Buckets moved_;
  // (bucket_number(), counter) of the others, ascending: read once, in order, instead of one
  // by one for each key.
  std::vector<std::pair<uint64_t, uint64_t>> still_;
  std::vector<CollectionId> elements_;  // of the collections that were put; sorted after kMeta
  std::vector<CollectionId> nodes_;
  size_t collection_ = 0;  // that the cursor is in
  std::string head_;       // what the very first chunk begins with
  std::string chunk_;
  bool full_ = false;
  bool ended_ = false;
  bool too_long_ = false;
  std::string bucket_key_;
  std::string bucket_value_;  // not empty: goes next
  std::string from_;
  std::string to_;
};

void Stream::begin(Phase phase) {
  phase_ = phase;
  cursor_ = nullptr;
  collection_ = 0;
  std::string& out = chunk_.empty() ? head_ : chunk_;
  put_u8(out, delta::kPhase);
  put_u8(out, static_cast<uint8_t>(phase));
  if (phase == Phase::kSystem || phase == Phase::kMeta) {
    cursor_ = state_.cursor(phase == Phase::kSystem ? Family::kSystem : Family::kMeta, {}, {});
  }
}

void Stream::end_phase() {
  if (!fits(kOpBytesMax)) {
    return;
  }
  switch (phase_) {
    case Phase::kSystem:
      return begin(Phase::kMeta);
    case Phase::kMeta:
      std::sort(elements_.begin(), elements_.end());
      std::sort(nodes_.begin(), nodes_.end());
      return begin(Phase::kElement);
    case Phase::kElement:
      return begin(Phase::kNode);
    case Phase::kNode:
      break;
  }
  if (!digest_) {
    summing_.add_all(state_, Family::kElement);
    summing_.add_all(state_, Family::kNode);
    digest_ = summing_.sum();
  }
  put_u8(chunk_, delta::kEnd);
  put_le(chunk_, digest_->low);
  put_le(chunk_, digest_->high);
  cursor_ = nullptr;
  ended_ = true;
}

void Stream::step() {
  switch (phase_) {
    case Phase::kSystem:
      return step_system();
    case Phase::kMeta:
      return step_meta();
    case Phase::kElement:
      return step_collection(Family::kElement);
    case Phase::kNode:
      return step_collection(Family::kNode);
  }
}

// An empty chunk takes at least a piece of everything, so every chunk moves on.
bool Stream::fits(size_t bytes) {
  full_ = chunk_.size() + bytes > kSnapshotChunkBytes;
  return !full_;
}

// kSystem and kMeta come by every record of their families: the digest takes them on the way.
void Stream::move_on() {
  if (!digest_ && (phase_ == Phase::kSystem || phase_ == Phase::kMeta)) {
    summing_.add(phase_ == Phase::kSystem ? Family::kSystem : Family::kMeta, cursor_->key(),
                 cursor_->value());
  }
  cursor_->next();
}

void Stream::put(Family family) {
  constexpr size_t kPieceMin = 4 << 10;  // a smaller rest of a chunk stays empty
  const std::string_view key = cursor_->key();
  const std::string_view value = cursor_->value();
  if (key.size() > kSnapshotChunkBytes / 2) {
    too_long_ = true;
    return;
  }
  const size_t head = kOpBytesMax + key.size();
  if (value_done_ == 0 && head + value.size() <= kSnapshotChunkBytes - kOpBytesMax) {
    if (fits(head + value.size())) {
      put_u8(chunk_, delta::kPut);
      put_u8(chunk_, static_cast<uint8_t>(family));
      put_sized(chunk_, key);
      put_sized(chunk_, value);
      move_on();
    }
    return;
  }
  if (!fits(head + std::min(kPieceMin, value.size() - value_done_))) {
    return;
  }
  CHECK_INVARIANT(value_done_ < value.size());
  CHECK_INVARIANT(chunk_.size() + head <= kSnapshotChunkBytes);
  const size_t piece =
      std::min(value.size() - value_done_, kSnapshotChunkBytes - chunk_.size() - head);
  put_u8(chunk_, delta::kPart);
  put_u8(chunk_, static_cast<uint8_t>(family));
  put_sized(chunk_, key);
  put_varint(chunk_, value.size());
  put_sized(chunk_, value.substr(value_done_, piece));
  value_done_ += piece;
  if (value_done_ == value.size()) {
    value_done_ = 0;
    move_on();
  }
}

void Stream::step_system() {
  if (!cursor_->valid()) {
    return end_phase();
  }
  const std::string_view key = cursor_->key();
  if (auto bucket = keys::parse_deletion_bucket(key)) {
    if (delta::bucket_counter(cursor_->value()) <= base_.mutation_counter) {
      CHECK_INVARIANT(still_.empty() ||
                      still_.back().first < bucket_number(bucket->database, bucket->bucket));
      still_.emplace_back(bucket_number(bucket->database, bucket->bucket),
                          delta::bucket_counter(cursor_->value()));
      return move_on();
    }
    moved_.add(bucket->database, bucket->bucket);
  } else if (delta::is_expiry(key) || (delta::is_once(key) && value_done_ == 0 &&
                                       delta::once_changed(cursor_->value()) <= base_.index)) {
    return move_on();
  }
  put(Family::kSystem);
}

// The bucket of a key that was put, if it did not move: the key may have expired and come back, and
// only the sender knows whether its end was recorded (F11).
void Stream::put_bucket() {
  if (fits(kOpBytesMax + bucket_key_.size() + bucket_value_.size())) {
    put_u8(chunk_, delta::kPut);
    put_u8(chunk_, static_cast<uint8_t>(Family::kSystem));
    put_sized(chunk_, bucket_key_);
    put_sized(chunk_, bucket_value_);
    bucket_value_.clear();
  }
}

void Stream::note_bucket(DatabaseId database, std::string_view user_key) {
  const uint16_t bucket = deletion_bucket_of(user_key);
  const std::pair<uint64_t, uint64_t> wanted(bucket_number(database, bucket), 0);
  const auto found = std::lower_bound(still_.begin(), still_.end(), wanted);
  if (found != still_.end() && found->first == wanted.first) {
    keys::deletion_bucket(bucket_key_, database, bucket);
    put_le(bucket_value_, found->second);
  }
}

void Stream::step_meta() {
  if (!bucket_value_.empty()) {
    return put_bucket();
  }
  if (!cursor_->valid()) {
    return end_phase();
  }
  const std::string_view key = cursor_->key();
  const std::optional<Metadata> metadata = decode_metadata(cursor_->value());
  if (!metadata) {
    damaged("metadata");
  }
  const DatabaseId database = keys::key_database(key);
  if (metadata->last_modified > base_.mutation_counter) {
    const CollectionId collection = metadata->collection(database);
    const bool elements = metadata->has_fields();
    const bool nodes = metadata->has_nodes();
    const std::string name(keys::meta_user_key(key));
    put(Family::kMeta);
    if (!full_ && !too_long_ && value_done_ == 0) {  // it is in whole
      note_bucket(database, name);
      if (elements) {
        elements_.push_back(collection);
      }
      if (nodes) {
        nodes_.push_back(collection);
      }
    }
    return;
  }
  if (delta::suspect(moved_, database, keys::meta_user_key(key), *metadata, now_.stamp_ms)) {
    if (!fits(kOpBytesMax)) {
      return;
    }
    const uint64_t hash = keys::meta_hash(key);
    put_u8(chunk_, delta::kKeep);
    put_varint(chunk_, database.value);
    put_be(chunk_, static_cast<uint16_t>(hash >> 32));
    put_be(chunk_, static_cast<uint32_t>(hash));
  }
  move_on();
}

void Stream::step_collection(Family family) {
  const std::vector<CollectionId>& collections = family == Family::kElement ? elements_ : nodes_;
  if (collection_ == collections.size()) {
    return end_phase();
  }
  if (cursor_ == nullptr) {
    keys::collection_begin(from_, collections[collection_]);
    keys::collection_end(to_, collections[collection_]);
    cursor_ = state_.cursor(family, from_, to_);
  }
  if (!cursor_->valid()) {
    cursor_ = nullptr;
    ++collection_;
    return;
  }
  put(family);
}

}  // namespace

// Equality is decided by the digests at the end; this refuses early what cannot come out right.
Result<std::unique_ptr<DeltaStream>> make_delta_stream(Reader& state,
                                                       const AppliedRecord& now,
                                                       const AppliedRecord& base,
                                                       std::optional<Checksum128>& digest) {
  const Error other{Errc::kInvalid,
                    "the receiver's state is not an earlier one of this history: send files"};
  if (base.index.value == 0) {
    return Error{Errc::kInvalid, "the receiver's state is empty: send files"};
  }
  if (base.index > now.index || base.term > now.term || base.stamp_ms > now.stamp_ms ||
      base.mutation_counter > now.mutation_counter || base.next_database > now.next_database) {
    return other;
  }
  if (base.index == now.index && !(base == now)) {
    return other;  // the checksum chain says that another history led there
  }
  return std::unique_ptr<DeltaStream>(std::make_unique<Stream>(state, now, base, digest));
}

}  // namespace kiwi::rocks
