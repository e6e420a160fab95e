#include "resp/commands/list_support.hpp"

#include <algorithm>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

std::optional<ListEnd> list_end(std::string_view word) {
  if (same_word(word, "left")) {
    return ListEnd::kHead;
  }
  return same_word(word, "right") ? std::optional(ListEnd::kTail) : std::nullopt;
}

void move_between(
    Context& context, Args names, ListEnd from_end, ListEnd to_end, ReplyWriter& reply) {
  if (context.serves() && !context.takes_from(names[0], List::kType)) {
    return context.nothing_there();
  }
  List* from = context.open<List>(names[0], reply);
  if (from == nullptr) {
    return;
  }
  if (from->empty()) {
    context.nothing_there();
    return reply.null();
  }
  List* to = context.open<List>(names[1], reply);
  if (to == nullptr) {
    return;
  }
  std::string& element = context.scratch();
  element.assign(from->end(from_end));
  // Pushed first, so that a list of one is not removed in between.
  to->push(to_end, element);
  from->pop(from_end, 1, {});
  context.save(*to, config::kEventList, to_end == ListEnd::kHead ? "lpush" : "rpush");
  context.save(*from, config::kEventList, from_end == ListEnd::kHead ? "lpop" : "rpop");
  if (from == to) {  // which was saved with both changes
    context.notify(config::kEventList, from_end == ListEnd::kHead ? "lpop" : "rpop", names[0]);
  }
  reply.bulk(element);
}

std::string_view read_list_pop(Args words, ListPop& pop) {
  const auto numkeys = parse_integer(words[0]);
  if (!numkeys || *numkeys < 1) {
    return "ERR numkeys should be greater than 0";
  }
  if (static_cast<uint64_t>(*numkeys) > words.size() - 2) {
    return texts::kSyntax;
  }
  const auto where = static_cast<size_t>(*numkeys) + 1;
  const auto end = list_end(words[where]);
  if (!end) {
    return texts::kSyntax;
  }
  int64_t count = 0;
  for (size_t at = where + 1; at < words.size(); at += 2) {
    if (count != 0 || !same_word(words[at], "count") || at + 1 == words.size()) {
      return texts::kSyntax;
    }
    count = parse_integer(words[at + 1]).value_or(0);
    if (count < 1) {
      return "ERR count should be greater than 0";
    }
  }
  pop.keys = words.subspan(1, where - 1);
  pop.end = *end;
  pop.count = static_cast<uint64_t>(std::max<int64_t>(count, 1));
  return {};
}

void pop_from_first(Context& context, const ListPop& pop, ReplyWriter& reply) {
  for (std::string_view name : pop.keys) {
    if (!context.takes_from(name, List::kType)) {
      continue;
    }
    List* list = context.open<List>(name, reply);
    if (list == nullptr) {
      return;
    }
    const uint64_t size = std::min(pop.count, list->size());
    reply.array(2);
    reply.bulk(name);
    reply.array(size);
    list->pop(pop.end, size, into(reply));
    return context.save(*list, config::kEventList, pop.end == ListEnd::kHead ? "lpop" : "rpop");
  }
  context.nothing_there();
  reply.null_array();
}

}  // namespace kiwi::resp
