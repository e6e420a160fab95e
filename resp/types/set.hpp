// Sets. Packed ones hold integers in ascending order as long as Redis would keep an intset, and
// then members in the order in which they came; spread ones are in the order of (hash, bytes).
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "config/base/prng.hpp"
#include "resp/types/hashed.hpp"

namespace kiwi::resp {

// False: no more are wanted. No writes inside.
using MemberVisit = std::function<bool(std::string_view member)>;

class Set : public Hashed {
 public:
  static constexpr rocks::Type kType = rocks::Type::kSet;
  explicit Set(Database& database) : Hashed(database, HashedKind::kSet) {}

  bool contains(std::string_view member) const;
  bool add(std::string_view member);  // false: it was there
  // Removes `count` members, at most size(), that `prng` draws; which ones is the same on every
  // node (F10). `visit` sees each; empty: nobody wants to know.
  void pop(uint64_t count, Prng& prng, const MemberVisit& visit);

  // Calls visit(member) until it answers false. No writes inside.
  template <class Visit>
  void each(Visit visit) const {
    each_entry([&](const PackedEntry& entry) { return visit(entry.name); });
  }
  // Of a spread set: visit(member, hash) for all whose hash is at least `from`, in that order
  // (F33).
  template <class Visit>
  void each_from(uint64_t from, Visit visit) const {
    each_entry_from(
        from, [&](const PackedEntry& entry, uint64_t hash) { return visit(entry.name, hash); });
  }

  // Members that `prng` draws, of a set that is not empty. `visit` as above.
  std::string random(Prng& prng) const;
  void random_different(uint64_t count, Prng& prng, const MemberVisit& visit) const;  // <= size()
  void random_repeated(uint64_t count, Prng& prng, const MemberVisit& visit) const;

  // In place of whatever the key holds: a set of these, or no key at all.
  using Members = std::set<std::string, std::less<>>;
  static void replace(Database& database, Key& key, const Members& members);

 private:
  void pop_packed(uint64_t count, Prng& prng, const MemberVisit& visit);
  void pop_spread(uint64_t count, Prng& prng, const MemberVisit& visit);
};

}  // namespace kiwi::resp
