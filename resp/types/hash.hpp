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
  void give_back() {
    Hashed::give_back();
    give_back_if_big(value_);
  }

  bool contains(std::string_view field) const { return get(field).has_value(); }
  std::optional<std::string_view> get(std::string_view field) const;
  // False: the field was there and has another value now. Neither may lie in this hash. It loses
  // its deadline, gets one, which is later than now, or keeps what it has.
  bool set(std::string_view field, std::string_view value, int64_t deadline_ms = 0);
  bool set_keeping_deadline(std::string_view field, std::string_view value);

  // ---- deadlines of fields
  std::optional<int64_t> deadline(std::string_view field) const;  // 0: it has none; nullopt: absent
  // Of a field that is there: 0 takes its deadline away, others are later than now.
  void set_deadline(std::string_view field, int64_t deadline_ms);
  // Takes out what is due, at most `most` fields of a spread hash, and then stands in the index of
  // deadlines at the earliest that is left. To be opened for that alone, and saved. Returns how
  // many went; `done`: none is left.
  uint64_t reclaim(uint64_t most, bool& done);

  // Calls visit(field, value) until it answers false. No writes inside.
  template <class Visit>
  void each(Visit visit) const {
    each_entry([&](const PackedEntry& entry) { return visit(entry.name, entry.value); });
  }
  // The same with deadlines: visit(field, value, deadline or 0).
  template <class Visit>
  void each_with_deadline(Visit visit) const {
    each_entry([&](const PackedEntry& entry) {
      return visit(entry.name, entry.value, entry.deadline_ms);
    });
  }
  // Of a spread hash: visit(field, value, hash, live) for all whose hash is at least `from` (F33),
  // and for what is stored though it is due, which is not live.
  template <class Visit>
  void each_from(uint64_t from, Visit visit) const {
    each_entry_from(from, [&](const PackedEntry& entry, uint64_t hash) {
      return visit(entry.name, entry.value, hash, !entry.is_due(key_.now_ms));
    });
  }

  // Fields that `prng` draws, of a hash that is not empty.
  void random(Prng& prng, const FieldVisit& visit) const;
  void random_different(uint64_t count, Prng& prng, const FieldVisit& visit) const;  // <= size()
  void random_repeated(uint64_t count, Prng& prng, const FieldVisit& visit) const;

 private:
  bool store(std::string_view field, std::string_view value, int64_t deadline_ms, bool keep);

  std::string value_;  // a buffer
};

}  // namespace kiwi::resp
