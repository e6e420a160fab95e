// Strings as bytes: parts of them, appending, and the longest common subsequence.
#include <algorithm>
#include <string>
#include <vector>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/types/lcs.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

void append(Context& context, Args args, ReplyWriter& reply) {
  String* string = context.open<String>(args[1], reply);
  if (string == nullptr) {
    return;
  }
  if (string->size() + args[2].size() > kStringBytes) {
    return reply.error(kStringTooLong);
  }
  string->append(args[2]);
  context.save(*string, config::kEventString, "append");
  reply.integer(static_cast<int64_t>(string->size()));
}

void getrange(Context& context, Args args, ReplyWriter& reply) {
  auto first = parse_integer(args[2]);
  auto last = parse_integer(args[3]);
  if (!first || !last) {
    return reply.error(texts::kNotInteger);
  }
  const Key key = context.read(args[1]);
  if (refuse_type(key, Type::kString, reply)) {
    return;
  }
  const uint64_t size = key.live ? key.meta.string_bytes() : 0;
  // A last index before the start means the first byte, unless both count from the end in the wrong
  // order.
  if (size == 0 || (*first < 0 && *last < 0 && *first > *last)) {
    return reply.bulk({});
  }
  const int64_t end = *last < 0 ? std::max<int64_t>(*last + static_cast<int64_t>(size), 0) : *last;
  const auto range = clamp_range(*first, end, size);
  if (!range) {
    return reply.bulk({});
  }
  if (key.meta.spread) {
    return reply_range(context, key, range->first, range->first + range->count, reply);
  }
  reply.bulk(key.meta.value.substr(range->first, range->count));
}

void setrange(Context& context, Args args, ReplyWriter& reply) {
  auto offset = parse_integer(args[2]);
  if (!offset) {
    return reply.error(texts::kNotInteger);
  }
  if (*offset < 0) {
    return reply.error("ERR offset is out of range");
  }
  String* string = context.open<String>(args[1], reply);
  if (string == nullptr) {
    return;
  }
  auto at = static_cast<uint64_t>(*offset);
  if (!args[3].empty()) {
    if (at > kStringBytes || at + args[3].size() > kStringBytes) {
      return reply.error(kStringTooLong);
    }
    string->overwrite(at, args[3]);
    context.save(*string, config::kEventString, "setrange");
  }
  reply.integer(static_cast<int64_t>(string->size()));
}

// ---------------------------------------------------------------- LCS

namespace {

struct LcsOptions {
  bool length = false;
  bool indexes = false;
  bool with_match_length = false;
  uint64_t match_length_min = 0;
};

bool parse_lcs(Args args, LcsOptions& options, ReplyWriter& reply) {
  for (size_t at = 3; at < args.size(); ++at) {
    if (same_word(args[at], "idx")) {
      options.indexes = true;
    } else if (same_word(args[at], "len")) {
      options.length = true;
    } else if (same_word(args[at], "withmatchlen")) {
      options.with_match_length = true;
    } else if (same_word(args[at], "minmatchlen") && at + 1 < args.size()) {
      auto least = parse_integer(args[++at]);
      if (!least) {
        reply.error(texts::kNotInteger);
        return false;
      }
      options.match_length_min = static_cast<uint64_t>(std::max<int64_t>(*least, 0));
    } else {
      reply.error(texts::kSyntax);
      return false;
    }
  }
  if (options.length && options.indexes) {
    reply.error("ERR If you want both the length and indexes, please just use IDX.");
    return false;
  }
  return true;
}

void reply_lcs(LcsTable& table, const LcsOptions& options, ReplyWriter& reply) {
  if (options.length) {
    return reply.integer(static_cast<int64_t>(table.length()));
  }
  std::string common;
  std::vector<LcsMatch> matches;
  table.walk(common, matches);
  if (!options.indexes) {
    return reply.bulk(common);
  }
  std::erase_if(matches, [&](const LcsMatch& m) { return m.length() < options.match_length_min; });
  reply.map(2);
  reply.bulk("matches");
  reply.array(matches.size());
  for (const LcsMatch& m : matches) {
    reply.array(options.with_match_length ? 3 : 2);
    reply.array(2);
    reply.integer(static_cast<int64_t>(m.a_first));
    reply.integer(static_cast<int64_t>(m.a_last));
    reply.array(2);
    reply.integer(static_cast<int64_t>(m.b_first));
    reply.integer(static_cast<int64_t>(m.b_last));
    if (options.with_match_length) {
      reply.integer(static_cast<int64_t>(m.length()));
    }
  }
  reply.bulk("len");
  reply.integer(static_cast<int64_t>(table.length()));
}

}  // namespace

void lcs(Context& context, Args args, ReplyWriter& reply) {
  const Key first = context.read(args[1]);
  const Key second = context.read(args[2]);
  if ((first.live && !first.is(Type::kString)) || (second.live && !second.is(Type::kString))) {
    return reply.error("ERR The specified keys must contain string values");
  }
  LcsOptions options;
  if (!parse_lcs(args, options, reply)) {
    return;
  }
  const uint64_t a_size = first.live ? first.meta.string_bytes() : 0;
  const uint64_t b_size = second.live ? second.meta.string_bytes() : 0;
  if ((a_size + 1) * (b_size + 1) > kStringBytes / LcsTable::kCellBytes) {
    return reply.error(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  std::string space;
  const Key one = context.find(args[1]);  // again: a value is valid until the next look
  const std::string a(StringChunks(context.state(), one).gather(space));
  const Key other = context.find(args[2]);
  const std::string b(StringChunks(context.state(), other).gather(space));
  LcsTable table(a, b, context.state().steps());  // may rest
  reply_lcs(table, options, reply);
}

}  // namespace kiwi::resp::commands
