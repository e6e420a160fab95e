// Sets: members one by one. Several sets: set_algebra.cpp; random members: set_random.cpp.
#include "resp/commands/support.hpp"

namespace kiwi::resp::commands {

void sadd(Context& context, Args args, ReplyWriter& reply) {
  Set* set = context.open<Set>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  int64_t added = 0;
  for (std::string_view member : args.subspan(2)) {
    added += set->add(member) ? 1 : 0;
  }
  context.save(*set, config::kEventSet, "sadd");
  reply.integer(added);
}

void srem(Context& context, Args args, ReplyWriter& reply) {
  Set* set = context.open<Set>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  int64_t removed = 0;
  for (std::string_view member : args.subspan(2)) {
    removed += set->remove(member) ? 1 : 0;
  }
  context.save(*set, config::kEventSet, "srem");
  reply.integer(removed);
}

void smove(Context& context, Args args, ReplyWriter& reply) {
  Set* from = context.open<Set>(args[1], reply);
  if (from == nullptr) {
    return;
  }
  if (from->empty()) {
    return reply.integer(0);
  }
  Set* to = context.open<Set>(args[2], reply);
  if (to == nullptr) {
    return;
  }
  const bool member = from->contains(args[3]);
  if (member && from != to) {
    from->remove(args[3]);
    context.save(*from, config::kEventSet, "srem");
    to->add(args[3]);
    context.save(*to, config::kEventSet, "sadd");
  }
  reply.integer(member ? 1 : 0);
}

void scard(Context& context, Args args, ReplyWriter& reply) {
  if (const Set* set = context.read<Set>(args[1], reply)) {
    reply.integer(static_cast<int64_t>(set->size()));
  }
}

void sismember(Context& context, Args args, ReplyWriter& reply) {
  if (const Set* set = context.read<Set>(args[1], reply)) {
    reply.integer(set->contains(args[2]) ? 1 : 0);
  }
}

void smismember(Context& context, Args args, ReplyWriter& reply) {
  const Set* set = context.read<Set>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  reply.array(args.size() - 2);
  for (std::string_view member : args.subspan(2)) {
    reply.integer(set->contains(member) ? 1 : 0);
  }
}

void smembers(Context& context, Args args, ReplyWriter& reply) {
  if (const Set* set = context.read<Set>(args[1], reply)) {
    reply.set(set->size());
    set->each(into(reply));
  }
}

}  // namespace kiwi::resp::commands
