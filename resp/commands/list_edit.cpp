// Lists: searching, edits inside, and moves between lists.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "resp/commands/list_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

namespace {

// Moves the element at `from` to `to`; the bytes in between are the caller's buffer.
void move_element(Context& context, const Key& key, int64_t from, int64_t to, std::string& buffer) {
  buffer.assign(context.state().list_element(key, from));
  context.state().spend(buffer.size());
  context.state().put_list_element(key, to, buffer);
}

// Calls visit(position, value) from one end inwards until it answers false. No writes inside.
template <class Visit>
void walk(Context& context, const Key& key, ListEnd from, Visit visit) {
  if (from == ListEnd::kHead) {
    context.state().walk_list(key, key.meta.list_head, key.meta.list_tail, visit);
  } else {
    context.state().walk_list_back(key, key.meta.list_head, key.meta.list_tail, visit);
  }
}

// Takes the elements at `holes` (in order, not all of the list) out: what stands in front of the
// first `front` of them moves towards the tail, what stands behind the others towards the head.
void close_holes(Context& context, Key& key, const std::vector<int64_t>& holes, size_t front) {
  std::string& buffer = context.scratch();
  if (front > 0) {
    size_t left = front;  // holes still to be met, the last one first
    int64_t to = holes[front - 1];
    for (int64_t from = to; from >= key.meta.list_head; --from) {
      if (left > 0 && holes[left - 1] == from) {
        --left;
      } else {
        move_element(context, key, from, to--, buffer);
      }
    }
    const int64_t head = key.meta.list_head + static_cast<int64_t>(front);
    context.state().erase_list_elements(key, key.meta.list_head, head);
    key.meta.list_head = head;
  }
  if (front < holes.size()) {
    size_t met = front;
    int64_t to = holes[front];
    for (int64_t from = to; from < key.meta.list_tail; ++from) {
      if (met < holes.size() && holes[met] == from) {
        ++met;
      } else {
        move_element(context, key, from, to++, buffer);
      }
    }
    context.state().erase_list_elements(key, to, key.meta.list_tail);
    key.meta.list_tail = to;
  }
  key.meta.size -= holes.size();
}

// How many of the holes to close from the head's side so that the fewest elements move.
size_t holes_of_head(const Key& key, const std::vector<int64_t>& holes) {
  const auto count = static_cast<int64_t>(holes.size());
  int64_t fewest = std::numeric_limits<int64_t>::max();
  size_t best = 0;
  for (int64_t front = 0; front <= count; ++front) {
    const auto at = static_cast<size_t>(front);
    const int64_t before = front == 0 ? 0 : holes[at - 1] - key.meta.list_head - (front - 1);
    const int64_t behind =
        front == count ? 0 : key.meta.list_tail - 1 - holes[at] - (count - 1 - front);
    if (before + behind < fewest) {
      fewest = before + behind;
      best = at;
    }
  }
  return best;
}

}  // namespace

void linsert(Context& context, Args args, ReplyWriter& reply) {
  bool before = same_word(args[2], "before");
  if (!before && !same_word(args[2], "after")) {
    return reply.error(texts::kSyntax);
  }
  Key key = context.find(args[1]);
  if (!key.live) {
    return reply.integer(0);
  }
  if (refuse_type(key, Type::kList, reply)) {
    return;
  }
  std::optional<int64_t> pivot;
  walk(context, key, ListEnd::kHead, [&](int64_t position, std::string_view value) {
    if (value == args[3]) {
      pivot = position;
    }
    return !pivot;
  });
  if (!pivot) {
    return reply.integer(-1);
  }
  // The shorter side makes room.
  int64_t at = *pivot + (before ? 0 : 1);  // the new element comes in front of what stands here
  std::string& buffer = context.scratch();
  if (at - key.meta.list_head < key.meta.list_tail - at) {
    for (int64_t position = key.meta.list_head; position < at; ++position) {
      move_element(context, key, position, position - 1, buffer);
    }
    --key.meta.list_head;
    --at;
  } else {
    for (int64_t position = key.meta.list_tail; position-- > at;) {
      move_element(context, key, position, position + 1, buffer);
    }
    ++key.meta.list_tail;
  }
  context.state().put_list_element(key, at, args[4]);
  ++key.meta.size;
  context.state().update(key);
  reply.integer(static_cast<int64_t>(key.meta.size));
}

