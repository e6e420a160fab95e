// Sorted sets: union, intersection and difference, answered, counted or stored.
#include "resp/types/zset_algebra.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/commands/support.hpp"
#include "resp/commands/zset_support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

struct Options {
  std::vector<ScoredSource> sources;
  Aggregate aggregate = Aggregate::kSum;
  bool with_scores = false;
  uint64_t limit = 0;
};

// Which options a command has.
struct Form {
  Algebra how = Algebra::kUnion;
  bool stores = false;
  bool counts = false;

  bool weighs() const { return how != Algebra::kDifference && !counts; }
};

// A key that stands there many times is opened once. False: an error was answered.
bool read_sources(Context& context, Args names, Options& options, ReplyWriter& reply) {
  constexpr size_t kHandleBytes = 2048;
  std::map<std::string_view, ScoredSource> known;
  for (std::string_view name : names) {
    const auto [place, fresh] = known.try_emplace(name);
    if (fresh) {
      const Key key = context.read(name);
      if (key.is(Set::kType) || key.is(ZSet::kType)) {
        context.state().effects().spend(kHandleBytes);
      }
      if (key.is(Set::kType)) {
        place->second.plain = context.open_for_reading<Set>(key);
      } else if (refuse_type(key, ZSet::kType, reply)) {
        return false;
      } else if (key.live) {
        place->second.sorted = context.open_for_reading<ZSet>(key);
      }
    }
    options.sources.push_back(place->second);
  }
  return true;
}

std::optional<Aggregate> read_aggregate(std::string_view word) {
  if (same_word(word, "sum")) {
    return Aggregate::kSum;
  }
  if (same_word(word, "min")) {
    return Aggregate::kMin;
  }
  return same_word(word, "max") ? std::optional(Aggregate::kMax) : std::nullopt;
}

// The option at the front of `words`, which it takes away; or an error's text.
std::string_view read_option(const Form& form, Args& words, Options& options) {
  const std::string_view word = words[0];
  size_t taken = 2;
  if (form.weighs() && same_word(word, "weights") && words.size() > options.sources.size()) {
    for (size_t i = 0; i < options.sources.size(); ++i) {
      const auto weight = parse_double(words[1 + i]);
      if (!weight) {
        return "ERR weight value is not a float";
      }
      options.sources[i].weight = *weight;
    }
    taken = 1 + options.sources.size();
  } else if (form.weighs() && same_word(word, "aggregate") && words.size() > 1) {
    const auto aggregate = read_aggregate(words[1]);
    if (!aggregate) {
      return texts::kSyntax;
    }
    options.aggregate = *aggregate;
  } else if (!form.stores && !form.counts && same_word(word, "withscores")) {
    options.with_scores = true;
    taken = 1;
  } else if (form.counts && same_word(word, "limit") && words.size() > 1) {
    const auto limit = parse_integer(words[1]);
    if (!limit || *limit < 0) {
      return "ERR LIMIT can't be negative";
    }
    options.limit = static_cast<uint64_t>(*limit);
  } else {
    return texts::kSyntax;
  }
  words = words.subspan(taken);
  return {};
}

// numkeys key... options; nullopt: an error was answered.
std::optional<Options> read_options(Context& context,
                                    Args words,
                                    const Form& form,
                                    ReplyWriter& reply) {
  const auto numkeys = parse_integer(words[0]);
  if (!numkeys) {
    reply.error(texts::kNotInteger);
    return std::nullopt;
  }
  if (*numkeys < 1) {
    reply.error("ERR at least 1 input key is needed for '" + std::string(context.command()) +
                "' command");
    return std::nullopt;
  }
  words = words.subspan(1);
  if (static_cast<uint64_t>(*numkeys) > words.size()) {
    reply.error(texts::kSyntax);
    return std::nullopt;
  }
  Options options;
  if (!read_sources(context, words.first(static_cast<size_t>(*numkeys)), options, reply)) {
    return std::nullopt;
  }
  for (words = words.subspan(static_cast<size_t>(*numkeys)); !words.empty();) {
    if (const auto error = read_option(form, words, options); !error.empty()) {
      reply.error(error);
      return std::nullopt;
    }
  }
  return options;
}

void answer(Context& context, Args args, Algebra how, ReplyWriter& reply) {
  const auto options = read_options(context, args.subspan(1), {how}, reply);
  if (!options) {
    return;
  }
  const ScoredMembers members = combine(context.state(), how, options->sources, options->aggregate);
  const ScoredShape shape = scored_shape(reply, options->with_scores);
  begin_scored(reply, shape, members.size());
  if (const ScoredVisit visit = scored_into(reply, shape)) {
    for (const ScoredMembers::One& one : members.all()) {
      if (!visit(one.member, one.score)) {
        return;
      }
    }
  }
}

void store(Context& context, Args args, Algebra how, ReplyWriter& reply) {
  const auto options = read_options(context, args.subspan(2), {.how = how, .stores = true}, reply);
  if (!options) {
    return;
  }
  const ScoredMembers members = combine(context.state(), how, options->sources, options->aggregate);
  Key key = context.find(args[1]);
  const bool was_there = key.live;
  const uint64_t stored = members.store(key);
  context.notify_stored(config::kEventZset,
                        how == Algebra::kUnion          ? "zunionstore"
                        : how == Algebra::kIntersection ? "zinterstore"
                                                        : "zdiffstore",
                        args[1], stored, was_there);
  reply.integer(static_cast<int64_t>(stored));
}

}  // namespace

void zunion(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, Algebra::kUnion, reply);
}
void zinter(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, Algebra::kIntersection, reply);
}
void zdiff(Context& context, Args args, ReplyWriter& reply) {
  answer(context, args, Algebra::kDifference, reply);
}
void zunionstore(Context& context, Args args, ReplyWriter& reply) {
  store(context, args, Algebra::kUnion, reply);
}
void zinterstore(Context& context, Args args, ReplyWriter& reply) {
  store(context, args, Algebra::kIntersection, reply);
}
void zdiffstore(Context& context, Args args, ReplyWriter& reply) {
  store(context, args, Algebra::kDifference, reply);
}

void zintercard(Context& context, Args args, ReplyWriter& reply) {
  const auto options = read_options(context, args.subspan(1),
                                    {.how = Algebra::kIntersection, .counts = true}, reply);
  if (options) {
    reply.integer(static_cast<int64_t>(count_common(options->sources, options->limit)));
  }
}

}  // namespace kiwi::resp::commands
