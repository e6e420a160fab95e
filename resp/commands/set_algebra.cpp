// Sets: union, intersection and difference, answered, counted or stored.
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

namespace {

using Members = std::set<std::string, std::less<>>;
enum class Algebra : uint8_t { kUnion, kIntersection, kDifference };

// Calls visit(member) until it answers false. No writes inside.
template <class Visit>
void each_member(Context& context, const Key& key, Visit visit) {
  auto cursor = context.state().element_cursor(key, 0);
  for (; cursor->valid(); cursor->next()) {
    context.state().step();
    if (!visit(rocks::keys::element_field(cursor->key()))) {
      return;
    }
  }
}

// Results are held in memory before anything of them is answered or written (F61).
void keep(Context& context, Members& members, std::string_view member) {
  if (members.emplace(member).second) {
    context.state().spend(member.size());
  }
}

// The sets of these names, missing ones too. nullopt: WRONGTYPE was answered.
std::optional<std::vector<Key>> find_sets(Context& context, Args names, ReplyWriter& reply) {
  std::vector<Key> sets;
  for (std::string_view name : names) {
    sets.push_back(context.read(name));
    if (refuse_type(sets.back(), Type::kSet, reply)) {
      return std::nullopt;
    }
  }
  return sets;
}

// Calls visit(member) for those that are in all sets until it answers false: the smallest is
// walked, the others are asked.
template <class Visit>
void each_common(Context& context, std::vector<Key> sets, Visit visit) {
  if (!std::all_of(sets.begin(), sets.end(), [](const Key& key) { return key.live; })) {
    return;
  }
  std::stable_sort(sets.begin(), sets.end(),
                   [](const Key& a, const Key& b) { return a.meta.size < b.meta.size; });
  each_member(context, sets[0], [&](std::string_view member) {
    bool in_all = std::all_of(sets.begin() + 1, sets.end(), [&](const Key& key) {
      return context.state().element(key, member).has_value();
    });
    return !in_all || visit(member);
  });
}

Members intersect(Context& context, std::vector<Key> sets) {
  Members common;
  each_common(context, std::move(sets), [&](std::string_view member) {
    keep(context, common, member);
    return true;
  });
  return common;
}

Members subtract(Context& context, const std::vector<Key>& sets) {
  Members left;
  if (sets[0].live) {
    each_member(context, sets[0], [&](std::string_view member) {
      bool elsewhere = std::any_of(sets.begin() + 1, sets.end(), [&](const Key& key) {
        return key.live && context.state().element(key, member).has_value();
      });
      if (!elsewhere) {
        keep(context, left, member);
      }
      return true;
    });
  }
  return left;
}

Members unite(Context& context, const std::vector<Key>& sets) {
  Members all;
  for (const Key& key : sets) {
    if (key.live) {
      each_member(context, key, [&](std::string_view member) {
        keep(context, all, member);
        return true;
      });
    }
  }
  return all;
}

std::optional<Members> evaluate(Context& context, Args names, Algebra how, ReplyWriter& reply) {
  auto sets = find_sets(context, names, reply);
  if (!sets) {
    return std::nullopt;
  }
  switch (how) {
    case Algebra::kUnion:
      return unite(context, *sets);
    case Algebra::kIntersection:
      return intersect(context, std::move(*sets));
    case Algebra::kDifference:
      return subtract(context, *sets);
  }
  return std::nullopt;
}

void answer(Context& context, Args args, Algebra how, ReplyWriter& reply) {
  if (auto members = evaluate(context, args.subspan(1), how, reply)) {
    reply.set(members->size());
    for (const std::string& member : *members) {
      reply.bulk(member);
    }
  }
}

void store(Context& context, Args args, Algebra how, ReplyWriter& reply) {
  auto members = evaluate(context, args.subspan(2), how, reply);
  if (!members) {
    return;
  }
  Key key = context.find(args[1]);
  if (!members->empty()) {
    rocks::Metadata meta;
    meta.type = Type::kSet;
    meta.size = members->size();
    context.state().create(key, meta);
    for (const std::string& member : *members) {
      context.state().put_element(key, member, {});
    }
  } else if (key.live) {
    context.state().remove(key);
  }
  reply.integer(static_cast<int64_t>(members->size()));
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
  auto sets = find_sets(context, args.subspan(2, rest - 2), reply);
  if (!sets) {
    return;
  }
  int64_t count = 0;
  each_common(context, std::move(*sets), [&](std::string_view) { return ++count != limit; });
  reply.integer(count);
}

void smove(Context& context, Args args, ReplyWriter& reply) {
  Key from = context.find(args[1]);
  if (!from.live) {
    return reply.integer(0);
  }
  Key to = context.find(args[2]);
  if (refuse_type(from, Type::kSet, reply) || refuse_type(to, Type::kSet, reply)) {
    return;
  }
  Database& state = context.state();
  bool member = state.element(from, args[3]).has_value();
  if (!member || args[1] == args[2]) {
    return reply.integer(member ? 1 : 0);
  }
  state.erase_element(from, args[3]);
  --from.meta.size;
  context.update_or_remove_emptied(from);
  if (!to.live) {
    rocks::Metadata meta;
    meta.type = Type::kSet;
    meta.size = 1;
    state.create(to, meta);
    state.put_element(to, args[3], {});
  } else if (!state.element(to, args[3])) {
    state.put_element(to, args[3], {});
    ++to.meta.size;
    state.update(to);
  }
  reply.integer(1);
}

}  // namespace kiwi::resp::commands
