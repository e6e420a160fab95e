// What one apply turn has written and not committed (F10), in all families, over whatever an
// adaptor of the Keyspace keeps below: point reads see it first, cursors merge it in, and undo
// takes parts of it back (F30). Knows nothing of RocksDB.
//
// Owned by a Keyspace adaptor, apply thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/ids.hpp"
#include "rocks/hash_seed.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/overlay.hpp"

namespace kiwi::rocks {

class TurnOverlay {
 public:
  explicit TurnOverlay(std::optional<uint64_t> hash_seed);
  TurnOverlay(const TurnOverlay&) = delete;
  TurnOverlay& operator=(const TurnOverlay&) = delete;

  uint64_t hash(const LookupKey& key) const { return key.hash ? *key.hash : hash_(key.bytes); }
  Overlay& of(Family family) { return overlays_[static_cast<size_t>(family)]; }
  const Overlay& of(Family family) const { return overlays_[static_cast<size_t>(family)]; }

  // The top half of a read. Not `known`: this turn says nothing about the key, look below.
  struct Look {
    bool known = false;
    std::optional<std::string_view> value;  // valid until the next write
  };
  Look look(Family family, uint64_t hash, std::string_view key) const {
    const Overlay& above = of(family);
    const Overlay::Node* node = above.find(hash, key);
    if (node != nullptr && node->state == Overlay::State::kPut) {
      return {true, node->value()};
    }
    const bool erased =
        (node != nullptr && node->state == Overlay::State::kErase) || above.ranges().contains(key);
    return {erased, std::nullopt};
  }

  void put(Family family, const LookupKey& key, std::string_view value) {
    of(family).put(hash(key), key.bytes, value);
  }
  std::string_view put_joined(Family family,
                              const LookupKey& key,
                              std::string_view head,
                              std::string_view tail) {
    return of(family).put_joined(hash(key), key.bytes, head, tail);
  }
  void erase(Family family, const LookupKey& key) { of(family).erase(hash(key), key.bytes); }
  void erase_range(Family family, std::string_view from, std::string_view to) {
    range_bytes_ += from.size() + to.size();
    of(family).erase_range(from, to);
  }

  // Writer's undo.
  void mark();
  void undo();
  void keep();

  size_t bytes() const { return arena_.used_bytes() + range_bytes_; }
  // The applied record is in the turn: what is committed without it would be applied twice.
  void check_applied(LogIndex applied) const;
  void clear();  // it was committed; no mark is open

  size_t capacity_bytes() const;  // kept for the next turn, the arena's aside

 private:
  struct Mark {
    uint64_t epoch_around;  // of the mark around it
    size_t saved;           // entries of the undo log when it was set
    std::array<size_t, kFamilies> ranges;
  };
  void close();

  const SeededHash hash_;
  Arena arena_;
  UndoLog undo_;
  std::array<Overlay, kFamilies> overlays_;
  std::vector<Mark> marks_;  // open ones, the outermost first
  uint64_t last_epoch_ = 0;
  std::string applied_key_;
  size_t range_bytes_ = 0;
};

}  // namespace kiwi::rocks
