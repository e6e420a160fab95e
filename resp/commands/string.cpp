// Strings: reading and replacing whole values. SET and GETEX: string_options.cpp.
#include "resp/commands/support.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

namespace {

// The value, or null. False: WRONGTYPE was answered.
bool reply_value(Context& context, const Key& key, ReplyWriter& reply) {
  if (refuse_type(key, Type::kString, reply)) {
    return false;
  }
  if (key.live) {
    reply_string(context, key, reply);
  } else {
    reply.null();
  }
  return true;
}

void set_until(Context& context, Args args, TimeUnit unit, ReplyWriter& reply) {
  auto deadline = read_deadline(context, args[2], unit, true, reply);
  if (!deadline) {
    return;
  }
  Key key = context.find(args[1]);
  context.set_string(key, args[3], *deadline);
  reply.ok();
}

}  // namespace

void get(Context& context, Args args, ReplyWriter& reply) {
  reply_value(context, context.read(args[1]), reply);
}

void strlen(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  if (!refuse_type(key, Type::kString, reply)) {
    reply.integer(key.live ? static_cast<int64_t>(key.meta.string_bytes()) : 0);
  }
}

void mget(Context& context, Args args, ReplyWriter& reply) {
  reply.array(args.size() - 1);
  for (std::string_view name : args.subspan(1)) {
    Key key = context.read(name);
    if (key.is(Type::kString)) {
      reply_string(context, key, reply);
    } else {
      reply.null();
    }
  }
}

void setnx(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.find(args[1]);
  if (key.live) {
    return reply.integer(0);
  }
  context.set_string(key, args[2], 0);
  reply.integer(1);
}

void setex(Context& context, Args args, ReplyWriter& reply) {
  set_until(context, args, TimeUnit::kSeconds, reply);
}

void psetex(Context& context, Args args, ReplyWriter& reply) {
  set_until(context, args, TimeUnit::kMilliseconds, reply);
}

void getset(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  if (reply_value(context, key, reply)) {
    context.set_string(key, args[2], 0);
  }
}

void getdel(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  if (reply_value(context, key, reply) && key.live) {
    context.state().remove(key);
    context.notify(config::kEventGeneric, "del", args[1]);
  }
}

void mset(Context& context, Args args, ReplyWriter& reply) {
  if (args.size() % 2 == 0) {
    return reply_wrong_arity(context, reply);
  }
  for (size_t i = 1; i < args.size(); i += 2) {
    Key key = context.find(args[i]);
    context.set_string(key, args[i + 1], 0);
  }
  reply.ok();
}

void msetnx(Context& context, Args args, ReplyWriter& reply) {
  if (args.size() % 2 == 0) {
    return reply_wrong_arity(context, reply);
  }
  for (size_t i = 1; i < args.size(); i += 2) {
    if (context.find(args[i]).live) {
      return reply.integer(0);
    }
  }
  for (size_t i = 1; i < args.size(); i += 2) {
    Key key = context.find(args[i]);
    context.set_string(key, args[i + 1], 0);
  }
  reply.integer(1);
}

}  // namespace kiwi::resp::commands
