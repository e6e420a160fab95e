// Deadlines of keys.
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

struct Conditions {
  bool nx = false, xx = false, gt = false, lt = false;
};

bool parse_conditions(Args args, Conditions& only, ReplyWriter& reply) {
  for (std::string_view word : args.subspan(3)) {
    if (same_word(word, "nx")) {
      only.nx = true;
    } else if (same_word(word, "xx")) {
      only.xx = true;
    } else if (same_word(word, "gt")) {
      only.gt = true;
    } else if (same_word(word, "lt")) {
      only.lt = true;
    } else {
      reply.error("ERR Unsupported option " + std::string(quoted_word(word)));
      return false;
    }
  }
  if (only.nx && (only.xx || only.gt || only.lt)) {
    reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (only.gt && only.lt) {
    reply.error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

// A key without deadline counts as one that never ends.
bool holds(const Conditions& only, int64_t current, int64_t deadline) {
  bool none = current == 0;
  return !(only.nx && !none) && !(only.xx && none) && !(only.gt && (none || deadline <= current)) &&
         !(only.lt && !none && deadline >= current);
}

void expire_at(Context& context, Args args, TimeUnit unit, bool relative, ReplyWriter& reply) {
  Conditions only;
  if (!parse_conditions(args, only, reply)) {
    return;
  }
  auto time = parse_integer(args[2]);
  if (!time) {
    return reply.error(texts::kNotInteger);
  }
  int64_t deadline = *time;
  if ((unit == TimeUnit::kSeconds && __builtin_mul_overflow(deadline, int64_t{1000}, &deadline)) ||
      __builtin_add_overflow(deadline, relative ? context.now_ms() : 0, &deadline)) {
    return reply_invalid_expire(context, reply);
  }
  Key key = context.find(args[1]);
  if (!key.live || !holds(only, key.meta.expire_at_ms, deadline)) {
    return reply.integer(0);
  }
  if (deadline <= context.now_ms()) {
    context.state().remove(key);
    context.notify(config::kEventGeneric, "del", args[1]);
  } else {
    key.meta.expire_at_ms = deadline;
    context.state().update(key);
    context.notify(config::kEventGeneric, "expire", args[1]);
  }
  reply.integer(1);
}

enum class Ask : uint8_t { kRemaining, kDeadline };

void reply_time(Context& context, Args args, Ask ask, TimeUnit unit, ReplyWriter& reply) {
  Key key = context.read(args[1]);
  if (!key.live || key.meta.expire_at_ms == 0) {
    return reply.integer(key.live ? -1 : -2);
  }
  int64_t time = key.meta.expire_at_ms - (ask == Ask::kRemaining ? context.now_ms() : 0);
  // Rounded to the nearest second, without overflow at the largest deadline.
  reply.integer(unit == TimeUnit::kMilliseconds ? time
                                                : time / 1000 + (time % 1000 >= 500 ? 1 : 0));
}

}  // namespace

void expire(Context& context, Args args, ReplyWriter& reply) {
  expire_at(context, args, TimeUnit::kSeconds, true, reply);
}
void pexpire(Context& context, Args args, ReplyWriter& reply) {
  expire_at(context, args, TimeUnit::kMilliseconds, true, reply);
}
void expireat(Context& context, Args args, ReplyWriter& reply) {
  expire_at(context, args, TimeUnit::kSeconds, false, reply);
}
void pexpireat(Context& context, Args args, ReplyWriter& reply) {
  expire_at(context, args, TimeUnit::kMilliseconds, false, reply);
}
void ttl(Context& context, Args args, ReplyWriter& reply) {
  reply_time(context, args, Ask::kRemaining, TimeUnit::kSeconds, reply);
}
void pttl(Context& context, Args args, ReplyWriter& reply) {
  reply_time(context, args, Ask::kRemaining, TimeUnit::kMilliseconds, reply);
}
void expiretime(Context& context, Args args, ReplyWriter& reply) {
  reply_time(context, args, Ask::kDeadline, TimeUnit::kSeconds, reply);
}
void pexpiretime(Context& context, Args args, ReplyWriter& reply) {
  reply_time(context, args, Ask::kDeadline, TimeUnit::kMilliseconds, reply);
}

void persist(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.find(args[1]);
  if (!key.live || key.meta.expire_at_ms == 0) {
    return reply.integer(0);
  }
  key.meta.expire_at_ms = 0;
  context.state().update(key);
  context.notify(config::kEventGeneric, "persist", args[1]);
  reply.integer(1);
}

}  // namespace kiwi::resp::commands
