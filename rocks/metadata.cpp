// ON DISK. Metadata, format 2:
//   u8      format << 4 | type
//   u8      flags: 1 = expiry present, 2 = in the index of deadlines, 4 = spread, 8 = converted,
//           16 = fields have deadlines; other bits 0
//   i64 LE  expire_at_ms                         only if flagged
//   i64 LE  indexed_at_ms                        only if flagged
//   varint  version
//   varint  last_modified - version (mod 2^64: almost always small)
//   string:             the value, to the end of the record
//   the same, spread:   varint length
//   hash, set:          varint size, [varint fields with deadlines], the elements to the end of the
//                       record (resp/types/packed.hpp)
//   the same, spread:   varint size, [varint fields with deadlines], varint removed
//   list, sorted set:   varint size, u8 height 0, the elements to the end of the record
//                       (resp/types/tree_entry.hpp)
//   the same, spread:   varint size, u8 height, varint removed, varint next node, root of the tree
//   stream:             varint size; last id, first id, largest deleted id: two varints each;
//   varint
//                       entries added, varint next group; then as a list, of blocks
#include "rocks/metadata.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"

namespace kiwi::rocks {

namespace {

constexpr uint8_t kMetadataFormat = 2;
constexpr uint8_t kHasExpiry = 1;
constexpr uint8_t kIndexed = 2;
constexpr uint8_t kSpread = 4;
constexpr uint8_t kConverted = 8;
constexpr uint8_t kFieldDeadlines = 16;
constexpr uint8_t kFlags = kHasExpiry | kIndexed | kSpread | kConverted | kFieldDeadlines;
constexpr uint8_t kAppliedFormat = 1;
constexpr uint8_t kSessionFormat = 1;
constexpr size_t kAppliedBytes = 1 + 5 * sizeof(uint64_t) + sizeof(uint32_t);
constexpr size_t kSessionBytes = 1 + 2 * sizeof(uint64_t);

// Format and type share a byte.
static_assert(kMetadataFormat < 1 << 4);
static_assert(static_cast<uint8_t>(Type::kStream) < 1 << 4);

// Of the types whose collections may stand in the key's record.
bool packs(Type type) { return type != Type::kString; }
// Of the types whose spread collections have a tree. A packed one is its only leaf.
bool has_tree(Type type) {
  return type == Type::kList || type == Type::kSortedSet || type == Type::kStream;
}

uint8_t flags_of(const Metadata& metadata) {
  return static_cast<uint8_t>(
      (metadata.expire_at_ms != 0 ? kHasExpiry : 0) | (metadata.indexed_at_ms != 0 ? kIndexed : 0) |
      (metadata.spread ? kSpread : 0) | (metadata.converted ? kConverted : 0) |
      (metadata.field_deadlines != 0 ? kFieldDeadlines : 0));
}

constexpr bool may_have(Type type, uint8_t flags) {
  const bool may_be_converted = type != Type::kList && type != Type::kStream;
  const bool has_deadline = (flags & (kHasExpiry | kFieldDeadlines)) != 0;
  return (flags & ~kFlags) == 0 && ((flags & kIndexed) != 0) == has_deadline &&
         (type == Type::kHash || (flags & kFieldDeadlines) == 0) &&
         (may_be_converted || (flags & kConverted) == 0);
}

// By type: a bit for each value of its flags that it may have; none for what is no type. So each
// find asks once, not for one flag after the other.
using FlagSets = std::array<uint32_t, 16>;
static_assert(kFlags < 32);

constexpr FlagSets make_flag_sets() {
  FlagSets sets{};
  constexpr auto kFirst = static_cast<uint8_t>(Type::kString);
  constexpr auto kLast = static_cast<uint8_t>(Type::kStream);
  for (uint8_t type = kFirst; type <= kLast; ++type) {
    for (uint8_t flags = 0; flags <= kFlags; ++flags) {
      sets[type] |= may_have(static_cast<Type>(type), flags) ? uint32_t{1} << flags : 0;
    }
  }
  return sets;
}
constexpr FlagSets kFlagSets = make_flag_sets();

bool flags_fit(uint8_t type, uint8_t flags) {
  return type < kFlagSets.size() && flags <= kFlags && (kFlagSets[type] >> flags & 1) != 0;
}

void put_id(std::string& out, const StreamId& id) {
  put_varint(out, id.ms);
  put_varint(out, id.sequence);
}

StreamId take_id(ByteReader& in) {
  StreamId id;
  id.ms = in.varint();
  id.sequence = in.varint();
  return id;
}

void put_stream(std::string& out, const StreamTail& stream) {
  put_id(out, stream.last_id);
  put_id(out, stream.first_id);
  put_id(out, stream.max_deleted_id);
  put_varint(out, stream.entries_added);
  put_varint(out, stream.next_group);
  put_varint(out, stream.blocks);
}

StreamTail take_stream(ByteReader& in) {
  StreamTail stream;
  stream.last_id = take_id(in);
  stream.first_id = take_id(in);
  stream.max_deleted_id = take_id(in);
  stream.entries_added = in.varint();
  stream.next_group = in.varint();
  stream.blocks = in.varint();
  return stream;
}

// What follows the size.
void put_tail(std::string& out, const Metadata& metadata) {
  const bool tree = has_tree(metadata.type);
  if (metadata.type == Type::kStream) {
    put_stream(out, metadata.stream);
  }
  if (tree) {
    put_u8(out, metadata.tree_height);
  }
  if (metadata.spread) {
    put_varint(out, metadata.removed);
  }
  if (tree && metadata.spread) {
    put_varint(out, metadata.next_node);
  }
  if (tree || (packs(metadata.type) && !metadata.spread)) {
    out.append(metadata.value);
  }
}

void take_tail(ByteReader& in, Metadata& metadata) {
  const bool tree = has_tree(metadata.type);
  if (metadata.type == Type::kStream) {
    metadata.stream = take_stream(in);
  }
  if (tree) {
    metadata.tree_height = in.le<uint8_t>();
  }
  if (metadata.spread) {
    metadata.removed = in.varint();
  }
  if (tree && metadata.spread) {
    metadata.next_node = in.varint();
  }
  if (tree || (packs(metadata.type) && !metadata.spread)) {
    metadata.value = in.take(in.rest().size());
  }
}

// A block may have no entry left that is not deleted.
bool stream_fits(const Metadata& metadata) {
  const StreamTail& stream = metadata.stream;
  return stream.next_group != 0 && (metadata.size == 0 || stream.blocks != 0) &&
         (metadata.size == 0) == (stream.first_id == StreamId{}) &&
         stream.first_id <= stream.last_id;
}

bool tree_fits(const Metadata& metadata) {
  const bool only_leaf =
      metadata.tree_height == 0 && metadata.next_node == 1 && metadata.removed == 0;
  const bool stream = metadata.type == Type::kStream;
  const uint64_t held = stream ? metadata.stream.blocks : metadata.size;
  return (metadata.spread || only_leaf) && metadata.next_node != 0 &&
         metadata.value.empty() == (held == 0) && (!stream || stream_fits(metadata));
}

}  // namespace

bool Metadata::has_elements() const { return spread || stream.next_group > 1; }
bool Metadata::has_fields() const {
  return has_elements() && type != Type::kList && type != Type::kStream;
}
bool Metadata::has_nodes() const {
  return has_elements() && (has_tree(type) || field_deadlines != 0);
}

const char* type_name(Type type) {
  switch (type) {
    case Type::kString:
      return "string";
    case Type::kList:
      return "list";
    case Type::kSet:
      return "set";
    case Type::kSortedSet:
      return "zset";
    case Type::kHash:
      return "hash";
    case Type::kStream:
      return "stream";
  }
  return "none";
}

namespace {

// What every record begins with.
void put_front(std::string& out, const Metadata& metadata) {
  CHECK_INVARIANT(flags_fit(static_cast<uint8_t>(metadata.type), flags_of(metadata)));
  char raw[2 + 2 * sizeof(int64_t) + 2 * kMaxVarintBytes];  // every write of a key comes by here
  char* at = raw;
  *at++ = static_cast<char>(kMetadataFormat << 4 | static_cast<uint8_t>(metadata.type));
  *at++ = static_cast<char>(flags_of(metadata));
  for (const int64_t deadline_ms : {metadata.expire_at_ms, metadata.indexed_at_ms}) {
    if (deadline_ms != 0) {
      std::memcpy(at, &deadline_ms, sizeof deadline_ms);
      at += sizeof deadline_ms;
    }
  }
  at += write_varint(at, metadata.version);
  at += write_varint(at, metadata.last_modified - metadata.version);
  out.assign(raw, static_cast<size_t>(at - raw));
}

}  // namespace

void encode_head(std::string& out, const Metadata& string) {
  CHECK_INVARIANT(string.type == Type::kString && !string.spread);
  put_front(out, string);
}

void encode(std::string& out, const Metadata& metadata) {
  put_front(out, metadata);
  if (metadata.type == Type::kString) {
    if (metadata.spread) {
      put_varint(out, metadata.size);
    } else {
      out.append(metadata.value);
    }
    return;
  }
  CHECK_INVARIANT(!has_tree(metadata.type) || tree_fits(metadata));
  put_varint(out, metadata.size);
  if (metadata.field_deadlines != 0) {
    put_varint(out, metadata.field_deadlines);
  }
  put_tail(out, metadata);
}

bool decode(std::string_view record, Metadata& metadata) {
  ByteReader in(record);
  const uint8_t head = in.le<uint8_t>();
  const uint8_t flags = in.le<uint8_t>();
  const uint8_t type = head & 0x0f;
  if (!in.ok() || head >> 4 != kMetadataFormat || !flags_fit(type, flags)) {
    return false;
  }
  metadata.type = static_cast<Type>(type);
  metadata.spread = (flags & kSpread) != 0;
  metadata.converted = (flags & kConverted) != 0;
  if ((flags & kHasExpiry) != 0) {
    metadata.expire_at_ms = in.le<int64_t>();
  }
  if ((flags & kIndexed) != 0) {
    metadata.indexed_at_ms = in.le<int64_t>();
  }
  metadata.version = in.varint();
  metadata.last_modified = metadata.version + in.varint();
  if (metadata.type == Type::kString) {
    if (metadata.spread) {
      metadata.size = in.varint();
      return in.done();
    }
    metadata.value = in.rest();
    return in.ok();
  }
  metadata.size = in.varint();
  if ((flags & kFieldDeadlines) != 0) {
    metadata.field_deadlines = in.varint();
  }
  take_tail(in, metadata);
  return in.done() && (!has_tree(metadata.type) || tree_fits(metadata));
}

std::optional<Metadata> decode_metadata(std::string_view record) {
  Metadata metadata;
  return decode(record, metadata) ? std::optional(metadata) : std::nullopt;
}

// ON DISK: u8 format 1, then little-endian u64 index, term, i64 stamp, u64 mutation counter,
// u32 next database, u64 checksum.
void encode(std::string& out, const AppliedRecord& record) {
  out.clear();
  put_u8(out, kAppliedFormat);
  put_le(out, record.index.value);
  put_le(out, record.term.value);
  put_le(out, record.stamp_ms);
  put_le(out, record.mutation_counter);
  put_le(out, record.next_database);
  put_le(out, record.checksum);
  CHECK_INVARIANT(out.size() == kAppliedBytes);
}

std::optional<AppliedRecord> decode_applied(std::string_view bytes) {
  ByteReader in(bytes);
  AppliedRecord record;
  uint8_t format = in.le<uint8_t>();
  record.index = LogIndex{in.le<uint64_t>()};
  record.term = Term{in.le<uint64_t>()};
  record.stamp_ms = in.le<int64_t>();
  record.mutation_counter = in.le<uint64_t>();
  record.next_database = in.le<uint32_t>();
  record.checksum = in.le<uint64_t>();
  if (!in.done() || format != kAppliedFormat) {
    return std::nullopt;
  }
  return record;
}

// ON DISK: u8 format 1, then little-endian u64 epoch, sequence.
void encode(std::string& out, const SessionValue& value) {
  out.clear();
  put_u8(out, kSessionFormat);
  put_le(out, value.epoch);
  put_le(out, value.sequence);
  CHECK_INVARIANT(out.size() == kSessionBytes);
}

std::optional<SessionValue> decode_session(std::string_view bytes) {
  ByteReader in(bytes);
  uint8_t format = in.le<uint8_t>();
  SessionValue value{in.le<uint64_t>(), in.le<uint64_t>()};
  if (!in.done() || format != kSessionFormat) {
    return std::nullopt;
  }
  return value;
}

std::optional<raft::SessionRow> decode_session_row(std::string_view key, std::string_view record) {
  constexpr size_t kTag = 1;
  constexpr size_t kGroup = 4;
  constexpr size_t kNode = 8;
  raft::SessionRow row;
  std::optional<SessionValue> value = decode_session(record);
  if (key.size() != kTag + kGroup + kNode + row.incarnation.bytes.size() || !value) {
    return std::nullopt;
  }
  row.group = GroupId{get_be<uint32_t>(key.substr(kTag))};
  row.node = NodeId{get_be<uint64_t>(key.substr(kTag + kGroup))};
  std::copy(key.begin() + kTag + kGroup + kNode, key.end(), row.incarnation.bytes.begin());
  row.epoch = value->epoch;
  row.sequence = value->sequence;
  return row;
}

}  // namespace kiwi::rocks
