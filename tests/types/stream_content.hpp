// A stream as lines of text: what it counts, its entries, its groups with what is pending in them.
#pragma once

#include <string>
#include <vector>

#include "resp/types/stream.hpp"

namespace kiwi::resp::types_test {

inline std::string id_text(const StreamId& id) {
  return std::to_string(id.ms) + "-" + std::to_string(id.sequence);
}

inline std::string entry_text(const StreamEntry& entry) {
  std::string text = id_text(entry.id);
  entry.each([&](std::string_view name, std::string_view value) {
    text.append(" ").append(name).append("=").append(value);
  });
  return text;
}

inline std::string count_text(std::optional<uint64_t> count) {
  return count ? std::to_string(*count) : "?";
}

inline void add_group_lines(const StreamGroup& group, std::vector<std::string>& lines) {
  lines.push_back("group " + group.name() + " last " + id_text(group.last_id()) + " read " +
                  count_text(group.entries_read()) + " pending " + std::to_string(group.pending()));
  std::vector<PendingEntry> page;
  for (PendingWalk walk; !walk.over;) {
    group.next(walk, 7, page);
    for (const PendingEntry& entry : page) {
      lines.push_back("pending " + id_text(entry.id) + " of " + group.name_of(entry.consumer) +
                      " at " + std::to_string(entry.delivered_ms) + " times " +
                      std::to_string(entry.deliveries));
    }
  }
  group.each_consumer([&](std::string_view name, const ConsumerRecord& consumer) {
    lines.push_back("consumer " + std::string(name) + " pending " +
                    std::to_string(consumer.pending) + " seen " + std::to_string(consumer.seen_ms));
  });
}

// Nothing of it may have been changed since save().
inline std::vector<std::string> stream_lines(const Stream& stream) {
  if (!stream.there()) {
    return {};
  }
  const rocks::StreamTail& tail = stream.tail();
  std::vector<std::string> lines = {"size " + std::to_string(stream.size()) + " last " +
                                    id_text(tail.last_id) + " first " + id_text(tail.first_id) +
                                    " deleted " + id_text(tail.max_deleted_id) + " added " +
                                    std::to_string(tail.entries_added)};
  stream.range({}, kStreamIdMax, [&](const StreamEntry& entry) {
    lines.push_back(entry_text(entry));
    return true;
  });
  std::vector<std::string> names;
  stream.each_group([&](std::string_view name, const GroupRecord&) { names.emplace_back(name); });
  for (const std::string& name : names) {
    add_group_lines(*stream.group(name), lines);
  }
  return lines;
}

}  // namespace kiwi::resp::types_test
