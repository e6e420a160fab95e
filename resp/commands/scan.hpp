// The cursor and options that the SCAN family shares. F33: a cursor is one past the hash of the
// last record that was looked at, so it means the same on every node and after a failover.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "resp/context.hpp"

namespace kiwi::resp {

struct ScanOptions {
  int64_t count = 10;
  std::string_view pattern = "*";
  std::optional<std::string_view> type;  // SCAN only
};

// Both answer the error themselves. Options begin at args[first].
std::optional<uint64_t> read_cursor(std::string_view text, ReplyWriter& reply);
bool read_scan_options(
    Args args, size_t first, bool with_type, ScanOptions& options, ReplyWriter& reply);

// Does the name match? To compare long ones takes as long as to look at records, and counts so.
bool matches(std::string_view pattern, std::string_view name, Steps& steps);

// Answers one call's findings as they come; the cursor and their number, which stand before them,
// with finish(). Records of one hash are looked at together.
class ScanPage {
 public:
  ScanPage(const ScanOptions& options, Steps& steps, ReplyWriter& reply)
      : options_(options), steps_(steps), reply_(reply), begin_(reply.where()) {}
  // False: the page was full before this record; the walk ends.
  bool look(uint64_t hash);
  // The record of the last look(), if its name matches the pattern. What is packed is added without
  // a look: all of it is one page, as in Redis.
  void add(std::string_view name);
  void add(std::string_view name, std::string_view value);
  void finish();

 private:
  const ScanOptions& options_;
  Steps& steps_;
  ReplyWriter& reply_;
  size_t begin_;
  size_t found_ = 0;
  uint64_t next_ = 0;  // 0: the walk came to the end
  int64_t seen_ = 0;
  uint64_t last_hash_ = 0;
};

}  // namespace kiwi::resp
