// StateTable: the committed state's write buffer and cache in one. A record that is in here is the
// newest one; RocksDB below holds exactly the state at one applied index. Time is cut into epochs:
//
//   clean    epoch <= flushed     RocksDB holds the same; may be changed, may be evicted
//   frozen   in between           on its way to RocksDB; immutable, a write replaces the node
//   active   epoch == active      changed in place
//
// freeze() ends the active epoch in O(1); flushed() says that the oldest frozen one is in RocksDB.
// Erased ranges hide what lies in RocksDB until their epoch is there too. Knows nothing of RocksDB,
// of turns, or of undo: only committed writes come here, so that any moment between two commits may
// be frozen (I3).
//
// What costs as much as there are records is done in pieces, a few with each write and more by
// tidy(): tombstones that are in RocksDB leave the order, nodes that a write replaced are freed,
// and so are the records of a large erased range. Those left the order at once and are not found
// any more, but lie in their chains until their turn comes. All of it counts as memory until then.
//
// Owned by the table Keyspace, apply thread only. A FrozenEpoch is also read by the flusher.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/ids.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/range_set.hpp"
#include "rocks/table/table_index.hpp"
#include "rocks/table/table_node.hpp"

namespace kiwi::rocks {

// What one flush writes: the changes between two applied indexes.
struct FrozenEpoch {
  // A range erase whose records were not taken out of `nodes` one by one.
  struct Cut {
    Family family;
    std::string from;
    RangeEnd end;
    size_t before;  // those that stood in `nodes` before this position
  };

  uint32_t number = 0;
  LogIndex applied;
  std::vector<TableNode*>
      nodes;  // one per key that exists; nullptr: erased. In no order; read only
  std::vector<TableNode*> tombstones;  // one per key that does not
  std::array<RangeSet, kFamilies> ranges;
  std::vector<Cut> cuts;  // `before` ascending; dirty_bytes() counts each, which bounds them
  size_t records = 0;     // of both
  uint64_t bytes = 0;
};

// Whether a record of an epoch still holds when it ends. To be asked from its last position down to
// the first: the cuts behind a position are one set of ranges then, however many there are.
class HoldsAtEnd {
 public:
  explicit HoldsAtEnd(const FrozenEpoch& epoch) : epoch_(epoch), cuts_left_(epoch.cuts.size()) {}
  bool operator()(size_t position);

 private:
  const FrozenEpoch& epoch_;
  size_t cuts_left_;  // those are not in erased_ yet
  std::array<RangeSet, kFamilies> erased_;
};

class StateTable {
 public:
  // So many records of an erased range are freed at once; the rest in pieces.
  static constexpr size_t kErasedAtOnce = 256;

  explicit StateTable(uint64_t bytes_max, size_t erased_at_once = kErasedAtOnce);
  ~StateTable();
  StateTable(const StateTable&) = delete;
  StateTable& operator=(const StateTable&) = delete;

  // ---- reading
  // nullptr: not here; then RocksDB decides, unless erased_range() covers the key.
  const TableNode* find(uint64_t hash, Family family, std::string_view key);
  // An erased range above RocksDB that covers the key, or nullptr.
  const RangeSet::Map::value_type* erased_range(Family family, std::string_view key) const;
  const TableIndex& index(Family family) const { return indexes_[at(family)]; }
  void prefetch_slot(uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }
  // Header, key and the beginning of the value: they lie in two cache lines.
  void prefetch_node(uint64_t hash) const {
    const uint64_t node = reinterpret_cast<uint64_t>(pointer(slots_[hash & mask_]));
    __builtin_prefetch(reinterpret_cast<const void*>(node));
    __builtin_prefetch(reinterpret_cast<const void*>(node + 64));
  }

  // ---- cursors over index(): while one is open nothing changes but for freeze() and flushed()
  void open_cursor() { ++open_cursors_; }
  void close_cursor();
  bool has_cursors() const { return open_cursors_ != 0; }
  // A cursor passes a tombstone. If it is clean, it has no business in the order any more.
  void passes(TableNode* tombstone);
  uint64_t tombstones_passed() const { return tombstones_passed_; }

  // ---- writing, within a commit
  void put(uint64_t hash, Family family, std::string_view key, std::string_view value) {
    write(hash, family, key, true, value);
  }
  void erase(uint64_t hash, Family family, std::string_view key) {
    write(hash, family, key, false, {});
  }
  // Takes as long for a million records as for a few hundred.
  void erase_range(Family family, std::string_view from, std::string_view to);

  // ---- the cache
  // What a read of RocksDB found (I9). The key must not be here. That a key is in neither needs no
  // place in the order: cursors find nothing in RocksDB anyway, and an erased range makes it no
  // less true. New keys come this way: entering, replacing and erasing such records in the
  // index would be a large part of a fill's work.
  void insert_clean(
      uint64_t hash, Family family, std::string_view key, bool present, std::string_view value);
  // Frees up to so much of what nobody needs any more. False: nothing is left of that.
  bool tidy(size_t pieces);
  // Makes room where the table is over its budget, of clean records only (I6): looks at so many
  // slots.
  void evict(size_t slots);

