// Lists: elements at positions that grow to both sides; the record holds both ends.
#include <algorithm>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

namespace {

enum class End : uint8_t { kHead, kTail };
enum class Missing : uint8_t { kCreate, kIgnore };

void push(Context& context, Args args, End end, Missing missing, ReplyWriter& reply) {
  Key key = context.find(args[1]);
  if (refuse_type(key, Type::kList, reply)) {
    return;
  }
  if (!key.live && missing == Missing::kIgnore) {
    return reply.integer(0);
  }
  auto added = static_cast<int64_t>(args.size() - 2);
  rocks::Metadata meta;
  meta.type = Type::kList;
  if (key.live) {
    meta = key.meta;
  }
  int64_t position = end == End::kHead ? meta.list_head : meta.list_tail;
  (end == End::kHead ? meta.list_head -= added : meta.list_tail += added);
  meta.size += static_cast<uint64_t>(added);
  if (key.live) {
    key.meta = meta;
    context.state().update(key);
  } else {
    context.state().create(key, meta);
  }
  for (std::string_view value : args.subspan(2)) {
    context.state().put_list_element(key, end == End::kHead ? --position : position++, value);
  }
  reply.integer(static_cast<int64_t>(meta.size));
}

// Sends `count` elements from `position` on; step -1 walks towards the head.
void reply_elements(Context& context,
                    const Key& key,
                    int64_t position,
                    uint64_t count,
                    int step,
                    ReplyWriter& reply) {
  if (reply.discards()) {
    return;
  }
  constexpr uint64_t kFew = 4;  // cheaper one by one than with a cursor
  if (step < 0 || count <= kFew) {
    for (uint64_t i = 0; i < count; ++i, position += step) {
      auto value = context.state().list_element(key, position);
      reply.bulk(value.value_or(std::string_view{}));
    }
    return;
  }
  auto cursor = context.state().list_cursor(key, position);
  for (uint64_t i = 0; i < count && cursor->valid(); ++i, cursor->next()) {
    reply.bulk(cursor->value());
  }
}

// Position of an index that may count from the end; nullopt if there is no such element.
std::optional<int64_t> position_of(const Key& key, int64_t index) {
  auto size = static_cast<int64_t>(key.meta.size);
  int64_t at = index < 0 ? index + size : index;
  return at >= 0 && at < size ? std::optional(key.meta.list_head + at) : std::nullopt;
}

void pop(Context& context, Args args, End end, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply_wrong_arity(context, reply);
  }
  bool many = args.size() == 3;
  uint64_t count = 1;
  if (many) {
    auto given = parse_integer(args[2]);
    if (!given || *given < 0) {
      return reply.error("ERR value is out of range, must be positive");
    }
    count = static_cast<uint64_t>(*given);
  }
  Key key = context.find(args[1]);
  if (!key.live) {
    return many ? reply.null_array() : reply.null();
  }
  if (refuse_type(key, Type::kList, reply)) {
    return;
  }
  count = std::min(count, key.meta.size);
  if (many) {
    reply.array(count);
  }
  if (count == 0) {
    return;
  }
  auto popped = static_cast<int64_t>(count);
  int64_t first = end == End::kHead ? key.meta.list_head : key.meta.list_tail - popped;
  reply_elements(context, key, end == End::kHead ? first : key.meta.list_tail - 1, count,
                 end == End::kHead ? 1 : -1, reply);
  key.meta.size -= count;
  (end == End::kHead ? key.meta.list_head += popped : key.meta.list_tail -= popped);
  if (key.meta.size > 0) {
    context.state().erase_list_elements(key, first, first + popped);
  }
  context.update_or_remove(key);
}

}  // namespace

void lpush(Context& context, Args args, ReplyWriter& reply) {
  push(context, args, End::kHead, Missing::kCreate, reply);
}
void rpush(Context& context, Args args, ReplyWriter& reply) {
  push(context, args, End::kTail, Missing::kCreate, reply);
}
void lpushx(Context& context, Args args, ReplyWriter& reply) {
  push(context, args, End::kHead, Missing::kIgnore, reply);
}
void rpushx(Context& context, Args args, ReplyWriter& reply) {
  push(context, args, End::kTail, Missing::kIgnore, reply);
}
void lpop(Context& context, Args args, ReplyWriter& reply) {
  pop(context, args, End::kHead, reply);
}
void rpop(Context& context, Args args, ReplyWriter& reply) {
  pop(context, args, End::kTail, reply);
}

void llen(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  if (!refuse_type(key, Type::kList, reply)) {
    reply.integer(key.live ? static_cast<int64_t>(key.meta.size) : 0);
  }
}

void lrange(Context& context, Args args, ReplyWriter& reply) {
  auto first = parse_integer(args[2]);
  auto last = parse_integer(args[3]);
  if (!first || !last) {
    return reply.error(texts::kNotInteger);
  }
  Key key = context.read(args[1]);
  if (refuse_type(key, Type::kList, reply)) {
    return;
  }
  auto range = clamp_range(*first, *last, key.live ? key.meta.size : 0);
  if (!range) {
    return reply.array(0);
  }
  reply.array(range->count);
  reply_elements(context, key, key.meta.list_head + static_cast<int64_t>(range->first),
                 range->count, 1, reply);
}

void lindex(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  if (!key.live) {
    return reply.null();
  }
  if (refuse_type(key, Type::kList, reply)) {
    return;
  }
  auto index = parse_integer(args[2]);
  if (!index) {
    return reply.error(texts::kNotInteger);
  }
  if (auto position = position_of(key, *index)) {
    reply_elements(context, key, *position, 1, 1, reply);
  } else {
    reply.null();
  }
}

void lset(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.find(args[1]);
  if (!key.live) {
    return reply.error(texts::kNoSuchKey);
  }
  if (refuse_type(key, Type::kList, reply)) {
    return;
  }
  auto index = parse_integer(args[2]);
  if (!index) {
    return reply.error(texts::kNotInteger);
  }
  auto position = position_of(key, *index);
  if (!position) {
    return reply.error(texts::kOutOfRange);
  }
  context.state().update(key);
  context.state().put_list_element(key, *position, args[3]);
  reply.ok();
}

void ltrim(Context& context, Args args, ReplyWriter& reply) {
  auto first = parse_integer(args[2]);
  auto last = parse_integer(args[3]);
  if (!first || !last) {
    return reply.error(texts::kNotInteger);
  }
  Key key = context.find(args[1]);
  if (!key.live) {
    return reply.ok();
  }
  if (refuse_type(key, Type::kList, reply)) {
    return;
  }
  auto range = clamp_range(*first, *last, key.meta.size);
  if (!range) {
    context.state().remove(key);
    return reply.ok();
  }
  int64_t head = key.meta.list_head + static_cast<int64_t>(range->first);
  int64_t tail = head + static_cast<int64_t>(range->count);
  context.state().erase_list_elements(key, key.meta.list_head, head);
  context.state().erase_list_elements(key, tail, key.meta.list_tail);
  key.meta.list_head = head;
  key.meta.list_tail = tail;
  key.meta.size = range->count;
  context.state().update(key);
  reply.ok();
}

}  // namespace kiwi::resp::commands
