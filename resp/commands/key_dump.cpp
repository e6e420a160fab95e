// DUMP, RESTORE and what MIGRATE reads: keys as bytes that Redis 7.0 takes, and keys made of bytes
// that anybody may have written.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "config/base/check.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/types/dump/key_loader.hpp"
#include "resp/types/dump/key_writer.hpp"
#include "resp/types/dump/payload.hpp"
#include "resp/types/dump/stream_reader.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr std::string_view kBadData = "ERR Bad data format";

struct RestoreOptions {
  bool replace = false;
  bool absolute = false;  // the deadline, not the time to live
};

// IDLETIME and FREQ are checked and forgotten: nothing here is evicted by them.
std::optional<std::string_view> parse_restore(Args args, RestoreOptions& options) {
  bool idle = false;
  bool frequency = false;
  for (size_t at = 4; at < args.size(); ++at) {
    const bool more = at + 1 < args.size();
    if (same_word(args[at], "replace")) {
      options.replace = true;
    } else if (same_word(args[at], "absttl")) {
      options.absolute = true;
    } else if (same_word(args[at], "idletime") && more && !frequency) {
      const auto seconds = parse_integer(args[++at]);
      if (!seconds) {
        return texts::kNotInteger;
      }
      if (*seconds < 0) {
        return "ERR Invalid IDLETIME value, must be >= 0";
      }
      idle = true;
    } else if (same_word(args[at], "freq") && more && !idle) {
      const auto value = parse_integer(args[++at]);
      if (!value) {
        return texts::kNotInteger;
      }
      if (*value < 0 || *value > 255) {
        return "ERR Invalid FREQ value, must be >= 0 and <= 255";
      }
      frequency = true;
    } else {
      return texts::kSyntax;
    }
  }
  return std::nullopt;
}

// Part of a command that may turn out to be impossible: taken back unless it is kept, also by an
// exception.
class Attempt {
 public:
  explicit Attempt(Database& database) : database_(database) { database_.mark(); }
  ~Attempt() { kept_ ? database_.keep() : database_.undo(); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  void keep() { kept_ = true; }

 private:
  Database& database_;
  bool kept_ = false;
};

// In place of what the key holds. False: the payload is no such value, and the key is as it was.
// Throws NameTooLong.
bool put_in_place(Context& context, Key key, const dump::Payload& payload, int64_t deadline) {
  Attempt attempt(context.state());
  if (key.live) {
    context.state().remove(key);
  }
  dump::LoadOptions options;
  options.expire_at_ms = deadline;
  options.now_ms = context.now_ms();
  options.free_bytes = payload.body.size();
  dump::RdbReader in(payload.body);
  const dump::LoadOutcome outcome = dump::load_key(context.state(), key, payload.type, in, options);
  if (outcome == dump::LoadOutcome::kTooLong) {
    check_key_name(key.name);
    throw NameTooLong(dump::is_stream_type(payload.type) ? NameTooLong::Of::kGroup
                                                         : NameTooLong::Of::kField);
  }
  if (outcome != dump::LoadOutcome::kDone || !in.rest().empty()) {
    return false;
  }
  CHECK_INVARIANT(context.find(key.name).meta.expire_at_ms == deadline ||
                  !context.find(key.name).live);
  // What is over at once was read all the same: it might have been no value.
  if (deadline == 0 || deadline > context.now_ms()) {
    attempt.keep();
  }
  return true;
}

// False: the error was answered.
bool write_payload(
    Context& context, const Key& key, size_t bytes_max, std::string& payload, ReplyWriter& reply) {
  switch (dump::write_key(context.state(), key, bytes_max, payload)) {
    case dump::WriteOutcome::kTooLarge:
      reply.error("ERR the payload is larger than 512 MB");
      return false;
    case dump::WriteOutcome::kDone:
      break;
  }
  dump::close_payload(payload);
  return true;
}

}  // namespace

void dump(Context& context, Args args, ReplyWriter& reply) {
  const Key key = context.read(args[1]);
  if (!key.live) {
    return reply.null();
  }
  std::string payload;
  if (write_payload(context, key, dump::kPayloadBytes, payload, reply)) {
    reply.bulk(payload);
  }
}

// kiwi.migrate key ...: of each its time to live in ms, 0 without one, and its payload, null
// without a key. Together they have the bound of one.
void migrate_read(Context& context, Args args, ReplyWriter& reply) {
  struct Found {
    int64_t ttl_ms = 0;
    std::optional<std::string> payload;
  };
  std::vector<Found> all;
  size_t left = dump::kPayloadBytes;
  for (const std::string_view name : args.subspan(1)) {
    Found& found = all.emplace_back();
    const Key key = context.read(name);
    if (!key.live) {
      continue;
    }
    if (key.meta.expire_at_ms != 0) {
      found.ttl_ms = std::max<int64_t>(key.meta.expire_at_ms - context.now_ms(), 1);
    }
    if (!write_payload(context, key, left, found.payload.emplace(), reply)) {
      return;
    }
    left -= std::min(left, found.payload->size());
  }
  CHECK_INVARIANT(all.size() == args.size() - 1);
  reply.array(2 * all.size());
  for (const Found& found : all) {
    reply.integer(found.ttl_ms);
    found.payload ? reply.bulk(*found.payload) : reply.null();
  }
}

// RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
void restore(Context& context, Args args, ReplyWriter& reply) {
  RestoreOptions options;
  if (const auto error = parse_restore(args, options)) {
    return reply.error(*error);
  }
  Key key = context.find(args[1]);
  if (key.live && !options.replace) {
    return reply.error("BUSYKEY Target key name already exists.");
  }
  const auto ttl = parse_integer(args[2]);
  if (!ttl) {
    return reply.error(texts::kNotInteger);
  }
  if (*ttl < 0) {
    return reply.error("ERR Invalid TTL value, must be >= 0");
  }
  int64_t deadline = *ttl;
  if (deadline != 0 && !options.absolute &&
      __builtin_add_overflow(deadline, context.now_ms(), &deadline)) {
    return reply_invalid_expire(context, reply);
  }
  const auto payload = dump::open_payload(args[3]);
  if (!payload) {
    return reply.error("ERR DUMP payload version or checksum are wrong");
  }
  if (!put_in_place(context, key, *payload, deadline)) {
    return reply.error(kBadData);
  }
  if (key.live && deadline != 0 && deadline <= context.now_ms()) {
    Key old = context.find(args[1]);
    context.state().remove(old);
    context.notify(config::kEventGeneric, "del", args[1]);
  } else if (key.live) {
    context.notify(config::kEventGeneric, "restore", args[1]);
  }
  reply.ok();
}

}  // namespace kiwi::resp::commands
