// What a stream is, in containers of the standard library, and as the lines of stream_content.hpp.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/types/stream_content.hpp"

namespace kiwi::resp::types_test {

using Texts = std::vector<std::string>;

struct ModelPending {
  std::string consumer;
  uint64_t deliveries = 0;
  int64_t delivered_ms = 0;
};
struct ModelGroup {
  StreamId last_id;
  std::optional<uint64_t> entries_read;
  std::map<std::string, int64_t> consumers;  // when they were seen
  std::map<StreamId, ModelPending> pending;
};
struct ModelStream {
  std::map<StreamId, Texts> entries;
  StreamId last_id;
  StreamId max_deleted_id;
  uint64_t entries_added = 0;
  std::map<std::string, ModelGroup> groups;
  int64_t deadline_ms = 0;
  bool ids_taken_back = false;  // then a deleted one may be above those of later blocks
};
using StreamModel = std::map<std::string_view, ModelStream>;

inline StreamId first_of(const ModelStream& stream) {
  return stream.entries.empty() ? StreamId{} : stream.entries.begin()->first;
}

// As stream_lines() says it.
inline Texts lines_of(const ModelStream& stream) {
  Texts lines = {"size " + std::to_string(stream.entries.size()) + " last " +
                 id_text(stream.last_id) + " first " + id_text(first_of(stream)) + " deleted " +
                 id_text(stream.max_deleted_id) + " added " + std::to_string(stream.entries_added)};
  for (const auto& [id, fields] : stream.entries) {
    std::string text = id_text(id);
    for (size_t i = 0; i < fields.size(); i += 2) {
      text += " " + fields[i] + "=" + fields[i + 1];
    }
    lines.push_back(text);
  }
  for (const auto& [name, group] : stream.groups) {
    lines.push_back("group " + name + " last " + id_text(group.last_id) + " read " +
                    count_text(group.entries_read) + " pending " +
                    std::to_string(group.pending.size()));
    for (const auto& [id, pending] : group.pending) {
      lines.push_back("pending " + id_text(id) + " of " + pending.consumer + " at " +
                      std::to_string(pending.delivered_ms) + " times " +
                      std::to_string(pending.deliveries));
    }
    for (const auto& [consumer, seen_ms] : group.consumers) {
      const auto owned = std::count_if(
          group.pending.begin(), group.pending.end(),
          [&, who = consumer](const auto& one) { return one.second.consumer == who; });
      lines.push_back("consumer " + consumer + " pending " + std::to_string(owned) + " seen " +
                      std::to_string(seen_ms));
    }
  }
  return lines;
}

}  // namespace kiwi::resp::types_test
