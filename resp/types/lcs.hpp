// The longest common subsequence of two strings, as Redis finds it. Time and memory are the product
// of their sizes: the caller bounds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/steps.hpp"

namespace kiwi::resp {

struct LcsMatch {  // last byte of each range included
  size_t a_first = 0, a_last = 0, b_first = 0, b_last = 0;
  size_t length() const { return a_last - a_first + 1; }
};

// Lengths of the longest common subsequences of every pair of prefixes.
class LcsTable {
 public:
  static constexpr size_t kCellBytes = sizeof(uint32_t);
  // So many take about as long as a record.
  static constexpr size_t kCellsPerStep = 400;
  LcsTable(std::string_view a, std::string_view b, Steps& steps);
  size_t length() const { return cells_.back(); }
  // Walks back from the end; matches come last first, as Redis lists them.
  void walk(std::string& common, std::vector<LcsMatch>& matches) const;

 private:
  size_t at(size_t i, size_t j) const { return i * (b_.size() + 1) + j; }
  std::string_view a_;
  std::string_view b_;
  std::vector<uint32_t> cells_;
};

}  // namespace kiwi::resp
