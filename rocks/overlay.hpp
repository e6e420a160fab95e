// The writes of one apply turn, in memory, before they become one WriteBatch (F10): a hash table
// for point reads, an order that is built only once somebody iterates, range erases, and the undo
// log of the command being executed (F30). Knows nothing of RocksDB.
//
// Owned and called by a Keyspace adaptor, apply thread only. A put of a key that the turn already
// holds allocates nothing; other puts take their bytes from an arena that is reused turn after
// turn.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

// Where a range of keys ends: before `key`, or never.
struct RangeEnd {
  std::string key;
  bool never = false;

  static RangeEnd of(std::string_view to) { return {std::string(to), to.empty()}; }
  bool after(std::string_view at) const { return never || at < key; }
};

// A set of keys as disjoint ranges, with undo by count of additions.
class RangeSet {
 public:
  using Map = std::map<std::string, RangeEnd, std::less<>>;  // from -> end

  bool empty() const { return merged_.empty(); }
  void add(std::string_view from, std::string_view to);
  // The range that covers `key`, or nullptr.
  const Map::value_type* find(std::string_view key) const;
  bool contains(std::string_view key) const { return !merged_.empty() && find(key) != nullptr; }
  const Map& merged() const { return merged_; }
  size_t capacity_bytes() const { return log_.capacity() * sizeof(log_[0]); }
  size_t additions() const { return log_.size(); }
  void truncate(size_t additions);  // forgets the latest until so many are left
  void clear();

 private:
  void merge(const std::string& from, const RangeEnd& end);

  std::vector<std::pair<std::string, RangeEnd>> log_;
  Map merged_;
};

// The overlay of one family.
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
    State state = State::kNone;
    uint64_t epoch = 0;  // of the mark that saved what was here before

    std::string_view key() const { return {key_data, key_size}; }
    std::string_view value() const { return {value_data, value_size}; }
  };
  using Order = std::map<std::string_view, uint32_t>;  // key -> index of its node

  explicit Overlay(Arena& arena);
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  // nullptr: this turn has not touched the key (but a range erase may cover it).
  const Node* find(uint64_t hash, std::string_view key) const;
  void put(uint64_t hash, std::string_view key, std::string_view value);
  void erase(uint64_t hash, std::string_view key);
  void erase_range(std::string_view from, std::string_view to);

  void mark();
  void undo_to_mark();
  void clear();

  bool empty() const { return nodes_.empty() && ranges_.empty(); }
  const std::vector<Node>& nodes() const { return nodes_; }
  const RangeSet& ranges() const { return ranges_; }
  const Order& order();           // of all nodes, kNone included
  size_t capacity_bytes() const;  // kept for the next turn, the arena's aside

 private:
  struct Saved {
    uint32_t node;
    State state;
    char* value_data;
    uint32_t value_size;
    uint32_t value_capacity;
  };
  static constexpr size_t kSlotsMin = 1024;
  static constexpr size_t kSlotsKept = 16384;
  static constexpr size_t kFewSlots = 64;  // to clear one alone costs as much as to fill so many

  size_t slot_of(uint64_t hash, std::string_view key) const;
  Node& node_for_write(uint64_t hash, std::string_view key);
  void save(uint32_t index);
  void grow();
  void clear_slots();

  Arena& arena_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> slots_;  // node index + 1, 0 = free; linear probing, power of two
  std::vector<Saved> saved_;
  RangeSet ranges_;
  Order order_;
  size_t ordered_ = 0;  // nodes_ below this are in order_
  uint64_t epoch_ = 1;
  size_t ranges_at_mark_ = 0;
};

}  // namespace kiwi::rocks