void lrem(Context& context, Args args, ReplyWriter& reply) {
  auto count = parse_integer(args[2]);
  if (!count) {
    return reply.error(texts::kNotInteger);
  }
  Key key = context.find(args[1]);
  if (!key.live) {
    return reply.integer(0);
  }
  if (refuse_type(key, Type::kList, reply)) {
    return;
  }
  uint64_t most = *count == 0  ? std::numeric_limits<uint64_t>::max()
                  : *count > 0 ? static_cast<uint64_t>(*count)
                               : uint64_t{0} - static_cast<uint64_t>(*count);
  std::vector<int64_t> gone;
  walk(context, key, *count < 0 ? ListEnd::kTail : ListEnd::kHead,
       [&](int64_t position, std::string_view value) {
         if (value == args[3]) {
           context.state().spend(0);
           gone.push_back(position);
         }
         return gone.size() < most;
       });
  if (gone.empty()) {
    return reply.integer(0);
  }
  std::sort(gone.begin(), gone.end());
  if (gone.size() < key.meta.size) {
    close_holes(context, key, gone, holes_of_head(key, gone));
  } else {
    context.state().erase_list_elements(key, key.meta.list_head, key.meta.list_tail);
    key.meta.size = 0;
  }
  context.update_or_remove_emptied(key);
  reply.integer(static_cast<int64_t>(gone.size()));
}

// ---------------------------------------------------------------- LPOS

namespace {

struct Search {
  int64_t rank = 1;
  std::optional<int64_t> count;  // absent: one position, not a list of them
  int64_t length_max = 0;        // 0: the whole list
};

std::optional<int64_t> not_negative(std::string_view text,
                                    std::string_view what,
                                    ReplyWriter& reply) {
  auto value = parse_integer(text);
  if (!value || *value < 0) {
    reply.error("ERR " + std::string(what) + " can't be negative");
    return std::nullopt;
  }
  return value;
}

bool parse_search(Args args, Search& search, ReplyWriter& reply) {
  for (size_t at = 3; at < args.size(); at += 2) {
    bool has_value = at + 1 < args.size();
    if (has_value && same_word(args[at], "rank")) {
      auto rank = parse_integer(args[at + 1]);
      if (!rank || *rank == 0) {
        reply.error(rank
                        ? "ERR RANK can't be zero: use 1 to start from the first match, 2 from the "
                          "second ... or use negative to start from the end of the list"
                        : texts::kNotInteger);
        return false;
      }
      // Redis' own overflow: the smallest rank means the last match.
      search.rank = *rank == std::numeric_limits<int64_t>::min() ? -1 : *rank;
    } else if (has_value && same_word(args[at], "count")) {
      search.count = not_negative(args[at + 1], "COUNT", reply);
      if (!search.count) {
        return false;
      }
    } else if (has_value && same_word(args[at], "maxlen")) {
      auto length = not_negative(args[at + 1], "MAXLEN", reply);
      if (!length) {
        return false;
      }
      search.length_max = *length;
    } else {
      reply.error(texts::kSyntax);
      return false;
    }
  }
  return true;
}

}  // namespace

