// Keys under another name or in another database.
#include "resp/commands/support.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr std::string_view kSameObject = "ERR source and destination objects are the same";

// RENAME and RENAMENX. nullopt: the error was answered.
std::optional<bool> rename_key(Context& context, Args args, bool only_new, ReplyWriter& reply) {
  Key from = context.find(args[1]);
  if (!from.live) {
    reply.error(texts::kNoSuchKey);
    return std::nullopt;
  }
  if (args[1] == args[2]) {
    return !only_new;
  }
  Key to = context.find(args[2]);
  if (only_new && to.live) {
    return false;
  }
  context.state().rename(from, to);
  context.notify(config::kEventGeneric, "rename_from", args[1]);
  context.notify(config::kEventGeneric, "rename_to", args[2]);
  return true;
}

struct CopyOptions {
  uint32_t database = 0;
  bool replace = false;
};

bool parse_copy(Args args, CopyOptions& options, ReplyWriter& reply) {
  for (size_t at = 3; at < args.size(); ++at) {
    if (same_word(args[at], "replace")) {
      options.replace = true;
    } else if (same_word(args[at], "db") && at + 1 < args.size()) {
      auto database = read_database(args[++at], reply);
      if (!database) {
        return false;
      }
      options.database = *database;
    } else {
      reply.error(texts::kSyntax);
      return false;
    }
  }
  return true;
}

}  // namespace

void rename(Context& context, Args args, ReplyWriter& reply) {
  if (rename_key(context, args, false, reply)) {
    reply.ok();
  }
}

void renamenx(Context& context, Args args, ReplyWriter& reply) {
  if (auto renamed = rename_key(context, args, true, reply)) {
    reply.integer(*renamed ? 1 : 0);
  }
}

void copy(Context& context, Args args, ReplyWriter& reply) {
  CopyOptions options{context.database(), false};
  if (!parse_copy(args, options, reply)) {
    return;
  }
  if (options.database == context.database() && args[1] == args[2]) {
    return reply.error(kSameObject);
  }
  Key to = context.find_in(options.database, args[2]);
  Key from = context.read(args[1]);
  if (!from.live || (to.live && !options.replace)) {
    return reply.integer(0);
  }
  context.state().copy(from, to);
  context.notify_in(options.database, config::kEventGeneric, "copy_to", args[2]);
  reply.integer(1);
}

void move(Context& context, Args args, ReplyWriter& reply) {
  auto database = read_database(args[2], reply);
  if (!database) {
    return;
  }
  if (*database == context.database()) {
    return reply.error(kSameObject);
  }
  Key to = context.find_in(*database, args[1]);
  Key from = context.find(args[1]);
  if (!from.live || to.live) {
    return reply.integer(0);
  }
  context.state().copy(from, to);
  context.state().remove(from);
  context.notify(config::kEventGeneric, "move_from", args[1]);
  context.notify_in(*database, config::kEventGeneric, "move_to", args[1]);
  reply.integer(1);
}

}  // namespace kiwi::resp::commands
