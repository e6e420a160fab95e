// Sets of erased keys: what a turn, an epoch or a table erased as ranges. Plain data; the owner's
// thread only.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kiwi::rocks {

// Where a range of keys ends: before `key`, or never.
struct RangeEnd {
  std::string key;
  bool never = false;

  static RangeEnd of(std::string_view to) { return {std::string(to), to.empty()}; }
  bool after(std::string_view at) const { return never || at < key; }
};

// A set of keys as disjoint ranges, with undo by count of additions.
class RangeSet {
 public:
  using Map = std::map<std::string, RangeEnd, std::less<>>;  // from -> end

  bool empty() const { return merged_.empty(); }
  void add(std::string_view from, std::string_view to);
  // The range that covers `key`, or nullptr.
  const Map::value_type* find(std::string_view key) const;
  bool contains(std::string_view key) const { return !merged_.empty() && find(key) != nullptr; }
  const Map& merged() const { return merged_; }
  size_t capacity_bytes() const { return log_.capacity() * sizeof(log_[0]); }
  size_t additions() const { return log_.size(); }
  void truncate(size_t additions);  // forgets the latest until so many are left
  void clear();

 private:
  void merge(const std::string& from, const RangeEnd& end);

  std::vector<std::pair<std::string, RangeEnd>> log_;
  Map merged_;
};

}  // namespace kiwi::rocks
