// What commands of sorted sets share: ranges as clients write them, and members with their scores
// as they are answered. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "resp/command.hpp"
#include "resp/reply.hpp"
#include "resp/types/zset.hpp"

namespace kiwi::resp {

inline constexpr std::string_view kBadScoreRange = "ERR min or max is not a float";
inline constexpr std::string_view kBadLexRange = "ERR min or max not valid string range item";

// A number, which "(" in front excludes. nullopt: it is none.
std::optional<ScoreRange> parse_score_range(std::string_view min, std::string_view max);
// "[member", "(member", "-" or "+". Views into the arguments.
std::optional<LexRange> parse_lex_range(std::string_view min, std::string_view max);

// How members are answered.
struct ScoredShape {
  bool scores = false;
  bool pairs = false;  // each member and its score are an array of their own
};
// As commands with WITHSCORES do: pairs in RESP3.
inline ScoredShape scored_shape(const ReplyWriter& reply, bool scores) {
  return {scores, scores && reply.version() > 2};
}
void begin_scored(ReplyWriter& reply, ScoredShape shape, size_t members);
// What a sorted set visits goes into the reply, as long as somebody takes it.
ScoredVisit scored_into(ReplyWriter& reply, ScoredShape shape);

// ---- ZRANGE and those that it replaces
enum class RangeBy : uint8_t { kRank, kScore, kLex };
// What a command's name leaves open.
struct RangeForm {
  std::optional<RangeBy> by;    // nullopt: options say
  std::optional<bool> reverse;  // the same
  bool store = false;           // the destination stands in front; never with scores
};
struct RangeQuery {
  RangeBy by = RangeBy::kRank;
  bool reverse = false;
  bool with_scores = false;
  int64_t offset = 0;
  int64_t limit = -1;  // negative: all
  int64_t start = 0;   // by rank
  int64_t stop = 0;
  ScoreRange scores;
  LexRange lex;
};
// Of a command whose sorted set is args[1], or args[2] if it stores. Answers an error's text, or
// nothing.
std::string_view read_range_query(Args args, const RangeForm& form, RangeQuery& query);
// Which members it means, LIMIT included.
Ranks ranks_of(const ZSet& set, const RangeQuery& query);

}  // namespace kiwi::resp
