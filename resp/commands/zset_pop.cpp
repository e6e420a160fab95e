// Sorted sets: members from an end, also those that are waited for (F31), and random ones.
#include <algorithm>
#include <cstdint>

#include "resp/commands/blocking.hpp"
#include "resp/commands/random_options.hpp"
#include "resp/commands/support.hpp"
#include "resp/commands/zset_support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr std::string_view kOutOfRange = "ERR value is out of range";

// ZPOPMIN key [count]
void pop(Context& context, Args args, ScoreEnd end, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error(texts::kSyntax);
  }
  const bool counted = args.size() == 3;
  const auto count = counted ? parse_integer(args[2]) : 1;
  if (!count || *count < 0) {
    return reply.error("ERR value is out of range, must be positive");
  }
  ZSet* set = context.open<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  const uint64_t popped = std::min(static_cast<uint64_t>(*count), set->size());
  const ScoredShape shape{true, counted && reply.version() > 2};
  begin_scored(reply, shape, popped);
  set->pop(end, popped, scored_into(reply, shape));
  context.save(*set, config::kEventZset, end == ScoreEnd::kLowest ? "zpopmin" : "zpopmax");
}

}  // namespace

void zpopmin(Context& context, Args args, ReplyWriter& reply) {
  pop(context, args, ScoreEnd::kLowest, reply);
}
void zpopmax(Context& context, Args args, ReplyWriter& reply) {
  pop(context, args, ScoreEnd::kHighest, reply);
}

// ---------------------------------------------------------------- ZMPOP

namespace {

struct PopOptions {
  Args keys;
  ScoreEnd end = ScoreEnd::kLowest;
  uint64_t count = 1;
};

// Behind the keys: MIN|MAX [COUNT n]. An error's text, or nothing.
std::string_view read_pop_end(Args words, PopOptions& options) {
  if (words.empty() || (!same_word(words[0], "min") && !same_word(words[0], "max"))) {
    return texts::kSyntax;
  }
  options.end = same_word(words[0], "min") ? ScoreEnd::kLowest : ScoreEnd::kHighest;
  bool counted = false;
  for (size_t at = 1; at < words.size(); at += 2) {
    if (counted || !same_word(words[at], "count") || at + 1 == words.size()) {
      return texts::kSyntax;
    }
    const auto count = parse_integer(words[at + 1]);
    if (!count || *count < 1) {
      return "ERR count should be greater than 0";
    }
    options.count = static_cast<uint64_t>(*count);
    counted = true;
  }
  return {};
}

// numkeys key... MIN|MAX [COUNT n]
std::string_view read_pop_options(Args words, PopOptions& options) {
  const auto numkeys = parse_integer(words[0]);
  if (!numkeys || *numkeys < 1) {
    return "ERR numkeys should be greater than 0";
  }
  const Args rest = words.subspan(1);
  if (static_cast<uint64_t>(*numkeys) >= rest.size()) {
    return texts::kSyntax;
  }
  const auto keys = static_cast<size_t>(*numkeys);
  options.keys = rest.first(keys);
  return read_pop_end(rest.subspan(keys), options);
}

void pop_from_first(Context& context, const PopOptions& options, ReplyWriter& reply) {
  for (std::string_view name : options.keys) {
    if (!context.takes_from(name, ZSet::kType)) {
      continue;
    }
    ZSet* set = context.open<ZSet>(name, reply);
    if (set == nullptr) {
      return;
    }
    const uint64_t popped = std::min(options.count, set->size());
    const ScoredShape shape{true, true};
    reply.array(2);
    reply.bulk(name);
    begin_scored(reply, shape, popped);
    set->pop(options.end, popped, scored_into(reply, shape));
    return context.save(*set, config::kEventZset,
                        options.end == ScoreEnd::kLowest ? "zpopmin" : "zpopmax");
  }
  context.nothing_there();
  reply.null_array();
}

// BZMPOP timeout numkeys key... MIN|MAX [COUNT n]: what is wrong behind the timeout is said first.
std::string_view read_blocking_pop(Args args, PopOptions& options, int64_t& timeout_ms) {
  const std::string_view error = read_pop_options(args.subspan(2), options);
  return error.empty() ? read_timeout(args[1], timeout_ms) : error;
}

// Members with their scores, as the reply has them.
void give_back_members(Args,
                       const std::vector<std::string>& taken,
                       std::vector<std::string>& words) {
  words.emplace_back("zset");
  words.emplace_back();  // no end: they have their places
  words.insert(words.end(), taken.begin(), taken.end());
}

bool wait_for_many(Args args, WaitFor& into) {
  PopOptions options;
  const bool waits = read_blocking_pop(args, options, into.timeout_ms).empty();
  into.type = rocks::Type::kSortedSet;
  into.keys.assign(options.keys.begin(), options.keys.end());
  into.count = options.count;
  return waits;
}

}  // namespace