  // ---- epochs
  std::shared_ptr<const FrozenEpoch> freeze(LogIndex applied);
  void flushed(uint32_t epoch);  // in order, one by one (I8)
  uint32_t active_epoch() const { return active_; }
  size_t frozen_epochs() const { return frozen_.size(); }

  // Of epochs that are not flushed, the active one included.
  uint64_t unflushed_bytes() const { return frozen_bytes_ + dirty_bytes_; }
  size_t unflushed_records() const { return frozen_records_ + dirty_records(); }

  // Of the active epoch.
  bool dirty() const { return writes_ != 0; }
  uint64_t dirty_bytes() const { return dirty_bytes_; }
  size_t dirty_records() const { return dirty_.size() + dirty_tombstones_.size(); }
  uint64_t writes() const { return writes_; }

  uint64_t memory_bytes() const;
  uint64_t slot_bytes() const { return (mask_ + 1) * sizeof(uint64_t); }
  uint64_t touched_bytes() const;  // of the slots: the others are pages that do not exist yet
  uint64_t node_bytes() const { return node_bytes_; }  // of records alone
  size_t records() const { return records_; }

 private:
  struct Frozen {
    std::shared_ptr<FrozenEpoch> epoch;
    std::vector<TableNode*> superseded;  // its nodes that are no longer in the table
  };
  // A flushed epoch whose tombstones are still in the order.
  struct Settling {
    uint32_t number;
    std::vector<TableNode*> tombstones;  // by dirty_index; nullptr: it was written or freed since
    std::vector<TableNode*> superseded;  // freed behind those, which may be among them
    size_t next = 0;
  };

  static size_t at(Family family) { return static_cast<size_t>(family); }
  static TableNode* pointer(uint64_t link) {
    return reinterpret_cast<TableNode*>(link & ((uint64_t{1} << 48) - 1));
  }
  static uint64_t tag(uint64_t hash) { return hash >> 48 << 48; }
  static uint64_t link(uint64_t hash, TableNode* node) {
    CHECK_INVARIANT(reinterpret_cast<uint64_t>(node) >> 48 == 0);
    return tag(hash) | reinterpret_cast<uint64_t>(node);
  }
  bool is_frozen(const TableNode* node) const {
    return node->epoch > flushed_ && node->epoch != active_;
  }
  // It lies in its chain, but a range erase took it out of the order.
  bool is_erased(const TableNode* node) const {
    return erasing_ != 0 && node->indexed && erased_[at(node->family)].contains(node->key()) &&
           !indexes_[at(node->family)].contains(node);
  }
  std::vector<TableNode*>& dirty_list(const TableNode* node) {
    return node->present ? dirty_ : dirty_tombstones_;
  }

  uint64_t* find_link(uint64_t hash, Family family, std::string_view key);
  uint64_t* link_to(const TableNode* node);
  void write(
      uint64_t hash, Family family, std::string_view key, bool present, std::string_view value);
  TableNode* make(uint64_t hash, Family family, std::string_view key, size_t size);
  void free(TableNode* node);
  void discard(TableNode* node);
  void add(uint64_t hash, TableNode* node);
  void add_to_index(TableNode* node);
  void replace(uint64_t* link_of_old, uint64_t hash, TableNode* node);
  void mark_dirty(TableNode* node, bool present);
  void drop_dirty(TableNode* node);
  void forget_tombstone(TableNode* node);
  void unlink(uint64_t* link);
  bool over() const;
  void make_room_for(const TableNode* node);
  void make_room(uint64_t bytes, size_t slots);
  void evict_slot(size_t slot);
  bool has_leftovers() const { return !settling_.empty() || erasing_ != 0; }
  bool work_off_one();
  bool settle_one();
  bool take_erased_one();
  bool take_erased(Family family);

  uint64_t* slots_ = nullptr;    // mapped
  std::vector<uint8_t> in_use_;  // by block of slots: whether one was ever used
  size_t mask_ = 0;
  size_t hand_ = 0;
  const uint64_t bytes_max_;
  const size_t erased_at_once_;
  uint64_t node_bytes_ = 0;
  size_t records_ = 0;
  std::array<TableIndex, kFamilies> indexes_;
  int open_cursors_ = 0;
  std::vector<TableNode*> passed_;  // clean tombstones that cursors met
  uint64_t tombstones_passed_ = 0;

  uint32_t flushed_ = kCleanEpoch;
  uint32_t active_ = kCleanEpoch + 1;
  std::deque<Frozen> frozen_;  // oldest first; of epochs flushed_ + 1 .. active_ - 1
  LogIndex frozen_applied_;    // of the last one
  uint64_t frozen_bytes_ = 0;
  size_t frozen_records_ = 0;
  // The active epoch, as in FrozenEpoch. Without cuts dirty_ has no gaps.
  std::vector<TableNode*> dirty_;
  std::vector<TableNode*> dirty_tombstones_;
  std::array<RangeSet, kFamilies> ranges_;
  std::vector<FrozenEpoch::Cut> cuts_;
  uint64_t dirty_bytes_ = 0;
  uint64_t writes_ = 0;

  std::deque<Settling> settling_;           // oldest first, without gaps; the last one is flushed_
  std::array<RangeSet, kFamilies> erased_;  // where indexes_ have records that were not taken yet
  size_t erasing_ = 0;                      // families that have
};

}  // namespace kiwi::rocks
