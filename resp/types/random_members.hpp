// Random members of a collection whose records stand in the order of a hash (spread hashes and
// sets), and of packed entries. Sorted sets draw ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "config/base/prng.hpp"
#include "resp/types/database.hpp"
#include "resp/types/packed.hpp"

namespace kiwi::resp {

class RandomMembers {
 public:
  // The member and its record's value. False: no more are wanted.
  using Visit = std::function<bool(std::string_view member, std::string_view record)>;

  // Of a collection that is not empty. For one call of different() or repeated(), or draws. No
  // writes while this lives.
  RandomMembers(Database& database, const Key& key);

  std::string_view draw(Prng& prng);  // valid until the next call, as its record()
  std::string_view record() const { return cursor_->value(); }
  // `count` different ones, 0 < count <= size.
  void different(uint64_t count, Prng& prng, const Visit& visit);
  // `count` draws: of all members many times each, or of a few, whichever takes less.
  void repeated(uint64_t count, Prng& prng, const Visit& visit);

 private:
  // The hashes are a ring. One cursor, and each step counts.
  void seek(uint64_t hash);
  void next();
  void settle();
  std::string_view member() const { return rocks::keys::element_field(cursor_->key()); }
  uint64_t hash() const { return rocks::keys::element_hash(cursor_->key()); }

  void by_walk(uint64_t count, Prng& prng, const Visit& visit);
  void by_hash(uint64_t count, Prng& prng, const Visit& visit);

  Database& database_;
  const Key& key_;
  std::unique_ptr<rocks::Cursor> cursor_;
  std::string place_;
  bool passed_the_end_ = false;
};

// Of the `size` entries that `entries` gives, which are more than none.
namespace random_packed {

using Visit = std::function<bool(const PackedEntry& entry)>;  // false: no more are wanted

void different(
    PackedEntries entries, uint64_t size, uint64_t count, Prng& prng, const Visit& visit);
void repeated(PackedEntries entries, uint64_t size, uint64_t count, Prng& prng, const Visit& visit);

}  // namespace random_packed
}  // namespace kiwi::resp
