// The order of the StateTable's records of one family, so that cursors, and range erases, find them
// without a walk over everything: a B+-tree. What is compared first lies in the tree itself. A
// range is erased by cutting whole subtrees off, whatever they hold; the records in them are handed
// out one by one afterwards, by take_erased().
//
// Owned by StateTable, apply thread only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
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
  struct Leaf;

 public:
  // A place in the order, or its end. Any change of the index ends its life.
  struct Place {
    const Leaf* leaf = nullptr;
    size_t entry = 0;
    bool operator==(const Place&) const = default;
  };

  TableIndex();
  ~TableIndex();
  TableIndex(const TableIndex&) = delete;
  TableIndex& operator=(const TableIndex&) = delete;

  void insert(TableNode* node);       // its key must not be there
  bool erase(const TableNode* node);  // false: it is not there (its range was erased)
  bool contains(const TableNode* node) const;
  void replace(const TableNode* old, TableNode* node);  // the same key

  // Every key in [from, to); empty `to`: to the end. O(log n).
  void erase_range(std::string_view from, std::string_view to);
  // A record that a range erase took out, in no order; each comes once, nullptr: that was all.
  TableNode* take_erased();
  bool has_erased() const { return !loose_.empty() || !dropped_.empty(); }

  Place lower_bound(std::string_view key) const;  // first key >= this
  Place begin() const { return {first_leaf_, 0}; }
  Place end() const { return {}; }
  Place next(Place place) const;
  Place prev(Place place) const;  // requires place != begin()
  TableNode* at(Place place) const;

  // With what was erased and not taken yet.
  size_t memory_bytes() const;
  // Looks at everything and stops the process if it is not as it should be; returns the number of
  // records.
  size_t check() const;

 private:
  static constexpr size_t kLeafEntries = 128;
  static constexpr size_t kChildren = 64;
  struct Entry {
    KeyPrefix prefix;
    TableNode* node;
  };
  struct Leaf {
    Leaf* prev = nullptr;
    Leaf* next = nullptr;
    size_t count = 0;  // never 0 in the tree
    std::array<Entry, kLeafEntries> entries;
  };
  // firsts[i] is exactly the first entry of children[i]'s subtree, whose node can be compared with.
  struct Inner {
    size_t count = 0;  // never 0 in the tree
    std::array<Entry, kChildren> firsts;
    std::array<void*, kChildren> children;
  };
  struct Subtree {
    void* node;    // Leaf or Inner
    size_t level;  // 0: Leaf
  };
  struct Key {
    KeyPrefix prefix;
    std::string_view bytes;
  };
  // The way from the root: which child was taken in each inner node.
  struct Step {
    Inner* inner;
    size_t child;
  };
  static constexpr size_t kLevelsMax = 16;
  using Path = std::array<Step, kLevelsMax>;

  // What stands in [from, to) of an array that holds `count` goes.
  template <class Array>
  static void close_gap(Array& array, size_t from, size_t to, size_t count) {
    std::move(array.data() + to, array.data() + count, array.data() + from);
  }

  static bool less(const Entry& entry, const Key& key);
  static size_t child_of(const Inner& inner, const Key& key);
  static size_t position(const Leaf& leaf, const Key& key);
  static const Entry& first_of(Subtree subtree);

  Leaf* descend(const Key& key) const;
  Leaf* descend(const Key& key, Path& path);
  void first_changed(Path& path, size_t level, const Entry& first);
  Leaf* split(Leaf& leaf, Path& path);
  void add_child(Path& path, size_t level, size_t at, const Entry& first, void* child, bool last);
  void remove_child(Path& path, size_t level, size_t child);
  void merge_leaf(Leaf& leaf, Path& path);
  void merge_inner(Path& path, size_t level);
  void unlink(Leaf* leaf);
  void drop_leaf(Leaf* leaf);
  void drop_inner(Inner* inner);
  void lower_root();
  void mend(const Key& key);
  bool cut(Subtree subtree, const Key* from, const Key* to);
  bool cut_leaf(Leaf& leaf, const Key* from, const Key* to);
  void destroy(Subtree subtree);
  size_t check(Subtree subtree, const Leaf*& expected) const;

  void* root_ = nullptr;  // nullptr: empty
  size_t levels_ = 0;     // of inner nodes
  Leaf* first_leaf_ = nullptr;
  Leaf* last_leaf_ = nullptr;
  size_t leaves_ = 0;  // allocated
  size_t inners_ = 0;
  std::vector<TableNode*> loose_;  // erased, of leaves that stay
  std::vector<Subtree> dropped_;   // erased as a whole
};

}  // namespace kiwi::rocks
