// Lists. Today's layout: a record per element at consecutive positions, whose first and one past
// last are in the key's record; both ends grow outwards. Indexes count from the head, from 0; where
// the elements lie is nobody else's business.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/reuse.hpp"
#include "resp/types/handle.hpp"

namespace kiwi::resp {

enum class ListEnd : uint8_t { kHead, kTail };

// False: no more are wanted. No writes inside.
using ElementVisit = std::function<bool(std::string_view element)>;

class List : public Collection {
 public:
  static constexpr rocks::Type kType = rocks::Type::kList;
  using Collection::Collection;
  void give_back() { give_back_if_big(moved_); }

  std::string_view at(uint64_t index) const;  // index < size()
  std::string_view end(ListEnd end) const;    // of a list that is not empty
  // `count` elements from `first` on, towards the tail.
  void range(uint64_t first, uint64_t count, const ElementVisit& visit) const;
  // Calls visit(index, element) from one end inwards until it answers false. No writes inside.
  template <class Visit>
  void each(ListEnd from, Visit visit) const;

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

 private:
  int64_t head() const { return key_.meta.list_head; }
  int64_t tail() const { return key_.meta.list_tail; }
  int64_t position(uint64_t index) const { return head() + static_cast<int64_t>(index); }
  // Positions [from, to), upwards or downwards, and one by one where that is cheaper.
  void visit_up(int64_t from, int64_t to, const ElementVisit& visit) const;
  void visit_down(int64_t from, int64_t to, const ElementVisit& visit) const;
  void move(int64_t from, int64_t to);
  void close_holes(const std::vector<int64_t>& holes, size_t front);
  size_t holes_of_head(const std::vector<int64_t>& holes) const;
  // What lies outside goes, and the size is what is left.
  void set_bounds(int64_t head, int64_t tail);

  std::string moved_;  // a buffer
};

template <class Visit>
void List::each(ListEnd from, Visit visit) const {
  if (empty()) {
    return;
  }
  auto by_index = [&](int64_t position, std::string_view element) {
    return visit(static_cast<uint64_t>(position - head()), element);
  };
  if (from == ListEnd::kHead) {
    elements().walk(key_.collection(), head(), tail(), by_index);
  } else {
    elements().walk_back(key_.collection(), head(), tail(), by_index);
  }
}

}  // namespace kiwi::resp
