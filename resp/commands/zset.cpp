// Sorted sets: members one by one, counts, ZSCAN.
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "resp/commands/scan.hpp"
#include "resp/commands/support.hpp"
#include "resp/commands/zset_support.hpp"
#include "resp/numbers.hpp"
#include "resp/resp_writer.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

// ---------------------------------------------------------------- ZADD, ZINCRBY

namespace {

struct AddOptions {
  AddFlags flags;
  bool changed = false;  // CH: count those that moved, too
  size_t first = 2;      // where scores and members begin
};

AddOptions read_add_options(Args args, bool incr) {
  AddOptions options;
  options.flags.incr = incr;
  for (; options.first < args.size(); ++options.first) {
    const std::string_view word = args[options.first];
    if (same_word(word, "nx")) {
      options.flags.nx = true;
    } else if (same_word(word, "xx")) {
      options.flags.xx = true;
    } else if (same_word(word, "gt")) {
      options.flags.gt = true;
    } else if (same_word(word, "lt")) {
      options.flags.lt = true;
    } else if (same_word(word, "ch")) {
      options.changed = true;
    } else if (same_word(word, "incr")) {
      options.flags.incr = true;
    } else {
      break;
    }
  }
  return options;
}

// An error's text, or nothing.
std::string_view check_add_options(const AddOptions& options, size_t words) {
  const AddFlags& flags = options.flags;
  if (words == 0 || words % 2 != 0) {
    return texts::kSyntax;
  }
  if (flags.nx && flags.xx) {
    return "ERR XX and NX options at the same time are not compatible";
  }
  if ((flags.gt && flags.nx) || (flags.lt && flags.nx) || (flags.gt && flags.lt)) {
    return "ERR GT, LT, and/or NX options at the same time are not compatible";
  }
  if (flags.incr && words > 2) {
    return "ERR INCR option supports a single increment-element pair";
  }
  return {};
}

void answer_increment(const Added& added, ReplyWriter& reply) {
  switch (added.outcome) {
    case AddOutcome::kNaN:
      return reply.error("ERR resulting score is not a number (NaN)");
    case AddOutcome::kRefused:
      return reply.null();
    case AddOutcome::kAdded:
    case AddOutcome::kMoved:
    case AddOutcome::kSame:
      return reply.number(added.score);
  }
}

void add(Context& context, Args args, bool incr, ReplyWriter& reply) {
  const AddOptions options = read_add_options(args, incr);
  const Args pairs = args.subspan(options.first);
  if (const auto error = check_add_options(options, pairs.size()); !error.empty()) {
    return reply.error(error);
  }
  std::vector<double> scores;
  for (size_t at = 0; at < pairs.size(); at += 2) {
    const auto score = parse_double(pairs[at]);
    if (!score) {
      return reply.error(texts::kNotFloat);
    }
    scores.push_back(*score);
  }
  ZSet* set = context.open<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  int64_t came = 0;
  int64_t moved = 0;
  Added last;
  for (size_t i = 0; i < scores.size(); ++i) {
    last = set->add(scores[i], pairs[2 * i + 1], options.flags);
    came += last.outcome == AddOutcome::kAdded ? 1 : 0;
    moved += last.outcome == AddOutcome::kMoved ? 1 : 0;
  }
  context.save(*set, config::kEventZset, options.flags.incr ? "zincr" : "zadd");
  if (options.flags.incr) {
    answer_increment(last, reply);
  } else {
    reply.integer(options.changed ? came + moved : came);
  }
}

}  // namespace

void zadd(Context& context, Args args, ReplyWriter& reply) { add(context, args, false, reply); }
void zincrby(Context& context, Args args, ReplyWriter& reply) { add(context, args, true, reply); }

// ---------------------------------------------------------------- members

