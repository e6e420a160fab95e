#include "resp/types/set_algebra.hpp"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "config/base/check.hpp"

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

// Each of them once, in the order in which they first come. Names that are equal are one set
// (Handles), and to look into it again tells nothing new.
std::vector<const Set*> distinct(Sets sets) {
  std::unordered_set<const Set*> known;
  std::vector<const Set*> once;
  for (const Set* set : sets) {
    if (known.insert(set).second) {
      once.push_back(set);
    }
  }
  return once;
}

// Calls visit(member) for those that are in all sets until it answers false: the smallest is
// walked, the others are asked.
template <class Visit>
void each_common(Sets sets, Visit visit) {
  std::vector<const Set*> by_size = distinct(sets);
  CHECK_INVARIANT(!by_size.empty());
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const Set* a, const Set* b) { return a->size() < b->size(); });
  by_size[0]->each([&](std::string_view member) {
    const bool in_all = std::all_of(by_size.begin() + 1, by_size.end(),
                                    [&](const Set* set) { return set->contains(member); });
    return !in_all || visit(member);
  });
}

// To ask an empty set is no step, and a command may name a million of them.
void subtract(const Set* from, std::vector<const Set*> others, Kept& kept) {
  if (std::find(others.begin(), others.end(), from) != others.end()) {
    return;
  }
  std::erase_if(others, [](const Set* set) { return set->empty(); });
  from->each([&](std::string_view member) {
    const bool elsewhere = std::any_of(others.begin(), others.end(),
                                       [&](const Set* set) { return set->contains(member); });
    return elsewhere || kept.add(member);
  });
}

}  // namespace

Set::Members combine(Database& database, Algebra how, Sets sets) {
  CHECK_INVARIANT(!sets.empty());
  Kept kept(database);
  switch (how) {
    case Algebra::kUnion:
      for (const Set* set : distinct(sets)) {
        set->each([&](std::string_view member) { return kept.add(member); });
      }
      break;
    case Algebra::kIntersection:
      each_common(sets, [&](std::string_view member) { return kept.add(member); });
      break;
    case Algebra::kDifference:
      subtract(sets[0], distinct(sets.subspan(1)), kept);
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
