// Hashes.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "resp/commands/random_options.hpp"
#include "resp/commands/scan.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr std::string_view kOutOfRange = "ERR value is out of range";

// How many fields came; nullopt: an error was answered.
std::optional<int64_t> set_fields(Context& context, Args args, ReplyWriter& reply) {
  if (args.size() % 2 != 0) {
    reply_wrong_arity(context, reply);
    return std::nullopt;
  }
  Hash* hash = context.open<Hash>(args[1], reply);
  if (hash == nullptr) {
    return std::nullopt;
  }
  int64_t came = 0;
  for (size_t at = 2; at < args.size(); at += 2) {
    came += hash->set(args[at], args[at + 1]) ? 1 : 0;
  }
  context.save(*hash, config::kEventHash, "hset");
  return came;
}

}  // namespace

// ---------------------------------------------------------------- fields one by one

void hset(Context& context, Args args, ReplyWriter& reply) {
  if (auto came = set_fields(context, args, reply)) {
    reply.integer(*came);
  }
}

void hmset(Context& context, Args args, ReplyWriter& reply) {
  if (set_fields(context, args, reply)) {
    reply.ok();
  }
}

void hsetnx(Context& context, Args args, ReplyWriter& reply) {
  Hash* hash = context.open<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  if (hash->contains(args[2])) {
    return reply.integer(0);
  }
  hash->set(args[2], args[3]);
  context.save(*hash, config::kEventHash, "hset");
  reply.integer(1);
}

void hdel(Context& context, Args args, ReplyWriter& reply) {
  Hash* hash = context.open<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  int64_t removed = 0;
  for (std::string_view field : args.subspan(2)) {
    removed += hash->remove(field) ? 1 : 0;
  }
  context.save(*hash, config::kEventHash, "hdel");
  reply.integer(removed);
}

void hget(Context& context, Args args, ReplyWriter& reply) {
  const Hash* hash = context.read<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  if (auto value = hash->get(args[2])) {
    reply.bulk(*value);
  } else {
    reply.null();
  }
}

void hmget(Context& context, Args args, ReplyWriter& reply) {
  const Hash* hash = context.read<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  reply.array(args.size() - 2);
  for (std::string_view field : args.subspan(2)) {
    if (auto value = hash->get(field)) {
      reply.bulk(*value);
    } else {
      reply.null();
    }
  }
}

void hexists(Context& context, Args args, ReplyWriter& reply) {
  if (const Hash* hash = context.read<Hash>(args[1], reply)) {
    reply.integer(hash->contains(args[2]) ? 1 : 0);
  }
}

void hstrlen(Context& context, Args args, ReplyWriter& reply) {
  if (const Hash* hash = context.read<Hash>(args[1], reply)) {
    reply.integer(static_cast<int64_t>(hash->get(args[2]).value_or("").size()));
  }
}

// ---------------------------------------------------------------- whole hashes

void hlen(Context& context, Args args, ReplyWriter& reply) {
  if (const Hash* hash = context.read<Hash>(args[1], reply)) {
    reply.integer(static_cast<int64_t>(hash->size()));
  }
}

void hgetall(Context& context, Args args, ReplyWriter& reply) {
  if (const Hash* hash = context.read<Hash>(args[1], reply)) {
    reply.map(hash->size());
    hash->each([&](std::string_view field, std::string_view value) {
      reply.bulk(field);
      reply.bulk(value);
      return true;
    });
  }
}

void hkeys(Context& context, Args args, ReplyWriter& reply) {
  if (const Hash* hash = context.read<Hash>(args[1], reply)) {
    reply.array(hash->size());
    hash->each([&](std::string_view field, std::string_view) { return reply.bulk(field), true; });
  }
}

void hvals(Context& context, Args args, ReplyWriter& reply) {
  if (const Hash* hash = context.read<Hash>(args[1], reply)) {
    reply.array(hash->size());
    hash->each([&](std::string_view, std::string_view value) { return reply.bulk(value), true; });
  }
}

