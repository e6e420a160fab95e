// Commands that no client may send.
#include <stdexcept>

#include "config/base/check.hpp"
#include "resp/context.hpp"
#include "resp/mutants.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp::commands {

// kiwi.expire (database deadline version key)+: physical numbers, in decimal. Made by
// Executor::due_expirations, proposed by the leader. F8: a key goes only if it is still the one
// that was seen and its deadline has passed at the entry's stamp.
void expire_due(Context& context, Args args, ReplyWriter& reply) {
  constexpr size_t kStep = 4;
  if ((args.size() - 1) % kStep != 0) {
    return reply.error(texts::kSyntax);
  }
  Database& state = context.state();
  for (size_t at = 1; at < args.size(); at += kStep) {
    auto number = parse_integer(args[at]);
    auto deadline = parse_integer(args[at + 1]);
    auto version = parse_integer(args[at + 2]);
    if (!number || *number < 0 || *number > UINT32_MAX || !deadline || !version) {
      return reply.error(texts::kNotInteger);
    }
    rocks::DatabaseId database{static_cast<uint32_t>(*number)};
    Key key = state.find(database, args[at + 3], context.now_ms());
    bool indexed = key.present && key.meta.expire_at_ms == *deadline;
    if (key.present && mutant(Mutant::kExpireUnconditional)) {
      state.remove_expired(key);
    } else if (!indexed) {
      state.erase_stale_expiry(*deadline, database, args[at + 3]);
    } else if (!key.live && key.meta.version == static_cast<uint64_t>(*version)) {
      state.remove_expired(key);
      context.count_expired();
    } else {
      state.keep_expiry(*deadline, database, args[at + 3]);
    }
  }
  context.count_expire_command();
  reply.ok();
}

#ifdef KIWI_TEST_COMMANDS
// Writes key, then fails like a command with a bug in it (F30).
void fail_after_write(Context& context, Args args, ReplyWriter& reply) {
  for (std::string_view name : args.subspan(1)) {
    Key key = context.find(name);
    context.set_string(key, "half a command", 1);
    context.state().flush(context.database());
    reply.integer(1);
  }
  throw std::logic_error("kiwi.test.fail");
}

Route test_store_route(Args args) { return args.size() > 2 ? Route::kWrite : Route::kRead; }

// kiwi.test.store key [STORE destination]
void test_store(Context& context, Args args, ReplyWriter& reply) {
  Key from = context.read(args[1]);
  const std::string value(from.live ? from.meta.value : "");
  if (args.size() == 2) {
    return reply.bulk(value);
  }
  Key to = context.find(args[3]);
  context.set_string(to, value, 0);
  reply.ok();
}
#endif

}  // namespace kiwi::resp::commands
