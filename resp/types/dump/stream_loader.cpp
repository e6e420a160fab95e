#include "resp/types/dump/stream_loader.hpp"

#include <algorithm>

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "config/limits.hpp"

namespace kiwi::resp::dump {

namespace {

// Whoever looks for an entry reads the block from its begin, and whoever changes it writes all of
// it: larger nodes are cut.
constexpr uint64_t kEntriesMax = 2 * kBlockEntries;
constexpr uint64_t kBytesMax = 2 * kBlockBytes;
constexpr size_t kPendingBytes = 25;  // of a payload, at least
constexpr size_t kOwnedBytes = 16;
constexpr uint64_t kConsumersMax = 64;  // in memory

size_t bytes_of(StreamFields fields) {
  size_t bytes = 0;
  for (std::string_view one : fields) {
    bytes += one.size();
  }
  return bytes;
}

}  // namespace

// ---------------------------------------------------------------- entries

void StreamLoader::begin_block(const StreamId& first, StreamFields names) {
  entries_.clear();
  give_back_if_big(entries_);
  block_ = new_block(first, names, names_);
}

void StreamLoader::end_block() {
  if (block_.live + block_.deleted > 0) {
    block_.entries = entries_;
    stream_.append_block(block_);
  }
  block_ = {};
}

bool StreamLoader::on_node(const StreamId& first, StreamFields names) {
  end_block();
  count_(bytes_of(names));
  begin_block(first, names);
  return true;
}

bool StreamLoader::on_entry(const StreamId& id, StreamFields fields) {
  const size_t bytes = bytes_of(fields);
  count_(bytes);
  const uint64_t entries = block_.live + block_.deleted;
  if (entries >= kEntriesMax || block_.bytes >= kBytesMax || (entries > 0 && bytes >= kBytesMax)) {
    end_block();
    begin_block(id, fields);
  }
  add_entry(entries_, block_, id, fields);
  last_ = id;
  return true;
}

bool StreamLoader::on_deleted_entry(const StreamId& id, uint64_t listpack_bytes) {
  count_(0);
  ++block_.deleted;
  block_.bytes += listpack_bytes;
  block_.last = std::max(block_.last, id);
  return true;
}

bool StreamLoader::on_totals(const StreamTotals& totals) {
  end_block();
  if (!stream_.there()) {
    stream_.create();
  }
  const uint64_t added = totals.entries_added.value_or(totals.length);
  if (totals.length != stream_.size() || totals.last_id < last_ || added < totals.length) {
    return false;
  }
  stream_.set_last_id(totals.last_id);
  stream_.set_max_deleted(totals.max_deleted_id);
  stream_.set_entries_added(added);
  return true;
}

// ---------------------------------------------------------------- groups

bool StreamLoader::fits(std::string_view name) {
  too_long_ = too_long_ || name.size() > config::limits::kFieldBytes;
  return !too_long_;
}

bool StreamLoader::on_group(const GroupTotals& group) {
  count_(group.name.size());
  if (!fits(group.name) || stream_.group(group.name) != nullptr) {
    return false;  // it came twice
  }
  group_ = stream_.create_group(group.name, group.last_id);
  if (group_ == nullptr) {
    return false;
  }
  group_->set_entries_read(group.says_read ? group.entries_read
                                           : stream_.entries_up_to(group.last_id));
  consumer_ = nullptr;
  consumers_ = owned_ = 0;
  return true;
}

bool StreamLoader::on_pending(const StreamId& id, int64_t delivered_ms, uint64_t deliveries) {
  count_(kPendingBytes);
  return group_->add_pending(id, deliveries, delivered_ms);
}

bool StreamLoader::on_consumer(std::string_view name, int64_t seen_ms) {
  count_(name.size());
  if (++consumers_ % kConsumersMax == 0) {
    group_->store_consumers();
  }
  if (!fits(name) || group_->consumer(name) != nullptr) {
    return false;  // it came twice
  }
  consumer_ = &group_->create_consumer(name, seen_ms);
  return true;
}

bool StreamLoader::on_owned(const StreamId& id) {
  count_(kOwnedBytes);
  CHECK_INVARIANT(consumer_ != nullptr);
  ++owned_;
  return group_->own(*consumer_, id);
}

// What nobody owns could never be acknowledged.
bool StreamLoader::on_group_end() {
  if (owned_ != group_->pending()) {
    return false;
  }
  group_->save();
  return true;
}

}  // namespace kiwi::resp::dump