void zrem(Context& context, Args args, ReplyWriter& reply) {
  ZSet* set = context.open<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  int64_t removed = 0;
  for (std::string_view member : args.subspan(2)) {
    removed += set->remove(member) ? 1 : 0;
  }
  context.save(*set, config::kEventZset, "zrem");
  reply.integer(removed);
}

namespace {

void answer_score(std::optional<double> score, ReplyWriter& reply) {
  if (score) {
    reply.number(*score);
  } else {
    reply.null();
  }
}

}  // namespace

void zscore(Context& context, Args args, ReplyWriter& reply) {
  if (const ZSet* set = context.read<ZSet>(args[1], reply)) {
    answer_score(set->score(args[2]), reply);
  }
}

void zmscore(Context& context, Args args, ReplyWriter& reply) {
  const ZSet* set = context.read<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  reply.array(args.size() - 2);
  for (std::string_view member : args.subspan(2)) {
    answer_score(set->score(member), reply);
  }
}

void zrank(Context& context, Args args, ReplyWriter& reply) {
  if (const ZSet* set = context.read<ZSet>(args[1], reply)) {
    const auto rank = set->rank(args[2]);
    rank ? reply.integer(static_cast<int64_t>(*rank)) : reply.null();
  }
}

void zrevrank(Context& context, Args args, ReplyWriter& reply) {
  if (const ZSet* set = context.read<ZSet>(args[1], reply)) {
    const auto rank = set->rank(args[2]);
    rank ? reply.integer(static_cast<int64_t>(set->size() - 1 - *rank)) : reply.null();
  }
}

// ---------------------------------------------------------------- counts

void zcard(Context& context, Args args, ReplyWriter& reply) {
  if (const ZSet* set = context.read<ZSet>(args[1], reply)) {
    reply.integer(static_cast<int64_t>(set->size()));
  }
}

void zcount(Context& context, Args args, ReplyWriter& reply) {
  const auto range = parse_score_range(args[2], args[3]);
  if (!range) {
    return reply.error(kBadScoreRange);
  }
  if (const ZSet* set = context.read<ZSet>(args[1], reply)) {
    reply.integer(static_cast<int64_t>(set->ranks(*range).count));
  }
}

void zlexcount(Context& context, Args args, ReplyWriter& reply) {
  const auto range = parse_lex_range(args[2], args[3]);
  if (!range) {
    return reply.error(kBadLexRange);
  }
  if (const ZSet* set = context.read<ZSet>(args[1], reply)) {
    reply.integer(static_cast<int64_t>(set->ranks(*range).count));
  }
}

// ---------------------------------------------------------------- ZSCAN

namespace {

// ZSCAN shows what a listpack holds, whose whole numbers are integers.
std::string scanned_score(double score, bool listpack) {
  constexpr double kIntegers = static_cast<double>(std::numeric_limits<int64_t>::max() / 2);
  if (listpack && score >= -kIntegers && score <= kIntegers && score == std::trunc(score)) {
    return std::to_string(static_cast<int64_t>(score));
  }
  return double_text(score);
}

}  // namespace

void zscan(Context& context, Args args, ReplyWriter& reply) {
  const auto from = read_cursor(args[2], reply);
  if (!from) {
    return;
  }
  const ZSet* set = context.read<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  ScanOptions options;
  ScanPage page(options, context.state().steps(), reply);
  if (set->empty()) {
    return page.finish();
  }
  if (!read_scan_options(args, 3, false, options, reply)) {
    return;
  }
  const bool listpack = !set->key().meta.converted;
  if (set->spread()) {
    set->each_from(*from, [&](std::string_view member, double score, uint64_t hash) {
      if (!page.look(hash)) {
        return false;
      }
      page.add(member, scanned_score(score, listpack));
      return true;
    });
  } else {
    set->each(set->all(), [&](std::string_view member, double score) {
      page.add(member, scanned_score(score, listpack));
      return true;
    });
  }
  page.finish();
}

}  // namespace kiwi::resp::commands
