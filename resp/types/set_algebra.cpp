#include "resp/types/set_algebra.hpp"

#include <algorithm>
#include <vector>

namespace kiwi::resp {

namespace {

using Sets = std::span<const Set* const>;

class Kept {
 public:
  explicit Kept(Database& database) : database_(database) {}
  bool add(std::string_view member) {
    if (members_.emplace(member).second) {
      database_.effects().spend(member.size());
    }
    return true;
  }
  Set::Members take() { return std::move(members_); }

 private:
  Database& database_;
  Set::Members members_;
};

// Calls visit(member) for those that are in all sets until it answers false: the smallest is
// walked, the others are asked.
template <class Visit>
void each_common(Sets sets, Visit visit) {
  std::vector<const Set*> by_size(sets.begin(), sets.end());
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const Set* a, const Set* b) { return a->size() < b->size(); });
  by_size[0]->each([&](std::string_view member) {
    const bool in_all = std::all_of(by_size.begin() + 1, by_size.end(),
                                    [&](const Set* set) { return set->contains(member); });
    return !in_all || visit(member);
  });
}

}  // namespace

Set::Members combine(Database& database, Algebra how, Sets sets) {
  Kept kept(database);
  switch (how) {
    case Algebra::kUnion:
      for (const Set* set : sets) {
        set->each([&](std::string_view member) { return kept.add(member); });
      }
      break;
    case Algebra::kIntersection:
      each_common(sets, [&](std::string_view member) { return kept.add(member); });
      break;
    case Algebra::kDifference:
      sets[0]->each([&](std::string_view member) {
        const bool elsewhere = std::any_of(sets.begin() + 1, sets.end(),
                                           [&](const Set* set) { return set->contains(member); });
        return elsewhere || kept.add(member);
      });
      break;
  }
  return kept.take();
}

uint64_t count_common(Sets sets, uint64_t limit) {
  uint64_t count = 0;
  each_common(sets, [&](std::string_view) { return ++count != limit; });
  return count;
}

}  // namespace kiwi::resp
