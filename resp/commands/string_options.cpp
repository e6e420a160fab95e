// SET and GETEX: the commands with options about the value's time to live.
#include "resp/commands/support.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

namespace {

enum class Ttl : uint8_t { kNone, kEx, kPx, kExAt, kPxAt, kKeep, kPersist };

struct Options {
  bool only_new = false;       // NX
  bool only_existing = false;  // XX
  bool get = false;
  Ttl ttl = Ttl::kNone;
  std::string_view time;  // of EX, PX, EXAT, PXAT
};

struct TtlWord {
  std::string_view word;
  Ttl ttl;
};
constexpr TtlWord kTimes[] = {
    {"ex", Ttl::kEx}, {"px", Ttl::kPx}, {"exat", Ttl::kExAt}, {"pxat", Ttl::kPxAt}};

enum class Of : uint8_t { kSet, kGetEx };

// One option, and its argument if it takes one. False: a syntax error.
bool parse_option(Args args, size_t& at, Of command, Options& options) {
  std::string_view word = args[at];
  auto take_ttl = [&](Ttl ttl) {
    bool fits = options.ttl == Ttl::kNone || options.ttl == ttl;
    options.ttl = ttl;
    return fits;
  };
  for (const TtlWord& time : kTimes) {
    if (same_word(word, time.word)) {
      if (at + 1 == args.size()) {
        return false;
      }
      options.time = args[++at];
      return take_ttl(time.ttl);
    }
  }
  if (command == Of::kGetEx) {
    return same_word(word, "persist") && take_ttl(Ttl::kPersist);
  }
  if (same_word(word, "keepttl")) {
    return take_ttl(Ttl::kKeep);
  }
  if (same_word(word, "nx")) {
    options.only_new = true;
  } else if (same_word(word, "xx")) {
    options.only_existing = true;
  } else if (same_word(word, "get")) {
    options.get = true;
  } else {
    return false;
  }
  return !(options.only_new && options.only_existing);
}

bool parse_options(Args args, size_t first, Of command, Options& options, ReplyWriter& reply) {
  for (size_t at = first; at < args.size(); ++at) {
    if (!parse_option(args, at, command, options)) {
      reply.error(texts::kSyntax);
      return false;
    }
  }
  return true;
}

// The deadline that EX, PX, EXAT or PXAT mean; 0 without one. nullopt: an error was answered.
std::optional<int64_t> deadline_of(Context& context, const Options& options, ReplyWriter& reply) {
  if (options.time.data() == nullptr) {
    return 0;
  }
  bool seconds = options.ttl == Ttl::kEx || options.ttl == Ttl::kExAt;
  bool relative = options.ttl == Ttl::kEx || options.ttl == Ttl::kPx;
  return read_deadline(context, options.time,
                       seconds ? TimeUnit::kSeconds : TimeUnit::kMilliseconds, relative, reply);
}

}  // namespace

void set(Context& context, Args args, ReplyWriter& reply) {
  Options options;
  if (!parse_options(args, 3, Of::kSet, options, reply)) {
    return;
  }
  auto deadline = deadline_of(context, options, reply);
  if (!deadline) {
    return;
  }
  Key key = options.get ? context.read(args[1]) : context.find(args[1]);
  if (options.get && refuse_type(key, Type::kString, reply)) {
    return;
  }
  bool refused = key.live ? options.only_new : options.only_existing;
  if (options.get && key.live) {
    reply.bulk(key.meta.value);
  } else if (options.get || refused) {
    reply.null();
  } else {
    reply.ok();
  }
  if (!refused) {
    bool keeps = options.ttl == Ttl::kKeep && key.live;
    context.set_string(key, args[2], keeps ? key.meta.expire_at_ms : *deadline);
  }
}

void getex(Context& context, Args args, ReplyWriter& reply) {
  Options options;
  if (!parse_options(args, 2, Of::kGetEx, options, reply)) {
    return;
  }
  Key key = context.read(args[1]);
  if (!key.live) {
    return reply.null();
  }
  if (refuse_type(key, Type::kString, reply)) {
    return;
  }
  auto deadline = deadline_of(context, options, reply);
  if (!deadline) {
    return;
  }
  reply.bulk(key.meta.value);
  if (*deadline != 0 && *deadline <= context.now_ms()) {
    context.state().remove(key);
  } else if (*deadline != 0 || (options.ttl == Ttl::kPersist && key.meta.expire_at_ms != 0)) {
    key.meta.expire_at_ms = *deadline;
    context.state().update(key);
  }
}

}  // namespace kiwi::resp::commands
