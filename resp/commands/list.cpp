// Lists: both ends, ranges and single elements. Inside edits: list_edit.cpp.
#include <algorithm>

#include "resp/commands/list_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

namespace {

enum class Missing : uint8_t { kCreate, kIgnore };

void push(Context& context, Args args, ListEnd end, Missing missing, ReplyWriter& reply) {
  Key key = context.find(args[1]);
  if (refuse_type(key, Type::kList, reply)) {
    return;
  }
  if (!key.live && missing == Missing::kIgnore) {
    return reply.integer(0);
  }
  push_values(context, key, args.subspan(2), end);
  reply.integer(static_cast<int64_t>(key.meta.size));
}

void pop(Context& context, Args args, ListEnd end, ReplyWriter& reply) {
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
  pop_values(context, key, count, end, reply);
}

}  // namespace

void lpush(Context& context, Args args, ReplyWriter& reply) {
  push(context, args, ListEnd::kHead, Missing::kCreate, reply);
}
void rpush(Context& context, Args args, ReplyWriter& reply) {
  push(context, args, ListEnd::kTail, Missing::kCreate, reply);
}
void lpushx(Context& context, Args args, ReplyWriter& reply) {
  push(context, args, ListEnd::kHead, Missing::kIgnore, reply);
}
void rpushx(Context& context, Args args, ReplyWriter& reply) {
  push(context, args, ListEnd::kTail, Missing::kIgnore, reply);
}
void lpop(Context& context, Args args, ReplyWriter& reply) {
  pop(context, args, ListEnd::kHead, reply);
}
void rpop(Context& context, Args args, ReplyWriter& reply) {
  pop(context, args, ListEnd::kTail, reply);
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
  if (auto position = list_position(key, *index)) {
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
  auto position = list_position(key, *index);
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
