// ON DISK. The records of streams' groups and of their consumers; keys: rocks/keys.hpp. Frozen by
// golden bytes in tests/types/.
//
//   group             varint number, id:16 BE last delivered, varint entries read + 1 (0: unknown),
//                     varint consumers, varint next consumer, head of the tree of pending entries
//                     (tree.hpp), whose nodes stand under the group's number
//   consumer          varint number, varint pending entries, i64 when it was seen, id:16 BE below
//                     which no entry is pending for it, id:16 BE above which none is
//   consumer's number its name
//
// Owned by the Database. Bytes that are returned are valid until the next call that reads or
// writes. What does not decode is damage, which stops the process.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "resp/types/effects.hpp"
#include "resp/types/steps.hpp"
#include "resp/types/tree.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::resp {

struct GroupRecord {
  uint32_t number = 0;
  rocks::StreamId last_id;
  std::optional<uint64_t> entries_read;
  uint64_t consumers = 0;
  uint64_t next_consumer = 1;  // numbers below were used; never again within the group
  TreeHead pending;
};
void encode_group(std::string& out, const GroupRecord& record);  // clears out first
GroupRecord decode_group(std::string_view bytes);

struct ConsumerRecord {
  uint64_t number = 0;
  uint64_t pending = 0;
  int64_t seen_ms = 0;
  // While it has pending entries none is below the one and above the other.
  rocks::StreamId floor;
  rocks::StreamId ceiling;
};
void encode_consumer(std::string& out, const ConsumerRecord& record);  // clears out first
ConsumerRecord decode_consumer(std::string_view bytes);

class GroupRecords {
 public:
  GroupRecords(rocks::Reader& reader, Effects& effects, Steps& steps)
      : reader_(reader), effects_(effects), steps_(steps) {}

  // ---- groups
  std::optional<GroupRecord> group(rocks::CollectionId stream, std::string_view name);
  void put(rocks::CollectionId stream, std::string_view name, const GroupRecord& record);
  // The group and all that belongs to it.
  void drop(rocks::CollectionId stream, std::string_view name, const GroupRecord& record);
  std::unique_ptr<rocks::Cursor> groups(rocks::CollectionId stream);  // by name

  // ---- consumers
  std::optional<ConsumerRecord> consumer(rocks::CollectionId stream,
                                         uint32_t group,
                                         std::string_view name);
  std::string_view consumer_name(rocks::CollectionId stream, uint32_t group, uint64_t number);
  void put(rocks::CollectionId stream,
           uint32_t group,
           std::string_view name,
           const ConsumerRecord& record);
  void put_name(rocks::CollectionId stream, uint32_t group, uint64_t number, std::string_view name);
  void erase(rocks::CollectionId stream, uint32_t group, uint64_t number, std::string_view name);
  std::unique_ptr<rocks::Cursor> consumers(rocks::CollectionId stream, uint32_t group);  // by name
  // For the audit: names by number.
  std::unique_ptr<rocks::Cursor> consumer_names(rocks::CollectionId stream, uint32_t group);

  size_t buffer_bytes() const;
  void give_back_buffers();

 private:
  rocks::Reader& reader_;
  Effects& effects_;
  Steps& steps_;
  // Buffers, reused.
  std::string key_;
  std::string from_;
  std::string to_;
  std::string value_;
};

}  // namespace kiwi::resp
