// Sets: union, intersection and difference, answered, counted or stored.
#include "resp/types/set_algebra.hpp"

#include <optional>
#include <string>
#include <vector>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

// The sets of these names, missing ones too. nullopt: WRONGTYPE was answered.
std::optional<std::vector<const Set*>> read_sets(Context& context, Args names, ReplyWriter& reply) {
  std::vector<const Set*> sets;
  for (std::string_view name : names) {
    sets.push_back(context.read<Set>(name, reply));
    if (sets.back() == nullptr) {
      return std::nullopt;
    }
  }
  return sets;
}

void answer(Context& context, Args args, Algebra how, ReplyWriter& reply) {
  if (auto sets = read_sets(context, args.subspan(1), reply)) {
    const Set::Members members = combine(context.state(), how, *sets);
    reply.set(members.size());
    for (const std::string& member : members) {
      reply.bulk(member);
    }
  }
}

void store(Context& context, Args args, Algebra how, ReplyWriter& reply) {
  if (auto sets = read_sets(context, args.subspan(2), reply)) {
    const Set::Members members = combine(context.state(), how, *sets);
    Key key = context.find(args[1]);
    const bool was_there = key.live;
    Set::replace(context.state(), key, members);
    context.notify_stored(config::kEventSet,
                          how == Algebra::kUnion          ? "sunionstore"
                          : how == Algebra::kIntersection ? "sinterstore"
                                                          : "sdiffstore",
                          args[1], members.size(), was_there);
    reply.integer(static_cast<int64_t>(members.size()));
  }
}

}  // namespace

void sunion(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, Algebra::kUnion, reply);
}
void sinter(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, Algebra::kIntersection, reply);
}
void sdiff(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, Algebra::kDifference, reply);
}
void sunionstore(Context& context, Args args, ReplyWriter& reply) {
  store(context, args, Algebra::kUnion, reply);
}
void sinterstore(Context& context, Args args, ReplyWriter& reply) {
  store(context, args, Algebra::kIntersection, reply);
}
void sdiffstore(Context& context, Args args, ReplyWriter& reply) {
  store(context, args, Algebra::kDifference, reply);
}

// SINTERCARD numkeys key... [LIMIT limit]
void sintercard(Context& context, Args args, ReplyWriter& reply) {
  auto numkeys = parse_integer(args[1]);
  if (!numkeys || *numkeys < 1) {
    return reply.error("ERR numkeys should be greater than 0");
  }
  if (static_cast<uint64_t>(*numkeys) > args.size() - 2) {
    return reply.error("ERR Number of keys can't be greater than number of args");
  }
  auto rest = static_cast<size_t>(*numkeys) + 2;
  int64_t limit = 0;
  for (size_t at = rest; at < args.size(); at += 2) {
    if (!same_word(args[at], "limit") || at + 1 == args.size()) {
      return reply.error(texts::kSyntax);
    }
    auto given = parse_integer(args[at + 1]);
    if (!given || *given < 0) {
      return reply.error("ERR LIMIT can't be negative");
    }
    limit = *given;
  }
  if (auto sets = read_sets(context, args.subspan(2, rest - 2), reply)) {
    reply.integer(static_cast<int64_t>(count_common(*sets, static_cast<uint64_t>(limit))));
  }
}

}  // namespace kiwi::resp::commands