void hscan(Context& context, Args args, ReplyWriter& reply) {
  auto from = read_cursor(args[2], reply);
  if (!from) {
    return;
  }
  const Hash* hash = context.read<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  ScanOptions options;
  ScanPage page(options, context.state().steps(), reply);
  if (hash->empty()) {
    return page.finish();
  }
  if (!read_scan_options(args, 3, false, options, reply)) {
    return;
  }
  if (hash->spread()) {
    hash->each_from(*from,
                    [&](std::string_view field, std::string_view value, uint64_t place, bool live) {
                      if (!page.look(place)) {
                        return false;
                      }
                      if (live) {
                        page.add(field, value);
                      }
                      return true;
                    });
  } else {
    hash->each([&](std::string_view field, std::string_view value) {
      page.add(field, value);
      return true;
    });
  }
  page.finish();
}

// ---------------------------------------------------------------- numbers

void hincrby(Context& context, Args args, ReplyWriter& reply) {
  auto increment = parse_integer(args[3]);
  if (!increment) {
    return reply.error(texts::kNotInteger);
  }
  Hash* hash = context.open<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  const auto stored = hash->get(args[2]);
  const auto value = stored ? parse_integer(*stored) : 0;
  if (!value) {
    return reply.error("ERR hash value is not an integer");
  }
  int64_t sum = 0;
  if (__builtin_add_overflow(*value, *increment, &sum)) {
    return reply.error("ERR increment or decrement would overflow");
  }
  hash->set_keeping_deadline(args[2], IntegerText(sum).view());
  context.save(*hash, config::kEventHash, "hincrby");
  reply.integer(sum);
}

void hincrbyfloat(Context& context, Args args, ReplyWriter& reply) {
  const auto increment = parse_long_double(args[3]);
  if (!increment) {
    return reply.error(texts::kNotFloat);
  }
  if (std::isinf(*increment)) {
    return reply.error("ERR value is NaN or Infinity");
  }
  Hash* hash = context.open<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  const auto stored = hash->get(args[2]);
  const auto value = stored ? parse_long_double(*stored) : 0.0L;
  if (!value) {
    return reply.error("ERR hash value is not a float");
  }
  const long double sum = *value + *increment;
  if (std::isnan(sum) || std::isinf(sum)) {
    return reply.error("ERR increment would produce NaN or Infinity");
  }
  const std::string text = format_long_double(sum);
  hash->set_keeping_deadline(args[2], text);
  context.save(*hash, config::kEventHash, "hincrbyfloat");
  reply.bulk(text);
}

// ---------------------------------------------------------------- random fields

void hrandfield(Context& context, Args args, ReplyWriter& reply) {
  const bool many = args.size() > 2;
  const auto given = read_random_options(args, "withvalues", reply);
  if (!given) {
    return;
  }
  const RandomOptions options = *given;
  const Hash* hash = context.read<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  if (hash->empty() || options.count == 0) {
    return many ? reply.array(0) : reply.null();
  }
  Prng prng = context.prng();
  const FieldVisit answer = [&](std::string_view field, std::string_view value) {
    if (options.pairs && reply.version() > 2) {
      reply.array(2);
    }
    reply.bulk(field);
    if (options.pairs) {
      reply.bulk(value);
    }
    return true;
  };
  if (!many) {
    return hash->random(prng, answer);
  }
  if (options.count < -kRepetitions) {
    return reply.error(kOutOfRange);
  }
  const bool repeated = options.count < 0;
  const uint64_t wanted = repeated ? static_cast<uint64_t>(-options.count)
                                   : std::min(static_cast<uint64_t>(options.count), hash->size());
  reply.array(options.pairs && reply.version() == 2 ? 2 * wanted : wanted);
  repeated ? hash->random_repeated(wanted, prng, answer)
           : hash->random_different(wanted, prng, answer);
}

}  // namespace kiwi::resp::commands
