// Lists. The elements stand in a counted tree, in their order (tree.hpp). As long as they fit its
// root is the only leaf, and the whole list is packed into the key's record; what outgrows that is
// spread over nodes and stays so. Indexes count from the head, from 0.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/types/handle.hpp"
#include "resp/types/tree.hpp"

namespace kiwi::resp {

enum class ListEnd : uint8_t { kHead, kTail };

// False: no more are wanted. Neither reads nor writes inside.
using ElementVisit = std::function<bool(std::string_view element)>;

class List : public Collection {
 public:
  static constexpr rocks::Type kType = rocks::Type::kList;
  explicit List(Database& database);

  std::string_view at(uint64_t index) const;  // index < size()
  std::string_view end(ListEnd end) const;    // of a list that is not empty
  // `count` elements from `first` on, towards the tail.
  void range(uint64_t first, uint64_t count, const ElementVisit& visit) const;
  // Calls visit(index, element) from one end inwards until it answers false. Neither reads nor
  // writes inside.
  template <class Visit>
  void each(ListEnd from, Visit visit) const {
    each_behind(0, from, visit);
  }

  // Elements that are given are not this list's own bytes.
  void push(ListEnd end, std::string_view element);
  // Removes `count` elements, at most size(), from that end inwards. `visit` sees each; empty:
  // nobody wants to know.
  void pop(ListEnd end, uint64_t count, const ElementVisit& visit);
  void replace(uint64_t index, std::string_view element);  // index < size()
  // In front of the element at `index`, or behind the last one.
  void insert(uint64_t index, std::string_view element);
  void clear();
  void trim(uint64_t first, uint64_t count);  // keeps these only; first + count <= size()
  // Removes up to `most` elements that equal this one, from that end on. How many it were.
  uint64_t remove_equal(std::string_view element, ListEnd from, uint64_t most);

  void save();  // as of Collection

  // For Handles.
  void stand_for(const Key& key);
  void give_back();

 private:
  // each(), but for the first `skip` elements from that end.
  template <class Visit>
  void each_behind(uint64_t skip, ListEnd from, Visit visit) const;
  void begin_change();
  const std::string& entry_of(std::string_view element);
  void edited();
  void store_nodes();
  void remove(uint64_t first, uint64_t count);
  bool is_little(uint64_t first, uint64_t count) const;
  void keep_only(uint64_t first, uint64_t count);
  bool find_equal(std::string_view element, ListEnd from, uint64_t most, uint64_t& skip);

  mutable Tree tree_;  // reading fills its buffers
  // Buffers, reused.
  std::string entry_;
  std::vector<uint64_t> equal_;  // indexes, ascending
};

template <class Visit>
void List::each_behind(uint64_t skip, ListEnd from, Visit visit) const {
  const uint64_t count = size() - skip;
  if (from == ListEnd::kHead) {
    uint64_t index = skip;
    tree_.visit(skip, count, [&](const LeafEntry& entry) { return visit(index++, entry.value); });
  } else {
    uint64_t index = count;
    tree_.visit_back(0, count, [&](const LeafEntry& entry) { return visit(--index, entry.value); });
  }
}

}  // namespace kiwi::resp
