// A stream that is read part by part becomes a key: what RESTORE and --import make of RDB's bytes.
// A node becomes a block, so that trimming takes the same entries as it did there, unless it is one
// that no Redis would make with its default options.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "resp/types/database.hpp"
#include "resp/types/dump/stream_reader.hpp"
#include "resp/types/stream.hpp"

namespace kiwi::resp::dump {

class StreamLoader final : public StreamVisitor {
 public:
  // Called in front of each part of so many bytes; may save() what came before it.
  using Count = std::function<void(size_t bytes)>;
  StreamLoader(Database& database, Count count) : stream_(database), count_(std::move(count)) {}

  void stand_for(const Key& key) { stream_.stand_for(key); }
  void save() { stream_.save(); }
  bool too_long() const { return too_long_; }  // the name of a group or consumer was: so false

  bool on_node(const StreamId& first, StreamFields names) override;
  bool on_entry(const StreamId& id, StreamFields fields) override;
  bool on_deleted_entry(const StreamId& id, uint64_t listpack_bytes) override;
  bool on_totals(const StreamTotals& totals) override;
  bool on_group(const GroupTotals& group) override;
  bool on_pending(const StreamId& id, int64_t delivered_ms, uint64_t deliveries) override;
  bool on_consumer(std::string_view name, int64_t seen_ms) override;
  bool on_owned(const StreamId& id) override;
  bool on_group_end() override;

 private:
  bool fits(std::string_view name);
  void begin_block(const StreamId& first, StreamFields names);
  void end_block();

  Stream stream_;
  const Count count_;
  // The block that is being filled: not in the stream yet.
  StreamBlock block_;
  std::string names_;
  std::string entries_;
  StreamId last_;  // entry
  // The group that is being filled, and its last consumer.
  StreamGroup* group_ = nullptr;
  StreamConsumer* consumer_ = nullptr;
  uint64_t consumers_ = 0;
  uint64_t owned_ = 0;
  bool too_long_ = false;
};

}  // namespace kiwi::resp::dump
