// Strings as numbers: INCR and its family.
#include <cmath>
#include <limits>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp::commands {

using rocks::Type;

namespace {

// Writes the new number; a key that was there stays the same key, with its deadline.
void put_number(Context& context, Key& key, std::string_view text) {
  if (key.live) {
    key.meta.value = text;
    context.state().update(key);
  } else {
    context.set_string(key, text, 0);
  }
}

void add(Context& context, std::string_view name, int64_t increment, ReplyWriter& reply) {
  Key key = context.find(name);
  if (refuse_type(key, Type::kString, reply)) {
    return;
  }
  auto value = key.live ? parse_integer(key.meta.value) : 0;
  if (!value) {
    return reply.error(texts::kNotInteger);
  }
  int64_t sum = 0;
  if (__builtin_add_overflow(*value, increment, &sum)) {
    return reply.error("ERR increment or decrement would overflow");
  }
  put_number(context, key, IntegerText(sum).view());
  reply.integer(sum);
}

}  // namespace

void incr(Context& context, Args args, ReplyWriter& reply) { add(context, args[1], 1, reply); }
void decr(Context& context, Args args, ReplyWriter& reply) { add(context, args[1], -1, reply); }

void incrby(Context& context, Args args, ReplyWriter& reply) {
  auto increment = parse_integer(args[2]);
  if (!increment) {
    return reply.error(texts::kNotInteger);
  }
  add(context, args[1], *increment, reply);
}

void decrby(Context& context, Args args, ReplyWriter& reply) {
  auto decrement = parse_integer(args[2]);
  if (!decrement) {
    return reply.error(texts::kNotInteger);
  }
  if (*decrement == std::numeric_limits<int64_t>::min()) {
    return reply.error("ERR decrement would overflow");
  }
  add(context, args[1], -*decrement, reply);
}

void incrbyfloat(Context& context, Args args, ReplyWriter& reply) {
  Key key = context.find(args[1]);
  if (refuse_type(key, Type::kString, reply)) {
    return;
  }
  auto value = key.live ? parse_long_double(key.meta.value) : 0.0L;
  auto increment = parse_long_double(args[2]);
  if (!value || !increment) {
    return reply.error(texts::kNotFloat);
  }
  long double sum = *value + *increment;
  if (std::isnan(sum) || std::isinf(sum)) {
    return reply.error("ERR increment would produce NaN or Infinity");
  }
  std::string text = format_long_double(sum);
  put_number(context, key, text);
  reply.bulk(text);
}

}  // namespace kiwi::resp::commands
