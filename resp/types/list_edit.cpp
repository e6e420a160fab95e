// Lists: edits inside. An element's position changes when one in front of it goes or comes; the
// side where fewer elements move is the one that moves.
#include <algorithm>
#include <limits>

#include "config/base/check.hpp"
#include "resp/types/list.hpp"

namespace kiwi::resp {

void List::move(int64_t from, int64_t to) {
  moved_.assign(elements().at(key_.collection(), from));
  database().effects().spend(moved_.size());
  elements().put_at(key_.collection(), to, moved_);
}

void List::insert(uint64_t index, std::string_view element) {
  CHECK_INVARIANT(index <= size() && !empty());
  begin_change(kType);
  int64_t at = position(index);
  if (at - head() < tail() - at) {
    for (int64_t from = head(); from < at; ++from) {
      move(from, from - 1);
    }
    --key_.meta.list_head;
    --at;
  } else {
    for (int64_t from = tail(); from-- > at;) {
      move(from, from + 1);
    }
    ++key_.meta.list_tail;
  }
  elements().put_at(key_.collection(), at, element);
  ++key_.meta.size;
}

uint64_t List::remove_equal(std::string_view element, ListEnd from, uint64_t most) {
  std::vector<int64_t> gone;
  each(from, [&](uint64_t index, std::string_view found) {
    if (found == element) {
      database().effects().spend(0);
      gone.push_back(position(index));
    }
    return gone.size() < most;
  });
  if (gone.empty()) {
    return 0;
  }
  begin_change(kType);
  std::sort(gone.begin(), gone.end());
  if (gone.size() < size()) {
    close_holes(gone, holes_of_head(gone));
  } else {
    set_bounds(tail(), tail());
  }
  CHECK_INVARIANT(gone.size() <= most);
  return gone.size();
}

// Takes the elements at `holes` (in order, not all of the list) out: what stands in front of the
// first `front` of them moves towards the tail, what stands behind the others towards the head.
void List::close_holes(const std::vector<int64_t>& holes, size_t front) {
  CHECK_INVARIANT(front <= holes.size() && holes.size() < size());
  CHECK_INVARIANT(holes.front() >= head() && holes.back() < tail());
  int64_t new_head = head();
  int64_t new_tail = tail();
  if (front > 0) {
    size_t left = front;  // holes still to be met, the last one first
    int64_t to = holes[front - 1];
    for (int64_t from = to; from >= head(); --from) {
      if (left > 0 && holes[left - 1] == from) {
        --left;
      } else {
        move(from, to--);
      }
    }
    new_head = to + 1;
  }
  if (front < holes.size()) {
    size_t met = front;
    new_tail = holes[front];
    for (int64_t from = new_tail; from < tail(); ++from) {
      if (met < holes.size() && holes[met] == from) {
        ++met;
      } else {
        move(from, new_tail++);
      }
    }
  }
  set_bounds(new_head, new_tail);
}

// How many of the holes to close from the head's side so that the fewest elements move.
size_t List::holes_of_head(const std::vector<int64_t>& holes) const {
  const auto count = static_cast<int64_t>(holes.size());
  int64_t fewest = std::numeric_limits<int64_t>::max();
  size_t best = 0;
  for (int64_t front = 0; front <= count; ++front) {
    const auto at = static_cast<size_t>(front);
    const int64_t before = front == 0 ? 0 : holes[at - 1] - head() - (front - 1);
    const int64_t behind = front == count ? 0 : tail() - 1 - holes[at] - (count - 1 - front);
    if (before + behind < fewest) {
      fewest = before + behind;
      best = at;
    }
  }
  return best;
}

}  // namespace kiwi::resp
