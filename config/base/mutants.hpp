// Known bugs that the tests must catch, one of which at a time can be switched on. In a normal
// build mutant() is constexpr false and every branch on it disappears; with -DKIWI_MUTANTS=ON a bug
// is chosen at run time. A list of bugs is an enum from kNone to kCount and its mutant_name(). Set
// by tests before anything runs; not thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi {

#ifdef KIWI_MUTANTS
template <typename Bug>
inline Bug chosen_mutant = Bug::kNone;  // a test switch by design, absent from normal builds

template <typename Bug>
bool mutant(Bug bug) {
  return chosen_mutant<Bug> == bug;
}

template <typename Bug>
void set_mutant(Bug bug) {  // kNone switches off
  chosen_mutant<Bug> = bug;
}

template <typename Bug>
bool select_mutant(std::string_view name) {  // false: there is none of that name
  for (auto bug = static_cast<uint8_t>(Bug::kNone); bug < static_cast<uint8_t>(Bug::kCount);
       ++bug) {
    if (name == mutant_name(static_cast<Bug>(bug))) {
      set_mutant(static_cast<Bug>(bug));
      return true;
    }
  }
  return false;
}
#else
template <typename Bug>
constexpr bool mutant(Bug) {
  return false;
}
#endif

}  // namespace kiwi
