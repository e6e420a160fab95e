// One family's writes of an apply turn, in memory: a hash table for point reads, an order that is
// built only once somebody iterates, and range erases. Knows nothing of RocksDB.
//
// Part of TurnOverlay, apply thread only. Puts take their bytes from an arena that is reused turn
// after turn. A key that is put again and again takes room twice, and a bounded number of times
// what it grows by.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "rocks/range_set.hpp"

namespace kiwi::rocks {

// Bump allocator of one turn; reset() keeps a few chunks for the next turn.
class Arena {
 public:
  char* allocate(size_t bytes);
  void reset();
  size_t used_bytes() const { return used_bytes_; }

 private:
  static constexpr size_t kChunkBytes = 64 << 10;
  static constexpr size_t kChunksKept = 32;

  std::vector<std::unique_ptr<char[]>> chunks_;  // of kChunkBytes
  std::vector<std::unique_ptr<char[]>> large_;   // one per large allocation, freed by reset()
  size_t chunk_ = 0;                             // the one being filled
  size_t chunk_used_ = 0;
  size_t used_bytes_ = 0;
};

struct UndoLog;

class Overlay {
 public:
  enum class State : uint8_t {
    kNone,  // no effect: what lies below shows (after an undo)
    kPut,
    kErase,
  };
  struct Node {
    uint64_t hash = 0;
    const char* key_data = nullptr;
    char* value_data = nullptr;
    uint32_t key_size = 0;
    uint32_t value_size = 0;
    uint32_t value_capacity = 0;
    uint32_t spare_capacity = 0;
    State state = State::kNone;
    uint64_t epoch = 0;  // of the mark that saved what was here before; 0: none did
    // Room that held an earlier value and that nobody needs any more: commands that write one
    // record in turns take two rooms, not one each.
    char* spare_data = nullptr;

    std::string_view key() const { return {key_data, key_size}; }
    std::string_view value() const { return {value_data, value_size}; }
  };
  using Order = std::map<std::string_view, uint32_t>;  // key -> index of its node

  Overlay(Arena& arena, UndoLog& undo);
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  // nullptr: this turn has not touched the key (but a range erase may cover it).
  const Node* find(uint64_t hash, std::string_view key) const;
  void put(uint64_t hash, std::string_view key, std::string_view value) {
    put_joined(hash, key, {}, value);
  }
  // Gives the whole value as it lies here.
  std::string_view put_joined(uint64_t hash,
                              std::string_view key,
                              std::string_view head,
                              std::string_view tail);
  void erase(uint64_t hash, std::string_view key);
  void erase_range(std::string_view from, std::string_view to);
  void clear();

  // For TurnOverlay's undo, the latest first.
  void put_back(const struct SavedNode& saved);
  // Nobody can take it back any more.
  void let_go(const struct SavedNode& saved);
  void forget_ranges(size_t additions) { ranges_.truncate(additions); }

  bool empty() const { return nodes_.empty() && ranges_.empty(); }
  const std::vector<Node>& nodes() const { return nodes_; }
  const RangeSet& ranges() const { return ranges_; }
  const Order& order();           // of all nodes, kNone included
  size_t capacity_bytes() const;  // kept for the next turn, the arena's aside

 private:
  static constexpr size_t kSlotsMin = 1024;
  static constexpr size_t kSlotsKept = 16384;
  static constexpr size_t kFewSlots = 64;  // to clear one alone costs as much as to fill so many

  bool order_pays();
  void order_few();
  void order_many();
  size_t slot_of(uint64_t hash, std::string_view key) const;
  Node& node_for_write(uint64_t hash, std::string_view key);
  void save(uint32_t index);
  void make_room(Node& node, size_t size);
  void grow();
  void clear_slots();

  Arena& arena_;
  UndoLog& undo_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> slots_;  // node index + 1, 0 = free; linear probing, power of two
  RangeSet ranges_;
  Order order_;
  size_t ordered_ = 0;  // nodes_ below this are in order_
  size_t looks_ = 0;    // at nodes, by range erases that did without it
};

// A node as it was before the first write since a mark.
struct SavedNode {
  Overlay* overlay;
  uint64_t epoch;
  char* value_data;
  uint32_t value_size;
  uint32_t value_capacity;
  uint32_t node;
  Overlay::State state;
};

// What the open marks of a turn would put back, in all its overlays. Epochs grow from mark to mark,
// so a node whose epoch is at least that of the innermost open mark was saved since that mark.
struct UndoLog {
  uint64_t epoch = 0;  // of the innermost open mark; 0: none is open, nothing has to be saved
  std::vector<SavedNode> saved;
};

}  // namespace kiwi::rocks
