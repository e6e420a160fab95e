// Sorted sets: ranges that are answered, stored or removed.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "resp/commands/support.hpp"
#include "resp/commands/zset_support.hpp"
#include "resp/numbers.hpp"
#include "resp/types/zset_algebra.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr RangeForm kAnyRange{};
constexpr RangeForm kStored{std::nullopt, std::nullopt, true};
constexpr RangeForm kByRankBack{RangeBy::kRank, true};
constexpr RangeForm kByScore{RangeBy::kScore, false};
constexpr RangeForm kByScoreBack{RangeBy::kScore, true};
constexpr RangeForm kByLex{RangeBy::kLex, false};
constexpr RangeForm kByLexBack{RangeBy::kLex, true};

void answer(Context& context, Args args, const RangeForm& form, ReplyWriter& reply) {
  RangeQuery query;
  if (const auto error = read_range_query(args, form, query); !error.empty()) {
    return reply.error(error);
  }
  const ZSet* set = context.read<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  const Ranks ranks = ranks_of(*set, query);
  const ScoredShape shape = scored_shape(reply, query.with_scores);
  begin_scored(reply, shape, ranks.count);
  if (const ScoredVisit visit = scored_into(reply, shape)) {
    query.reverse ? set->each_back(ranks, visit) : set->each(ranks, visit);
  }
}

// How many members it would answer. Bounds of scores and members are looked up only where their
// number matters.
uint64_t cost(Context& context, Args args, const RangeForm& form) {
  constexpr uint64_t kSmall = 1000;
  const Key key = context.find(args[1]);
  RangeQuery query;
  if (!key.is(ZSet::kType) || !read_range_query(args, form, query).empty()) {
    return 0;
  }
  const uint64_t size = key.meta.size;
  if (query.by == RangeBy::kRank) {
    const auto range = clamp_range(query.start, query.stop, size);
    return range ? range->count : 0;
  }
  const uint64_t most = query.limit < 0 ? size : std::min(size, static_cast<uint64_t>(query.limit));
  if (most <= kSmall) {
    return most;
  }
  ZSet set(context.state());
  set.stand_for(key);
  return ranks_of(set, query).count;
}

}  // namespace

void zrange(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, kAnyRange, reply);
}
void zrevrange(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, kByRankBack, reply);
}
void zrangebyscore(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, kByScore, reply);
}
void zrevrangebyscore(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, kByScoreBack, reply);
}
void zrangebylex(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, kByLex, reply);
}
void zrevrangebylex(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, kByLexBack, reply);
}

uint64_t zrange_cost(Context& context, Args args) { return cost(context, args, kAnyRange); }
uint64_t zrevrange_cost(Context& context, Args args) { return cost(context, args, kByRankBack); }
uint64_t zrangebyscore_cost(Context& context, Args args) { return cost(context, args, kByScore); }
uint64_t zrevrangebyscore_cost(Context& context, Args args) {
  return cost(context, args, kByScoreBack);
}
uint64_t zrangebylex_cost(Context& context, Args args) { return cost(context, args, kByLex); }
uint64_t zrevrangebylex_cost(Context& context, Args args) {
  return cost(context, args, kByLexBack);
}

void zrangestore(Context& context, Args args, ReplyWriter& reply) {
  RangeQuery query;
  if (const auto error = read_range_query(args, kStored, query); !error.empty()) {
    return reply.error(error);
  }
  const ZSet* set = context.read<ZSet>(args[2], reply);
  if (set == nullptr) {
    return;
  }
  ScoredMembers members(context.state());
  set->each(ranks_of(*set, query), [&](std::string_view member, double score) {
    members.append(score, member);
    return true;
  });
  Key key = context.find(args[1]);
  const bool was_there = key.live;
  const uint64_t stored = members.store(key);
  context.notify_stored(config::kEventZset, "zrangestore", args[1], stored, was_there);
  reply.integer(static_cast<int64_t>(stored));
}

// ---------------------------------------------------------------- removal

namespace {

constexpr std::string_view removal_event(RangeBy by) {
  return by == RangeBy::kRank    ? "zremrangebyrank"
         : by == RangeBy::kScore ? "zremrangebyscore"
                                 : "zremrangebylex";
}

void remove(Context& context, std::string_view name, const RangeQuery& query, ReplyWriter& reply) {
  ZSet* set = context.open<ZSet>(name, reply);
  if (set == nullptr) {
    return;
  }
  const Ranks ranks = ranks_of(*set, query);
  set->remove(ranks);
  context.save(*set, config::kEventZset, removal_event(query.by));
  reply.integer(static_cast<int64_t>(ranks.count));
}

void remove(Context& context, Args args, RangeBy by, ReplyWriter& reply) {
  RangeQuery query;
  if (const auto error = read_range_query(args, {by, false}, query); !error.empty()) {
    return reply.error(error);
  }
  remove(context, args[1], query, reply);
}

}  // namespace

void zremrangebyrank(Context& context, Args args, ReplyWriter& reply) {
  remove(context, args, RangeBy::kRank, reply);
}
void zremrangebyscore(Context& context, Args args, ReplyWriter& reply) {
  remove(context, args, RangeBy::kScore, reply);
}
void zremrangebylex(Context& context, Args args, ReplyWriter& reply) {
  remove(context, args, RangeBy::kLex, reply);
}

}  // namespace kiwi::resp::commands
