// Deadlines of the fields of hashes: what Redis 7.4 and 8.0 have beside 7.0.
#include <optional>
#include <span>
#include <string>

#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

// As in Redis, where two of 48 bits are kept for later.
constexpr int64_t kLastDeadlineMs = (int64_t{1} << 46) - 1;

constexpr std::string_view kNoFieldsWord =
    "ERR Mandatory argument FIELDS is missing or not at the right position";
constexpr std::string_view kNotPositive = "ERR Number of fields must be a positive integer";
constexpr std::string_view kNotAboveZero = "ERR Parameter `numFields` should be greater than 0";
constexpr std::string_view kNumberDiffers =
    "ERR The `numfields` parameter must match the number of arguments";

// What a field's answer says of it.
constexpr int64_t kNoField = -2;
constexpr int64_t kNoDeadline = -1;
constexpr int64_t kConditionFails = 0;
constexpr int64_t kChanged = 1;
constexpr int64_t kDeleted = 2;

struct Time {
  TimeUnit unit = TimeUnit::kSeconds;
  bool relative = true;
};

// nullopt: the error was answered.
std::optional<int64_t> read_time(Context& context,
                                 std::string_view text,
                                 Time time,
                                 ReplyWriter& reply) {
  const auto number = parse_integer(text);
  if (!number) {
    reply.error(texts::kNotInteger);
    return std::nullopt;
  }
  if (*number < 0) {
    reply.error("ERR invalid expire time, must be >= 0");
    return std::nullopt;
  }
  const int64_t unit_ms = time.unit == TimeUnit::kSeconds ? 1000 : 1;
  const int64_t base_ms = time.relative ? context.now_ms() : 0;
  if (*number > kLastDeadlineMs / unit_ms || *number * unit_ms > kLastDeadlineMs - base_ms) {
    reply_invalid_expire(context, reply);
    return std::nullopt;
  }
  return *number * unit_ms + base_ms;
}

// FIELDS number field..., from args[at] on. nullopt: the error was answered.
std::optional<Args> read_fields(Args args,
                                size_t at,
                                std::string_view bad_number,
                                ReplyWriter& reply) {
  if (at >= args.size() || !same_word(args[at], "fields")) {
    reply.error(kNoFieldsWord);
    return std::nullopt;
  }
  const auto number = at + 1 < args.size() ? parse_integer(args[at + 1]) : std::nullopt;
  if (!number || *number < 1) {
    reply.error(bad_number);
    return std::nullopt;
  }
  const Args fields = args.subspan(at + 2);
  if (static_cast<uint64_t>(*number) != fields.size()) {
    reply.error(kNumberDiffers);
    return std::nullopt;
  }
  return fields;
}

enum class Only : uint8_t { kAlways, kNx, kXx, kGt, kLt };

Only read_condition(std::string_view word) {
  return same_word(word, "nx")   ? Only::kNx
         : same_word(word, "xx") ? Only::kXx
         : same_word(word, "gt") ? Only::kGt
         : same_word(word, "lt") ? Only::kLt
                                 : Only::kAlways;
}

// A field without a deadline counts as one that stays for ever.
bool holds(Only only, int64_t current_ms, int64_t deadline_ms) {
  const bool none = current_ms == 0;
  switch (only) {
    case Only::kNx:
      return none;
    case Only::kXx:
      return !none;
    case Only::kGt:
      return !none && deadline_ms > current_ms;
    case Only::kLt:
      return none || deadline_ms < current_ms;
    case Only::kAlways:
      break;
  }
  return true;
}

// The field is there. What is not later than now deletes it.
int64_t give_deadline(Context& context, Hash& hash, std::string_view field, int64_t deadline_ms) {
  if (deadline_ms <= context.now_ms()) {
    hash.remove(field);
    return kDeleted;
  }
  hash.set_deadline(field, deadline_ms);
  return kChanged;
}

// HEXPIRE and co.: key time [NX | XX | GT | LT] FIELDS number field...
void expire_fields(Context& context, Args args, Time time, ReplyWriter& reply) {
  Hash* hash = context.open<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  const auto deadline_ms = read_time(context, args[2], time, reply);
  if (!deadline_ms) {
    return;
  }
  const Only only = read_condition(args[3]);
  const auto fields = read_fields(args, only == Only::kAlways ? 3 : 4, kNotAboveZero, reply);
  if (!fields) {
    return;
  }
  reply.array(fields->size());
  for (std::string_view field : *fields) {
    const auto current_ms = hash->deadline(field);
    reply.integer(!current_ms ? kNoField
                  : !holds(only, *current_ms, *deadline_ms)
                      ? kConditionFails
                      : give_deadline(context, *hash, field, *deadline_ms));
  }
  context.save(*hash, config::kEventHash, "hexpire");
}

