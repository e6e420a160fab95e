#include "resp/types/list.hpp"

#include "config/base/check.hpp"

namespace kiwi::resp {

namespace {

constexpr int64_t kFew = 4;  // elements that are cheaper to read one by one than with a cursor

}  // namespace

std::string_view List::at(uint64_t index) const {
  CHECK_INVARIANT(index < size());
  return elements().at(key_.collection(), position(index));
}

std::string_view List::end(ListEnd end) const { return at(end == ListEnd::kHead ? 0 : size() - 1); }

void List::visit_up(int64_t from, int64_t to, const ElementVisit& visit) const {
  CHECK_INVARIANT(head() <= from && from <= to && to <= tail());
  if (to - from > kFew) {
    elements().walk(key_.collection(), from, to,
                    [&](int64_t, std::string_view element) { return visit(element); });
    return;
  }
  for (int64_t at = from; at < to && visit(elements().at(key_.collection(), at)); ++at) {
  }
}

void List::visit_down(int64_t from, int64_t to, const ElementVisit& visit) const {
  CHECK_INVARIANT(head() <= from && from <= to && to <= tail());
  if (to - from > kFew) {
    elements().walk_back(key_.collection(), from, to,
                         [&](int64_t, std::string_view element) { return visit(element); });
    return;
  }
  for (int64_t at = to; at > from && visit(elements().at(key_.collection(), at - 1)); --at) {
  }
}

void List::range(uint64_t first, uint64_t count, const ElementVisit& visit) const {
  CHECK_INVARIANT(first + count <= size());
  visit_up(position(first), position(first + count), visit);
}

void List::push(ListEnd end, std::string_view element) {
  begin_change(kType);
  const bool at_head = end == ListEnd::kHead;
  elements().put_at(key_.collection(), at_head ? head() - 1 : tail(), element);
  (at_head ? --key_.meta.list_head : ++key_.meta.list_tail);
  ++key_.meta.size;
}

void List::pop(ListEnd end, uint64_t count, const ElementVisit& visit) {
  CHECK_INVARIANT(count <= size());
  if (count == 0) {
    return;
  }
  const auto popped = static_cast<int64_t>(count);
  const Steps::ForAnswer for_answer(database().steps());
  if (end == ListEnd::kHead) {
    if (visit) {
      visit_up(head(), head() + popped, visit);
    }
    set_bounds(head() + popped, tail());
  } else {
    if (visit) {
      visit_down(tail() - popped, tail(), visit);
    }
    set_bounds(head(), tail() - popped);
  }
}

void List::replace(uint64_t index, std::string_view element) {
  CHECK_INVARIANT(index < size());
  begin_change(kType);
  elements().put_at(key_.collection(), position(index), element);
}

void List::trim(uint64_t first, uint64_t count) {
  CHECK_INVARIANT(first + count <= size());
  set_bounds(position(first), position(first + count));
}

void List::clear() {
  if (!empty()) {
    set_bounds(tail(), tail());
  }
}

void List::set_bounds(int64_t new_head, int64_t new_tail) {
  begin_change(kType);
  CHECK_INVARIANT(head() <= new_head && new_head <= new_tail && new_tail <= tail());
  elements().erase_at(key_.collection(), head(), new_head);
  elements().erase_at(key_.collection(), new_tail, tail());
  key_.meta.list_head = new_head;
  key_.meta.list_tail = new_tail;
  key_.meta.size = static_cast<uint64_t>(new_tail - new_head);
}

}  // namespace kiwi::resp
