// A bounded hash of records as of the last commit: positive and negative answers of point reads, so
// that most commands never descend into RocksDB. Never holds anything uncommitted: the
// overlay is asked first, and the Keyspace writes through to it after each commit. So an undo
// cannot leave a trace here.
//
// Owned by the plain Keyspace, apply thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "rocks/keyspace.hpp"

namespace kiwi::rocks {

class RangeSet;

class RecordCache {
 public:
  static constexpr size_t kValueBytesMax = 4096;  // longer values are not kept

  struct Hit {
    bool present = false;  // false: RocksDB certainly does not hold the key
    std::string_view value;
  };

  explicit RecordCache(uint64_t bytes_max);  // 0 = keeps nothing
  ~RecordCache();
  RecordCache(const RecordCache&) = delete;
  RecordCache& operator=(const RecordCache&) = delete;

  // False: unknown. The view stays valid until the next non-const call.
  bool find(Family family, uint64_t hash, std::string_view key, Hit& hit);
  // What a read found, or what a commit wrote.
  void store(Family family, uint64_t hash, std::string_view key, Hit record);
  // The same, but only if the key is already held.
  void update(Family family, uint64_t hash, std::string_view key, Hit record);
  void forget(Family family, const RangeSet& ranges);  // walks everything

  uint64_t used_bytes() const { return used_bytes_ + slot_count_ * sizeof(Node*); }
  uint64_t entries() const { return entries_; }
  size_t longest_run() const;  // of slots in use without a free one between; walks everything

 private:
  struct Node;
  struct Free {
    void operator()(void* p) const;
  };

  size_t slot_of(Family family, uint64_t hash, std::string_view key) const;
  void write(size_t slot, Family family, uint64_t hash, std::string_view key, Hit record);
  void remove(size_t slot);
  void evict();

  uint64_t bytes_max_ = 0;
  uint64_t used_bytes_ = 0;  // of the nodes
  uint64_t entries_ = 0;
  size_t slot_count_ = 0;  // power of two, or 0
  size_t hand_ = 0;
  std::unique_ptr<Node*[], Free> slots_;
};

}  // namespace kiwi::rocks
