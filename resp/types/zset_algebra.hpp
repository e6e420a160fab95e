// Union, intersection and difference of sorted sets; plain sets stand for sorted ones whose scores
// are all 1. Sums depend on their order, so it is Redis': the smallest source first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/set.hpp"
#include "resp/types/set_algebra.hpp"
#include "resp/types/zset.hpp"

namespace kiwi::resp {

// One of the two, or neither: an empty one.
struct ScoredSource {
  const ZSet* sorted = nullptr;
  const Set* plain = nullptr;
  double weight = 1;
};

enum class Aggregate : uint8_t { kSum, kMin, kMax };

// Members that a command gathered, in ascending order of (score, member). Held in memory, and
// counted as work (F61).
class ScoredMembers {
 public:
  struct One {
    double score = 0;
    std::string member;
  };
  explicit ScoredMembers(Database& database) : database_(database) {}

  void append(double score, std::string_view member);
  void take(double score, std::string&& member);  // which was counted as work already
  void sort();                                    // if they did not come in order
  const std::vector<One>& all() const { return all_; }
  size_t size() const { return all_.size(); }
  // In place of whatever the key holds; how many they are.
  uint64_t store(Key& key) const;

 private:
  Database& database_;
  std::vector<One> all_;
  size_t longest_ = 0;
};

// At least one source. A difference has no use for weights and `aggregate`.
ScoredMembers combine(Database& database,
                      Algebra how,
                      std::span<const ScoredSource> sources,
                      Aggregate aggregate);

// Of the intersection, but not more than `limit`; 0: all.
uint64_t count_common(std::span<const ScoredSource> sources, uint64_t limit);

}  // namespace kiwi::resp