void lpos(Context& context, Args args, ReplyWriter& reply) {
  Search search;
  if (!parse_search(args, search, reply)) {
    return;
  }
  Key key = context.read(args[1]);
  if (refuse_type(key, Type::kList, reply)) {
    return;
  }
  std::vector<int64_t> found;
  int64_t most = search.count.value_or(1);
  int64_t skip = (search.rank < 0 ? -search.rank : search.rank) - 1;
  int64_t looked = 0;
  auto visit = [&](int64_t position, std::string_view value) {
    if (value == args[2] && skip-- <= 0) {
      found.push_back(position - key.meta.list_head);
    }
    ++looked;
    return (most == 0 || static_cast<int64_t>(found.size()) < most) &&
           (search.length_max == 0 || looked < search.length_max);
  };
  if (key.live) {
    walk(context, key, search.rank < 0 ? ListEnd::kTail : ListEnd::kHead, visit);
  }
  if (!search.count) {
    return found.empty() ? reply.null() : reply.integer(found[0]);
  }
  reply.array(found.size());
  for (int64_t index : found) {
    reply.integer(index);
  }
}

// ---------------------------------------------------------------- moves

namespace {

void move_between(
    Context& context, Args names, ListEnd from_end, ListEnd to_end, ReplyWriter& reply) {
  Key from = context.find(names[0]);
  if (!from.live) {
    return reply.null();
  }
  if (refuse_type(from, Type::kList, reply)) {
    return;
  }
  Key to = context.find(names[1]);
  if (refuse_type(to, Type::kList, reply)) {
    return;
  }
  int64_t position = from_end == ListEnd::kHead ? from.meta.list_head : from.meta.list_tail - 1;
  std::string& value = context.scratch();
  value.assign(context.state().list_element(from, position));
  std::string_view values[] = {value};
  ReplyWriter nobody(nullptr);
  if (names[0] == names[1]) {
    // Pushed first, so that a list of one is not removed in between.
    push_values(context, from, values, to_end);
    pop_values(context, from, 1, from_end, nobody);
  } else {
    push_values(context, to, values, to_end);
    pop_values(context, from, 1, from_end, nobody);
  }
  reply.bulk(value);
}

}  // namespace

void lmove(Context& context, Args args, ReplyWriter& reply) {
  auto from_end = list_end(args[3]);
  auto to_end = list_end(args[4]);
  if (!from_end || !to_end) {
    return reply.error(texts::kSyntax);
  }
  move_between(context, args.subspan(1, 2), *from_end, *to_end, reply);
}

void rpoplpush(Context& context, Args args, ReplyWriter& reply) {
  move_between(context, args.subspan(1, 2), ListEnd::kTail, ListEnd::kHead, reply);
}

// LMPOP numkeys key... LEFT|RIGHT [COUNT count]: from the first list that is there.
void lmpop(Context& context, Args args, ReplyWriter& reply) {
  auto numkeys = parse_integer(args[1]);
  if (!numkeys || *numkeys < 1) {
    return reply.error("ERR numkeys should be greater than 0");
  }
  if (static_cast<uint64_t>(*numkeys) > args.size() - 3) {
    return reply.error(texts::kSyntax);
  }
  auto where = static_cast<size_t>(*numkeys) + 2;
  auto end = list_end(args[where]);
  if (!end) {
    return reply.error(texts::kSyntax);
  }
  int64_t count = 0;
  for (size_t at = where + 1; at < args.size(); at += 2) {
    if (count != 0 || !same_word(args[at], "count") || at + 1 == args.size()) {
      return reply.error(texts::kSyntax);
    }
    count = parse_integer(args[at + 1]).value_or(0);
    if (count < 1) {
      return reply.error("ERR count should be greater than 0");
    }
  }
  count = std::max<int64_t>(count, 1);
  for (std::string_view name : args.subspan(2, where - 2)) {
    Key key = context.find(name);
    if (refuse_type(key, Type::kList, reply)) {
      return;
    }
    if (key.live) {
      uint64_t size = std::min(static_cast<uint64_t>(count), key.meta.size);
      reply.array(2);
      reply.bulk(name);
      reply.array(size);
      return pop_values(context, key, size, *end, reply);
    }
  }
  reply.null_array();
}

}  // namespace kiwi::resp::commands
