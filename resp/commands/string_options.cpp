// SET, GETEX and MSETEX: the commands with options about the value's time to live. IFEQ of SET and
// DELIFEQ are Valkey's (8.1, 9.0), MSETEX is that of Redis 8.4.
#include <limits>
#include <optional>
#include <string_view>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

namespace {

enum class Ttl : uint8_t { kNone, kEx, kPx, kExAt, kPxAt, kKeep, kPersist };

struct Options {
  bool only_new = false;       // NX
  bool only_existing = false;  // XX
  bool get = false;
  std::optional<std::string_view> equal;  // IFEQ: only if this is the value
  Ttl ttl = Ttl::kNone;
  std::string_view time;  // of EX, PX, EXAT, PXAT
};

struct TtlWord {
  std::string_view word;
  Ttl ttl;
};
constexpr TtlWord kTimes[] = {
    {"ex", Ttl::kEx}, {"px", Ttl::kPx}, {"exat", Ttl::kExAt}, {"pxat", Ttl::kPxAt}};

enum class Of : uint8_t { kSet, kGetEx, kMsetEx };

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
  } else if (command != Of::kSet) {
    return false;
  } else if (same_word(word, "get")) {
    options.get = true;
  } else if (same_word(word, "ifeq") && at + 1 < args.size() && !options.equal) {
    options.equal = args[++at];
  } else {
    return false;
  }
  return options.only_new + options.only_existing + options.equal.has_value() <= 1;
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

// Does the key hold this string? It is live.
bool holds(Context& context, const Key& key, std::string_view bytes) {
  if (!key.meta.spread) {
    return key.meta.value == bytes;
  }
  if (key.meta.size != bytes.size()) {
    return false;
  }
  bool same = true;
  StringChunks(context.state(), key).walk(0, bytes.size(), [&](const StringPiece& piece) {
    const std::string_view part = bytes.substr(piece.offset, piece.size);
    same = piece.bytes.empty() ? part.find_first_not_of('\0') == std::string_view::npos
                               : piece.bytes == part;
    return same;
  });
  return same;
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
  if ((options.get || options.equal) && refuse_type(key, Type::kString, reply)) {
    return;
  }
  bool refused = key.live ? options.only_new : options.only_existing;
  if (options.equal) {
    refused = !key.live || !holds(context, key, *options.equal);
  }
  if (options.get && key.live) {
    reply_string(context, key, reply);
  } else if (options.get || refused) {
    reply.null();
  } else {
    reply.ok();
  }
  if (!refused) {
    bool keeps = options.ttl == Ttl::kKeep && key.live;
    // A deadline that stays is no news.
    context.set_string(key, args[2], keeps ? key.meta.expire_at_ms : *deadline, !keeps);
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
  reply_string(context, key, reply);
  if (*deadline != 0 && *deadline <= context.now_ms()) {
    context.state().remove(key);
    context.notify(config::kEventGeneric, "del", args[1]);
  } else if (*deadline != 0 || (options.ttl == Ttl::kPersist && key.meta.expire_at_ms != 0)) {
    key.meta.expire_at_ms = *deadline;
    context.state().update(key);
    context.notify(config::kEventGeneric, *deadline != 0 ? "expire" : "persist", args[1]);
  }
}

void delifeq(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.find(args[1]);
  if (refuse_type(key, Type::kString, reply)) {
    return;
  }
  const bool same = key.live && holds(context, key, args[2]);
  if (same) {
    context.state().remove(key);
    context.notify(config::kEventGeneric, "del", args[1]);
  }
  reply.integer(same ? 1 : 0);
}

// All keys or none.
void msetex(Context& context, Args args, ReplyWriter& reply) {
  const auto count = parse_integer(args[1]);
  if (!count || *count < 1 || *count > std::numeric_limits<int32_t>::max()) {
    return reply.error("ERR invalid numkeys value");
  }
  const size_t end = 2 + 2 * static_cast<size_t>(*count);
  if (end > args.size()) {
    return reply.error("ERR wrong number of key-value pairs");
  }
  Options options;
  if (!parse_options(args, end, Of::kMsetEx, options, reply)) {
    return;
  }
  const auto deadline = deadline_of(context, options, reply);
  if (!deadline) {
    return;
  }
  for (size_t i = 2; i < end && (options.only_new || options.only_existing); i += 2) {
    if (context.find(args[i]).live == options.only_new) {
      return reply.integer(0);
    }
  }
  for (size_t i = 2; i < end; i += 2) {
    Key key = context.find(args[i]);
    const bool keeps = options.ttl == Ttl::kKeep && key.live;
    context.set_string(key, args[i + 1], keeps ? key.meta.expire_at_ms : *deadline, !keeps);
  }
  reply.integer(1);
}

}  // namespace kiwi::resp::commands
