// What the state counts of the keys of a database: one record, written with the turn that changed
// it. Exact and the same on every node, for it follows from the keys' own records. A plain value.
#pragma once

#include <cstdint>

namespace kiwi::resp {

// The sum of many deadlines in two halves, since one number could not hold it.
struct DeadlineSum {
  uint64_t high = 0;  // of their upper 32 bits
  uint64_t low = 0;   // of their lower 32 bits

  void add(int64_t deadline_ms) {
    high += static_cast<uint64_t>(deadline_ms) >> 32;
    low += static_cast<uint64_t>(deadline_ms) & UINT32_MAX;
  }
  void remove(int64_t deadline_ms) {
    high -= static_cast<uint64_t>(deadline_ms) >> 32;
    low -= static_cast<uint64_t>(deadline_ms) & UINT32_MAX;
  }
  // Of so many deadlines; to a millisecond as long as they lie within some thousand years.
  double mean_ms(uint64_t count) const {
    constexpr double kUpper = 4294967296.0;
    const auto number = static_cast<double>(count);
    return count == 0
               ? 0
               : static_cast<double>(high) / number * kUpper + static_cast<double>(low) / number;
  }
  bool operator==(const DeadlineSum&) const = default;
};

struct KeyCounts {
  uint64_t keys = 0;
  uint64_t keys_with_ttl = 0;
  uint64_t indexed = 0;   // records in the index of deadlines
  DeadlineSum deadlines;  // of the keys with TTL
};

}  // namespace kiwi::resp
