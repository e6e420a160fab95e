// What commands of lists share: ends, moves, pops from the first of several.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "resp/context.hpp"

namespace kiwi::resp {

// LEFT or RIGHT; nullopt: neither.
std::optional<ListEnd> list_end(std::string_view word);

// From the list names[0] to names[1], which may be the same; nil if nothing is there.
void move_between(
    Context& context, Args names, ListEnd from_end, ListEnd to_end, ReplyWriter& reply);

// numkeys key... LEFT|RIGHT [COUNT count]
struct ListPop {
  Args keys;
  ListEnd end = ListEnd::kHead;
  uint64_t count = 1;
};
// An error's text, or nothing.
std::string_view read_list_pop(Args words, ListPop& pop);
// From the first list that is there; the nil of an array if none is.
void pop_from_first(Context& context, const ListPop& pop, ReplyWriter& reply);

}  // namespace kiwi::resp
