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
// Owned by the table Keyspace, apply thread only. A FrozenEpoch is also read by the flusher.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/overlay.hpp"
#include "rocks/table/table_index.hpp"
#include "rocks/table/table_node.hpp"

namespace kiwi::rocks {

// What one flush writes: the changes between two applied indexes.
struct FrozenEpoch {
  uint32_t number = 0;
  LogIndex applied;
  std::vector<TableNode*> nodes;  // one per key, in no order; read only
  std::array<RangeSet, kFamilies> ranges;
  uint64_t bytes = 0;
};

class StateTable {
 public:
  explicit StateTable(uint64_t bytes_max);
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

  // ---- writing, within a commit
  void put(uint64_t hash, Family family, std::string_view key, std::string_view value) {
    write(hash, family, key, true, value);
  }
  void erase(uint64_t hash, Family family, std::string_view key) {
    write(hash, family, key, false, {});
  }
  void erase_range(Family family, std::string_view from, std::string_view to);

  // ---- the cache
  // What a read of RocksDB found (I9). The key must not be here. That a key is in neither needs no
  // place in the order: cursors find nothing in RocksDB anyway, and an erased range makes it no
  // less true. New keys come this way: of the time of a fill with millions a fifth went into
  // entering, replacing and erasing such records in the index.
  void insert_clean(
      uint64_t hash, Family family, std::string_view key, bool present, std::string_view value);
  // Makes room, clean records only (I6); a bounded piece of work.
  void evict();

  // ---- epochs
  std::shared_ptr<const FrozenEpoch> freeze(LogIndex applied);
  void flushed(uint32_t epoch);  // in order, one by one (I8)
  uint32_t active_epoch() const { return active_; }
  size_t frozen_epochs() const { return frozen_.size(); }

  // Of epochs that are not flushed, the active one included.
  uint64_t unflushed_bytes() const { return frozen_bytes_ + dirty_bytes_; }
  size_t unflushed_records() const { return frozen_records_ + dirty_.size(); }

  // Of the active epoch.
  bool dirty() const { return writes_ != 0; }
  uint64_t dirty_bytes() const { return dirty_bytes_; }
  size_t dirty_records() const { return dirty_.size(); }
  uint64_t writes() const { return writes_; }

  uint64_t memory_bytes() const;
  size_t records() const { return records_; }

 private:
  struct Frozen {
    std::shared_ptr<const FrozenEpoch> epoch;
    std::vector<TableNode*> superseded;  // its nodes that are no longer in the table
  };

  static size_t at(Family family) { return static_cast<size_t>(family); }
  static TableNode* pointer(uint64_t link) {
    return reinterpret_cast<TableNode*>(link & ((uint64_t{1} << 48) - 1));
  }
  static uint64_t tag(uint64_t hash) { return hash >> 48 << 48; }
  static uint64_t link(uint64_t hash, TableNode* node) {
    return tag(hash) | reinterpret_cast<uint64_t>(node);
  }
  bool is_frozen(const TableNode* node) const {
    return node->epoch > flushed_ && node->epoch != active_;
  }

  uint64_t* find_link(uint64_t hash, Family family, std::string_view key);
  uint64_t* link_to(const TableNode* node);
  void write(
      uint64_t hash, Family family, std::string_view key, bool present, std::string_view value);
  TableNode* make(uint64_t hash, Family family, std::string_view key, size_t size);
  void destroy(TableNode* node);
  void add(uint64_t hash, TableNode* node);
  void add_to_index(TableNode* node);
  void replace(uint64_t* link_of_old, uint64_t hash, TableNode* node);
  void supersede(TableNode* node);
  void mark_dirty(TableNode* node);
  void drop_dirty(TableNode* node);
  void unlink(uint64_t* link);
  void free_some();
  bool over() const;

  std::unique_ptr<uint64_t[], void (*)(void*)> slots_;
  size_t mask_ = 0;
  size_t hand_ = 0;
  uint64_t bytes_max_ = 0;
  uint64_t node_bytes_ = 0;
  size_t records_ = 0;
  std::array<TableIndex, kFamilies> indexes_;

  uint32_t flushed_ = kCleanEpoch;
  uint32_t active_ = kCleanEpoch + 1;
  std::deque<Frozen> frozen_;  // oldest first; of epochs flushed_ + 1 .. active_ - 1
  LogIndex frozen_applied_;    // of the last one
  uint64_t frozen_bytes_ = 0;
  size_t frozen_records_ = 0;
  std::vector<TableNode*> dirty_;
  std::array<RangeSet, kFamilies> ranges_;
  uint64_t dirty_bytes_ = 0;
  uint64_t writes_ = 0;
  std::vector<TableNode*> to_free_;  // nobody reads them any more
};

}  // namespace kiwi::rocks
