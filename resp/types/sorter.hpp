// The order of SORT, and the first so many elements in it. With a bound it keeps a heap of that
// many, so LIMIT over a large collection needs memory for what is answered only. What it keeps is
// counted as work of the command (F61).
//
// Plain class; bytes compare as in the C locale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/effects.hpp"

namespace kiwi::resp {

enum class SortBy : uint8_t {
  kNumber,   // scores, and elements with equal ones by their bytes
  kElement,  // bytes of the elements themselves
  kWeight,   // bytes of what stands for them; elements without come first
  kNothing,  // as they come
};

struct SortItem {
  std::string element;
  std::string weight;
  bool has_weight = false;
  double score = 0;
  uint64_t place = 0;  // how many came before it: elements that compare equal stay in that order
};

class Sorter {
 public:
  Sorter(Effects& effects, SortBy by, bool descending, uint64_t keep_max)
      : effects_(effects), by_(by), descending_(descending), keep_max_(keep_max) {}

  // score: of kNumber. weight: of kWeight, nullptr: it has none.
  void add(std::string_view element, double score, const std::string* weight);
  // The first of all in order, at most keep_max. Once, at the end.
  std::vector<SortItem> finish();

 private:
  int compare(const SortItem& a, const SortItem& b) const;
  bool before(const SortItem& a, const SortItem& b) const;
  bool wanted(const SortItem& item) const;

  Effects& effects_;
  const SortBy by_;
  const bool descending_;
  const uint64_t keep_max_;
  std::vector<SortItem> items_;  // full: a heap, its last in order in front
  uint64_t seen_ = 0;
  uint64_t bytes_ = 0;       // of items_
  uint64_t bytes_most_ = 0;  // that they ever were: what is spent
  size_t items_most_ = 0;
};

}  // namespace kiwi::resp
