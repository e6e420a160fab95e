// Hashes. Packed ones keep the order in which the fields first came, as Redis' listpacks do; spread
// ones are in the order of (hash, bytes).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "config/base/prng.hpp"
#include "resp/types/hashed.hpp"

namespace kiwi::resp {

// False: no more are wanted. No writes inside.
using FieldVisit = std::function<bool(std::string_view field, std::string_view value)>;

class Hash : public Hashed {
 public:
  static constexpr rocks::Type kType = rocks::Type::kHash;
  explicit Hash(Database& database) : Hashed(database, HashedKind::kHash) {}

  bool contains(std::string_view field) const { return get(field).has_value(); }
  std::optional<std::string_view> get(std::string_view field) const;
  // False: the field was there and has another value now. Neither may lie in this hash.
  bool set(std::string_view field, std::string_view value);

  // Calls visit(field, value) until it answers false. No writes inside.
  template <class Visit>
  void each(Visit visit) const {
    each_entry([&](const PackedEntry& entry) { return visit(entry.name, entry.value); });
  }
  // Of a spread hash: visit(field, value, hash) for all whose hash is at least `from` (F33).
  template <class Visit>
  void each_from(uint64_t from, Visit visit) const {
    each_entry_from(from, [&](const PackedEntry& entry, uint64_t hash) {
      return visit(entry.name, entry.value, hash);
    });
  }

  // Fields that `prng` draws, of a hash that is not empty.
  void random(Prng& prng, const FieldVisit& visit) const;
  void random_different(uint64_t count, Prng& prng, const FieldVisit& visit) const;  // <= size()
  void random_repeated(uint64_t count, Prng& prng, const FieldVisit& visit) const;
};

}  // namespace kiwi::resp
