// Union, intersection and difference of sets.
#pragma once

#include <cstdint>
#include <span>

#include "resp/types/set.hpp"

namespace kiwi::resp {

enum class Algebra : uint8_t { kUnion, kIntersection, kDifference };

// At least one set; missing ones are empty. The result is held in memory, and counted as work
// (F61).
Set::Members combine(Database& database, Algebra how, std::span<const Set* const> sets);

// Of the intersection, but not more than `limit`; 0: all.
uint64_t count_common(std::span<const Set* const> sets, uint64_t limit);

}  // namespace kiwi::resp