const WaitRule waits_for_members{
    .wait = wait_for_many, .give_back = give_back_members, .timeout = TimeoutAt::kFirst};

void zmpop(Context& context, Args args, ReplyWriter& reply) {
  PopOptions options;
  if (const auto error = read_pop_options(args.subspan(1), options); !error.empty()) {
    return reply.error(error);
  }
  pop_from_first(context, options, reply);
}

void bzmpop(Context& context, Args args, ReplyWriter& reply) {
  PopOptions options;
  int64_t timeout_ms = 0;
  if (const auto error = read_blocking_pop(args, options, timeout_ms); !error.empty()) {
    return reply.error(error);
  }
  pop_from_first(context, options, reply);
}

// ---------------------------------------------------------------- BZPOPMIN, BZPOPMAX

namespace {

// key... timeout: all but the first and the last word.
Args keys_before_timeout(Args args) { return args.subspan(1, args.size() - 2); }

bool wait_for_member(Args args, WaitFor& into) {
  const Args keys = keys_before_timeout(args);
  into.type = rocks::Type::kSortedSet;
  into.keys.assign(keys.begin(), keys.end());
  return read_timeout(args.back(), into.timeout_ms).empty();
}

void pop_blocking(Context& context, Args args, ScoreEnd end, ReplyWriter& reply) {
  int64_t timeout_ms = 0;
  if (const auto error = read_timeout(args.back(), timeout_ms); !error.empty()) {
    return reply.error(error);
  }
  for (std::string_view name : keys_before_timeout(args)) {
    if (!context.takes_from(name, ZSet::kType)) {
      continue;
    }
    ZSet* set = context.open<ZSet>(name, reply);
    if (set == nullptr) {
      return;
    }
    reply.array(3);
    reply.bulk(name);
    set->pop(end, 1, scored_into(reply, {.scores = true, .pairs = false}));
    return context.save(*set, config::kEventZset, end == ScoreEnd::kLowest ? "zpopmin" : "zpopmax");
  }
  context.nothing_there();
  reply.null_array();
}

}  // namespace

const WaitRule waits_for_member{.wait = wait_for_member, .give_back = give_back_members};

void bzpopmin(Context& context, Args args, ReplyWriter& reply) {
  pop_blocking(context, args, ScoreEnd::kLowest, reply);
}
void bzpopmax(Context& context, Args args, ReplyWriter& reply) {
  pop_blocking(context, args, ScoreEnd::kHighest, reply);
}

// ---------------------------------------------------------------- ZRANDMEMBER

void zrandmember(Context& context, Args args, ReplyWriter& reply) {
  const bool many = args.size() > 2;
  const auto given = read_random_options(args, "withscores", reply);
  if (!given) {
    return;
  }
  const RandomOptions options = *given;
  const ZSet* set = context.read<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  if (set->empty() || options.count == 0) {
    return many ? reply.array(0) : reply.null();
  }
  if (options.count < -kRepetitions) {
    return reply.error(kOutOfRange);
  }
  const bool repeated = options.count < 0;
  const uint64_t wanted = repeated ? static_cast<uint64_t>(-options.count)
                                   : std::min(static_cast<uint64_t>(options.count), set->size());
  const ScoredShape shape = scored_shape(reply, options.pairs);
  if (many) {
    begin_scored(reply, shape, wanted);
  }
  const ScoredVisit visit = scored_into(reply, shape);
  if (!visit) {
    return;
  }
  Prng prng = context.prng();
  repeated || !many ? set->random_repeated(wanted, prng, visit)
                    : set->random_different(wanted, prng, visit);
}

}  // namespace kiwi::resp::commands
