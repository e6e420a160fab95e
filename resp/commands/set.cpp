// Sets: members are element keys without a value, in the order of their hash.
#include "resp/commands/support.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

void sadd(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.find(args[1]);
  if (refuse_type(key, Type::kSet, reply)) {
    return;
  }
  Database& state = context.state();
  bool created = !key.live;
  if (created) {
    rocks::Metadata meta;
    meta.type = Type::kSet;
    meta.size = 1;
    state.create(key, meta);
    state.put_element(key, args[2], {});
  }
  int64_t added = created ? 1 : 0;
  for (std::string_view member : args.subspan(created ? 3 : 2)) {
    if (!state.element(key, member)) {
      state.put_element(key, member, {});
      ++added;
      ++key.meta.size;
    }
  }
  if (added > (created ? 1 : 0)) {
    state.update(key);
  }
  reply.integer(added);
}

void srem(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.find(args[1]);
  if (refuse_type(key, Type::kSet, reply)) {
    return;
  }
  int64_t removed = 0;
  for (std::string_view member : args.subspan(2)) {
    if (key.live && key.meta.size > 0 && context.state().element(key, member)) {
      context.state().erase_element(key, member);
      --key.meta.size;
      ++removed;
    }
  }
  if (removed > 0) {
    context.update_or_remove_emptied(key);
  }
  reply.integer(removed);
}

void scard(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  if (!refuse_type(key, Type::kSet, reply)) {
    reply.integer(key.live ? static_cast<int64_t>(key.meta.size) : 0);
  }
}

void sismember(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  if (!refuse_type(key, Type::kSet, reply)) {
    reply.integer(key.live && context.state().element(key, args[2]) ? 1 : 0);
  }
}

void smismember(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  if (refuse_type(key, Type::kSet, reply)) {
    return;
  }
  reply.array(args.size() - 2);
  for (std::string_view member : args.subspan(2)) {
    reply.integer(key.live && context.state().element(key, member) ? 1 : 0);
  }
}

void smembers(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  if (refuse_type(key, Type::kSet, reply)) {
    return;
  }
  reply.set(key.live ? key.meta.size : 0);
  if (!key.live) {
    return;
  }
  for (auto cursor = context.state().element_cursor(key, 0); cursor->valid(); cursor->next()) {
    context.state().step();
    reply.bulk(rocks::keys::element_field(cursor->key()));
  }
}

}  // namespace kiwi::resp::commands
