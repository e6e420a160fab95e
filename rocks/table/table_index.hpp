// The order of the StateTable's records of one family, so that cursors, and range erases, find them
// without a walk over everything. A sorted list of sorted leaves; what is compared first lies in
// the leaves themselves.
//
// Owned by StateTable, apply thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace kiwi::rocks {

struct TableNode;

// The first 16 bytes of a key as numbers: enough to tell most keys apart without touching a node.
struct KeyPrefix {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const KeyPrefix&) const = default;
};
KeyPrefix key_prefix(std::string_view key);

class TableIndex {
 public:
  // A place in the order, or its end. Any change of the index ends its life.
  struct Place {
    size_t leaf = 0;
    size_t entry = 0;
    bool operator==(const Place&) const = default;
  };

  TableIndex();
  ~TableIndex();
  TableIndex(const TableIndex&) = delete;
  TableIndex& operator=(const TableIndex&) = delete;

  void insert(TableNode* node);                         // its key must not be there
  void erase(const TableNode* node);                    // must be there
  void replace(const TableNode* old, TableNode* node);  // the same key

  Place lower_bound(std::string_view key) const;  // first key >= this
  Place begin() const { return {0, 0}; }
  Place end() const { return {leaves_.size(), 0}; }
  Place next(Place place) const;
  Place prev(Place place) const;  // requires place != begin()
  TableNode* at(Place place) const;
  Place erase_at(Place place);  // returns the place of what followed

  size_t size() const { return size_; }
  size_t memory_bytes() const;

 private:
  struct Entry {
    KeyPrefix prefix;
    TableNode* node;
  };
  struct Leaf;

  static bool less(const Entry& entry, const KeyPrefix& prefix, std::string_view key);
  Place find(const TableNode* node) const;
  void split(size_t leaf);
  void merge_next(size_t leaf);

  std::vector<std::unique_ptr<Leaf>> leaves_;  // none is empty
  std::vector<Entry> firsts_;                  // of each leaf, its first entry
  size_t size_ = 0;
};

}  // namespace kiwi::rocks
