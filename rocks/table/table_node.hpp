// One record of the StateTable: header, key and value in one allocation. A tombstone is a record
// too: it says that the key does not exist. Knows neither table nor RocksDB.
//
// Apply thread, but for the nodes of a frozen epoch: those are immutable (I5) and the flusher reads
// them. What the apply thread still writes in a frozen node (links, `used`, `indexed`) the flusher
// never reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <string_view>
#include <type_traits>

#include "config/base/check.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::rocks {

// Of a node that was never dirty, or whose content is in RocksDB for sure.
inline constexpr uint32_t kCleanEpoch = 0;

struct TableNode {
  uint64_t next;         // in the slot's chain: 16 bits of hash, 48 bits of pointer
  uint32_t hash;         // low half; names the slot
  uint32_t epoch;        // the epoch that wrote it last
  uint32_t dirty_index;  // in the active epoch's list, while it is in there
  uint32_t key_size;
  uint32_t value_size;
  Family family;
  bool present;   // false: a tombstone
  uint8_t slack;  // room behind the value
  bool used : 1;  // since the eviction hand last passed
  bool indexed : 1;

  static TableNode* make(uint64_t hash, Family family, std::string_view key, size_t value_size) {
    CHECK_INVARIANT(key.size() <= std::numeric_limits<uint32_t>::max());
    CHECK_INVARIANT(value_size <= std::numeric_limits<uint32_t>::max() - 8);
    size_t room = (value_size + 7) & ~size_t{7};
    void* bytes = std::malloc(sizeof(TableNode) + key.size() + room);
    if (bytes == nullptr) {
      throw std::bad_alloc();
    }
    auto* node = new (bytes) TableNode{0,
                                       static_cast<uint32_t>(hash),
                                       kCleanEpoch,
                                       0,
                                       static_cast<uint32_t>(key.size()),
                                       static_cast<uint32_t>(value_size),
                                       family,
                                       false,
                                       static_cast<uint8_t>(room - value_size),
                                       true,
                                       false};
    std::memcpy(node->data(), key.data(), key.size());
    return node;
  }
  static void destroy(TableNode* node) { std::free(node); }

  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  std::string_view key() const { return {data(), key_size}; }
  std::string_view value() const { return {data() + key_size, value_size}; }
  size_t room() const { return size_t{value_size} + slack; }
  bool is(Family of, std::string_view name) const { return family == of && key() == name; }

  // Whether set() with a value of this size keeps the allocation: neither too small nor much too
  // large.
  bool fits(size_t size) const { return size <= room() && room() - size <= UINT8_MAX; }
  void set(bool exists, std::string_view value) {
    CHECK_INVARIANT(fits(value.size()));
    CHECK_INVARIANT(exists || value.empty());  // a tombstone says nothing else
    slack = static_cast<uint8_t>(room() - value.size());
    value_size = static_cast<uint32_t>(value.size());
    present = exists;
    if (!value.empty()) {
      std::memmove(data() + key_size, value.data(), value.size());
    }
  }

  // What it costs: malloc adds a word and rounds up to two.
  size_t bytes() const {
    return (sizeof(TableNode) + key_size + room() + sizeof(void*) + 15) & ~size_t{15};
  }
};
static_assert(sizeof(TableNode) == 32);
static_assert(std::is_trivially_destructible_v<TableNode>, "destroy() frees the bytes");
static_assert(alignof(TableNode) <= alignof(std::max_align_t), "malloc() aligns it");

}  // namespace kiwi::rocks
