// Lists: searching, edits inside, and moves between lists.
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "resp/commands/list_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

void linsert(Context& context, Args args, ReplyWriter& reply) {
  bool before = same_word(args[2], "before");
  if (!before && !same_word(args[2], "after")) {
    return reply.error(texts::kSyntax);
  }
  List* list = context.open<List>(args[1], reply);
  if (list == nullptr) {
    return;
  }
  if (list->empty()) {
    return reply.integer(0);
  }
  std::optional<uint64_t> pivot;
  list->each(ListEnd::kHead, [&](uint64_t index, std::string_view element) {
    if (element == args[3]) {
      pivot = index;
    }
    return !pivot;
  });
  if (!pivot) {
    return reply.integer(-1);
  }
  list->insert(before ? *pivot : *pivot + 1, args[4]);
  context.save(*list, config::kEventList, "linsert");
  reply.integer(static_cast<int64_t>(list->size()));
}

void lrem(Context& context, Args args, ReplyWriter& reply) {
  auto count = parse_integer(args[2]);
  if (!count) {
    return reply.error(texts::kNotInteger);
  }
  List* list = context.open<List>(args[1], reply);
  if (list == nullptr) {
    return;
  }
  const uint64_t most = *count == 0  ? std::numeric_limits<uint64_t>::max()
                        : *count > 0 ? static_cast<uint64_t>(*count)
                                     : uint64_t{0} - static_cast<uint64_t>(*count);
  const uint64_t removed =
      list->remove_equal(args[3], *count < 0 ? ListEnd::kTail : ListEnd::kHead, most);
  context.save(*list, config::kEventList, "lrem");
  reply.integer(static_cast<int64_t>(removed));
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
  const List* list = context.read<List>(args[1], reply);
  if (list == nullptr) {
    return;
  }
  std::vector<uint64_t> found;
  int64_t most = search.count.value_or(1);
  int64_t skip = (search.rank < 0 ? -search.rank : search.rank) - 1;
  int64_t looked = 0;
  list->each(search.rank < 0 ? ListEnd::kTail : ListEnd::kHead,
             [&](uint64_t index, std::string_view element) {
               if (element == args[2] && skip-- <= 0) {
                 found.push_back(index);
               }
               ++looked;
               return (most == 0 || static_cast<int64_t>(found.size()) < most) &&
                      (search.length_max == 0 || looked < search.length_max);
             });
  if (!search.count) {
    return found.empty() ? reply.null() : reply.integer(static_cast<int64_t>(found[0]));
  }
  reply.array(found.size());
  for (uint64_t index : found) {
    reply.integer(static_cast<int64_t>(index));
  }
}

// ---------------------------------------------------------------- moves

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
  ListPop pop;
  if (const auto error = read_list_pop(args.subspan(1), pop); !error.empty()) {
    return reply.error(error);
  }
  pop_from_first(context, pop, reply);
}

}  // namespace kiwi::resp::commands
