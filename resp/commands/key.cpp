// Keys of any type: existence, type, removal, whole databases.
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

void count_existing(Context& context, Args args, ReplyWriter& reply) {
  int64_t found = 0;
  for (std::string_view name : args.subspan(1)) {
    found += context.read(name).live ? 1 : 0;
  }
  reply.integer(found);
}

// SYNC and ASYNC mean the same here: dropping a database is one small write either way (F40).
bool flush_options_fit(Args args, ReplyWriter& reply) {
  if (args.size() == 1 ||
      (args.size() == 2 && (same_word(args[1], "sync") || same_word(args[1], "async")))) {
    return true;
  }
  reply.error(texts::kSyntax);
  return false;
}

void flush_if_used(Context& context, uint32_t database) {
  Database& state = context.state();
  if (state.counts(state.physical(database)).keys > 0) {
    state.flush(database);
  }
}

}  // namespace

void del(Context& context, Args args, ReplyWriter& reply) {
  int64_t removed = 0;
  for (std::string_view name : args.subspan(1)) {
    Key key = context.find(name);
    if (key.live) {
      context.state().remove(key);
      context.notify(config::kEventGeneric, "del", name);
      ++removed;
    }
  }
  reply.integer(removed);
}

void exists(Context& context, Args args, ReplyWriter& reply) {
  count_existing(context, args, reply);
}

void touch(Context& context, Args args, ReplyWriter& reply) {
  count_existing(context, args, reply);
}

void type(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  reply.simple(key.live ? rocks::type_name(key.meta.type) : "none");
}

void dbsize(Context& context, Args /*args*/, ReplyWriter& reply) {
  Database& state = context.state();
  reply.integer(static_cast<int64_t>(state.counts(state.physical(context.database())).keys));
}

void flushdb(Context& context, Args args, ReplyWriter& reply) {
  if (flush_options_fit(args, reply)) {
    flush_if_used(context, context.database());
    reply.ok();
  }
}

void flushall(Context& context, Args args, ReplyWriter& reply) {
  if (flush_options_fit(args, reply)) {
    for (uint32_t database : context.state().databases_with_keys()) {
      context.state().flush(database);
    }
    reply.ok();
  }
}

void swapdb(Context& context, Args args, ReplyWriter& reply) {
  auto first = parse_integer(args[1]);
  if (!first || *first != static_cast<int32_t>(*first)) {
    return reply.error("ERR invalid first DB index");
  }
  auto second = parse_integer(args[2]);
  if (!second || *second != static_cast<int32_t>(*second)) {
    return reply.error("ERR invalid second DB index");
  }
  if (!is_database(*first) || !is_database(*second)) {
    return reply.error(kDatabaseOutOfRange);
  }
  if (*first != *second) {
    context.state().swap(static_cast<uint32_t>(*first), static_cast<uint32_t>(*second));
  }
  reply.ok();
}

}  // namespace kiwi::resp::commands
