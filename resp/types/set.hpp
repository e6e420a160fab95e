// Sets. Today's layout: a record without a value per member, in the order of their hash.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "config/base/prng.hpp"
#include "resp/types/handle.hpp"

namespace kiwi::resp {

// False: no more are wanted. No writes inside.
using MemberVisit = std::function<bool(std::string_view member)>;

class Set : public Collection {
 public:
  static constexpr rocks::Type kType = rocks::Type::kSet;
  using Collection::Collection;

  bool contains(std::string_view member) const;
  bool add(std::string_view member);     // false: it was there
  bool remove(std::string_view member);  // false: it was not
  void clear();
  // Removes `count` members, at most size(), that `prng` draws; which ones is the same on every
  // node (F10). `visit` sees each; empty: nobody wants to know.
  void pop(uint64_t count, Prng& prng, const MemberVisit& visit);

  // Calls visit(member, hash) for all whose hash is at least `from`, in that order (F33), until it
  // answers false. No writes inside.
  template <class Visit>
  void each_from(uint64_t from, Visit visit) const;
  template <class Visit>
  void each(Visit visit) const {
    each_from(0, [&](std::string_view member, uint64_t) { return visit(member); });
  }

  // Members that `prng` draws, of a set that is not empty. `visit` as above.
  std::string random(Prng& prng) const;
  void random_different(uint64_t count, Prng& prng, const MemberVisit& visit) const;  // <= size()
  void random_repeated(uint64_t count, Prng& prng, const MemberVisit& visit) const;

  // In place of whatever the key holds: a set of these, or no key at all.
  using Members = std::set<std::string, std::less<>>;
  static void replace(Database& database, Key& key, const Members& members);
};

template <class Visit>
void Set::each_from(uint64_t from, Visit visit) const {
  if (empty()) {
    return;
  }
  for (auto cursor = elements().cursor(key_.collection(), from); cursor->valid(); cursor->next()) {
    database().step();
    if (!visit(rocks::keys::element_field(cursor->key()),
               rocks::keys::element_hash(cursor->key()))) {
      return;
    }
  }
}

}  // namespace kiwi::resp
