// The parts of a stream's payload, a line of text each.
#pragma once

#include <string>
#include <vector>

#include "resp/types/dump/stream_reader.hpp"
#include "tests/types/stream_content.hpp"

namespace kiwi::resp::dump {

class StreamParts final : public StreamVisitor {
 public:
  std::vector<std::string> lines;

  bool on_node(const StreamId& first, StreamFields names) override {
    std::string text = "node " + types_test::id_text(first);
    for (size_t i = 0; i < names.size(); i += 2) {
      text.append(" ").append(names[i]);
    }
    return keep(text);
  }
  bool on_entry(const StreamId& id, StreamFields fields) override {
    std::string text = "entry " + types_test::id_text(id);
    for (size_t i = 0; i < fields.size(); i += 2) {
      text.append(" ").append(fields[i]).append("=").append(fields[i + 1]);
    }
    return keep(text);
  }
  bool on_deleted_entry(const StreamId& id, uint64_t listpack_bytes) override {
    return keep("deleted " + types_test::id_text(id) + " " + std::to_string(listpack_bytes));
  }
  bool on_totals(const StreamTotals& totals) override {
    return keep("totals " + std::to_string(totals.length) + " last " +
                types_test::id_text(totals.last_id) + " added " +
                types_test::count_text(totals.entries_added) + " deleted " +
                types_test::id_text(totals.max_deleted_id));
  }
  bool on_group(const GroupTotals& group) override {
    return keep("group " + std::string(group.name) + " last " + types_test::id_text(group.last_id) +
                (group.says_read ? " read " + types_test::count_text(group.entries_read) : ""));
  }
  bool on_pending(const StreamId& id, int64_t delivered_ms, uint64_t deliveries) override {
    return keep("pending " + types_test::id_text(id) + " at " + std::to_string(delivered_ms) +
                " times " + std::to_string(deliveries));
  }
  bool on_consumer(std::string_view name, int64_t seen_ms) override {
    return keep("consumer " + std::string(name) + " seen " + std::to_string(seen_ms));
  }
  bool on_owned(const StreamId& id) override { return keep("owned " + types_test::id_text(id)); }
  bool on_group_end() override { return true; }

 private:
  bool keep(const std::string& line) {
    lines.push_back(line);
    return true;
  }
};

}  // namespace kiwi::resp::dump
