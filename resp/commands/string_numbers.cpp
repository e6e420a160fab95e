// Strings as numbers: INCR and its family.
#include <cmath>
#include <limits>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"

namespace kiwi::resp::commands {

namespace {

// What lies in chunks is longer than any number.
template <class Parse>
auto parse_short(const String& string, Parse parse) {
  return string.spread() ? std::nullopt : parse(string.bytes());
}

void add(Context& context, std::string_view name, int64_t increment, ReplyWriter& reply) {
  String* string = context.open<String>(name, reply);
  if (string == nullptr) {
    return;
  }
  auto value = string->exists() ? parse_short(*string, parse_integer) : 0;
  if (!value) {
    return reply.error(texts::kNotInteger);
  }
  int64_t sum = 0;
  if (__builtin_add_overflow(*value, increment, &sum)) {
    return reply.error("ERR increment or decrement would overflow");
  }
  string->replace(IntegerText(sum).view());
  context.save(*string, config::kEventString, "incrby");
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
  String* string = context.open<String>(args[1], reply);
  if (string == nullptr) {
    return;
  }
  auto value = string->exists() ? parse_short(*string, parse_long_double) : 0.0L;
  auto increment = parse_long_double(args[2]);
  if (!value || !increment) {
    return reply.error(texts::kNotFloat);
  }
  long double sum = *value + *increment;
  if (std::isnan(sum) || std::isinf(sum)) {
    return reply.error("ERR increment would produce NaN or Infinity");
  }
  std::string text = format_long_double(sum);
  string->replace(text);
  context.save(*string, config::kEventString, "incrbyfloat");
  reply.bulk(text);
}

}  // namespace kiwi::resp::commands