// HTTL and co.: key FIELDS number field...
void reply_deadlines(Context& context, Args args, Time time, ReplyWriter& reply) {
  const Hash* hash = context.read<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  const auto fields = read_fields(args, 2, kNotPositive, reply);
  if (!fields) {
    return;
  }
  const int64_t base_ms = time.relative ? context.now_ms() : 0;
  reply.array(fields->size());
  for (std::string_view field : *fields) {
    const auto deadline_ms = hash->deadline(field);
    if (!deadline_ms || *deadline_ms == 0) {
      reply.integer(deadline_ms ? kNoDeadline : kNoField);
    } else {
      const int64_t left_ms = *deadline_ms - base_ms;
      reply.integer(time.unit == TimeUnit::kSeconds ? (left_ms + 999) / 1000 : left_ms);
    }
  }
}

}  // namespace

void hexpire(Context& context, Args args, ReplyWriter& reply) {
  expire_fields(context, args, {TimeUnit::kSeconds, true}, reply);
}
void hpexpire(Context& context, Args args, ReplyWriter& reply) {
  expire_fields(context, args, {TimeUnit::kMilliseconds, true}, reply);
}
void hexpireat(Context& context, Args args, ReplyWriter& reply) {
  expire_fields(context, args, {TimeUnit::kSeconds, false}, reply);
}
void hpexpireat(Context& context, Args args, ReplyWriter& reply) {
  expire_fields(context, args, {TimeUnit::kMilliseconds, false}, reply);
}
void httl(Context& context, Args args, ReplyWriter& reply) {
  reply_deadlines(context, args, {TimeUnit::kSeconds, true}, reply);
}
void hpttl(Context& context, Args args, ReplyWriter& reply) {
  reply_deadlines(context, args, {TimeUnit::kMilliseconds, true}, reply);
}
void hexpiretime(Context& context, Args args, ReplyWriter& reply) {
  reply_deadlines(context, args, {TimeUnit::kSeconds, false}, reply);
}
void hpexpiretime(Context& context, Args args, ReplyWriter& reply) {
  reply_deadlines(context, args, {TimeUnit::kMilliseconds, false}, reply);
}

void hpersist(Context& context, Args args, ReplyWriter& reply) {
  Hash* hash = context.open<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  const auto fields = read_fields(args, 2, kNotPositive, reply);
  if (!fields) {
    return;
  }
  reply.array(fields->size());
  for (std::string_view field : *fields) {
    const auto deadline_ms = hash->deadline(field);
    if (deadline_ms && *deadline_ms != 0) {
      hash->set_deadline(field, 0);
      reply.integer(kChanged);
    } else {
      reply.integer(deadline_ms ? kNoDeadline : kNoField);
    }
  }
  context.save(*hash, config::kEventHash, "hpersist");
}

// ---------------------------------------------------------------- values with deadlines

namespace {

// EX, PX, EXAT or PXAT.
std::optional<Time> time_word(std::string_view word) {
  if (same_word(word, "ex")) {
    return Time{TimeUnit::kSeconds, true};
  }
  if (same_word(word, "px")) {
    return Time{TimeUnit::kMilliseconds, true};
  }
  if (same_word(word, "exat")) {
    return Time{TimeUnit::kSeconds, false};
  }
  if (same_word(word, "pxat")) {
    return Time{TimeUnit::kMilliseconds, false};
  }
  return std::nullopt;
}

// The value, or null. False: it is not there.
bool reply_field(const Hash& hash, std::string_view field, ReplyWriter& reply) {
  const auto value = hash.get(field);
  if (value) {
    reply.bulk(*value);
  } else {
    reply.null();
  }
  return value.has_value();
}

}  // namespace

void hgetdel(Context& context, Args args, ReplyWriter& reply) {
  Hash* hash = context.open<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  const auto fields = read_fields(args, 2, kNotPositive, reply);
  if (!fields) {
    return;
  }
  reply.array(fields->size());
  for (std::string_view field : *fields) {
    if (reply_field(*hash, field, reply)) {
      hash->remove(field);
    }
  }
  context.save(*hash, config::kEventHash, "hdel");
}

// HGETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] FIELDS number field...
void hgetex(Context& context, Args args, ReplyWriter& reply) {
  Hash* hash = context.open<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  const auto time = time_word(args[2]);
  const bool persist = same_word(args[2], "persist");
  std::optional<int64_t> deadline_ms;
  if (time && !(deadline_ms = read_time(context, args[3], *time, reply))) {
    return;
  }
  const auto fields = read_fields(args, time ? 4 : persist ? 3 : 2, kNotPositive, reply);
  if (!fields) {
    return;
  }
  reply.array(fields->size());
  for (std::string_view field : *fields) {
    if (!reply_field(*hash, field, reply)) {
      continue;
    }
    if (time) {
      give_deadline(context, *hash, field, *deadline_ms);
    } else if (persist && hash->deadline(field).value_or(0) != 0) {
      hash->set_deadline(field, 0);
    }
  }
  context.save(*hash, config::kEventHash, time ? "hexpire" : "hpersist");
}

namespace {

struct SetOptions {
  bool only_new = false;
  bool only_there = false;
  bool keep = false;
  std::optional<int64_t> deadline_ms;
  Args pairs;  // field value...
};

// FIELDS number field value..., which are the last arguments, from args[at] on.
bool read_pairs(Context& context, Args args, size_t at, SetOptions& options, ReplyWriter& reply) {
  if (at + 3 >= args.size()) {
    reply_wrong_arity(context, reply);
    return false;
  }
  const auto number = parse_integer(args[at + 1]);
  if (!number || *number < 1 || *number > INT32_MAX) {
    reply.error("ERR invalid number of fields");
    return false;
  }
  options.pairs = args.subspan(at + 2);
  if (options.pairs.size() != 2 * static_cast<size_t>(*number)) {
    reply_wrong_arity(context, reply);
    return false;
  }
  return true;
}

bool read_set_options(Context& context, Args args, SetOptions& options, ReplyWriter& reply) {
  for (size_t at = 2; at < args.size(); ++at) {
    const std::string_view word = args[at];
    const bool keep = same_word(word, "keepttl");
    const auto time = time_word(word);
    const bool only_new = same_word(word, "fnx");
    if (same_word(word, "fields")) {
      return read_pairs(context, args, at, options, reply);
    }
    if (keep || time) {
      if (options.keep || options.deadline_ms) {
        reply.error("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
        return false;
      }
      options.keep = keep;
      if (time && at + 1 == args.size()) {
        reply.error("ERR missing expire time");
        return false;
      }
      if (time && !(options.deadline_ms = read_time(context, args[++at], *time, reply))) {
        return false;
      }
    } else if (only_new || same_word(word, "fxx")) {
      if (options.only_new || options.only_there) {
        reply.error("ERR Only one of FXX or FNX arguments can be specified");
        return false;
      }
      (only_new ? options.only_new : options.only_there) = true;
    } else {
      reply.error("ERR unknown argument: " + std::string(quoted_word(word)));
      return false;
    }
  }
  reply_wrong_arity(context, reply);  // Redis knows no such end of a command and stops there
  return false;
}

bool condition_holds(const Hash& hash, const SetOptions& options) {
  for (size_t at = 0; at < options.pairs.size(); at += 2) {
    const bool there = (options.only_new || options.only_there) && hash.contains(options.pairs[at]);
    if ((options.only_new && there) || (options.only_there && !there)) {
      return false;
    }
  }
  return true;
}

}  // namespace

// HSETEX key [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] FIELDS number field value...
void hsetex(Context& context, Args args, ReplyWriter& reply) {
  SetOptions options;
  if (!read_set_options(context, args, options, reply)) {
    return;
  }
  Hash* hash = context.open<Hash>(args[1], reply);
  if (hash == nullptr) {
    return;
  }
  if (!condition_holds(*hash, options)) {
    return reply.integer(0);
  }
  const bool over = options.deadline_ms && *options.deadline_ms <= context.now_ms();
  for (size_t at = 0; at < options.pairs.size(); at += 2) {
    const std::string_view field = options.pairs[at];
    const std::string_view value = options.pairs[at + 1];
    if (over) {
      hash->remove(field);
    } else if (options.keep) {
      hash->set_keeping_deadline(field, value);
    } else {
      hash->set(field, value, options.deadline_ms.value_or(0));
    }
  }
  context.save(*hash, config::kEventHash, over ? "hdel" : "hset");
  reply.integer(1);
}

}  // namespace kiwi::resp::commands
