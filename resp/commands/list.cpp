// Lists: both ends, ranges and single elements. Inside edits: list_edit.cpp.
#include <algorithm>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp::commands {

namespace {

enum class Missing : uint8_t { kCreate, kIgnore };

void push(Context& context, Args args, ListEnd end, Missing missing, ReplyWriter& reply) {
  List* list = context.open<List>(args[1], reply);
  if (list == nullptr) {
    return;
  }
  if (!list->empty() || missing == Missing::kCreate) {
    for (std::string_view element : args.subspan(2)) {
      list->push(end, element);
    }
    context.save(*list, config::kEventList, end == ListEnd::kHead ? "lpush" : "rpush");
  }
  reply.integer(static_cast<int64_t>(list->size()));
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
  List* list = context.open<List>(args[1], reply);
  if (list == nullptr) {
    return;
  }
  if (list->empty()) {
    return many ? reply.null_array() : reply.null();
  }
  count = std::min(count, list->size());
  if (many) {
    reply.array(count);
  }
  list->pop(end, count, into(reply));
  context.save(*list, config::kEventList, end == ListEnd::kHead ? "lpop" : "rpop");
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
  if (const List* list = context.read<List>(args[1], reply)) {
    reply.integer(static_cast<int64_t>(list->size()));
  }
}

void lrange(Context& context, Args args, ReplyWriter& reply) {
  auto first = parse_integer(args[2]);
  auto last = parse_integer(args[3]);
  if (!first || !last) {
    return reply.error(texts::kNotInteger);
  }
  const List* list = context.read<List>(args[1], reply);
  if (list == nullptr) {
    return;
  }
  auto range = clamp_range(*first, *last, list->size());
  if (!range) {
    return reply.array(0);
  }
  reply.array(range->count);
  list->range(range->first, range->count, into(reply));
}

void lindex(Context& context, Args args, ReplyWriter& reply) {
  const List* list = context.read<List>(args[1], reply);
  if (list == nullptr) {
    return;
  }
  if (list->empty()) {
    return reply.null();
  }
  auto given = parse_integer(args[2]);
  if (!given) {
    return reply.error(texts::kNotInteger);
  }
  if (auto index = element_index(*given, list->size())) {
    reply.bulk(list->at(*index));
  } else {
    reply.null();
  }
}

void lset(Context& context, Args args, ReplyWriter& reply) {
  List* list = context.open<List>(args[1], reply);
  if (list == nullptr) {
    return;
  }
  if (list->empty()) {
    return reply.error(texts::kNoSuchKey);
  }
  auto given = parse_integer(args[2]);
  if (!given) {
    return reply.error(texts::kNotInteger);
  }
  auto index = element_index(*given, list->size());
  if (!index) {
    return reply.error(texts::kOutOfRange);
  }
  list->replace(*index, args[3]);
  context.save(*list, config::kEventList, "lset");
  reply.ok();
}

void ltrim(Context& context, Args args, ReplyWriter& reply) {
  auto first = parse_integer(args[2]);
  auto last = parse_integer(args[3]);
  if (!first || !last) {
    return reply.error(texts::kNotInteger);
  }
  List* list = context.open<List>(args[1], reply);
  if (list == nullptr) {
    return;
  }
  if (list->empty()) {
    return reply.ok();
  }
  if (auto range = clamp_range(*first, *last, list->size())) {
    list->trim(range->first, range->count);
  } else {
    list->clear();
  }
  context.save(*list, config::kEventList, "ltrim");
  reply.ok();
}

}  // namespace kiwi::resp::commands
