// Random members of a collection whose records stand in the order of a hash (sets; hashes and
// sorted sets by member will be).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "config/base/prng.hpp"
#include "resp/types/database.hpp"

namespace kiwi::resp {

class RandomMembers {
 public:
  using Visit = std::function<bool(std::string_view member)>;  // false: no more are wanted

  // Of a collection that is not empty. For one call of different() or repeated(), or draws. No
  // writes while this lives.
  RandomMembers(Database& database, const Key& key);

  std::string_view draw(Prng& prng);  // valid until the next call
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

}  // namespace kiwi::resp
