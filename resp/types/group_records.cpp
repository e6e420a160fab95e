#include "resp/types/group_records.hpp"

#include <limits>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/tree_entry.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

using rocks::CollectionId;
using rocks::Family;
namespace keys = rocks::keys;

namespace {

constexpr size_t kIdBytes = 16;

[[noreturn]] void damaged_group() {
  fatal(
      "a group of a stream, or a consumer of one, is damaged in the state database; replace this "
      "node's data directory");
}

rocks::StreamId take_id(ByteReader& in) {
  const std::string_view bytes = in.take(kIdBytes);
  return bytes.size() == kIdBytes ? id_at(bytes) : rocks::StreamId{};
}

}  // namespace

void encode_group(std::string& out, const GroupRecord& record) {
  out.clear();
  put_varint(out, record.number);
  append_id(out, record.last_id);
  put_varint(out, record.entries_read ? *record.entries_read + 1 : 0);
  put_varint(out, record.consumers);
  put_varint(out, record.next_consumer);
  encode(out, record.pending);
}

GroupRecord decode_group(std::string_view bytes) {
  ByteReader in(bytes);
  GroupRecord record;
  const uint64_t number = in.varint();
  record.last_id = take_id(in);
  const uint64_t read = in.varint();
  record.consumers = in.varint();
  record.next_consumer = in.varint();
  const std::optional<TreeHead> pending = decode_tree_head(in.rest());
  if (!in.ok() || number == 0 || number >= keys::kTreesEnd || !pending ||
      record.consumers >= record.next_consumer) {
    damaged_group();
  }
  record.number = static_cast<uint32_t>(number);
  if (read != 0) {
    record.entries_read = read - 1;
  }
  record.pending = *pending;
  return record;
}

void encode_consumer(std::string& out, const ConsumerRecord& record) {
  out.clear();
  put_varint(out, record.number);
  put_varint(out, record.pending);
  put_le(out, record.seen_ms);
  append_id(out, record.floor);
  append_id(out, record.ceiling);
}

ConsumerRecord decode_consumer(std::string_view bytes) {
  ByteReader in(bytes);
  ConsumerRecord record;
  record.number = in.varint();
  record.pending = in.varint();
  record.seen_ms = in.le<int64_t>();
  record.floor = take_id(in);
  record.ceiling = take_id(in);
  if (!in.done() || record.number == 0) {
    damaged_group();
  }
  return record;
}

// ---------------------------------------------------------------- groups

std::optional<GroupRecord> GroupRecords::group(CollectionId stream, std::string_view name) {
  steps_.step();
  keys::stream_group(key_, stream, name);
  const auto found = reader_.get(Family::kNode, key_);
  return found ? std::optional(decode_group(*found)) : std::nullopt;
}

void GroupRecords::put(CollectionId stream, std::string_view name, const GroupRecord& record) {
  check_group_name(name);
  keys::stream_group(key_, stream, name);
  encode_group(value_, record);
  effects_.put(Family::kNode, key_, value_);
}

void GroupRecords::drop(CollectionId stream, std::string_view name, const GroupRecord& record) {
  if (record.pending.next_node > 1) {
    keys::tree_begin(from_, stream, record.number);
    keys::tree_end(to_, stream, record.number);
    effects_.erase_range(Family::kNode, from_, to_);
  }
  if (record.consumers != 0) {
    keys::stream_consumers(from_, to_, stream, record.number);
    effects_.erase_range(Family::kNode, from_, to_);
    keys::stream_consumer_numbers(from_, to_, stream, record.number);
    effects_.erase_range(Family::kNode, from_, to_);
  }
  keys::stream_group(key_, stream, name);
  effects_.erase(Family::kNode, key_);
}

std::unique_ptr<rocks::Cursor> GroupRecords::groups(CollectionId stream) {
  keys::stream_groups(from_, to_, stream);
  return reader_.cursor(Family::kNode, from_, to_);
}

// ---------------------------------------------------------------- consumers

std::optional<ConsumerRecord> GroupRecords::consumer(CollectionId stream,
                                                     uint32_t group,
                                                     std::string_view name) {
  steps_.step();
  keys::stream_consumer(key_, stream, group, name);
  const auto found = reader_.get(Family::kNode, key_);
  return found ? std::optional(decode_consumer(*found)) : std::nullopt;
}

std::string_view GroupRecords::consumer_name(CollectionId stream, uint32_t group, uint64_t number) {
  steps_.step();
  keys::stream_consumer_number(key_, stream, group, number);
  const auto found = reader_.get(Family::kNode, key_);
  if (!found) {
    damaged_group();
  }
  return *found;
}

void GroupRecords::put(CollectionId stream,
                       uint32_t group,
                       std::string_view name,
                       const ConsumerRecord& record) {
  check_group_name(name);
  keys::stream_consumer(key_, stream, group, name);
  encode_consumer(value_, record);
  effects_.put(Family::kNode, key_, value_);
}

void GroupRecords::put_name(CollectionId stream,
                            uint32_t group,
                            uint64_t number,
                            std::string_view name) {
  keys::stream_consumer_number(key_, stream, group, number);
  effects_.put(Family::kNode, key_, name);
}

void GroupRecords::erase(CollectionId stream,
                         uint32_t group,
                         uint64_t number,
                         std::string_view name) {
  keys::stream_consumer(key_, stream, group, name);
  effects_.erase(Family::kNode, key_);
  keys::stream_consumer_number(key_, stream, group, number);
  effects_.erase(Family::kNode, key_);
}

std::unique_ptr<rocks::Cursor> GroupRecords::consumers(CollectionId stream, uint32_t group) {
  keys::stream_consumers(from_, to_, stream, group);
  return reader_.cursor(Family::kNode, from_, to_);
}

std::unique_ptr<rocks::Cursor> GroupRecords::consumer_names(CollectionId stream, uint32_t group) {
  keys::stream_consumer_numbers(from_, to_, stream, group);
  return reader_.cursor(Family::kNode, from_, to_);
}

// ---------------------------------------------------------------- buffers

size_t GroupRecords::buffer_bytes() const {
  return key_.capacity() + from_.capacity() + to_.capacity() + value_.capacity();
}

void GroupRecords::give_back_buffers() {
  for (std::string* buffer : {&key_, &from_, &to_, &value_}) {
    give_back_if_big(*buffer);
  }
}

}  // namespace kiwi::resp
