// The order of SORT against a stable sort of everything, with and without a bound.
#include "resp/types/sorter.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"

namespace kiwi::resp {
namespace {

constexpr size_t kPlenty = size_t{1} << 30;

std::vector<std::string> sorted(SortBy by,
                                bool descending,
                                uint64_t keep,
                                const std::vector<SortItem>& items) {
  Effects effects(nullptr, kPlenty);
  effects.begin_entry(0);
  Sorter sorter(effects, by, descending, keep);
  for (const SortItem& item : items) {
    sorter.add(item.element, item.score, item.has_weight ? &item.weight : nullptr);
  }
  std::vector<std::string> found;
  for (SortItem& item : sorter.finish()) {
    found.push_back(std::move(item.element));
  }
  return found;
}

// -1, 0, 1 for what SORT compares, written down once more.
int order(SortBy by, const SortItem& a, const SortItem& b) {
  const auto sign = [](auto x, auto y) { return x < y ? -1 : y < x ? 1 : 0; };
  switch (by) {
    case SortBy::kNumber:
      return sign(std::pair(a.score, a.element), std::pair(b.score, b.element));
    case SortBy::kElement:
      return sign(a.element, b.element);
    case SortBy::kWeight:
      return sign(std::pair(a.has_weight, a.weight), std::pair(b.has_weight, b.weight));
    case SortBy::kNothing:
      return 0;
  }
  return 0;
}

TEST_CASE("the first so many are those of a stable sort of all, whichever way") {
  Prng prng(5);
  for (int round = 0; round < 400; ++round) {
    const auto by = static_cast<SortBy>(prng.below(4));
    const bool descending = by != SortBy::kNothing && prng.chance(1, 2);
    std::vector<SortItem> items(prng.below(40));
    for (size_t i = 0; i < items.size(); ++i) {
      // Few scores and weights, many ties; elements tell in which order they came.
      items[i].element = (prng.chance(1, 2) ? "\xff" : "a") + std::to_string(i);
      items[i].score = static_cast<double>(prng.below(5)) - 2;
      items[i].has_weight = prng.chance(3, 4);
      items[i].weight = items[i].has_weight ? std::string(prng.below(3), 'w') : std::string();
    }
    std::vector<SortItem> expected = items;
    std::stable_sort(expected.begin(), expected.end(), [&](const SortItem& a, const SortItem& b) {
      const int way = order(by, a, b);
      return descending ? way > 0 : way < 0;
    });
    for (const uint64_t keep : {uint64_t{0}, uint64_t{1}, uint64_t{7}, uint64_t{39}, UINT64_MAX}) {
      std::vector<std::string> first;
      for (size_t i = 0; i < std::min<uint64_t>(keep, expected.size()); ++i) {
        first.push_back(expected[i].element);
      }
      CHECK(sorted(by, descending, keep, items) == first);
    }
  }
}

TEST_CASE("a bound keeps the memory of a sort small, and what it keeps is counted [F61]") {
  constexpr size_t kWork = 100'000;
  Effects effects(nullptr, kWork);
  effects.begin_entry(0);
  Sorter bounded(effects, SortBy::kNumber, false, 10);
  for (int i = 0; i < 100'000; ++i) {
    bounded.add("element", -i, nullptr);
  }
  CHECK(bounded.finish().size() == 10);
  Sorter whole(effects, SortBy::kNumber, false, UINT64_MAX);
  auto add_all = [&] {
    for (int i = 0; i < 100'000; ++i) {
      whole.add("element", i, nullptr);
    }
  };
  CHECK_THROWS_AS(add_all(), TooMuchForOneEntry);
}

}  // namespace
}  // namespace kiwi::resp
