#include "resp/commands/zset_support.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>

#include "config/base/check.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

// As strtod reads it, up to a NUL, which is what Redis does with bounds: spaces in front, no number
// at all and numbers that are too large are fine.
std::optional<ScoreBound> parse_score_bound(std::string_view text) {
  ScoreBound bound;
  bound.exclusive = text.starts_with('(');
  const std::string terminated(text.substr(bound.exclusive ? 1 : 0));
  char* end = nullptr;
  bound.score = std::strtod(terminated.c_str(), &end);
  return *end == '\0' && !std::isnan(bound.score) ? std::optional(bound) : std::nullopt;
}

std::optional<LexBound> parse_lex_bound(std::string_view text) {
  if (text == "-" || text == "+") {
    return LexBound{text == "-" ? LexBound::Kind::kLowest : LexBound::Kind::kHighest};
  }
  if (!text.starts_with('[') && !text.starts_with('(')) {
    return std::nullopt;
  }
  return LexBound{LexBound::Kind::kMember, text.substr(1), text[0] == '('};
}

template <class Range, class Bound>
std::optional<Range> range_of(std::optional<Bound> min, std::optional<Bound> max) {
  return min && max ? std::optional(Range{*min, *max}) : std::nullopt;
}

}  // namespace

std::optional<ScoreRange> parse_score_range(std::string_view min, std::string_view max) {
  return range_of<ScoreRange>(parse_score_bound(min), parse_score_bound(max));
}

std::optional<LexRange> parse_lex_range(std::string_view min, std::string_view max) {
  return range_of<LexRange>(parse_lex_bound(min), parse_lex_bound(max));
}

// ---------------------------------------------------------------- replies

void begin_scored(ReplyWriter& reply, ScoredShape shape, size_t members) {
  reply.array(shape.scores && !shape.pairs ? 2 * members : members);
}

ScoredVisit scored_into(ReplyWriter& reply, ScoredShape shape) {
  if (reply.discards()) {
    return {};
  }
  return [&reply, shape](std::string_view member, double score) {
    if (shape.pairs) {
      reply.array(2);
    }
    reply.bulk(member);
    if (shape.scores) {
      reply.number(score);
    }
    return !reply.lost();
  };
}

// ---------------------------------------------------------------- ZRANGE

namespace {

// The option at `at`, which moves to the next one; or an error's text.
std::string_view read_option(Args args, size_t& at, RangeForm& open, RangeQuery& query) {
  const std::string_view word = args[at];
  if (!open.store && same_word(word, "withscores")) {
    query.with_scores = true;
  } else if (same_word(word, "limit") && args.size() - at > 2) {
    const auto offset = parse_integer(args[at + 1]);
    const auto limit = parse_integer(args[at + 2]);
    if (!offset || !limit) {
      return texts::kNotInteger;
    }
    query.offset = *offset;
    query.limit = *limit;
    at += 2;
  } else if (!open.reverse && same_word(word, "rev")) {
    open.reverse = true;
  } else if (!open.by && same_word(word, "bylex")) {
    open.by = RangeBy::kLex;
  } else if (!open.by && same_word(word, "byscore")) {
    open.by = RangeBy::kScore;
  } else {
    return texts::kSyntax;
  }
  ++at;
  return {};
}

std::string_view read_bounds(std::string_view from, std::string_view to, RangeQuery& query) {
  if (query.by == RangeBy::kRank) {
    const auto start = parse_integer(from);
    const auto stop = parse_integer(to);
    if (!start || !stop) {
      return texts::kNotInteger;
    }
    query.start = *start;
    query.stop = *stop;
    return {};
  }
  if (query.reverse) {
    std::swap(from, to);
  }
  if (query.by == RangeBy::kScore) {
    const auto range = parse_score_range(from, to);
    query.scores = range.value_or(ScoreRange{});
    return range ? std::string_view() : kBadScoreRange;
  }
  const auto range = parse_lex_range(from, to);
  query.lex = range.value_or(LexRange{});
  return range ? std::string_view() : kBadLexRange;
}

}  // namespace

std::string_view read_range_query(Args args, const RangeForm& form, RangeQuery& query) {
  const size_t key = form.store ? 2 : 1;
  RangeForm open = form;
  for (size_t at = key + 3; at < args.size();) {
    if (const std::string_view error = read_option(args, at, open, query); !error.empty()) {
      return error;
    }
  }
  query.by = open.by.value_or(RangeBy::kRank);
  query.reverse = open.reverse.value_or(false);
  if (query.limit != -1 && query.by == RangeBy::kRank) {
    return "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
  }
  if (query.with_scores && query.by == RangeBy::kLex) {
    return "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
  }
  return read_bounds(args[key + 1], args[key + 2], query);
}

Ranks ranks_of(const ZSet& set, const RangeQuery& query) {
  if (query.by == RangeBy::kRank) {
    const auto range = clamp_range(query.start, query.stop, set.size());
    if (!range) {
      return {};
    }
    return {query.reverse ? set.size() - range->first - range->count : range->first, range->count};
  }
  Ranks ranks = query.by == RangeBy::kScore ? set.ranks(query.scores) : set.ranks(query.lex);
  if (query.offset < 0) {
    return {};
  }
  const uint64_t offset = std::min(static_cast<uint64_t>(query.offset), ranks.count);
  const uint64_t count = query.limit < 0
                             ? ranks.count - offset
                             : std::min(static_cast<uint64_t>(query.limit), ranks.count - offset);
  const uint64_t skipped = query.reverse ? ranks.count - offset - count : offset;
  CHECK_INVARIANT(skipped + count <= ranks.count);
  return {ranks.first + skipped, count};
}

}  // namespace kiwi::resp
