// The half of the Keyspace port that both adaptors have in common: this turn's writes, their undo,
// and cursors that see them. What lies below the turn, how it is committed and what files there
// are is the adaptor's. Apply thread only.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "rocks/keyspace.hpp"
#include "rocks/merged_cursor.hpp"
#include "rocks/turn_overlay.hpp"

namespace kiwi::rocks {

// Walk: over what the adaptor has committed.
template <class Walk>
class OverlaidKeyspace : public Keyspace {
 public:
  explicit OverlaidKeyspace(std::optional<uint64_t> hash_seed) : turn_(hash_seed) {}

  std::unique_ptr<Cursor> cursor(Family family, std::string_view from, std::string_view to) final {
    return make_cursor<Walk>(source(family), &turn_.of(family), from, to);
  }
  std::unique_ptr<ReverseCursor> reverse_cursor(Family family,
                                                std::string_view from,
                                                std::string_view to) final {
    return make_reverse_cursor<Walk>(source(family), &turn_.of(family), from, to);
  }
  uint64_t hash(std::string_view key) const final { return turn_.hash(key); }
  void put(Family family, const LookupKey& key, std::string_view value) final {
    turn_.put(family, key, value);
  }
  std::string_view put_joined(Family family,
                              const LookupKey& key,
                              std::string_view head,
                              std::string_view tail) final {
    return turn_.put_joined(family, key, head, tail);
  }
  void erase(Family family, const LookupKey& key) final { turn_.erase(family, key); }
  void erase_range(Family family, std::string_view from, std::string_view to) final {
    turn_.erase_range(family, from, to);
  }
  void mark() final { turn_.mark(); }
  void undo() final { turn_.undo(); }
  void keep() final { turn_.keep(); }
  size_t pending_bytes() const final { return turn_.bytes(); }

 protected:
  virtual typename Walk::Source source(Family family) = 0;

  TurnOverlay turn_;
};

}  // namespace kiwi::rocks
