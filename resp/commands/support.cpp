#include "resp/commands/support.hpp"

#include <algorithm>
#include <string>

#include "resp/numbers.hpp"

namespace kiwi::resp {

void reply_invalid_expire(Context& context, ReplyWriter& reply) {
  reply.error("ERR invalid expire time in '" + std::string(context.command()) + "' command");
}

void reply_wrong_arity(Context& context, ReplyWriter& reply) {
  reply.error("ERR wrong number of arguments for '" + std::string(context.command()) + "' command");
}

std::optional<uint32_t> read_database(std::string_view text, ReplyWriter& reply) {
  auto number = parse_integer(text);
  if (!number) {
    reply.error(texts::kNotInteger);
  } else if (*number != static_cast<int32_t>(*number)) {
    reply.error("ERR value is out of range, value must between -2147483648 and 2147483647");
  } else if (!is_database(*number)) {
    reply.error(kDatabaseOutOfRange);
  } else {
    return static_cast<uint32_t>(*number);
  }
  return std::nullopt;
}

std::optional<int64_t> read_deadline(
    Context& context, std::string_view text, TimeUnit unit, bool relative, ReplyWriter& reply) {
  auto value = parse_integer(text);
  if (!value) {
    reply.error(texts::kNotInteger);
    return std::nullopt;
  }
  int64_t deadline = *value;
  bool bad = deadline <= 0;
  if (unit == TimeUnit::kSeconds) {
    bad = bad || __builtin_mul_overflow(deadline, int64_t{1000}, &deadline);
  }
  if (relative) {
    bad = bad || __builtin_add_overflow(deadline, context.now_ms(), &deadline);
  }
  if (bad) {
    reply_invalid_expire(context, reply);
    return std::nullopt;
  }
  return deadline;
}

std::optional<IndexRange> clamp_range(int64_t first, int64_t last, uint64_t size) {
  auto length = static_cast<int64_t>(size);
  first = first < 0 ? std::max<int64_t>(first + length, 0) : first;
  last = last < 0 ? last + length : std::min(last, length - 1);
  if (first > last || first >= length) {
    return std::nullopt;
  }
  return IndexRange{static_cast<uint64_t>(first), static_cast<uint64_t>(last - first + 1)};
}

std::optional<uint64_t> element_index(int64_t index, uint64_t size) {
  const int64_t at = index < 0 ? index + static_cast<int64_t>(size) : index;
  return at >= 0 && static_cast<uint64_t>(at) < size ? std::optional(static_cast<uint64_t>(at))
                                                     : std::nullopt;
}

void reply_string(Context& context, const Key& key, ReplyWriter& reply) {
  if (!key.meta.spread) {
    return reply.bulk(key.meta.value);
  }
  reply_range(context, key, 0, key.meta.size, reply);
}

void reply_range(Context& context, const Key& key, uint64_t from, uint64_t to, ReplyWriter& reply) {
  static constexpr char kZeros[8192] = {};
  if (reply.discards()) {
    return;
  }
  if (from >= to) {
    return reply.bulk({});
  }
  const Steps::ForAnswer for_answer(context.state().steps());
  reply.bulk_head(to - from);
  StringChunks(context.state(), key).walk(from, to, [&](const StringPiece& piece) {
    if (!piece.bytes.empty()) {
      reply.bulk_part(piece.bytes);
    }
    for (uint64_t left = piece.bytes.empty() ? piece.size : 0; left != 0;) {
      context.state().step();
      const uint64_t part = std::min<uint64_t>(left, sizeof(kZeros));
      reply.bulk_part({kZeros, part});
      left -= part;
    }
    return !reply.lost();
  });
}

std::function<bool(std::string_view)> into(ReplyWriter& reply) {
  if (reply.discards()) {
    return {};
  }
  return [&reply](std::string_view bytes) {
    reply.bulk(bytes);
    return !reply.lost();
  };
}

}  // namespace kiwi::resp
