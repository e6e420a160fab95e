#include "resp/types/dump/stream_writer.hpp"

#include <map>
#include <string_view>
#include <vector>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "resp/types/dump/object_writer.hpp"
#include "resp/types/dump/packed_lists.hpp"
#include "resp/types/dump/stream_reader.hpp"

namespace kiwi::resp::dump {

namespace {

constexpr size_t kPage = 128;         // pending entries at a time
constexpr uint64_t kNamesOfNode = 2;  // flag of an entry
constexpr uint64_t kUnknown = UINT64_MAX;
// A listpack has a number in ten bytes, of which a block has all digits.
constexpr size_t kGrowthMax = 3;

class StreamWriter {
 public:
  StreamWriter(const Stream& stream, size_t bytes_max, std::string& out)
      : stream_(stream), bytes_max_(bytes_max), out_(out), begin_(out.size()) {}

  bool write() {
    put_u8(out_, kStreamListpacks2);
    const rocks::StreamTail& tail = stream_.tail();
    put_length(out_, tail.blocks);
    uint64_t entries = 0;
    stream_.each_block([&](const StreamBlock& block) {
      entries += block.live;
      if (!fits((block.names.size() + block.entries.size()) / kGrowthMax)) {
        return false;
      }
      node(block);
      return fits(0);
    });
    if (!fits(0)) {
      return false;
    }
    CHECK_INVARIANT(too_large_ || entries == stream_.size());
    put_length(out_, stream_.size());
    id(tail.last_id);
    id(tail.first_id);
    id(tail.max_deleted_id);
    put_length(out_, tail.entries_added);
    return groups();
  }

 private:
  // So many bytes more.
  bool fits(size_t bytes) {
    too_large_ = too_large_ || out_.size() - begin_ + bytes + owned_bytes_ > bytes_max_;
    return !too_large_;
  }

  void id(const StreamId& id) {
    put_length(out_, id.ms);
    put_length(out_, id.sequence);
  }

  static void add(ListpackWriter& node, uint64_t number) {
    node.add(std::to_string(static_cast<int64_t>(number)));
  }

  void node(const StreamBlock& block) {
    std::string key;
    append_id(key, block.first);
    put_string(out_, key);
    ListpackWriter node;
    add(node, block.live);
    add(node, 0);  // deleted ones
    add(node, block.fields);
    std::string_view names = block.names;
    while (!names.empty()) {
      node.add(entry_detail::sized(names));
    }
    add(node, 0);
    each_entry(block, [&](const StreamEntry& one) {
      entry(node, block, one);
      return true;
    });
    const std::string packed = node.finish();
    put_length(out_, packed.size());
    out_.append(packed);
  }

  void entry(ListpackWriter& node, const StreamBlock& block, const StreamEntry& entry) {
    add(node, entry.own_names ? 0 : kNamesOfNode);
    add(node, entry.id.ms - block.first.ms);
    add(node, entry.id.sequence - block.first.sequence);
    uint64_t elements = 3 + entry.fields;
    if (entry.own_names) {
      add(node, entry.fields);
      elements += 1 + entry.fields;
    }
    entry.each([&](std::string_view name, std::string_view value) {
      if (entry.own_names) {
        node.add(name);
      }
      node.add(value);
    });
    add(node, elements);
  }

  // ---- groups

  bool groups() {
    std::vector<std::string> names;
    size_t bytes = 0;
    stream_.each_group([&](std::string_view name, const GroupRecord&) {
      bytes += name.size();
      if (fits(bytes)) {
        names.emplace_back(name);
      }
    });
    put_length(out_, names.size());
    for (const std::string& name : names) {
      if (!fits(0)) {
        return false;
      }
      group(*stream_.group(name));
    }
    return fits(0);
  }

  // What is pending comes by id, and then again by consumer.
  void group(const StreamGroup& group) {
    put_string(out_, group.name());
    id(group.last_id());
    put_length(out_, group.entries_read().value_or(kUnknown));
    put_length(out_, group.pending());
    owned_.clear();
    owned_bytes_ = 0;
    std::vector<PendingEntry> page;
    for (PendingWalk walk; !walk.over && fits(0);) {
      group.next(walk, kPage, page);
      for (const PendingEntry& entry : page) {
        append_id(out_, entry.id);
        put_le(out_, entry.delivered_ms);
        put_length(out_, entry.deliveries);
        std::string& owned = owned_[entry.consumer];
        const size_t before = owned.size();
        append_id(owned, entry.id);
        owned_bytes_ += owned.size() - before;
      }
    }
    if (fits(0)) {
      consumers(group);
    }
    owned_bytes_ = 0;
  }

  void consumers(const StreamGroup& group) {
    put_length(out_, group.consumers());
    group.each_consumer([&](std::string_view name, const ConsumerRecord& consumer) {
      if (!fits(name.size())) {
        return;
      }
      put_string(out_, name);
      put_le(out_, consumer.seen_ms);
      put_length(out_, consumer.pending);
      std::string& owned = owned_[consumer.number];
      CHECK_INVARIANT(owned.size() == consumer.pending * 2 * sizeof(uint64_t));
      out_.append(owned);
      owned_bytes_ -= owned.size();
      owned = {};
    });
  }

  const Stream& stream_;
  const size_t bytes_max_;
  std::string& out_;
  const size_t begin_;  // of this value in it
  bool too_large_ = false;
  std::map<uint64_t, std::string> owned_;  // ids by consumer
  size_t owned_bytes_ = 0;                 // not in `out_` yet
};

}  // namespace

bool write_stream(const Stream& stream, size_t bytes_max, std::string& out) {
  return StreamWriter(stream, bytes_max, out).write();
}

}  // namespace kiwi::resp::dump
