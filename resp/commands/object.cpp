// OBJECT: how Redis would keep a value. Nothing here lies that way; clients and tests ask.
#include <limits>
#include <string>
#include <string_view>

#include "config/base/check.hpp"
#include "resp/commands/support.hpp"
#include "resp/help.hpp"
#include "resp/numbers.hpp"
#include "resp/types/dump/key_writer.hpp"

namespace kiwi::resp::commands {

namespace {

using rocks::Type;

// Redis shares the objects of small integers, which it counts so.
constexpr int64_t kSharedIntegers = 10'000;
constexpr int64_t kSharedCount = std::numeric_limits<int32_t>::max();

bool is_integer(const rocks::Metadata& string) {
  return !string.converted && !string.spread && parse_integer(string.value).has_value();
}

std::string_view string_encoding(const rocks::Metadata& string) {
  constexpr size_t kEmbedded = 44;
  if (is_integer(string)) {
    return "int";
  }
  return string.converted || string.string_bytes() > kEmbedded ? "raw" : "embstr";
}

std::string_view encoding_of(const rocks::Metadata& value) {
  switch (value.type) {
    case Type::kString:
      return string_encoding(value);
    case Type::kList:
      return "quicklist";
    case Type::kSet:
      return value.converted ? "hashtable" : "intset";
    case Type::kHash:
      return value.converted ? "hashtable" : "listpack";
    case Type::kSortedSet:
      return value.converted ? "skiplist" : "listpack";
    case Type::kStream:
      return "stream";
  }
  return "unknown";
}

}  // namespace

void object_encoding(Context& context, Args args, ReplyWriter& reply) {
  const Key key = context.read(args[2]);
  if (key.live) {
    reply.bulk(encoding_of(key.meta));
  } else {
    reply.null();
  }
}

// Nobody notes when a key was last asked for: it is always just now.
void object_idletime(Context& context, Args args, ReplyWriter& reply) {
  if (context.read(args[2]).live) {
    reply.integer(0);
  } else {
    reply.null();
  }
}

void object_freq(Context& context, Args args, ReplyWriter& reply) {
  if (context.read(args[2]).live) {
    reply.error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note "
        "that when switching between policies at runtime LRU and LFU data will take some time to "
        "adjust.");
  } else {
    reply.null();
  }
}

void object_refcount(Context& context, Args args, ReplyWriter& reply) {
  const Key key = context.read(args[2]);
  if (!key.live) {
    return reply.null();
  }
  const bool integer = key.is(Type::kString) && is_integer(key.meta);
  const int64_t number = integer ? *parse_integer(key.meta.value) : -1;
  reply.integer(number >= 0 && number < kSharedIntegers ? kSharedCount : 1);
}

// kiwi.object key. Where it lies and when it was asked for nobody knows.
void debug_object(Context& context, Args args, ReplyWriter& reply) {
  const Key key = context.read(args[1]);
  if (!key.live) {
    return reply.error(texts::kNoSuchKey);
  }
  std::string payload;
  if (dump::write_key(context.state(), key, dump::kPayloadBytes, payload) !=
      dump::WriteOutcome::kDone) {
    return reply.error("ERR the payload is larger than 512 MB");
  }
  CHECK_INVARIANT(!payload.empty());  // it begins with its type
  reply.simple("Value at:0x0 refcount:1 encoding:" + std::string(encoding_of(key.meta)) +
               " serializedlength:" + std::to_string(payload.size() - 1) +
               " lru:0 lru_seconds_idle:0");
}

void object_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "ENCODING <key>",
      "    Return the kind of internal representation used in order to store the value",
      "    associated with a <key>.",
      "FREQ <key>",
      "    Return the access frequency index of the <key>. The returned integer is",
      "    proportional to the logarithm of the recent access frequency of the key.",
      "IDLETIME <key>",
      "    Return the idle time of the <key>, that is the approximated number of",
      "    seconds elapsed since the last access to the key.",
      "REFCOUNT <key>",
      "    Return the number of references of the value associated with the specified",
      "    <key>.",
  };
  reply_help(reply, "OBJECT", kLines);
}

}  // namespace kiwi::resp::commands
