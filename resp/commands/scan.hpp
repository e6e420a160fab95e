// The cursor and options that the SCAN family shares. F33: a cursor is one past the hash of the
// last record that was looked at, so it means the same on every node and after a failover.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/context.hpp"

namespace kiwi::resp {

struct ScanOptions {
  int64_t count = 10;
  std::string_view pattern = "*";
  std::string_view type;  // SCAN only; empty: any
};

// Both answer the error themselves. Options begin at args[first].
std::optional<uint64_t> read_cursor(std::string_view text, ReplyWriter& reply);
bool read_scan_options(
    Args args, size_t first, bool with_type, ScanOptions& options, ReplyWriter& reply);

// Collects one call's findings. Records of one hash are looked at together.
class ScanPage {
 public:
  explicit ScanPage(const ScanOptions& options) : options_(options) {}
  // False: the page was full before this record; the walk ends.
  bool look(uint64_t hash);
  void add(std::string_view name);  // the record of the last look(), if it matches the pattern
  void reply_to(ReplyWriter& reply) const;

 private:
  const ScanOptions& options_;
  std::vector<std::string> found_;
  uint64_t next_ = 0;  // 0: the walk came to the end
  int64_t seen_ = 0;
  uint64_t last_hash_ = 0;
};

}  // namespace kiwi::resp
